"""A running `unmask serve` for the benchmarks, and how to ask it. Only ever on 127.0.0.1."""

from __future__ import annotations

import http.client
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Running:
    """A server under test."""

    process: subprocess.Popen[str]
    port: int
    seconds_to_ready: float

    @property
    def resident(self) -> float:
        """Memory in use, in MB."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", text)
        return int(found[1]) / 1000 if found else float("nan")


@dataclass
class Reply:
    """What came back; names of headers in small letters."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    seconds: float = 0.0


@contextmanager
def unmask_serve(*options: str) -> Iterator[Running]:
    """Starts the server, and kills it in the end."""
    command = [sys.executable, "-m", "unmask", "serve", "--port", "0", "--rate", "0", *options]
    started = time.perf_counter()
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=quiet()) as process:
        try:
            assert process.stderr is not None
            port = next(
                int(found[1]) for line in process.stderr if (found := re.search(r"at http://[^ ]+:(\d+)", line))
            )
            running = Running(process, port, time.perf_counter() - started)
            threading.Thread(target=process.stderr.read, daemon=True).start()  # so that its log never blocks it
            yield running
        finally:
            process.kill()


def quiet() -> dict[str, str]:
    """Our environment, without TensorFlow's chatter."""
    return {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}


def ask(port: int, path: str, body: bytes | None = None, method: str = "POST", **headers: str) -> Reply:
    """One request over a connection of its own."""
    started = time.perf_counter()
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=90)) as connection:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        reply = connection.getresponse()
        data = reply.read()
    return Reply(
        reply.status, {name.lower(): value for name, value in reply.getheaders()}, data, time.perf_counter() - started
    )


def multipart(parts: list[tuple[str, bytes]], boundary: str = "unmask-benchmark") -> tuple[bytes, str]:
    """Files as a form: its body and content type. File names go in as they are."""
    lines = b"".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="picture"; filename="{name}"\r\n\r\n'.encode()
        + data
        + b"\r\n"
        for name, data in parts
    )
    return lines + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"
