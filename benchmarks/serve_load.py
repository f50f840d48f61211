"""Does the server keep its word under load, and under attack? Writes `docs/measurements/serve_load.md`.

    python benchmarks/serve_load.py [--requests 500] [--mixed 2000]

One `unmask serve` with the shipped detector on 127.0.0.1 gets, one after the other: 4 clients with 500 requests each, 64
clients at once, and 2,000 requests of good, bad and hostile ones mixed. Every reply is held against what it should be, and
the memory after against before. Then: SIGTERM with requests in flight, and kill -9 under load with a start on the same port.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import io
import json
import random
import signal
import socket
import statistics
import struct
import sys
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from PIL import Image

from machine import hardware, table, today, write
from serving import Reply, Running, ask, multipart, unmask_serve
from unmask.demo import draw_face
from unmask.image.encode import encode_jpeg, encode_png
from unmask.image.resize import resize

CHECK = "/api/v1/check?heatmap=png"
OUTCOME = Callable[[int], str]
WAIT = 0.05
SETTLE_SECONDS = 8  # for what a client did not wait for to end
FACE = encode_jpeg(resize(draw_face(7), 256), 90)
OTHER = encode_jpeg(resize(draw_face(3), 256), 90)


@dataclass(frozen=True)
class Kind:
    """A kind of request.

    Attributes:
        share: How many of a hundred.
        send: Sends it to a port and gives back "status" or "status answer", e.g. "200 answered"; "closed" where the
            server ended the connection without a reply.
        right: What may come back.
    """

    share: int
    send: OUTCOME
    right: frozenset[str]


def kinds() -> dict[str, Kind]:
    """All of them, and how they should be answered."""
    noise = encode_png(np.random.default_rng(1).integers(90, 110, (200, 200, 3), dtype=np.uint8))
    bomb = png_bomb(60_000, 60_000)
    deep = png_bomb(7_000, 7_000)  # 49 megapixels, just inside of the limit, from 150 kB
    polyglot = FACE + b"<html><script>alert(1)</script></html>PK\x03\x04" + b"\0" * 100
    disguised = b"GIF89a/*" + b"*/=1;alert(1)//" * 50
    many = (
        b"".join(b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' for _ in range(10_000)) + b"--x--\r\n"
    )
    form_of = multipart
    return {
        "a face": Kind(36, body(FACE), right("200 answered")),
        "another face, as a form": Kind(20, form(form_of([("a.jpg", OTHER)])), right("200 answered")),
        "three pictures in a form": Kind(
            5, form(form_of([("a", FACE), ("b", noise), ("c", b"x")])), right("200 mixed")
        ),
        "no face": Kind(5, body(noise), right("200 no-face")),
        "cut off": Kind(4, body(FACE[:4000]), right("200 unreadable")),
        "text": Kind(4, body(b"not a picture"), right("200 unreadable")),
        "nothing": Kind(2, body(b""), right("400 no-picture")),
        "wrong parameter": Kind(2, body(FACE, "/api/v1/check?heatmap=gif"), right("400 bad-parameter")),
        "a bomb: 3,600 megapixels": Kind(3, body(bomb), right("200 unreadable")),
        "49 megapixels from 150 kB": Kind(1, body(deep), right("200 no-face", "503 too-slow")),
        "26 MB": Kind(1, body(b"\xff\xd8" + b"\0" * 26_000_000), right("413 too-large")),
        "polyglot: JPEG, HTML and ZIP": Kind(3, body(polyglot), right("200 answered")),
        "script that begins like a GIF": Kind(2, body(disguised), right("200 unreadable")),
        "path in the file name": Kind(3, form(form_of([("../../../etc/passwd\0.jpg", FACE)])), right("200 answered")),
        "script in the EXIF": Kind(3, body(exif_script(), "/card"), right("200 page")),
        "10,000 parts": Kind(2, form((many, "multipart/form-data; boundary=x")), right("413 too-many-pictures")),
        "a form that is none": Kind(
            1, form((b"\0" * 5000, "multipart/form-data; boundary=x")), right("400 no-picture")
        ),
        "length longer than the body": Kind(1, raw(head(len(FACE) + 50) + FACE, hang_up=True), right("closed")),
        "length shorter than the body": Kind(
            1, raw(head(len(FACE) - 50, "Connection: close") + FACE), right("200 answered", "200 unreadable")
        ),
        "no HTTP": Kind(1, raw(b"\x16\x03\x01\x02\x00" * 20 + b"\r\n\r\n"), right("400 not JSON")),
    }


SLOW_BODIES = 4


def right(*outcomes: str) -> frozenset[str]:
    return frozenset(outcomes)


def png_bomb(width: int, height: int) -> bytes:
    """A small PNG file that says it is huge, and is: one grey, compressed a thousandfold."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(9)
    line = b"\0" + b"\x80" * (width * 3)
    lines = height if width * height < 100_000_000 else 50
    data = b"".join(packer.compress(line) for _ in range(lines)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def exif_script() -> bytes:
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Maker", "<script>alert(1)</script>"
    stream = io.BytesIO()
    Image.open(io.BytesIO(FACE)).save(stream, "JPEG", exif=exif)
    return stream.getvalue()


def head(length: int, *more: str) -> bytes:
    lines = [f"POST {CHECK} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {length}", *more, "", ""]
    return "\r\n".join(lines).encode()


def body(data: bytes, path: str = CHECK) -> OUTCOME:
    return lambda port: outcome(ask(port, path, data, Content_Type="application/octet-stream"))


def form(content: tuple[bytes, str]) -> OUTCOME:
    return lambda port: outcome(ask(port, CHECK, content[0], Content_Type=content[1]))


def raw(data: bytes, *, hang_up: bool = False) -> OUTCOME:
    def send(port: int) -> str:
        with closing(socket.create_connection(("127.0.0.1", port), timeout=90)) as connection:
            connection.sendall(data)
            if hang_up:
                connection.shutdown(socket.SHUT_WR)
            return raw_outcome(connection)

    return send


def slow_body(port: int) -> str:
    """A byte a second."""
    with closing(socket.create_connection(("127.0.0.1", port), timeout=1)) as connection:
        connection.sendall(head(len(FACE)))
        for byte in FACE:
            with contextlib.suppress(OSError):  # where the server has closed, reading says so
                connection.sendall(bytes([byte]))
            try:
                first = connection.recv(65536)
            except TimeoutError:
                continue
            except OSError as error:
                return f"broken off: {type(error).__name__}"
            connection.settimeout(90)
            return raw_outcome(connection, first)
    return "never ended"


def raw_outcome(connection: socket.socket, first: bytes = b"") -> str:
    received = first + b"".join(iter(lambda: connection.recv(65536), b""))
    if not received:
        return "closed"
    start, _, rest = received.partition(b"\r\n\r\n")
    return outcome(Reply(int(start.split()[1]), {}, rest))


def outcome(reply: Reply) -> str:
    """Status and, of the reply's document, its problem code or the status of its findings."""
    if reply.body.startswith(b"<"):
        return f"{reply.status} {'script!' if b'<script>alert' in reply.body else 'page'}"
    try:
        found, _ = json.JSONDecoder().raw_decode(reply.body.decode())
    except ValueError:
        return f"{reply.status} not JSON"
    if "code" in found:
        return f"{reply.status} {found['code']}"
    statuses = {finding["status"] for finding in found["findings"]}
    return f"{reply.status} {statuses.pop() if len(statuses) == 1 else 'mixed'}"


def steady(server: Running, clients: int, each: int) -> tuple[list[float], float, int]:
    """Clients that each send one request after the other: latencies, total seconds, wrong replies."""
    expected = ask(server.port, CHECK, FACE).body
    wrong = 0

    def client(_: int) -> list[float]:
        nonlocal wrong
        taken = []
        for _ in range(each):
            reply = ask(server.port, CHECK, FACE)
            wrong += reply.status != 200 or reply.body != expected
            taken.append(reply.seconds)
        return taken

    started = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        seconds = [second for taken in pool.map(client, range(clients)) for second in taken]
    return seconds, time.perf_counter() - started, wrong


def burst(server: Running, clients: int, rounds: int = 5) -> tuple[Counter[str], int, float]:
    """Clients all at once: outcomes, refusals without Retry-After, slowest refusal."""
    found: Counter[str] = Counter()
    unsaid, slowest = 0, 0.0
    together = threading.Barrier(clients)

    def client(_: int) -> Reply:
        together.wait()
        return ask(server.port, CHECK, FACE)

    with ThreadPoolExecutor(clients) as pool:
        for _ in range(rounds):
            for reply in pool.map(client, range(clients)):
                found[outcome(reply)] += 1
                if reply.status == 429:
                    unsaid += "retry-after" not in reply.headers
                    slowest = max(slowest, reply.seconds)
    return found, unsaid, slowest


def mixed(server: Running, count: int) -> tuple[dict[str, Counter[str]], dict[str, Counter[str]]]:
    """Every kind, shuffled, from 8 clients, with slow bodies beside them: outcomes by kind, and the wrong ones."""
    every = kinds()
    names = [name for name, kind in every.items() for _ in range(kind.share)]
    order = [names[k % len(names)] for k in range(count - SLOW_BODIES)]
    random.Random(1).shuffle(order)
    found: dict[str, Counter[str]] = {name: Counter() for name in [*every, "slow body: a byte a second"]}

    def send(name: str) -> tuple[str, str]:
        for _ in range(40):
            try:
                got = every[name].send(server.port)
            except OSError as error:
                got = f"broken off: {type(error).__name__}"
            if got != "429 busy":
                return name, got
            time.sleep(WAIT)
        return name, got

    with ThreadPoolExecutor(8) as pool, ThreadPoolExecutor(SLOW_BODIES) as slow:
        late = [slow.submit(slow_body, server.port) for _ in range(SLOW_BODIES)]
        for name, got in pool.map(send, order):
            found[name][got] += 1
        for slow_client in late:
            found["slow body: a byte a second"][slow_client.result()] += 1
    allowed = {name: kind.right for name, kind in every.items()} | {
        "slow body: a byte a second": right("408 slow-request")
    }
    wrong = {
        name: Counter({got: n for got, n in counts.items() if got not in allowed[name] | {"429 busy"}})
        for name, counts in found.items()
    }
    return found, {name: counts for name, counts in wrong.items() if counts}


def warm_up(server: Running) -> None:
    """Two of every kind, so that everything that is loaded or sized on first use is there."""
    for kind in kinds().values():
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(kind.send, [server.port] * 2))
    time.sleep(SETTLE_SECONDS)


