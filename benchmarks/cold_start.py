"""How long from the command to the answer, in a fresh process? Writes `docs/measurements/cold_start.md`.

    python benchmarks/cold_start.py [--runs 15]

`unmask check` of one 256 px JPEG of a drawn face, against the least that any program could do with the same network: a process
that imports ONNX Runtime, loads the same graph and runs it once on zeros, on as many threads. In turns, in the same run.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import hardware, table, today, write
from unmask.checking import Detector
from unmask.demo import draw_face
from unmask.image.encode import encode_jpeg
from unmask.image.resize import resize

BARE = """
import sys
import numpy as np
from unmask.system.private import import_onnxruntime
onnxruntime = import_onnxruntime()
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = int(sys.argv[2])
options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
side = session.get_inputs()[0].shape[1]
session.run(None, {"image": np.zeros((1, side, side, 3), np.uint8)})
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    detector = Detector.load()
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder, "face.jpg")
        picture.write_bytes(encode_jpeg(resize(draw_face(), 256), 90))
        check = [sys.executable, "-m", "unmask", "check", str(picture)]
        bare = [sys.executable, "-c", BARE, str(detector.bundle.folder / "model.onnx"), str(detector.threads)]
        seconds: dict[str, list[float]] = {"check": [], "bare": []}
        for turn in range(runs + 1):
            for which, command in (("check", check), ("bare", bare)):
                taken = wall_time(command)
                if turn:  # the first turn fills the disk cache
                    seconds[which].append(taken)
    write("cold_start.md", page(seconds, runs, detector))


def wall_time(command: list[str]) -> float:
    # As pip installs them, modules come compiled. A checkout's are compiled in the turn that does not count, unless this
    # forbids it, and then in every turn.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["ORT_DISABLE_TELEMETRY"] = "1"
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    return time.perf_counter() - started


def page(seconds: dict[str, list[float]], runs: int, detector: Detector) -> str:
    names = {
        "check": "`unmask check face.jpg`: face found, verdict, card",
        "bare": "import ONNX Runtime, load the same graph, run it once (no picture, no face search, no answer)",
    }
    rows = []
    for which, values in seconds.items():
        low, high = quartiles(values)
        rows.append([names[which], f"{statistics.median(values):.2f} s", f"{low:.2f} to {high:.2f} s"])
    ratios = [check / bare for check, bare in zip(seconds["check"], seconds["bare"], strict=True)]
    low, high = quartiles(ratios)
    return f"""# Cold start

Written by `benchmarks/cold_start.py` on {today()}, {hardware()}, Python {sys.version.split()[0]}; detector {detector.label},
{detector.threads} threads; {runs} fresh processes each, in turns, wall time.

{table(["process", "median", "quartiles"], rows)}
`unmask check` takes {statistics.median(ratios):.2f} times as long, turn by turn (quartiles {low:.2f} to {high:.2f}).
"""


def quartiles(values: list[float]) -> tuple[float, float]:
    low, _, high = statistics.quantiles(values, n=4)
    return low, high


if __name__ == "__main__":
    main()
