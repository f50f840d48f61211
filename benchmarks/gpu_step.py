"""What recording a training step brings on an NVIDIA GPU with PyTorch. Writes `docs/measurements/gpu_step.md`.

    KERAS_BACKEND=torch python benchmarks/gpu_step.py [--steps 50] [--no-write]

A step of MobileNetV2 as Keras on PyTorch runs it, and recorded and replayed (`unmask.train.replay`), on the same pictures in one
process. Needs the extra `torch`, and a GPU.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np

from machine import table, today, write

# Pictures a step, their side, and what products are in: windows and whole pictures as the shipped detector learns from.
CASES = ((32, 160, "float32"), (32, 256, "float32"), (64, 160, "float32"), (32, 160, "mixed_bfloat16"))
TURNS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=50, help="Replayed steps a turn; of Keras' own a tenth.")
    parser.add_argument("--no-write", action="store_true", help="Print the table only.")
    arguments = parser.parse_args()
    import keras

    if keras.backend.backend() != "torch":
        raise SystemExit("Needs KERAS_BACKEND=torch.")
    import torch

    if not torch.cuda.is_available():
        raise SystemExit("Needs an NVIDIA GPU.")

    head = [
        "pictures a step",
        "side, pixels",
        "products in",
        "Keras' own, ms",
        "replayed, ms",
        "times as fast",
        "largest difference",
    ]
    text = table(head, [measured(*case, arguments.steps) for case in CASES])
    print(text)
    if not arguments.no_write:
        write(
            "gpu_step.md",
            "# A recorded training step\n\n"
            "Steps of MobileNetV2, everything learning, AdamW and an average of the weights, on one "
            f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__}, {today()}. Medians of {TURNS} turns, Keras' own steps "
            "and replayed ones taking turns. The difference is that of the losses of the first five steps, both from the same "
            "weights on the same pictures.\n\n"
            f"{text}\nWritten by `benchmarks/gpu_step.py`.\n",
        )


def measured(batch: int, side: int, precision: str, steps: int) -> list[str]:
    from unmask.models import build
    from unmask.train.config import make_config
    from unmask.train.fused_norm import with_fused_norm
    from unmask.train.replay import replayed_step
    from unmask.train.stages import prepare_model, stages_of

    config = make_config(
        data="here", model="mobilenetv2", batch_norm="moving", optimizer="adamw", ema=0.998, precision=precision
    )
    plain = build("mobilenetv2", side, precision=precision)
    plain.get_layer("dropout").rate = 0.0  # whose draws the two would not share
    ours = with_fused_norm(plain)
    for model in (plain, ours):
        prepare_model(model, stages_of(config)[0], config, steps_per_epoch=100)
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (batch, side, side, 3), dtype=np.uint8)
    labels = np.arange(batch) % 2
    replayed = replayed_step(ours, config)

    def own() -> float:
        return float(plain.train_on_batch(images, labels.astype(np.float32)[:, None], return_dict=True)["loss"])

    def recorded() -> float:
        return replayed(images, labels)[0]

    apart = max(abs(own() - recorded()) for _ in range(5))
    turns = [(milliseconds(own, max(1, steps // 10)), milliseconds(recorded, steps)) for _ in range(TURNS)]
    first, second = (statistics.median(turn[which] for turn in turns) for which in (0, 1))
    ratio = statistics.median(one / other for one, other in turns)
    named = precision.removeprefix("mixed_")
    return [str(batch), str(side), named, f"{first:.0f}", f"{second:.1f}", f"{ratio:.1f}", f"{apart:.4f}"]


def milliseconds(step: Callable[[], float], times: int) -> float:
    started = time.perf_counter()
    for _ in range(times):
        step()
    return (time.perf_counter() - started) / times * 1000


if __name__ == "__main__":
    main()
