"""What does `unmask scan` cost beside bare decoding and a bare network, and so a million pictures, or a billion?

    python benchmarks/scan_speed.py [--pictures 2000] [--copies 20000] [--faces ../shared/faces] [--write]

Nine of ten pictures are face crops of 256 px as they lie in the set, the tenth is one enlarged to 12 megapixels. The same run
measures both sides: before and after the scan every eleventh picture is decoded and judged alone, by as many processes as it has.
Then one picture under many names is scanned, which only has to be read, recognised and written down: so much one process
can take in, whoever judges. Scanned again, all of it is done: so fast a scan that goes on finds its place. Prints a page;
`--write` writes it to `docs/measurements/scan_speed.md`. Needs the extra `scan`.
"""

from __future__ import annotations

import argparse
import csv
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from machine import ROOT, hardware, table, today, write
from unmask import Detector, read_image
from unmask.face.crop import crop_faces, cut_crops
from unmask.image.encode import encode_jpeg
from unmask.image.resize import resize
from unmask.scan.results import PARTS
from unmask.system.cores import available_cores

LARGE = (3000, 4000)
STEPS = ("decode", "find faces", "judge")
PARTS_OF_TIME = 5
# Every so many-th picture is also judged alone; not ten, as every tenth is a large one.
STRIDE = 11


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=2_000)
    parser.add_argument("--copies", type=int, default=20_000)
    parser.add_argument("--faces", type=Path, default=ROOT.parent / "shared" / "faces")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    cores = available_cores()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = make(folder / "pictures", options.faces, options.pictures)
        size = sum(path.stat().st_size for path in paths) / len(paths)
        before = bare(paths[::STRIDE], cores)
        seconds, samples = scan(folder / "pictures", folder / "results")
        after = bare(paths[::STRIDE], cores)
        same = folder / "same"
        same.mkdir()
        for number in range(options.copies):
            os.link(paths[1], same / f"{number}{paths[1].suffix}")
        taking_in, _ = scan(same, folder / "of-same")
        again, _ = scan(same, folder / "of-same")
        row = sum(part.stat().st_size for part in (folder / "results" / PARTS).iterdir()) / len(paths)
        copied = paths[1].stat().st_size
    alone = [statistics.fmean(pair) for pair in zip(before, after, strict=True)]
    fifths = np.array_split(np.array(samples), PARTS_OF_TIME)
    memory = [(float(np.median(fifth[:, 0])), float(fifth[:, 1].max())) for fifth in fifths]
    copies = options.copies
    text = page(options, alone, seconds / len(paths), memory, size, copied, taking_in / copies, again / copies, row)
    write("scan_speed.md", text) if options.write else print(text)


def make(folder: Path, faces: Path, count: int) -> list[Path]:
    """Pictures in a folder: crops of the set from all over it, each tenth enlarged; a second round is saved anew."""
    folder.mkdir()
    with (faces / "manifest.csv").open(newline="") as file:
        known = [faces / row["path"] for row in csv.DictReader(file)]
    paths = []
    for number in range(count):
        source = known[number * 7919 % len(known)]  # a prime, so that each is taken once before one comes again
        again = number // len(known)
        path = folder / f"{number:07}{'.jpg' if again or not number % 10 else source.suffix}"
        if number % 10 == 0:
            path.write_bytes(encode_jpeg(enlarged(read_image(source).pixels), quality=90 - again))
        elif again:
            path.write_bytes(encode_jpeg(read_image(source).pixels, quality=95 - again))
        else:
            shutil.copyfile(source, path)
        paths.append(path)
    return paths


def enlarged(pixels: np.ndarray) -> np.ndarray:
    """A crop at 12 megapixels, mirrored at its sides."""
    height, width = LARGE
    square = resize(pixels, height)
    beside = (width - height) // 2
    return np.pad(square, ((0, 0), (beside, beside), (0, 0)), mode="symmetric")


def bare(paths: list[Path], processes: int) -> list[float]:
    """Seconds a picture that the whole machine takes for each of `STEPS`."""
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        list(pool.map(steps, [paths[:4]] * processes))  # loaded, and warm
        shares = list(pool.map(steps, [paths[number::processes] for number in range(processes)]))
    return [sum(share[step] for share in shares) / len(paths) / processes for step in range(len(STEPS))]


@cache
def own_detector() -> Detector:
    """Of this process."""
    return Detector.load(threads=1)


