"""How long from the command to the answer, in a fresh process? Writes `docs/measurements/cold_start.md`.

    python benchmarks/cold_start.py [--runs 15]

Against the way of a training framework: a process that imports TensorFlow, loads a Keras `.h5` of the same CNN and predicts
once. Both get the same 256 px JPEG of a drawn face, in turns, in the same run. Needs the extra `train`.
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

FRAMEWORK = """
import sys
import cv2
import numpy as np
import tensorflow as tf
model = tf.keras.models.load_model(sys.argv[1], compile=False)
picture = cv2.cvtColor(cv2.imread(sys.argv[2]), cv2.COLOR_BGR2RGB)
picture = cv2.resize(picture, model.input_shape[1:3])
print(float(np.ravel(model.predict(picture[None], verbose=0))[0]))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        picture, model = folder / "face.jpg", folder / "cnn_model.h5"
        make_inputs(picture, model)
        unmask = [sys.executable, "-m", "unmask", "check", str(picture)]
        framework = [sys.executable, "-c", FRAMEWORK, str(model), str(picture)]
        seconds: dict[str, list[float]] = {"unmask": [], "framework": []}
        for turn in range(runs + 1):
            for which, command in (("unmask", unmask), ("framework", framework)):
                taken = wall_time(command)
                if turn:  # the first turn fills the disk cache
                    seconds[which].append(taken)
    write("cold_start.md", page(seconds, runs))


def make_inputs(picture: Path, model: Path) -> None:
    code = f"""
from unmask.demo import draw_face
from unmask.image.encode import encode_jpeg
from unmask.image.resize import resize
from unmask.models import build
open({str(picture)!r}, "wb").write(encode_jpeg(resize(draw_face(), 256), 90))
build("cnn", 128).save({str(model)!r})
"""
    subprocess.run([sys.executable, "-c", code], check=True, env=quiet())


def wall_time(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=quiet())
    return time.perf_counter() - started


def quiet() -> dict[str, str]:
    # As pip installs them, modules come compiled. A checkout's are compiled in the turn that does not count, unless this
    # forbids it, and then in every turn.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**environment, "TF_CPP_MIN_LOG_LEVEL": "3"}


def page(seconds: dict[str, list[float]], runs: int) -> str:
    names = {
        "unmask": "`unmask check face.jpg`: face found, verdict, card",
        "framework": "import TensorFlow, load the `.h5`, predict once (no face search)",
    }
    rows = []
    for which, values in seconds.items():
        low, high = quartiles(values)
        rows.append([names[which], f"{statistics.median(values):.2f} s", f"{low:.2f} to {high:.2f} s"])
    ratios = [slow / fast for fast, slow in zip(seconds["unmask"], seconds["framework"], strict=True)]
    low, high = quartiles(ratios)
    return f"""# Cold start

Written by `benchmarks/cold_start.py` on {today()}, {hardware()}, Python {sys.version.split()[0]}; {runs} fresh processes each, in
turns, wall time.

{table(["process", "median", "quartiles"], rows)}
Ratio, turn by turn: {statistics.median(ratios):.1f} (quartiles {low:.1f} to {high:.1f}).
"""


def quartiles(values: list[float]) -> tuple[float, float]:
    low, _, high = statistics.quantiles(values, n=4)
    return low, high


if __name__ == "__main__":
    main()
