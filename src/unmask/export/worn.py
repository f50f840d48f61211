"""Real pictures as they arrive: the thresholds of a bundle shall hold for them, and not only for pictures that nobody sent on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from unmask.data.source import Indexes, Source
from unmask.evaluate.degradations import DEGRADATIONS
from unmask.image.resize import resize

# By the names of `DEGRADATIONS`.
DELIVERIES = ("video frame CRF 32", "video frame CRF 40", "messenger", "blur 1 px")
# At most so many pictures, from all over the split.
PICTURES = 400


def worn_reals(source: Source) -> dict[str, Source]:
    """Real pictures of a split after each of `DELIVERIES`.

    Args:
        source: The split; square pictures, uint8 RGB.

    Returns:
        By delivery, at most `PICTURES` changed pictures, of the same size.
    """
    real = np.flatnonzero(source.labels == 0)
    few = source.taken(real[np.linspace(0, len(real) - 1, min(len(real), PICTURES)).astype(np.int64)])
    changes = {degradation.name: degradation.change for degradation in DEGRADATIONS}

    def changed(name: str) -> Source:
        def read(indexes: Indexes) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
            pictures = zip(few.read(indexes), indexes.tolist(), strict=True)
            return np.stack([resize(changes[name](image, index), few.size) for image, index in pictures])

        return replace(few, read=read)

    return {name: changed(name) for name in DELIVERIES}