def steps(paths: list[Path]) -> list[float]:
    """Seconds of one process for each of `STEPS`, over all the pictures."""
    detector = own_detector()
    times = [0.0] * len(STEPS)
    for path in paths:
        marks = [time.perf_counter()]
        pixels = read_image(path).pixels
        marks.append(time.perf_counter())
        found = crop_faces(pixels, detector.face_finder.find(pixels), detector.info.crop_margin)
        crops = cut_crops(pixels, found.kept, detector.info.input_size) if found.kept else None
        marks.append(time.perf_counter())
        if crops is not None:
            detector.outputs(crops)
        marks.append(time.perf_counter())
        times = [so_far + (end - begin) for so_far, (begin, end) in zip(times, pairwise(marks), strict=True)]
    return times


def scan(source: Path, out: Path, *options: str) -> tuple[float, list[tuple[float, float]]]:
    """Seconds of a scan, and twice a second the memory of its first process and of all, in MB."""
    begin = time.perf_counter()
    command = [
        str(Path(sys.executable).with_name("unmask")),
        "scan",
        str(source),
        "--out",
        str(out),
        "--quiet",
        *options,
    ]
    samples: list[tuple[float, float]] = []
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(0.5):
                own, *others = (held(pid) for pid in (process.pid, *children(process.pid)))
                samples.append((own, own + sum(others)))

        watching = threading.Thread(target=watch)
        watching.start()
        status = process.wait()
        ended.set()
        watching.join()
    seconds = time.perf_counter() - begin
    assert status in (0, 1), status  # 1: a picture without a face that is found
    return seconds, samples


def children(pid: int) -> list[int]:
    """All processes below one."""
    found = []
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            direct = [int(child) for child in tasks.read_text().split()]
        except OSError:
            continue
        for child in direct:
            found += [child, *children(child)]
    return found


def held(pid: int) -> float:
    """Memory in MB; pages of several processes count for each in part (PSS)."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("Pss:")), 0.0)


def page(
    options: argparse.Namespace,
    alone: list[float],
    each: float,
    memory: list[tuple[float, float]],
    size: float,
    copied: float,
    taking_in: float,
    again: float,
    row: float,
) -> str:
    """What is written."""
    cores, bare_sum = available_cores(), alone[0] + alone[2]
    core_seconds, most = each * cores, max(whole for _, whole in memory)

    def paper(count: float) -> list[str]:
        hours = core_seconds * count / 3600
        sizes = [f"{count * size / 1e9:,.0f} GB", f"{count * row / 1e9:,.1f} GB"]
        taken_in = f"{count * taking_in / 3600:,.1f} h"
        return [f"{count:,.0f}", f"{hours:,.0f}", f"{hours / cores / 24:,.1f} days", *sizes, taken_in]

    times = table(
        [*STEPS, "decode and judge", "all three", "unmask scan"],
        [[f"{1000 * value:.0f}" for value in (*alone, bare_sum, sum(alone), each)]],
    )
    held_then = table(
        ["", *(f"{number + 1}" for number in range(PARTS_OF_TIME))],
        [
            ["reads and writes", *(f"{own:.0f}" for own, _ in memory)],
            ["all", *(f"{whole:.0f}" for _, whole in memory)],
        ],
    )
    on_paper = table(
        ["Pictures", "hours of a core", f"on {cores} cores", "read", "table", "one process takes them in within"],
        [paper(1e6), paper(1e9)],
    )
    share, share_of_all = f"{bare_sum / each:.0%}", f"{sum(alone) / each:.0%}"
    rate, passed, small = f"{1 / taking_in:,.0f}", f"{1 / again:,.0f}", f"{copied / 1000:,.0f} KB"
    return f"""# What a scan costs

`unmask scan` of {options.pictures:,} pictures in a folder, nine of ten of 256 px and the tenth of 12 megapixels,
{size / 1000:.0f} KB each on average, beside every {STRIDE}th of them decoded and judged alone by {cores} processes,
before the scan and after it. Milliseconds a picture of the whole machine:

{times}
The scan, with its start and its summary, does {share} of what decoding and judging alone would allow, and {share_of_all}
of what they and the search for faces would.

Memory in each fifth of the scan's time, in MB: of the process that reads and writes, and of all {cores + 1} at most.

{held_then}
One picture of {small}, which the system holds in memory, under {options.copies:,} names: it is judged once, and {rate}
rows a second are written. So many files can be hashed, recognised and written down by one process, whoever judges.
The same command once more, when all is done, passes {passed} names a second.

## On paper

Computed from the above: {core_seconds:.2f} seconds of a core a picture, {row:.0f} bytes a row of the table, and
{most / cores:.0f} MB a core.

{on_paper}
{hardware()}; unmask-clip {Detector.load().info.version}, {today()}; written by `benchmarks/scan_speed.py`.
"""


if __name__ == "__main__":
    main()
