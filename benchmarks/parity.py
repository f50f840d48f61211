"""Does the exported graph say what Keras says? Writes `docs/parity.md`.

    python benchmarks/parity.py RUN... [--bundle FOLDER] [--pictures 500]

RUN is the run folder that the bundle was exported from, or all of them. Logits of the graph and of Keras, whose model is
centred as the export does it, on the same Validation pictures; and the heatmap of the graph against Grad-CAM by automatic
differentiation. Needs the extra `train`.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from machine import hardware, today, write
from unmask.detector import Detector

BATCH = 50
# Of a map's range.
BAR = 1e-3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--pictures", type=int, default=500)
    arguments = parser.parse_args()

    import keras

    from unmask.train.config import CONFIG_FILE, read_config
    from unmask.train.ensemble import ensemble
    from unmask.train.export import centre
    from unmask.train.gradcam import whole_map
    from unmask.train.source import open_source

    detector = Detector.load(arguments.bundle)
    model = ensemble([keras.models.load_model(run / "model.keras", compile=False) for run in arguments.runs])
    source = open_source(read_config(arguments.runs[0] / CONFIG_FILE).data, "Validation", detector.info.input_size)
    centre(model, source)
    chosen = np.sort(np.random.default_rng(0).permutation(len(source))[: arguments.pictures])
    spatial_map = whole_map(model)
    both = keras.Model(model.inputs, [spatial_map, model.outputs[0]])
    head = keras.Model(spatial_map, model.outputs[0])
    logit_gap = 0.0
    gaps: list[np.ndarray] = []
    peaks: list[np.ndarray] = []
    for start in range(0, len(chosen), BATCH):
        crops = source.read(chosen[start : start + BATCH])
        logits, maps = detector.logits_and_maps(crops)
        expected_logits, expected_maps = autodiff(both, head, crops)
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
    write(
        "parity.md",
        f"""# Keras and the shipped graph

Written by `benchmarks/parity.py` on {today()}, {hardware()}; detector {detector.label}, {len(chosen)} Validation pictures.

- Logit, largest difference between Keras and the graph in ONNX Runtime: {logit_gap:.1e}
- Heatmap, largest difference to Grad-CAM by TensorFlow's automatic differentiation, as a share of each map's range:
  {shares.max():.1e}; median {np.median(shares):.1e}
- Maps that differ by more than {BAR:g} of their range: {over.sum()} of {shown.sum()}{faint}
""",
    )


def autodiff(both: Any, head: Any, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Logits (N,) and Grad-CAM (N, h, w), the gradient taken by TensorFlow through the layers behind the map."""
    import tensorflow as tf

    activations, _ = both(crops, training=False)
    with tf.GradientTape() as tape:
        tape.watch(activations)
        logits = head(activations, training=False)
    weights = tf.reduce_mean(tape.gradient(logits, activations), axis=(1, 2), keepdims=True)
    maps = tf.nn.relu(tf.reduce_sum(weights * activations, axis=-1))
    return np.asarray(logits).ravel(), np.asarray(maps)


if __name__ == "__main__":
    main()
