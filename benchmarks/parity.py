"""Does the exported graph say what Keras says? Writes `docs/parity.md`.

    python benchmarks/parity.py RUN... [--weights A,B,...] [--blurred-weights A,B,...] [--kernel-bits N] [--middle PIXELS]
        [--data PREPARED] [--bundle FOLDER] [--pictures 500]

RUN... are the run folders that the bundle was exported from, one or several; the options are those of the export. Logits of the
graph and of Keras, the mean of the runs' models, each on pictures of its size, centred as the export does it, on the same
Validation pictures; and the heatmap of the graph against Grad-CAM by automatic differentiation. Needs the extra `train`.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from machine import hardware, today, write
from unmask.detector import Detector
from unmask.image.read import resize
from unmask.train.source import Source, open_source

BATCH = 50
# Of a map's range.
BAR = 1e-3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    parser.add_argument("--weights", type=numbers)
    parser.add_argument("--blurred-weights", type=numbers)
    parser.add_argument(
        "--kernel-bits", type=int, choices=(8, 16, 32), default=32, help="As the bundle was exported with."
    )
    parser.add_argument("--middle", type=int, help="As the bundle was exported with.")
    parser.add_argument("--data", type=Path, help="The prepared folder of the export. [default: that of the first run]")
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--pictures", type=int, default=500)
    arguments = parser.parse_args()

    import keras

    from unmask.export.ensemble import ensemble
    from unmask.export.gradcam import find_heads
    from unmask.export.kernels import round_kernels
    from unmask.export.middle import middles_of
    from unmask.export.sharpness import Shares
    from unmask.stats.calibration import fit_centre
    from unmask.train.config import CONFIG_FILE, read_config
    from unmask.train.loop import judge

    detector = Detector.load(arguments.bundle)
    models = [keras.models.load_model(run / "model.keras", compile=False) for run in arguments.runs]
    for model in models:
        round_kernels(model, arguments.kernel_bits)
    if arguments.middle is not None:
        models = middles_of(models, arguments.middle)
    data = arguments.data or read_config(arguments.runs[0] / CONFIG_FILE).data
    source = open_source(data, "Validation", detector.info.input_size)

    def logits_of(images: Source) -> np.ndarray:
        """Of the runs themselves (M, n), so that a fault in putting them together shows."""
        return np.array([judge(model, scaled(images, int(model.inputs[0].shape[1]))) for model in models])

    counting = Shares(arguments.weights or [1.0] * len(models), arguments.blurred_weights)

    def counts(images: Source) -> np.ndarray:
        """How much each of them counts, (M, n)."""
        starts = range(0, len(images), BATCH)
        batches = (images.read(np.arange(start, min(start + BATCH, len(images)))) for start in starts)
        return np.concatenate([np.asarray(counting(batch)) for batch in batches]).T

    whole_split, own = logits_of(source), np.zeros((len(models), 1))
    if arguments.weights or arguments.blurred_weights:
        own = np.array([[fit_centre(logits, source.labels)] for logits in whole_split])
    centre = fit_centre(np.sum(counts(source) * (whole_split - own), axis=0), source.labels)
    chosen = np.sort(np.random.default_rng(0).permutation(len(source))[: arguments.pictures])
    whole = ensemble(models, arguments.weights, arguments.blurred_weights)
    heads = find_heads(whole)
    assert heads is not None, "an architecture of unmask.models has a head of the known form"
    needs = [heads.spatial_map, *([] if heads.shares is None else [heads.shares])]
    body, head = keras.Model(whole.inputs, needs), keras.Model(needs, whole.outputs[0])
    logit_gap = 0.0
    gaps: list[np.ndarray] = []
    peaks: list[np.ndarray] = []
    for start in range(0, len(chosen), BATCH):
        crops = source.read(chosen[start : start + BATCH])
        logits, maps = detector.logits_and_maps(crops)
        some = source.taken(chosen[start : start + BATCH])
        expected_logits = np.sum(counts(some) * (logits_of(some) - own), axis=0) - centre
        expected_maps = grad_cam(body, head, crops)
        logit_gap = max(logit_gap, float(np.abs(logits - expected_logits).max()))
        peaks.append(expected_maps.max(axis=(1, 2)))
        gaps.append(np.abs(maps - expected_maps).max(axis=(1, 2)))
    peak, gap = np.concatenate(peaks), np.concatenate(gaps)
    shown = peak > 0
    shares = gap[shown] / peak[shown]
    over = shares > BAR
    faint = ""
    if over.any():
        brightest = peak[shown][over].max() / np.median(peak[shown])
        faint = f", all of them faint: the brightest peaks at {brightest:.1%} of the median map's peak"
    rounded = f" with its kernels rounded to {arguments.kernel_bits} bits" if arguments.kernel_bits < 32 else ""
    write(
        "parity.md",
        f"""# Keras and the shipped graph

Written by `benchmarks/parity.py` on {today()}, {hardware()}; detector {detector.label}, {len(chosen)} Validation pictures.

- Logit, largest difference between Keras{rounded} and the graph in ONNX Runtime: {logit_gap:.1e}
- Heatmap, largest difference to Grad-CAM by TensorFlow's automatic differentiation, as a share of each map's range:
  {shares.max():.1e}; median {np.median(shares):.1e}
- Maps that differ by more than {BAR:g} of their range: {over.sum()} of {shown.sum()}{faint}
""",
    )


def numbers(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]


def scaled(source: Source, side: int) -> Source:
    """The pictures as a model of this size gets them."""
    return replace(
        source, size=side, read=lambda indexes: np.stack([resize(one, side) for one in source.read(indexes)])
    )


def grad_cam(body: Any, head: Any, crops: np.ndarray) -> np.ndarray:
    """Grad-CAM (N, h, w), the gradient taken by TensorFlow through the layers behind the map."""
    import tensorflow as tf

    given = body(crops, training=False)
    activations, *others = given if isinstance(given, list) else [given]
    with tf.GradientTape() as tape:
        tape.watch(activations)
        logits = head([activations, *others], training=False)
    weights = tf.reduce_mean(tape.gradient(logits, activations), axis=(1, 2), keepdims=True)
    return np.asarray(tf.nn.relu(tf.reduce_sum(weights * activations, axis=-1)))


if __name__ == "__main__":
    main()
