"""Fakes made from real pictures only: a picture blended with a slightly changed copy of itself.

Method: self-blended images (Shiohara and Yamasaki, "Detecting Deepfakes with Self-Blended Images", CVPR 2022), after
Face X-ray (Li et al., CVPR 2020). What all face swaps share is a seam, and a difference of colour, sharpness and
geometry across it. A detector that learns these from pictures which have nothing else in common with a particular fake
generator carries over to generators it never saw.

The paper's mask is the convex hull of 81 landmarks; here its outline is laid out from the five of `unmask.face.finder`.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.data.filters import Pixels, uint8

Floats = NDArray[np.float32]

# Where the five landmarks are in a crop of margin 1.3, in shares of its side: eyes, nose tip, corners of the mouth.
# Mean of 500 pictures; standard deviation 0.05 across and 0.025 down, 0.08 across for the nose.
AVERAGE_LANDMARKS: Floats = np.array(
    [[0.365, 0.41], [0.635, 0.41], [0.5, 0.565], [0.39, 0.69], [0.61, 0.69]], np.float32
)

# Outlines in the face's own measure: across in distances between the eyes, down in distances from eyes to mouth, from the
# middle between the eyes. The eyes are at (-0.5, 0) and (0.5, 0), the middle of the mouth at (0, 1).
_FACE = (
    (-0.95, 0.0), (-0.8, -0.4), (-0.35, -0.6), (0.35, -0.6), (0.8, -0.4), (0.95, 0.0),
    (0.88, 0.65), (0.65, 1.25), (0.3, 1.65), (-0.3, 1.65), (-0.65, 1.25), (-0.88, 0.65),
)  # fmt: skip
_INNER = ((-0.85, -0.3), (0.85, -0.3), (0.72, 0.7), (0.45, 1.25), (-0.45, 1.25), (-0.72, 0.7))
_LOWER = ((-0.5, 0.45), (0.5, 0.45), (0.8, 0.8), (0.6, 1.3), (0.25, 1.65), (-0.25, 1.65), (-0.6, 1.3), (-0.8, 0.8))
_EYES = ((-0.9, -0.3), (-0.4, -0.5), (0.4, -0.5), (0.9, -0.3), (0.75, 0.35), (0.0, 0.6), (-0.75, 0.35))
_OUTLINES = (_FACE, _INNER, _LOWER, _EYES)
_CHANCES = (0.5, 0.2, 0.15, 0.15)

# The largest side at which a mask is drawn, pixels; a larger one is scaled up. It is soft enough for that.
_MASK_SIDE = 128

# How much of the source is laid over the target; 1 three times as often, as in the paper.
_RATIOS = (0.25, 0.5, 0.75, 1.0, 1.0, 1.0)


def self_blend(image: Pixels, landmarks: Floats | None, rng: np.random.Generator) -> tuple[Pixels, Floats]:
    """Blends a picture with a changed copy of itself.

    Args:
        image: uint8 (S, S, 3), RGB, a face crop.
        landmarks: float32 (5, 2), (x, y) in pixels of `image`: left eye, right eye, nose tip, left and right corner of
            the mouth; None, or with NaN in it, for the average face.
        rng: Where chance comes from.

    Returns:
        The fake, uint8 (S, S, 3), and how much of each pixel was replaced, float32 (S, S), 0..1.
    """
    side = image.shape[0]
    source, target = image, image
    if rng.random() < 0.5:
        source = _alter(source, rng)
    else:
        target = _alter(target, rng)
    mask = blending_mask(landmarks, side, rng)
    source, mask = _shift(source, mask, rng)
    mask = mask * np.float32(_RATIOS[rng.integers(len(_RATIOS))])
    return uint8(cv2.blendLinear(source, target, mask, 1 - mask)), mask


def known_landmarks(landmarks: Floats | None, side: int) -> Floats:
    """Landmarks (5, 2) in pixels of a crop: those that were found, or where there are none, or NaN, those of the average face."""
    unknown = landmarks is None or not np.isfinite(landmarks).all()
    return AVERAGE_LANDMARKS * np.float32(side) if unknown else np.asarray(landmarks, np.float32)


def blending_mask(landmarks: Floats | None, side: int, rng: np.random.Generator) -> Floats:
    """A soft mask over a face or a part of it: float32 (S, S), 0..1; without landmarks, over the average face."""
    full, side = side, min(side, _MASK_SIDE)
    landmarks = known_landmarks(landmarks, full)
    if full != side:
        landmarks = ((landmarks + np.float32(0.5)) * np.float32(side / full) - np.float32(0.5)).astype(np.float32)
    outline = np.array(_OUTLINES[rng.choice(len(_OUTLINES), p=_CHANCES)])
    outline = outline * rng.uniform(0.85, 1.15, outline.shape) * rng.uniform(0.85, 1.1)
    mask = np.zeros((side, side), np.uint8)
    hull = cv2.convexHull(sixteenths(outline, landmarks))
    cv2.fillConvexPoly(mask, hull, 255, lineType=cv2.LINE_AA, shift=4)
    mask = _deform(mask, rng)
    # As in the paper: blurred, cut back or grown, and blurred once more, by another amount.
    mask = uint8(cv2.GaussianBlur(mask, (0, 0), side * rng.uniform(0.01, 0.035)))
    threshold = rng.uniform(0.2, 0.8) * 255
    mask = np.where(mask > threshold, np.uint8(255), np.uint8(0))
    soft = cv2.GaussianBlur(mask.astype(np.float32) / 255, (0, 0), side * rng.uniform(0.008, 0.05))
    return np.asarray(cv2.resize(soft, (full, full), interpolation=cv2.INTER_LINEAR), np.float32)


def sixteenths(outline: NDArray[np.float64], landmarks: Floats) -> NDArray[np.int32]:
    """An outline (n, 2) in a face's own measure as OpenCV draws it with `shift=4`: (n, 2) in sixteenths of a pixel."""
    middle = landmarks[:2].mean(axis=0)
    across, down = landmarks[1] - landmarks[0], landmarks[3:].mean(axis=0) - middle
    points = middle + outline[:, :1] * across + outline[:, 1:] * down
    return np.asarray(np.rint(points * 16), np.int32)


