"""Is a scan of an object store complete when requests fail? Writes `docs/measurements/scan_store.md`.

    python benchmarks/scan_store.py [--pictures 10000] [--failing 0.01] [--seed 0] [--write]

Starts an S3-compatible server on this machine (moto's), puts small pictures into it, and runs `unmask scan` on them with an
account in the address. Of the requests to read and to list, a share drawn by chance is refused with 503 Slow Down. The pictures
are of a few kinds, since what is looked at is the way to them: the same bytes are judged once. Needs the extra `scan-test`.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from machine import ROOT, hardware, table, today, write
from unmask.scan.results import PARTS, batches_of

KINDS = 20
# An account that no other text holds.
WHO, SECRET = "somebody", "hush-7f3a"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--failing", type=float, default=0.01)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    from tests.scan.pictures import picture
    from tests.toy_bundle import write_toy_bundle

    kinds = [picture(seed) for seed in range(1, KINDS + 1)]
    with tempfile.TemporaryDirectory() as name, store(options.failing, options.seed) as (host, asked):
        folder = Path(name)
        address = f"s3://{WHO}:{SECRET}@pictures/p?scheme=http&endpoint_override={host}&region=us-east-1"
        fill(address, kinds, options.pictures)
        asked.clear()
        command = [sys.executable, "-m", "unmask", "scan", address, "--out", str(folder / "out"), "--workers", "1"]
        command += ["--bundle", str(write_toy_bundle(folder / "toy")), "--no-face-search", "--quiet"]
        begin = time.perf_counter()
        ended = subprocess.run(command, capture_output=True, check=False)
        seconds = time.perf_counter() - begin
        rows = [row for part in batches_of(folder / "out" / PARTS, ["path", "sha256", "failure"]) for row in part]
        written = b"".join(path.read_bytes() for path in (folder / "out").rglob("*") if path.is_file())
    told = {f"s3://pictures/p/{number:06}.png": kinds[number % KINDS] for number in range(options.pictures)}
    expected = Counter((path, hashlib.sha256(data).hexdigest(), None) for path, data in told.items())
    found = Counter((row["path"], row["sha256"], row["failure"]) for row in rows)
    facts = [
        ["pictures in the store", f"{options.pictures:,}"],
        ["requests to read and to list", f"{asked['all']:,}"],
        ["of these refused", f"{asked['refused']:,} ({100 * asked['refused'] / asked['all']:.2f} %)"],
        ["rows with the right bytes and an answer", f"{(found & expected).total():,}"],
        ["other rows", f"{(found - expected).total():,}"],
        ["pictures without such a row", f"{(expected - found).total():,}"],
        ["exit status", str(ended.returncode)],
        ["times the account's secret was printed", str((ended.stdout + ended.stderr).count(SECRET.encode()))],
        ["times it was written", str(written.count(SECRET.encode()))],
        ["time of the scan", f"{seconds:.0f} s, {options.pictures / seconds:.0f} pictures a second"],
    ]
    text = f"""\
# A store that fails now and then

`unmask scan` of an S3-compatible server on the same machine (moto's), which refuses {100 * options.failing:g} % of the requests,
drawn by chance, with *503 Slow Down*. The pictures are small, of {KINDS} kinds, judged by the small detector of the tests: what
is looked at is whether all of them arrive, and that no account is told. Most of the time is that of the server.

{table(["", ""], facts)}
{hardware()}, {today()}; written by `benchmarks/scan_store.py`.
"""
    write("scan_store.md", text) if options.write else print(text)
    if found != expected or ended.returncode:
        raise SystemExit(ended.stderr.decode() or "not complete")


@contextmanager
def store(failing: float, seed: int) -> Iterator[tuple[str, Counter[str]]]:
    """The server: its address, and how many requests to read and list it got, and how many of them it refused."""
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Silent(WSGIRequestHandler):
        def log_request(self, *_: Any) -> None:
            pass

    application, chance = DomainDispatcherApplication(create_backend_app), random.Random(seed)
    asked: Counter[str] = Counter()

    def answer(environ: dict[str, Any], start_response: Any) -> Any:
        if environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            asked["all"] += 1
            if chance.random() < failing:
                asked["refused"] += 1
                start_response("503 Slow Down", [("Content-Length", "0")])
                return [b""]
        return application(environ, start_response)

    server = make_server("127.0.0.1", 0, answer, threaded=True, request_handler=Silent)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()


def fill(address: str, kinds: list[bytes], count: int) -> None:
    """Make the bucket and put the pictures into it."""
    from pyarrow.fs import FileSystem

    files, _ = FileSystem.from_uri(f"{address}&allow_bucket_creation=true")
    files.create_dir("pictures")

    def put(number: int) -> None:
        with files.open_output_stream(f"pictures/p/{number:06}.png") as stream:
            stream.write(kinds[number % KINDS])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(put, range(count)))


if __name__ == "__main__":
    main()
