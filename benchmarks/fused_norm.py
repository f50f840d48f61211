"""What fused batch normalisation brings to a training step of MobileNetV2. Writes `docs/measurements/fused_norm.md`.

    python benchmarks/fused_norm.py [--turns 5] [--steps 8]

The same network with Keras' own layers and with those of `unmask.train.fused_norm`, step by step in turns, in one process.
Needs the extra `train`.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from typing import Any

import numpy as np

from machine import hardware, table, today, write

BATCH = 32
SIZES = (128, 224)
PRECISIONS = ("float32", "mixed_bfloat16")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--steps", type=int, default=8)
    arguments = parser.parse_args()
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    rows = [measured(size, precision, arguments) for size in SIZES for precision in PRECISIONS]
    head = [
        "side, pixels",
        "products in",
        "Keras' own, pictures/s",
        "fused, pictures/s",
        "times as fast (lowest to highest)",
    ]
    write(
        "fused_norm.md",
        "# Batch normalisation in one kernel\n\n"
        f"Training steps of MobileNetV2, batches of {BATCH}, everything learning, on TensorFlow. Medians of {arguments.turns} "
        f"turns of {arguments.steps} steps on {hardware()}, {today()}; the two take turns, so a ratio shares its "
        "conditions. Other programs were running now and then.\n\n"
        + table(head, rows)
        + "\nThe numbers that come out are those of Keras' layers (`tests/train/test_fused_norm.py`). In bfloat16 MobileNetV2 is "
        "not faster on a processor: its depthwise convolutions have few products to save.\n\n"
        "Written by `benchmarks/fused_norm.py`.\n",
    )


def measured(size: int, precision: str, arguments: argparse.Namespace) -> list[str]:
    from unmask.models import build
    from unmask.train.config import make_config
    from unmask.train.fused_norm import with_fused_norm
    from unmask.train.stages import prepare_model, stages_of

    config = make_config(data="here", model="mobilenetv2", batch_norm="moving")
    plain = build("mobilenetv2", size, precision=precision)
    models = (plain, with_fused_norm(plain))
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (BATCH, size, size, 3), dtype=np.uint8)
    labels = (np.arange(BATCH) % 2).astype(np.float32)[:, None]
    for model in models:
        prepare_model(model, stages_of(config)[0], config, steps_per_epoch=100)
        speed(model, images, labels, 2)
    turns = [[speed(model, images, labels, arguments.steps) for model in models] for _ in range(arguments.turns)]
    ratios = [fused / own for own, fused in turns]
    own, fused = (statistics.median(turn[which] for turn in turns) for which in (0, 1))
    ratio = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
    return [str(size), precision.removeprefix("mixed_"), f"{own:.0f}", f"{fused:.0f}", ratio]


def speed(model: Any, images: np.ndarray, labels: np.ndarray, steps: int) -> float:
    started = time.perf_counter()
    for _ in range(steps):
        model.train_on_batch(images, labels)
    return steps * BATCH / (time.perf_counter() - started)


if __name__ == "__main__":
    main()