def _deform(mask: Pixels, rng: np.random.Generator) -> Pixels:
    """Elastic deformation (Simard et al., ICDAR 2003) on a coarse grid."""
    side = mask.shape[0]
    rows, columns = np.mgrid[0:side, 0:side].astype(np.float32)
    coarse = rng.uniform(-1, 1, (2, 5, 5)).astype(np.float32) * np.float32(0.04 * side)
    moves = [cv2.resize(part, (side, side), interpolation=cv2.INTER_CUBIC) for part in coarse]
    return uint8(cv2.remap(mask, columns + moves[0], rows + moves[1], cv2.INTER_LINEAR))


def _alter(image: Pixels, rng: np.random.Generator) -> Pixels:
    """Colour and fine detail that do not match the rest: a little, never so much that nobody would believe it."""
    shift = rng.uniform(-12, 12, 3)
    contrast, brightness = 1 + rng.uniform(-0.12, 0.12), rng.uniform(-10, 10)
    ramp = (np.arange(256)[:, None] - 128) * contrast + 128 + brightness + shift
    image = uint8(cv2.LUT(image, np.clip(ramp, 0, 255).astype(np.uint8)[None]))
    if rng.random() < 0.5:
        space = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
        tables = np.repeat(np.arange(256)[:, None], 3, axis=1).astype(np.float64)
        tables[:, 0] = (tables[:, 0] + rng.uniform(-5, 5)) % 180
        tables[:, 1] *= 1 + rng.uniform(-0.3, 0.3)
        space = cv2.LUT(space, np.clip(np.rint(tables), 0, 255).astype(np.uint8)[None])
        image = uint8(cv2.cvtColor(space, cv2.COLOR_HSV2RGB))
    side = image.shape[0]
    if rng.random() < 0.5:
        small = round(side * rng.uniform(0.3, 0.7))
        shrunk = cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
        return uint8(cv2.resize(shrunk, (side, side), interpolation=cv2.INTER_CUBIC))
    soft = cv2.GaussianBlur(image, (0, 0), side * 0.01)
    amount = rng.uniform(0.3, 1.2)
    return uint8(cv2.addWeighted(image, 1 + amount, soft, -amount, 0))


def _shift(source: Pixels, mask: Floats, rng: np.random.Generator) -> tuple[Pixels, Floats]:
    """Moves and scales the source with its mask, so that outlines do not meet across the seam."""
    side = source.shape[0]
    wide, high = 1 + rng.uniform(-0.05, 0.05, 2)
    across, down = rng.uniform(-0.03, 0.03) * side, rng.uniform(-0.015, 0.015) * side
    middle = (side - 1) / 2
    matrix = np.array([[wide, 0, middle * (1 - wide) + across], [0, high, middle * (1 - high) + down]])
    moved = cv2.warpAffine(source, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    cover = cv2.warpAffine(mask, matrix, (side, side), flags=cv2.INTER_LINEAR)
    return uint8(moved), np.asarray(cover, np.float32)
