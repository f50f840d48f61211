"""Activation maps as pictures: one colour scale for the command line, the reports and the web page."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unmask.face.crop import cut
from unmask.finding import Box

# Of the heatmap as a whole, where it is laid over a face; the web page's slider begins here, too.
OPACITY = 0.55
# Opacity by level, 0..255: none at the bottom, full from 3/8 of the way up. What did not raise the score stays as it is;
# a dark veil over it would look like a finding. The PNGs of the web page carry the same table.
ALPHA = bytes(min(255, level * 8 // 3) for level in range(256))

WHAT_IT_IS = (
    "The heatmap shows which parts of the face raised the detector's score most. "
    "It is not a map of what was changed, and a bright spot on a real face proves nothing."
)


def normalise(activation: NDArray[np.float32]) -> NDArray[np.float32]:
    """A map relative to its own maximum.

    Args:
        activation: (h, w), not negative.

    Returns:
        float32 (h, w), 0..1; all zero where nothing raised the score.
    """
    peak = float(activation.max(initial=0.0))
    if peak <= 0.0:
        return np.zeros_like(activation, dtype=np.float32)
    return np.asarray(activation / peak, dtype=np.float32)


def colour(heatmap: NDArray[np.float32], width: int, height: int) -> NDArray[np.uint8]:
    """A heatmap in colours, enlarged smoothly.

    Args:
        heatmap: (h, w), 0..1.
        width: Of the result, pixels.
        height: Of the result, pixels.

    Returns:
        uint8 (height, width, 3), RGB. The scale is inferno (van der Walt & Smith, 2015): it grows evenly brighter, so
        that it reads the same without colour vision and in a grey print.
    """
    return _inferno(levels(heatmap, width, height))


def overlay(pixels: NDArray[np.uint8], heatmap: NDArray[np.float32], opacity: float = OPACITY) -> NDArray[np.uint8]:
    """A heatmap over the picture it was made of, as the web page shows it.

    Args:
        pixels: uint8 (H, W, 3), RGB.
        heatmap: (h, w), 0..1.
        opacity: Of the heatmap's upper levels; below them it fades to nothing (`ALPHA`). 0 shows the picture alone.

    Returns:
        uint8 (H, W, 3), RGB.
    """
    height, width = pixels.shape[:2]
    steps = levels(heatmap, width, height)
    weight = (np.frombuffer(ALPHA, np.uint8)[steps] * (opacity / 255.0))[:, :, None]
    return np.asarray(np.rint(pixels * (1.0 - weight) + _inferno(steps) * weight), np.uint8)


def lay_over(pixels: NDArray[np.uint8], crop: Box, heatmap: NDArray[np.float32]) -> None:
    """Lays a face's heatmap over the picture that the face was cut from, in its place.

    Args:
        pixels: uint8 (H, W, 3), RGB; changed.
        crop: What was cut; it may leave the picture.
        heatmap: (h, w), 0..1, of the crop.
    """
    over, (height, width) = overlay(cut(pixels, crop), heatmap), pixels.shape[:2]
    left, top = max(crop.left, 0), max(crop.top, 0)
    right, bottom = min(crop.left + crop.width, width), min(crop.top + crop.height, height)
    pixels[top:bottom, left:right] = over[top - crop.top : bottom - crop.top, left - crop.left : right - crop.left]


def levels(heatmap: NDArray[np.float32], width: int, height: int) -> NDArray[np.uint8]:
    """A heatmap, enlarged smoothly, in 256 steps.

    Args:
        heatmap: (h, w), 0..1.
        width: Of the result, pixels.
        height: Of the result, pixels.

    Returns:
        uint8 (height, width).
    """
    import cv2

    smooth = cv2.resize(heatmap, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(np.rint(smooth * 255.0), 0, 255), np.uint8)


def _inferno(levels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    import cv2

    return np.ascontiguousarray(cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO)[:, :, ::-1])
