"""How long does an evaluation take? Writes `docs/measurements/evaluate_speed.md`.

    python benchmarks/evaluate_speed.py [--bundle FOLDER] [--data ../shared/faces/Test] [--runs 3]

Bare inference is the same detector on the same pictures, decoded and resized beforehand, by as many workers. Scoring is what
`unmask evaluate` does: files in, rows out. The two take turns. The whole command is measured in a fresh process, with the
gallery's heatmaps and without robustness. Needs the extra `train`.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from machine import ROOT, hardware, table, today, write
from unmask.detector import Detector
from unmask.evaluate.pictures import open_pictures
from unmask.evaluate.scoring import BLOCK, read_crop, score_pictures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "faces" / "Test")
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    detector = Detector.load(given.bundle, threads=1)
    pictures = open_pictures(given.data)
    crops = np.stack([read_crop(detector, pictures, index) for index in range(len(pictures))])
    bare, scoring = [], []
    for _ in range(given.runs):
        bare.append(taken(lambda: infer(detector, crops)))
        scoring.append(taken(lambda: score_pictures(detector, pictures)))
    whole = taken(lambda: command(given.bundle, given.data))
    rows = [
        line("bare inference", bare, bare),
        line("scoring, from files", scoring, bare),
        line("`unmask evaluate --no-robustness`, whole", [whole], bare),
    ]
    head = ["what", "wall", "processor", "processor time of bare inference = 1"]
    write(
        "evaluate_speed.md",
        f"""# How long an evaluation takes

Written by `benchmarks/evaluate_speed.py` on {today()}, {hardware()}; detector {detector.label},
input {detector.info.input_size} px, {len(pictures):,} pictures, medians of {given.runs} runs in turns (the whole command once).
Processor time is that of all threads together, so it does not count what else the machine was
doing: on idle cores the wall time is at most that. Load average of the machine meanwhile:
{os.getloadavg()[0]:.1f}.

{table(head, rows)}""",
    )


def line(what: str, taken: list[tuple[float, float]], bare: list[tuple[float, float]]) -> list[str]:
    wall, processor = (statistics.median(column) for column in zip(*taken, strict=True))
    times = processor / statistics.median(seconds for _, seconds in bare)
    return [what, f"{wall:.1f} s", f"{processor:.1f} s", f"{times:.2f}"]


def infer(detector: Detector, crops: np.ndarray) -> None:
    parts = [crops[start : start + BLOCK] for start in range(0, len(crops), BLOCK)]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        list(pool.map(detector.logits, parts))


def command(bundle: Path | None, data: Path) -> None:
    with tempfile.TemporaryDirectory() as out:
        arguments = [*([str(bundle)] if bundle else []), "--data", str(data), "--out", out, "--no-robustness"]
        subprocess.run([sys.executable, "-m", "unmask", "evaluate", *arguments], check=True, stdout=subprocess.DEVNULL)


def taken(call: Callable[[], object]) -> tuple[float, float]:
    """Wall time, and processor time of this process and its children, in seconds."""
    started, before = time.perf_counter(), os.times()
    call()
    after = os.times()
    return time.perf_counter() - started, sum(after[:4]) - sum(before[:4])


if __name__ == "__main__":
    main()
