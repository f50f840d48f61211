"""Occlusion (Zeiler and Fergus, ECCV 2014) inside the graph, for heads that Grad-CAM cannot be written out for.

How far the logit falls when a square of the picture is replaced by the picture's mean colour. It knows nothing of the model, and
costs one more run of it for each square.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

# Squares along a side of the picture: 16 more runs of the model.
GRID = 4


def occlusion_map(model: Any) -> Any:
    """The map as forward operations.

    Args:
        model: From uint8 (N, S, S, 3) to logits (N, 1).

    Returns:
        Symbolic tensor (N, GRID, GRID), not negative, not normalised.
    """
    image = ops.cast(model.inputs[0], "float32")
    mean = ops.mean(image, axis=(1, 2), keepdims=True)
    whole = ops.reshape(model.outputs[0], (-1, 1))
    falls = []
    for square in _squares(image.shape[1]):
        hidden = ops.cast(image * (1 - square) + mean * square, "uint8")
        falls.append(whole - ops.reshape(model(hidden), (-1, 1)))
    return ops.relu(ops.reshape(ops.concatenate(falls, axis=1), (-1, GRID, GRID)))


def _squares(side: int) -> Any:
    """Masks (GRID * GRID, 1, S, S, 1), 1 inside of a square, row by row."""
    edges, places = np.linspace(0, side, GRID + 1).round()[:, None], np.arange(side)
    bands = (edges[:-1] <= places) & (places < edges[1:])
    squares = bands[:, None, :, None] & bands[None, :, None, :]
    return squares.reshape(-1, 1, side, side, 1).astype(np.float32)
