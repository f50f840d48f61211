"""How fast are pictures prepared, and in how much memory? Writes `docs/measurements/prepare_speed.md`.

    python benchmarks/prepare_speed.py [--faces FOLDER] [--pictures 2000 14000] [--turns 5]

Against the plain loop `cv2.imread, cvtColor, resize, float32, list, np.array` over the same 256 px JPEG files. Each turn
is a fresh process, and the two take turns. Without a set of faces the pictures are generated.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from machine import ROOT, hardware, table, today, write

PEAK = """
import json, sys, time, resource
def used():
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in both)
def finish(start, before):
    seconds = time.perf_counter() - start
    own, worker = (resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(json.dumps({"seconds": seconds, "processor": used() - before, "megabytes": own + 2 * worker}))
"""
LOOP = (
    PEAK
    + """
import cv2, numpy as np
from pathlib import Path
start, before = time.perf_counter(), used()
images, labels = [], []
for split in ("Train",):
    for label, name in enumerate(("Real", "Fake")):
        for path in sorted((Path(sys.argv[1]) / split / name).iterdir()):
            image = cv2.imread(str(path))
            image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
            images.append(cv2.resize(image, (128, 128)).astype(np.float32) / 255.0)
            labels.append(label)
images, labels = np.array(images), np.array(labels)
finish(start, before)
"""
)
PREPARE = (
    PEAK
    + """
from pathlib import Path
from unmask.data.prepare import prepare
start, before = time.perf_counter(), used()
prepare(Path(sys.argv[1]), Path(sys.argv[2]), size=128, workers=2)
finish(start, before)
"""
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--faces", type=Path, default=Path(os.environ.get("UNMASK_FACES", ROOT.parent / "shared/faces"))
    )
    parser.add_argument("--pictures", type=int, nargs="+", default=[2000, 14000])
    parser.add_argument("--turns", type=int, default=5)
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        for count in arguments.pictures:
            dataset, kind = make_dataset(Path(name) / f"set-{count}", count, arguments.faces)
            rows.append(compare(dataset, Path(name), count, arguments.turns))
    write("prepare_speed.md", page(rows, kind, arguments.turns))


def make_dataset(folder: Path, count: int, faces: Path) -> tuple[Path, str]:
    """Half of `count` pictures of each class, all in Train."""
    files = sorted(faces.glob("*/*/*.jpg"))
    kind = "face crops" if len(files) >= count else "generated pictures"
    for place in range(count):
        path = folder / "Train" / ("Real", "Fake")[place % 2] / f"{place:06}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        if kind == "face crops":
            path.symlink_to(files[place].resolve())
        else:
            rng = np.random.default_rng(place)
            blobs = cv2.resize(
                rng.integers(0, 256, (9, 9, 3)).astype(np.uint8), (256, 256), interpolation=cv2.INTER_CUBIC
            )
            noisy = np.clip(blobs + rng.normal(0, 4, blobs.shape), 0, 255).astype(np.uint8)
            cv2.imwrite(str(path), noisy, [cv2.IMWRITE_JPEG_QUALITY, 88])
    return folder, kind


def compare(dataset: Path, work: Path, count: int, turns: int) -> dict[str, object]:
    for path in dataset.glob("*/*/*.jpg"):  # both find the files in the disk cache
        path.read_bytes()
    measured: dict[str, list[dict[str, float]]] = {"loop": [], "prepare": []}
    for turn in range(turns):
        measured["loop"].append(run(LOOP, dataset))
        measured["prepare"].append(run(PREPARE, dataset, work / f"out-{count}-{turn}"))
    speeds = {which: [count / one["seconds"] for one in ones] for which, ones in measured.items()}
    ratios = [ours / theirs for ours, theirs in zip(speeds["prepare"], speeds["loop"], strict=True)]
    return {
        "count": count,
        "loop": statistics.median(speeds["loop"]),
        "prepare": statistics.median(speeds["prepare"]),
        "ratio": statistics.median(ratios),
        "ratios": (min(ratios), max(ratios)),
        "loop_ms": statistics.median(1000 * one["processor"] / count for one in measured["loop"]),
        "prepare_ms": statistics.median(1000 * one["processor"] / count for one in measured["prepare"]),
        "loop_mb": max(one["megabytes"] for one in measured["loop"]),
        "prepare_mb": max(one["megabytes"] for one in measured["prepare"]),
    }


def run(program: str, *arguments: Path) -> dict[str, float]:
    command = [sys.executable, "-c", program, *map(str, arguments)]
    time.sleep(0.2)
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def page(rows: list[dict[str, object]], kind: str, turns: int) -> str:
    head = ["pictures", "plain loop, pictures/s", "`unmask prepare`, pictures/s", "times as fast (lowest to highest)"]
    head += ["plain loop, ms of processor", "`unmask prepare`, ms of processor"]
    head += ["plain loop, peak MB", "`unmask prepare`, peak MB"]
    lines = [
        [
            f"{row['count']:,}",
            f"{row['loop']:,.0f}",
            f"{row['prepare']:,.0f}",
            f"{row['ratio']:.2f} ({row['ratios'][0]:.2f} to {row['ratios'][1]:.2f})",  # type: ignore[index]
            f"{row['loop_ms']:.2f}",
            f"{row['prepare_ms']:.2f}",
            f"{row['loop_mb']:,.0f}",
            f"{row['prepare_mb']:,.0f}",
        ]
        for row in rows
    ]
    return (
        "# How fast are pictures prepared?\n\n"
        f"Medians of {turns} turns on {hardware()}, {today()}; 256 px JPEG {kind} to 128 px, files in the disk cache. The "
        "plain loop is `cv2.imread`, `cvtColor`, `resize`, float32, list, `np.array`: it checks nothing and keeps "
        "everything in memory. `unmask prepare` also checks every file, hashes it, reads its JPEG tables and writes the "
        "pixels to disk, in two processes; its memory is the sum over all three, pages they share counted more than once. "
        "Other programs were running now and then, which the lowest ratios show; milliseconds of "
        f"processor are a picture's, both cores together. Load average at the end: {os.getloadavg()[0]:.1f}.\n\n"
        + table(head, lines)
        + "\nWritten by `benchmarks/prepare_speed.py`.\n"
    )


if __name__ == "__main__":
    main()