def start() -> float:
    """Seconds from the command to the line with the address."""
    with unmask_serve() as server:
        return server.seconds_to_ready


def terminated() -> tuple[int, int, float, int]:
    """SIGTERM with requests in flight: sent, answered well, seconds to the end, exit status."""
    with unmask_serve() as server:
        ask(server.port, CHECK, FACE)
        connections = []
        for _ in range(12):
            connection = socket.create_connection(("127.0.0.1", server.port), timeout=60)
            connection.sendall(head(len(FACE)) + FACE[:-100])
            connections.append(connection)
        ask(server.port, "/healthz", method="GET")
        started = time.perf_counter()
        server.process.send_signal(signal.SIGTERM)
        for connection in connections:
            connection.sendall(FACE[-100:])
        answered = sum(raw_outcome(connection) == "200 answered" for connection in connections)
        for connection in connections:
            connection.close()
        status = server.process.wait(60)
        return len(connections), answered, time.perf_counter() - started, status


def killed() -> tuple[float, str]:
    """kill -9 under load, and a start on the same port: seconds to its first answer, and that answer."""
    over = threading.Event()
    with unmask_serve() as server:

        def load() -> None:
            while not over.is_set():
                try:
                    ask(server.port, CHECK, FACE)
                except (OSError, http.client.HTTPException):
                    over.wait(0.02)

        clients = [threading.Thread(target=load) for _ in range(4)]
        for client in clients:
            client.start()
        ask(server.port, CHECK, FACE)
        server.process.kill()
        server.process.wait()
        started = time.perf_counter()
        with unmask_serve("--port", str(server.port)) as again:
            first = outcome(ask(again.port, CHECK, FACE))
            seconds = time.perf_counter() - started
            over.set()
            for client in clients:
                client.join()
    return seconds, first


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=500, help="Of each of the 4 clients.")
    parser.add_argument("--mixed", type=int, default=2000)
    arguments = parser.parse_args()
    with unmask_serve() as server:
        steady(server, 4, 25)
        warm_up(server)
        before = server.resident
        latencies, total, wrong_steady = steady(server, 4, arguments.requests)
        bursts, unsaid, slowest = burst(server, 64)
        found, wrong = mixed(server, arguments.mixed)
        last = outcome(ask(server.port, CHECK, FACE))
        time.sleep(SETTLE_SECONDS)
        after = server.resident
    starts = sorted(start() for _ in range(5))
    sent, answered, drained, exit_status = terminated()
    restart, first = killed()
    percentiles = statistics.quantiles(latencies, n=100)
    rows = [
        ["start to ready, median of 5", f"{starts[2]:.1f} s ({starts[0]:.1f} to {starts[-1]:.1f} s)", "under 3 s"],
        [f"4 clients x {arguments.requests} requests", f"{wrong_steady} wrong replies", "none"],
        ["... throughput", f"{len(latencies) / total:.0f} pictures a second", ""],
        [
            "... latency, median / 95 % / 99 %",
            " / ".join(f"{1000 * percentiles[k - 1]:.0f}" for k in (50, 95, 99)) + " ms",
            "",
        ],
        ["64 clients at once, 5 times", ", ".join(f"{n} x {got}" for got, n in bursts.most_common()), "200 or 429"],
        ["... refusals without Retry-After; slowest refusal", f"{unsaid}; {slowest:.2f} s", "none"],
        [
            f"{arguments.mixed} mixed requests",
            f"{sum(sum(counts.values()) for counts in wrong.values())} wrong replies",
            "none",
        ],
        ["... a good request right after", last, "200 answered"],
        [
            "memory before and after",
            f"{before:.0f} and {after:.0f} MB ({100 * (after / before - 1):+.1f} %)",
            "within 10 %",
        ],
        [
            "SIGTERM with requests in flight",
            f"{answered} of {sent} answered, ended in {drained:.1f} s, status {exit_status}",
            "all",
        ],
        ["kill -9 under load, then a start on the same port", f"{first} after {restart:.1f} s", "200 answered"],
    ]
    details = [
        [name, str(sum(counts.values())), ", ".join(f"{n} x {got}" for got, n in counts.most_common())]
        for name, counts in found.items()
    ]
    write(
        "serve_load.md",
        f"""# The server under load

Written by `benchmarks/serve_load.py` on {today()}, {hardware()}, Python {sys.version.split()[0]}. The shipped detector, pictures
of 256 px with heatmap, clients on the same machine. Other programs were running on it. Memory is that of the process (resident),
before: after two requests of every kind; each time some seconds after the last request.

{table(["what", "measured", "bar"], rows)}
The mixed requests, and what came back. A client that was told 429 tried again.

{table(["request", "n", "replies"], details)}""",
    )
    if wrong:
        raise SystemExit(f"wrong replies: {wrong}")


if __name__ == "__main__":
    main()
