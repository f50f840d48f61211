"""Is a scan of very many pictures complete, and does its memory stay flat? Writes `docs/measurements/scan_many.md`.

    python benchmarks/scan_many.py [--pictures 100000] [--faces ../shared/faces] [--write]

Nine of ten pictures are face crops of 256 px, the tenth has 12 megapixels, and every hundredth is damaged in one of five ways. No
two but the empty ones have the same bytes. They are judged by the small detector of the tests, since what is looked at is
everything around the network; what that costs is on the page of `scan_speed.py`. Every row is compared with the file. Needs
the extras `scan` and `scan-test`, and 70 KB of disk a picture.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np

from machine import ROOT, hardware, table, today, write
from scan_speed import enlarged, scan
from unmask import read_image
from unmask.image.encode import encode_jpeg
from unmask.scan.results import PARTS, batches_of

PARTS_OF_TIME = 10
# So many of 12 megapixels are encoded; the others differ from them by a comment.
LARGE_ONES = 300
DAMAGES = {
    "empty": lambda data: b"",
    "its first 64 bytes": lambda data: data[:64],
    "its first half": lambda data: data[: len(data) // 2],
    "turned round": lambda data: data[::-1],
    "a page of a web server": lambda data: b"<!doctype html><title>404 Not Found</title>" + data[-64:].hex().encode(),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=100_000)
    parser.add_argument("--faces", type=Path, default=ROOT.parent / "shared" / "faces")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    from tests.toy_bundle import write_toy_bundle

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        hashes, damaged = make(folder / "pictures", options.faces, options.pictures)
        size = sum(path.stat().st_size for path in (folder / "pictures").rglob("*.*"))
        toy = write_toy_bundle(folder / "toy")
        _, samples = scan(folder / "pictures", folder / "out", "--bundle", str(toy))
        columns = ["path", "sha256", "status", "failure"]
        rows = [row for part in batches_of(folder / "out" / PARTS, columns) for row in part]
    found = Counter((Path(row["path"]).name, row["sha256"]) for row in rows)
    reasons: dict[str, Counter[str]] = {kind: Counter() for kind in DAMAGES}
    good: Counter[str] = Counter()
    for row in rows:
        kind = damaged.get(Path(row["path"]).name)
        (reasons[kind] if kind else good)[row["failure"] or row["status"]] += 1
    wrong = (found - Counter(hashes.items())).total() + (Counter(hashes.items()) - found).total()
    tenths = np.array_split(np.array(samples), PARTS_OF_TIME)
    own = [f"{np.median(part[:, 0]):.0f}" for part in tenths]
    whole = [f"{part[:, 1].max():.0f}" for part in tenths]
    held = table(["", *map(str, range(1, PARTS_OF_TIME + 1))], [["reads and writes", *own], ["all", *whole]])
    facts = [
        ["pictures", f"{options.pictures:,}"],
        ["of these damaged", f"{len(damaged):,}"],
        ["on disk", f"{size / 1e9:.1f} GB"],
        ["rows", f"{len(rows):,}"],
        ["rows missing, twice or with another file's hash", f"{wrong:,}"],
        *([f"whole: {reason}", f"{n:,}"] for reason, n in good.most_common()),
        *([f"{kind}: {reason}", f"{n:,}"] for kind, why in reasons.items() for reason, n in why.items()),
    ]
    text = f"""\
# {options.pictures:,} pictures in one scan

`unmask scan` of a folder, nine of ten pictures of 256 px and the tenth of 12 megapixels, every hundredth damaged. Faces are
searched for as always, and judged by the small detector of the tests: what is looked at is everything but the network.

{table(["", ""], facts)}
Memory in each tenth of the time, in MB: of the process that reads and writes (half of the time below this), and of all at most.

{held}
{hardware()}, {today()}; written by `benchmarks/scan_many.py`.
"""
    write("scan_many.md", text) if options.write else print(text)
    if wrong:
        raise SystemExit("not complete")


def make(folder: Path, faces: Path, count: int) -> tuple[dict[str, str], dict[str, str]]:
    """Pictures in folders of a thousand: the hash of each by its name, and which of them are damaged, and how."""
    with (faces / "manifest.csv").open(newline="") as file:
        known = [faces / row["path"] for row in csv.DictReader(file)]
    large = [
        encode_jpeg(enlarged(read_image(known[number * 7919 % len(known)]).pixels)) for number in range(LARGE_ONES)
    ]
    hashes, damaged, kinds = {}, {}, list(DAMAGES)
    for number in range(count):
        source = known[number * 7919 % len(known)]  # a prime, so that each is taken once before one comes again
        if number % 10 == 9:
            data, name = commented(large[number // 10 % LARGE_ONES], number), f"{number:07}.jpg"
        elif number < len(known):
            data, name = source.read_bytes(), f"{number:07}{source.suffix}"
        else:
            again = commented(encode_jpeg(read_image(source).pixels, quality=95 - number // len(known)), number)
            data, name = again, f"{number:07}.jpg"
        if number % 100 == 50:
            damaged[name] = kinds[number // 100 % len(kinds)]
            data = DAMAGES[damaged[name]](data)
        path = folder / f"{number // 1000:04}" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        hashes[name] = hashlib.sha256(data).hexdigest()
    return hashes, damaged


def commented(jpeg: bytes, number: int) -> bytes:
    """The same picture with a number in it, so that no other has its bytes."""
    return jpeg[:2] + b"\xff\xfe\x00\x0a" + f"{number:08}".encode() + jpeg[2:]


if __name__ == "__main__":
    main()
