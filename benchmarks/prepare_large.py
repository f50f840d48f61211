"""Does a dataset of the usual size go through `prepare` and `audit`, and in how much memory?

Writes `docs/measurements/prepare_large.md`.

    python benchmarks/prepare_large.py --folder FOLDER [--pictures 140000]

Generates small JPEG files, every one another picture, once; then runs both verbs and watches their memory.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np

from machine import hardware, table, today, write

SHARES = {"Train": 100 / 140, "Validation": 20 / 140, "Test": 20 / 140}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="Where the dataset and the results go.")
    parser.add_argument("--pictures", type=int, default=140_000)
    arguments = parser.parse_args()
    dataset, out = arguments.folder / "Dataset", arguments.folder / "prepared"
    generate(dataset, arguments.pictures)
    shutil.rmtree(out, ignore_errors=True)
    count = sum(1 for _ in dataset.glob("*/*/*.jpg"))
    rows = [
        watched("unmask prepare", [str(dataset), "--out", str(out), "--overwrite"]),
        watched("unmask audit", [str(out)]),
    ]
    write(
        "prepare_large.md",
        f"# {count:,} pictures\n\n"
        f"{hardware()}, {today()}, shared with other programs. Generated JPEG files of 110 to 140 px, to 128 px. Memory is the "
        "largest sum over the program's processes (proportional set size; pages of memory-mapped files count while they are "
        "in use), looked at twice a second.\n\n"
        + table(["", "minutes", "pictures/s", "peak MB, first quarter of the time", "peak MB, whole time"], rows)
        + "\nWritten by `benchmarks/prepare_large.py`.\n",
    )


def generate(dataset: Path, pictures: int) -> None:
    cv2.setNumThreads(1)
    grain = np.random.default_rng(0).normal(0, 7, (400, 400, 3)).astype(np.float32)
    seed = 0
    for split, share in SHARES.items():
        for name in ("Real", "Fake"):
            folder = dataset / split / name
            folder.mkdir(parents=True, exist_ok=True)
            for number in range(round(pictures * share / 2)):
                seed += 1
                path = folder / f"{number:06}.jpg"
                if path.exists():
                    continue
                rng = np.random.default_rng(seed)
                side, cells = int(rng.integers(110, 140)), int(rng.integers(5, 12))
                blobs = rng.integers(0, 256, (cells, cells, 3)).astype(np.uint8)
                smooth = cv2.resize(blobs, (side, side), interpolation=cv2.INTER_CUBIC)
                top, left = rng.integers(0, 400 - side, 2)
                noisy = smooth + grain[top : top + side, left : left + side]
                quality = int(rng.integers(80, 95))
                cv2.imwrite(str(path), np.clip(noisy, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality])


def watched(verb: str, arguments: list[str]) -> list[str]:
    """Runs a verb; a row of the table."""
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", *verb.split(), *arguments], stdout=subprocess.PIPE, text=True)
    samples = []
    while process.poll() is None:
        samples.append((time.perf_counter() - start, memory(process.pid)))
        time.sleep(0.5)
    seconds = time.perf_counter() - start
    printed = process.stdout.read() if process.stdout else ""
    print(printed)
    if process.returncode:
        raise SystemExit(f"{verb} ended with {process.returncode}")
    early = max((size for at, size in samples if at < seconds / 4), default=0.0)
    whole = max((size for _, size in samples), default=0.0)
    count = sum(1 for _ in Path(arguments[0]).glob("*/*/*.jpg")) if "prepare" in verb else 0
    speed = f"{count / seconds:,.0f}" if count else ""
    return [f"`{verb}`", f"{seconds / 60:.1f}", speed, f"{early:,.0f}", f"{whole:,.0f}"]


def memory(pid: int) -> float:
    """Megabytes of a process and its children (Linux)."""
    total = 0.0
    for one in (pid, *children(pid)):
        try:
            for line in Path(f"/proc/{one}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) / 1024
        except (OSError, ValueError):
            continue
    return total


def children(pid: int) -> list[int]:
    found = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(one) for one in path.read_text().split()]
        except OSError:
            continue
    return found


if __name__ == "__main__":
    main()
