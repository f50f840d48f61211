"""How many pictures a second does one core augment? Writes `docs/measurements/augment_speed.md`.

    python benchmarks/augment_speed.py [--pictures 400] [--turns 7]

Processor time, not wall time, so that other programs on the machine do not count.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from machine import hardware, table, today, write
from unmask.data.augment import AUGMENTATIONS, delivery, light
from unmask.data.fakes import make_fakes
from unmask.demo import draw_face

Change = Callable[[NDArray[np.uint8], np.random.Generator], object]
CHANGES: dict[str, Change] = {
    "light": light,
    "delivery": delivery,
    "fakes made here": lambda images, rng: make_fakes(images, np.zeros(len(images), np.int64), 1.0, rng),
}

WINDOW = 160


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=400)
    parser.add_argument("--turns", type=int, default=7)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    rows = []
    for side in (128, 256):
        images = pictures(arguments.pictures, side)
        for name, change in CHANGES.items():
            change(images[:8], np.random.default_rng(0))
            rows.append([name, f"{side}", *speeds(change, images, arguments.turns)])
    # As the shipped detector learned: `images` are now those of 256 px.
    for name in ("delivery",):
        rows.append(
            [f"{name}, a window of {WINDOW} px of each", f"{side}", *speeds(windowed(name), images, arguments.turns)]
        )
    write(
        "augment_speed.md",
        "# How fast is augmentation?\n\n"
        f"{hardware()}, {today()}; one thread, processor time; medians of {arguments.turns} turns of "
        f"{arguments.pictures} pictures. Self-blending is of every picture.\n\n"
        + table(["change", "side, pixels", "pictures/s on one core", "lowest to highest"], rows)
        + "\nWritten by `benchmarks/augment_speed.py`.\n",
    )


def windowed(name: str) -> Change:
    augment = AUGMENTATIONS[name]
    assert augment is not None
    return lambda images, rng: augment(images, rng, WINDOW)


def speeds(change: Change, images: NDArray[np.uint8], turns: int) -> list[str]:
    """Median, lowest and highest of some turns, as cells."""
    found = [speed(change, images, turn) for turn in range(turns)]
    return [f"{statistics.median(found):,.0f}", f"{min(found):,.0f} to {max(found):,.0f}"]


def pictures(count: int, side: int) -> NDArray[np.uint8]:
    """Copies of a drawn face with grain of their own."""
    face = cv2.resize(draw_face(), (side, side), interpolation=cv2.INTER_AREA).astype(np.float32)
    rng = np.random.default_rng(0)
    return np.stack([np.clip(face + rng.normal(0, 8, face.shape), 0, 255).astype(np.uint8) for _ in range(count)])


def speed(change: Change, images: NDArray[np.uint8], seed: int) -> float:
    start = time.process_time()
    change(images, np.random.default_rng(seed))
    return len(images) / (time.process_time() - start)


if __name__ == "__main__":
    main()
