"""Pictures as they arrive: the thresholds of a bundle shall hold for them too, and not only for pictures that nobody sent on.

Real people must not be accused because their picture was compressed. And *real* needs evidence: of a face so small that it shows
no trace, most fakes would be called real if only the untouched ones were looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from unmask.data.filters import Pixels
from unmask.data.source import Indexes, Source
from unmask.evaluate.degradations import DEGRADATIONS
from unmask.image.limits import LIMITS
from unmask.image.resize import resize

# Of real pictures, by the names of `DEGRADATIONS`.
DELIVERIES = ("video frame CRF 32", "video frame CRF 40", "messenger", "blur 1 px")
# Of both: sides that the crop of a face once had, pixels. A face of 40 px has a crop of 52.
SMALL = (52, 64, 96)
# At most so many pictures, from all over the split, of real ones and of fake ones.
REALS, FAKES = 400, 200


def worn_reals(source: Source) -> dict[str, Source]:
    """Real pictures of a split after each of `DELIVERIES`, and as small as each of `SMALL`; at most `REALS`, of the same size."""
    if source.size < LIMITS.min_side:  # none is read, whatever way it came
        return {}
    known = {degradation.name: degradation.change for degradation in DEGRADATIONS}
    changes = {name: known[name] for name in DELIVERIES}
    changes |= {f"once {side} px": partial(_small, side=side) for side in SMALL}
    return {name: _changed(source, 0, REALS, change) for name, change in changes.items()}


def small_fakes(source: Source) -> dict[str, Source]:
    """Fake pictures of a split made as small as each of `SMALL`, and enlarged again; at most `FAKES`, of the same size."""
    return {f"{side} px": _changed(source, 1, FAKES, partial(_small, side=side)) for side in SMALL}


def _small(image: Pixels, _: int, *, side: int) -> Pixels:
    return resize(image, side)


def _changed(source: Source, label: int, most: int, change: Callable[[Pixels, int], Pixels]) -> Source:
    places = np.flatnonzero(source.labels == label)
    few = source.taken(places[np.linspace(0, len(places) - 1, min(len(places), most)).astype(np.int64)])

    def read(indexes: Indexes) -> Pixels:
        pictures = zip(few.read(indexes), indexes.tolist(), strict=True)
        return np.stack([resize(change(image, index), few.size) for image, index in pictures])

    return replace(few, read=read)
