"""ONNX Runtime or OpenVINO? Writes `docs/measurements/runtimes.md`.

    python benchmarks/runtimes.py [--bundle FOLDER]

Cold: a fresh process imports the runtime, loads the detector and judges one crop. Warm: `Detector.logits_and_maps`, one
crop and a batch of 32. `Detector.check` on a 256 px JPEG, heatmap included, one thread, is the whole way of an answer.
Needs the extra `openvino`.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from machine import hardware, table, today, write
from unmask.checking import Detector
from unmask.demo import draw_face
from unmask.image.encode import encode_jpeg
from unmask.image.resize import resize

RUNTIMES = ("onnxruntime", "openvino")
COLD = """
import sys, time
started = time.perf_counter()
import numpy as np
from unmask.checking import Detector
detector = Detector.load(sys.argv[2] or None, runtime=sys.argv[1], threads=1)
detector.logits(np.zeros((1, detector.info.input_size, detector.info.input_size, 3), np.uint8))
print(time.perf_counter() - started)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", default="")
    bundle = parser.parse_args().bundle
    detectors = {runtime: Detector.load(bundle or None, runtime=runtime, threads=1) for runtime in RUNTIMES}
    label = detectors["onnxruntime"].label
    side = detectors["onnxruntime"].info.input_size
    crops = np.random.default_rng(0).integers(0, 256, (32, side, side, 3), np.uint8)
    picture = encode_jpeg(resize(draw_face(), 256), 90)

    difference = float(np.abs(np.subtract(*(detector.logits(crops) for detector in detectors.values()))).max())
    cold = in_turns({name: lambda name=name: cold_start(name, bundle) for name in RUNTIMES}, 9)
    one = timed({name: lambda one=one: one.logits_and_maps(crops[:1]) for name, one in detectors.items()}, 200)
    batch = timed({name: lambda one=one: one.logits_and_maps(crops) for name, one in detectors.items()}, 20)
    whole = timed({name: lambda one=one: one.check(picture) for name, one in detectors.items()}, 200)

    rows = [
        [
            f"{name} {importlib.metadata.version(name)}",
            f"{cold[name]:.2f} s",
            f"{one[name] * 1000:.1f} ms",
            f"{batch[name] * 1000 / 32:.2f} ms",
            f"{whole[name] * 1000:.1f} ms",
            f"{megabytes(name):.0f} MB",
        ]
        for name in RUNTIMES
    ]
    head = ["runtime", "cold", "one crop", "a crop in a batch of 32", "whole answer, 256 px JPEG", "installed"]
    write(
        "runtimes.md",
        f"""# ONNX Runtime or OpenVINO

Written by `benchmarks/runtimes.py` on {today()}, {hardware()}; detector {label}, input {side} px, one thread, medians, the two in
turns. Largest difference between the two runtimes' logits over 32 crops: {difference:.1e}.

{table(head, rows)}
ONNX Runtime is the default: someone with one picture pays for the cold start and the download, and it wins both. OpenVINO
stays as an option, for processors on which it is the faster (`pip install '.[openvino]'`, `Detector.load(runtime="openvino")`).
""",
    )


def in_turns(calls: dict[str, Callable[[], float]], turns: int) -> dict[str, float]:
    """The median of what each call gives, the calls taking turns so that a slow minute hits all of them."""
    values: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(turns):
        for name, call in calls.items():
            values[name].append(call())
    return {name: statistics.median(taken) for name, taken in values.items()}


def timed(calls: dict[str, Callable[[], object]], turns: int) -> dict[str, float]:
    def timer(call: Callable[[], object]) -> Callable[[], float]:
        def run() -> float:
            started = time.perf_counter()
            call()
            return time.perf_counter() - started

        return run

    for call in calls.values():
        for _ in range(5):
            call()
    return in_turns({name: timer(call) for name, call in calls.items()}, turns)


def cold_start(runtime: str, bundle: str) -> float:
    result = subprocess.run([sys.executable, "-c", COLD, runtime, bundle], check=True, capture_output=True, text=True)
    return float(result.stdout)


def megabytes(package: str) -> float:
    files = importlib.metadata.files(package) or []
    return sum(Path(str(file.locate())).stat().st_size for file in files if Path(str(file.locate())).exists()) / 1e6


if __name__ == "__main__":
    main()
