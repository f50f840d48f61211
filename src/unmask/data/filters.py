"""What is done to the pixels of a picture on its way, each by chance: filters, scaling, compression.

All take a picture as uint8 (S, S, 3), RGB, and a generator to draw from, and give one of the same shape.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


def uint8(image: object) -> Pixels:
    """What OpenCV returns, as the type that it is."""
    return np.asarray(image, np.uint8)


_SHRINKING = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_NEAREST)
_ENLARGING = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4)
_CHROMA = (
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
)


def recolour(image: Pixels, rng: np.random.Generator) -> Pixels:
    """Gamma, contrast, brightness, white balance and saturation, as a phone's filters shift them."""
    gamma, contrast, brightness, red, blue, saturation = rng.random(6) * 2 - 1
    ramp = np.linspace(0.0, 1.0, 256)[:, None] ** np.exp(0.3 * gamma)
    ramp = (ramp - 0.5) * (1 + 0.2 * contrast) + 0.5 + 0.08 * brightness
    table = np.clip(ramp * (1 + 0.06 * np.array([red, 0.0, blue])) * 255, 0, 255).astype(np.uint8)
    image = uint8(cv2.LUT(image, table[None]))
    amount = 1 + (0.4 if saturation > 0 else 0.7) * saturation
    return uint8(cv2.addWeighted(image, amount, grey(image), 1 - amount, 0))


def grey(image: Pixels) -> Pixels:
    """Black and white."""
    return uint8(cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB))


def smooth(image: Pixels, rng: np.random.Generator, side: int) -> Pixels:
    """Skin without pores, as beauty filters make it: edges stay (Tomasi and Manduchi, "Bilateral Filtering", ICCV 1998)."""
    soft = cv2.bilateralFilter(image, 7, rng.uniform(15, 50), side * rng.uniform(0.01, 0.03))
    amount = rng.uniform(0.4, 1.0)
    return uint8(cv2.addWeighted(soft, amount, image, 1 - amount, 0))


def blur(image: Pixels, rng: np.random.Generator, side: int) -> Pixels:
    """Out of focus, or the camera or the person moved; `side` is the whole picture's."""
    if rng.random() < 0.7:
        return uint8(cv2.GaussianBlur(image, (0, 0), side * rng.uniform(0.003, 0.012)))
    length = int(rng.integers(3, max(4, round(side * 0.05)) + 1))
    angle = rng.uniform(0, np.pi)
    kernel = np.zeros((length, length), np.float32)
    middle, reach = (length - 1) / 2, (length - 1) / 2 * np.array([np.cos(angle), np.sin(angle)])
    start, end = np.rint(middle - reach).astype(int).tolist(), np.rint(middle + reach).astype(int).tolist()
    cv2.line(kernel, start, end, 1.0)
    return uint8(cv2.filter2D(image, -1, kernel / kernel.sum()))


def sharpen(image: Pixels, rng: np.random.Generator, side: int) -> Pixels:
    """An unsharp mask."""
    amount = rng.uniform(0.3, 1.5)
    soft = cv2.GaussianBlur(image, (0, 0), side * rng.uniform(0.006, 0.015))
    return uint8(cv2.addWeighted(image, 1 + amount, soft, -amount, 0))


def grain(image: Pixels, rng: np.random.Generator, _: int) -> Pixels:
    """A sensor's noise: normal, 2 to 12 grey levels, of each channel or of all three alike."""
    side = image.shape[0]
    pool = _noise()
    start = int(rng.integers(len(pool) - side * side * 3))
    grain = pool[start : start + side * side * 3].reshape(side, side, 3)
    if rng.random() < 0.5:
        grain = np.repeat(grain[..., :1], 3, axis=2)
    return uint8(cv2.addWeighted(image, 1.0, grain, float(rng.uniform(2, 12)), 0, dtype=cv2.CV_8U))


@cache
def _noise() -> NDArray[np.float32]:
    """Normal numbers to cut from; drawing anew for every picture would take longer than all the rest."""
    return np.random.default_rng(0).standard_normal(1024 * 1024 * 4, np.float32)


def rescale(image: Pixels, rng: np.random.Generator) -> Pixels:
    """Down to 0.2 to 0.95 of the side and up again, by any of the usual methods; the smallest less often."""
    side = image.shape[0]
    small = max(8, round(side * (rng.uniform(0.35, 0.95) if rng.random() < 0.7 else rng.uniform(0.2, 0.35))))
    shrunk = cv2.resize(image, (small, small), interpolation=_SHRINKING[rng.integers(len(_SHRINKING))])
    return uint8(cv2.resize(shrunk, (side, side), interpolation=_ENLARGING[rng.integers(len(_ENLARGING))]))


def compress(image: Pixels, rng: np.random.Generator) -> Pixels:
    """JPEG nine times of ten, else WebP, at a quality of 30 to 95 with the high ones more often."""
    quality = int(30 + 65 * np.sqrt(rng.random()))
    if rng.random() < 0.9:
        chroma = int(_CHROMA[rng.integers(len(_CHROMA))])
        return saved(image, ".jpg", [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, chroma])
    return saved(image, ".webp", [cv2.IMWRITE_WEBP_QUALITY, quality])


def saved(image: Pixels, suffix: str, options: list[int]) -> Pixels:
    """A picture as it is read again after it was saved: uint8 (S, S, 3), RGB; `options` are those of `cv2.imencode`."""
    _, data = cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    # Bytes from the line above, not a stranger's: the one decoder for those is in image/.
    return uint8(cv2.imdecode(data, cv2.IMREAD_COLOR_RGB))
