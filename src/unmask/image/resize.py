"""Pixels to another size: one way for what a model sees, one for what people look at."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


def resize(pixels: Pixels, side: int) -> Pixels:
    """Scales a crop to a model's input; the only resize between a crop and a model.

    Args:
        pixels: uint8 (height, width, 3), normally square.
        side: Width and height of the result, in pixels.

    Returns:
        uint8 (side, side, 3): area averaging when shrinking, cubic interpolation when enlarging.
    """
    height, width = pixels.shape[:2]
    if (height, width) == (side, side):
        return np.ascontiguousarray(pixels)
    import cv2

    method = cv2.INTER_AREA if height * width > side * side else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, (side, side), interpolation=method), dtype=np.uint8)


def shrink(pixels: Pixels, longer_side: int) -> Pixels:
    """A copy for looking at: scaled so that its longer side is at most `longer_side`, by area averaging.

    Args:
        pixels: uint8 (height, width, 3).
        longer_side: In pixels. A picture that is no larger is given back as it is.

    Returns:
        uint8, (height, width, 3); no side is ever less than one pixel, however long and thin the picture.
    """
    height, width = pixels.shape[:2]
    scale = longer_side / max(height, width)
    if scale >= 1.0:
        return pixels
    import cv2

    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
