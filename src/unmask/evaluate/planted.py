"""A fake whose place is known: a patch of one real face blended into another."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

# Side of the patch as a share of the crop's side: about an eye with its brow, or a mouth.
PATCH: Final = 0.3
# The patch stays this far from the border, where crops show hair and wall.
_BORDER: Final = 0.1
# Width of the soft edge as a share of the patch.
_FEATHER: Final = 0.12

Crop = NDArray[np.uint8]


def plant(face: Crop, donor: Crop, random: np.random.Generator) -> tuple[Crop, tuple[int, int, int, int]]:
    """Blends a patch of `donor` into `face` at the same place, so that an eye lands about where an eye was.

    The patch takes over the mean and the spread of the colours that it covers (Reinhard et al., Color Transfer
    between Images, 2001, here in RGB) and has a soft oval edge: no seam that would be seen at a glance.

    Args:
        face: uint8 (S, S, 3), RGB.
        donor: Likewise, of the same size.
        random: Picks the place.

    Returns:
        The changed face, and the patch as (left, top, width, height).
    """
    side = face.shape[0]
    patch = max(4, round(PATCH * side))
    lowest, highest = round(_BORDER * side), round((1 - _BORDER) * side) - patch
    left, top = (int(place) for place in random.integers(lowest, highest + 1, 2))
    at = slice(top, top + patch), slice(left, left + patch)
    below, above = face[at].astype(np.float64), donor[at].astype(np.float64)
    spread = below.std(axis=(0, 1)) / np.maximum(above.std(axis=(0, 1)), 1.0)
    above = (above - above.mean(axis=(0, 1))) * np.clip(spread, 0.5, 2.0) + below.mean(axis=(0, 1))
    away = np.linspace(-1, 1, patch)
    oval = (away[:, None] ** 2 + away**2 < (1 - 2 * _FEATHER) ** 2).astype(np.float64)
    soft = cv2.GaussianBlur(oval, (0, 0), _FEATHER * patch)[..., None]
    changed = face.copy()
    changed[at] = np.clip(np.rint(soft * above + (1 - soft) * below), 0, 255).astype(np.uint8)
    return changed, (left, top, patch, patch)


def peak_inside(heatmap: NDArray[np.float32], box: tuple[int, int, int, int], side: int) -> bool:
    """Whether the centre of the brightest cell lies in a patch; an empty map points nowhere.

    Args:
        heatmap: float32 (h, w), of a crop.
        box: The patch as (left, top, width, height), in pixels of the crop.
        side: Of the crop, in pixels.

    >>> peak_inside(np.eye(2, dtype=np.float32), (0, 0, 32, 32), 64)
    True
    """
    if not heatmap.any():
        return False
    row, column = np.unravel_index(int(heatmap.argmax()), heatmap.shape)
    x, y = (column + 0.5) * side / heatmap.shape[1], (row + 0.5) * side / heatmap.shape[0]
    left, top, width, height = box
    return bool(left <= x < left + width and top <= y < top + height)
