"""Two versions of one picture, resized, cropped or turned a little: how one lies over the other."""

from __future__ import annotations

import functools
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from unmask.errors import UnmaskError

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Points that must agree on where one picture lies in the other; by chance hardly five do.
FEWEST = 12
# From the place that the others tell, in pixels.
NEAR = 3.0
# Surroundings with less variance say nothing; two correlate from here on; and they do in so much of two versions of one
# picture, though a part was changed. Of a mirrored picture, 0.13 and less agree by chance.
FLAT, ALIKE, SHARE_ALIKE = 25.0, 0.7, 0.3


def alignment(moving: NDArray[np.uint8], fixed: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Where each place of a picture lies in another that shows the same.

    ORB points (Rublee et al., ICCV 2011) that look alike tell shift, turn and size, by RANSAC; the correlation of all pixels
    (Evangelidis & Psarakis, PAMI 2008) tells them to a fraction of a pixel.

    Args:
        moving: uint8 (H, W, 3), RGB.
        fixed: uint8 (h, w, 3), RGB.

    Returns:
        float32 (2, 3), an affine map from pixels of `fixed` to those of `moving`; for `laid_over`.

    Raises:
        UnmaskError: They do not show the same. Code `not-alike`.
    """
    one, other = (np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8) for pixels in (moving, fixed))
    points, matcher = cv2.ORB.create(2000), cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True)
    (here, marks), (there, others) = points.detectAndCompute(one, None), points.detectAndCompute(other, None)
    pairs = [] if marks is None or others is None else matcher.match(others, marks)
    ways: list[Any] = []
    if len(pairs) >= FEWEST:
        begin = np.array([there[pair.queryIdx].pt for pair in pairs], np.float32)
        end = np.array([here[pair.trainIdx].pt for pair in pairs], np.float32)
        way, agree = cv2.estimateAffinePartial2D(begin, end, method=cv2.RANSAC, ransacReprojThreshold=NEAR)
        if way is not None and agree.sum() >= FEWEST:
            ways.append(way.astype(np.float32))
            with suppress(cv2.error):  # it did not converge: what the points told stands
                stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 50, 1e-4)
                ways.insert(0, cv2.findTransformECC(other, one, ways[0].copy(), cv2.MOTION_AFFINE, stop)[1])
    for way in ways:
        if _alike(laid_over(one, way, other), other) >= SHARE_ALIKE:
            return np.asarray(way, np.float32)
    raise UnmaskError(
        "the two pictures do not seem to show the same", hint="Give two versions of one picture.", code="not-alike"
    )


def _alike(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """In how much of two grey pictures that lie over each other the surroundings correlate; where one is flat, nothing counts."""
    side = max(9, max(other.shape) // 16)
    smooth = functools.partial(cv2.blur, ksize=(side, side))
    first, second = one.astype(np.float32), other.astype(np.float32)
    together = smooth(first * second) - smooth(first) * smooth(second)
    spreads = [smooth(values * values) - smooth(values) ** 2 for values in (first, second)]
    told = np.minimum(*spreads) > FLAT
    return float((together > ALIKE * np.sqrt(np.abs(spreads[0] * spreads[1])))[told].mean()) if told.any() else 0.0


def laid_over(pixels: NDArray[np.uint8], way: NDArray[np.float32], fixed: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture in the place of another, black where it does not reach.

    Args:
        pixels: uint8 (H, W, 3) or (H, W), of the size of the one that was aligned.
        way: Of `alignment`.
        fixed: uint8 (h, w, 3) or (h, w).

    Returns:
        uint8 of its height and width.
    """
    height, width = fixed.shape[:2]
    return np.asarray(
        cv2.warpAffine(pixels, way, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP), np.uint8
    )
