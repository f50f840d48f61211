"""Real pictures of a kind that a detector was not made for: which share of them does it accuse?

Diffusion pictures or paintings come with no dataset of faces. What can be measured on any are its own real pictures,
changed beyond what training changes. The model card shows the shares.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np

from unmask.data.filters import Pixels, grey, saved, uint8
from unmask.data.source import Source
from unmask.image.resize import resize
from unmask.stats.metrics import Judged

# At most this many pictures of each kind.
PICTURES = 100

UNUSUAL: dict[str, Callable[[Pixels], Pixels]] = {
    "upside down": lambda image: np.ascontiguousarray(image[::-1]),
    "negative": lambda image: np.asarray(255 - image, np.uint8),
    "grey": grey,
    "blurred, 2 % of the side": lambda image: uint8(cv2.GaussianBlur(image, (0, 0), len(image) / 50)),
    "JPEG quality 30": lambda image: saved(image, ".jpg", [cv2.IMWRITE_JPEG_QUALITY, 30]),
    "painted over (cv2.stylization)": lambda image: uint8(cv2.stylization(image)),
    "edges only (cv2.Canny)": lambda image: np.repeat(uint8(cv2.Canny(image, 50, 120))[..., None], 3, axis=2),
    "four by four copies": lambda image: np.tile(resize(image, len(image) // 4), (4, 4, 1)),
}


@dataclass(frozen=True, slots=True)
class UnusualRow:
    """How a detector does on one kind; shares of `pictures`."""

    name: str
    pictures: int
    accused: float
    unsure: float


def unusual(source: Source) -> dict[str, Source]:
    """Real pictures of a split, at most `PICTURES` of them from all over it, as each kind of `UNUSUAL` makes them.

    Args:
        source: The split; square pictures, uint8 RGB.

    Returns:
        By kind, the changed pictures, of the same size.
    """
    real = np.flatnonzero(source.labels == 0)
    few = source.taken(real[:: max(1, -(-len(real) // PICTURES))])

    def changed(change: Callable[[Pixels], Pixels]) -> Source:
        # Copies of a side that four does not divide come out smaller.
        return replace(
            few, read=lambda places: np.stack([resize(change(image), few.size) for image in few.read(places)])
        )

    return {name: changed(change) for name, change in UNUSUAL.items()}


def unusual_row(name: str, judged: Judged) -> UnusualRow:
    """The shares of one kind.

    Args:
        name: Of the kind.
        judged: Real pictures only.
    """
    return UnusualRow(name, len(judged.labels), float(judged.called_fake.mean()), float((~judged.answered).mean()))
