"""Occlusion (Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014): hide a square, ask again."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from unmask.detector import Detector
from unmask.explain.heatmap import normalise
from unmask.face.crop import cut
from unmask.finding import Finding
from unmask.image.resize import resize

# Cells along a side. Half overlapping squares of two by two of them are large enough to hide an eye: 49 runs a face.
CELLS: Final = 8


def with_occlusion_maps(detector: Detector, finding: Finding, pixels: NDArray[np.uint8]) -> Finding:
    """The same answer, whose faces carry occlusion maps in place of Grad-CAM's.

    Args:
        detector: The one that the finding is by.
        finding: From a check.
        pixels: uint8 (H, W, 3), RGB, the whole picture.

    Returns:
        With each `FaceFinding.heatmap` float32 (h, w), 0..1.
    """
    side = detector.info.input_size
    faces = tuple(
        replace(face, heatmap=normalise(occlusion(detector, resize(cut(pixels, face.crop), side))))
        for face in finding.faces
    )
    return replace(finding, faces=faces)


def occlusion(detector: Detector, crop: NDArray[np.uint8]) -> NDArray[np.float32]:
    """How far the logit falls when a square is replaced by the crop's mean colour, averaged where squares overlap.

    Args:
        detector: A loaded detector; nothing of its graph is looked at.
        crop: uint8 (S, S, 3), RGB, the detector's input.

    Returns:
        float32 (8, 8), not negative, not normalised.
    """
    edges = np.linspace(0, crop.shape[0], CELLS + 1).round().astype(int)
    grey = np.rint(crop.mean(axis=(0, 1))).astype(np.uint8)
    places = [(row, column) for row in range(CELLS - 1) for column in range(CELLS - 1)]
    hidden = np.repeat(crop[None], len(places) + 1, axis=0)
    for number, (row, column) in enumerate(places):
        hidden[number, edges[row] : edges[row + 2], edges[column] : edges[column + 2]] = grey
    *logits, whole = detector.logits(hidden)
    total, count = np.zeros((CELLS, CELLS)), np.zeros((CELLS, CELLS))
    for logit, (row, column) in zip(logits, places, strict=True):
        at = slice(row, row + 2), slice(column, column + 2)
        total[at] += float(whole - logit)
        count[at] += 1
    return np.maximum(total / count, 0.0).astype(np.float32)
