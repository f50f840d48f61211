"""Activation maps as pictures: one colour scale for the command line, the reports and the web page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

OPACITY = 0.55

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
    import cv2

    smooth = cv2.resize(heatmap, (width, height), interpolation=cv2.INTER_CUBIC)
    levels = np.clip(np.rint(smooth * 255.0), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO)[:, :, ::-1])


def overlay(pixels: NDArray[np.uint8], heatmap: NDArray[np.float32], opacity: float = OPACITY) -> NDArray[np.uint8]:
    """A heatmap over the picture it was made of.

    Args:
        pixels: uint8 (H, W, 3), RGB.
        heatmap: (h, w), 0..1.
        opacity: 0 shows the picture alone, 1 the heatmap alone.

    Returns:
        uint8 (H, W, 3), RGB.
    """
    height, width = pixels.shape[:2]
    mixed = pixels * (1.0 - opacity) + colour(heatmap, width, height) * opacity
    return np.rint(mixed).astype(np.uint8)
