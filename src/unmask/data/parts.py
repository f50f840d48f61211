"""Fakes made by hand: an eye, the nose or the mouth of another face pasted into a real picture.

As an amateur leaves it: the part is scaled and turned into its place, sometimes with its colours moved towards the skin around
it, and its edge is anything between cut with scissors and wide and soft. Only a small part of such a picture is fake: a detector
that weighs patches learns from it where to look, since the mask is known (as of Face X-ray: Li et al., CVPR 2020).
"""

from __future__ import annotations

import cv2
import numpy as np

from unmask.data.blend import Floats, known_landmarks, sixteenths
from unmask.data.filters import Pixels, uint8

# Middle and half axes of each part, in the face's own measure (see `unmask.data.blend`): across in distances between the eyes,
# down in distances from eyes to mouth, from the middle between the eyes.
_EYE_LEFT, _EYE_RIGHT = (-0.5, 0.0, 0.36, 0.26), (0.5, 0.0, 0.36, 0.26)
_EYES = (0.0, 0.0, 0.95, 0.3)
_NOSE = (0.0, 0.5, 0.36, 0.45)
_MOUTH = (0.0, 1.02, 0.52, 0.3)
_PARTS = (_EYE_LEFT, _EYE_RIGHT, _EYES, _NOSE, _MOUTH)

# Share of the pastes whose colours are moved to those of the place.
MATCHED = 0.6


def paste_part(
    image: Pixels, landmarks: Floats | None, donor: Pixels, donor_landmarks: Floats | None, rng: np.random.Generator
) -> tuple[Pixels, Floats]:
    """Pastes a part of one face into another.

    Args:
        image: uint8 (S, S, 3), RGB, a face crop.
        landmarks: float32 (5, 2), as of `unmask.data.blend.self_blend`; None, or with NaN in it, for the average face.
        donor: Of the same shape.
        donor_landmarks: Likewise.
        rng: Where chance comes from.

    Returns:
        The fake, uint8 (S, S, 3), and how much of each pixel was replaced, float32 (S, S), 0..1.
    """
    side = image.shape[0]
    here, there = (known_landmarks(points, side) for points in (landmarks, donor_landmarks))
    mask = _part_mask(here, side, rng)
    to_here = np.asarray(cv2.estimateAffinePartial2D(there, here, method=cv2.LMEDS)[0], np.float64)
    if to_here.shape != (2, 3):  # points that no turn and scale takes there
        to_here = np.eye(2, 3)
    to_here[:, 2] += rng.normal(0.0, 0.006 * side, 2)
    size = (side, side)
    moved = uint8(cv2.warpAffine(donor, to_here, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101))
    if rng.random() < MATCHED:
        moved = _with_colours_of(moved, image, mask)
    return uint8(cv2.blendLinear(moved, image, mask, 1 - mask)), mask


def _part_mask(landmarks: Floats, side: int, rng: np.random.Generator) -> Floats:
    """An ellipse or a box over a part, with an edge between hard and soft."""
    x, y, wide, high = _PARTS[rng.integers(len(_PARTS))]
    grown = rng.uniform(0.85, 1.3, 2)
    if rng.random() < 0.7:
        angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        outline = np.column_stack([np.cos(angles), np.sin(angles)])
    else:
        outline = np.array([(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)])
    outline = outline * [wide, high] * grown + [x, y]
    mask = np.zeros((side, side), np.uint8)
    cv2.fillPoly(mask, [sixteenths(outline, landmarks)], 255, lineType=cv2.LINE_AA, shift=4)
    soft = mask.astype(np.float32) / 255
    blur = side * rng.choice([0.0, rng.uniform(0.002, 0.01), rng.uniform(0.01, 0.03)])
    return np.asarray(cv2.GaussianBlur(soft, (0, 0), blur) if blur > 0.3 else soft, np.float32)


def _with_colours_of(moved: Pixels, image: Pixels, mask: Floats) -> Pixels:
    """The part with mean and spread of each channel as they are in the place that it covers."""
    weights = mask[..., None] + np.float32(1e-6)
    found = []
    for pixels in (moved, image):
        mean = (pixels * weights).sum(axis=(0, 1)) / weights.sum()
        spread = np.sqrt((np.square(pixels - mean) * weights).sum(axis=(0, 1)) / weights.sum())
        found.append((mean, spread))
    (mean, spread), (wanted, wanted_spread) = found
    scale = np.clip(wanted_spread / np.maximum(spread, 1.0), 0.5, 2.0)
    return np.asarray(np.clip((moved - mean) * scale + wanted, 0, 255), np.uint8)
