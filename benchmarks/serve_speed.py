"""How much does the server add to the work, and how does it compare with the report's way?

Writes `docs/measurements/serve_speed.md`.

    python benchmarks/serve_speed.py [--turns 150]

One JPEG of 256 px, with heatmap, warm. The same CNN (the report's, 128 px) is once a bundle behind `unmask serve`, once
called as a library, and once a Keras `.h5` behind Flask's debug server, which saves the upload in a temporary folder and
calls `predict`, as the report's application did. All three take turns. Needs the extra `train`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from machine import hardware, table, today, write
from serving import ask, multipart, quiet, unmask_serve
from unmask.bundle import read_bundle
from unmask.checking import Detector
from unmask.demo import draw_face
from unmask.image.encode import encode_jpeg
from unmask.image.resize import resize
from unmask.output.documents import document
from unmask.serve.data_urls import heatmap_url

MAKE = """
import sys
from pathlib import Path
from unmask.bundle import BundleInfo, Policy, TrainingData, write_bundle
from unmask.models import build
from unmask.export.graph import to_onnx
folder = Path(sys.argv[1])
model = build("cnn", 128)
model.save(folder / "cnn_model.h5")
info = BundleInfo(
    name="benchmark", version="0", created="2026-01-01", architecture="cnn", input_size=128, temperature=1.0,
    policies={"balanced": Policy(real_below=0.4, fake_above=0.6, chosen_by="nobody")}, default_policy="balanced",
    training_data=TrainingData(name="none", terms="none", counts={}),
)
write_bundle(folder / "bundle", info, to_onnx(model), "# benchmark")
"""

REPORT = """
import os, sys, tempfile
import cv2
import numpy as np
import tensorflow as tf
from flask import Flask, jsonify, request
app = Flask(__name__)
model = tf.keras.models.load_model(sys.argv[1], compile=False)
@app.post("/predict")
def predict():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "upload.jpg")
        request.files["picture"].save(path)
        picture = cv2.cvtColor(cv2.imread(path), cv2.COLOR_BGR2RGB)
    picture = cv2.resize(picture, model.input_shape[1:3])
    score = float(np.ravel(model.predict(picture[None], verbose=0))[0])
    return jsonify(label="fake" if score > 0 else "real", confidence=score)
# the report's way is what is measured here: a debug server, on the loopback address only
app.run(port=int(sys.argv[2]), debug=True, use_reloader=False)
"""
REPORT_PORT = 8731


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=150)
    turns = parser.parse_args().turns
    picture = encode_jpeg(resize(draw_face(), 256), 90)
    with tempfile.TemporaryDirectory(prefix="unmask-benchmark-") as name:
        folder = Path(name)
        subprocess.run([sys.executable, "-c", MAKE, name], check=True, env=quiet(), stderr=subprocess.DEVNULL)
        detector = Detector.load(folder / "bundle", threads=1)
        assert read_bundle(folder / "bundle").info.input_size == 128
        with unmask_serve("--bundle", str(folder / "bundle")) as ours, report_way(folder / "cnn_model.h5"):
            form, kind = multipart([("face.jpg", picture)])
            seconds: dict[str, list[float]] = {"library": [], "server": [], "client": [], "report": []}
            for turn in range(turns + 10):
                library = library_seconds(detector, picture)
                reply = ask(ours.port, "/api/v1/check?heatmap=png", form, Content_Type=kind)
                report = ask(REPORT_PORT, "/predict", form, Content_Type=kind)
                assert (reply.status, report.status) == (200, 200)
                assert b"data:image/png" in reply.body
                if turn >= 10:  # the first turns warm all three
                    seconds["library"].append(library)
                    seconds["server"].append(float(reply.headers["server-timing"].split("dur=")[1]) / 1000)
                    seconds["client"].append(reply.seconds)
                    seconds["report"].append(report.seconds)
    write("serve_speed.md", page(seconds, turns))


def library_seconds(detector: Detector, picture: bytes) -> float:
    """The same work without a server: answer, heatmap as PNG, JSON text."""
    started = time.perf_counter()
    finding = detector.check(picture, heatmap=True)
    reply = document([finding], detector)
    for entry, face in zip(reply["findings"][0]["faces"], finding.faces, strict=True):
        assert face.heatmap is not None
        entry["heatmap"] = heatmap_url(face.heatmap)
    json.dumps(reply, indent=2)
    return time.perf_counter() - started


@contextmanager
def report_way(model: Path) -> Iterator[None]:
    command = [sys.executable, "-c", REPORT, str(model), str(REPORT_PORT)]
    quietly = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env=quiet(), **quietly) as process:
        try:
            end = time.monotonic() + 120
            while True:
                try:
                    ask(REPORT_PORT, "/", method="GET")
                    break
                except OSError:
                    assert time.monotonic() < end
                    time.sleep(0.2)
            yield
        finally:
            process.kill()


def page(seconds: dict[str, list[float]], turns: int) -> str:
    names = {
        "library": "library calls: answer, heatmap as PNG, JSON",
        "server": "`unmask serve`, inside the server (its `Server-Timing`)",
        "client": "`unmask serve`, seen by the client, a new connection each",
        "report": "the report's way, seen by the client: debug server, `predict`, no face search, no heatmap",
    }
    rows = []
    for which, values in seconds.items():
        low, middle, high = statistics.quantiles(values, n=4)
        rows.append([names[which], f"{1000 * middle:.1f} ms", f"{1000 * low:.1f} to {1000 * high:.1f} ms"])
    added = interval(seconds["server"], seconds["library"])
    faster = interval(seconds["report"], seconds["client"])
    return f"""# How much the server adds

Written by `benchmarks/serve_speed.py` on {today()}, {hardware()}, Python {sys.version.split()[0]}; one JPEG of 256 px with a
drawn face, the report's CNN at 128 px (random weights), {turns} turns of all three after 10 to warm up. Other programs were
running on the machine; the turns share its conditions.

{table(["what", "median", "quartiles"], rows)}
- Inside the server against library calls: {added} (bar: at most 1.3).
- The report's way against `unmask serve`, both seen by the client: {faster} (bar: at least 5).
"""


def interval(above: list[float], below: list[float]) -> str:
    """Ratio of the medians with a 95 % interval from 2,000 resamples of whole turns (seed 1)."""
    rng = np.random.default_rng(1)
    top, bottom = np.asarray(above), np.asarray(below)
    picks = rng.integers(0, len(top), (2000, len(top)))
    ratios = np.median(top[picks], axis=1) / np.median(bottom[picks], axis=1)
    low, high = np.quantile(ratios, [0.025, 0.975])
    return f"{np.median(top) / np.median(bottom):.2f} times (95 % interval {low:.2f} to {high:.2f})"


if __name__ == "__main__":
    main()
