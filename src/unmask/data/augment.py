"""Changes to training pictures: `light` moves them a little, `delivery` and `rough` treat them as their way to a viewer does.

`light` has the six settings of the report that the project reproduces. `delivery` is what happens between a camera (or
a generator) and the person who looks: filters, scaling by every site on the way, screenshots, and JPEG or WebP each time
somebody saves. A detector that never saw that learns traces which do not survive it. `rough` is `delivery` with many more
pictures out of focus, where only what is coarse tells, and `blurred` with most of them so.

Everything is OpenCV on uint8: at 128 px a library of augmentation objects spends more time on itself than on pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

# The report's settings. Its shear was 0.05 of Keras' degrees, which moves nothing by a pixel; here it is 0.05 of the side.
ROTATION = 10.0
SHIFT = 0.05
SHEAR = 0.05
ZOOM = 0.05
# Share of the pictures that `delivery` leaves alone. Where every picture is filtered, faint traces of a generator are never
# seen as they are, and are not learned.
UNTOUCHED = 0.35
# Of the others, the share that `rough` blurs first, besides the few that `delivery` blurs.
ROUGH_BLUR = 0.45
# The same two of `blurred`.
BLURRED_UNTOUCHED = 0.15
BLURRED_BLUR = 0.7

# Pixels beyond a window that are changed with it, shared between its sides by chance: so a JPEG's blocks begin anywhere in it,
# and its edges look nearly as if the whole picture had been changed.
_ROOM = 16

_SHRINKING = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_NEAREST)
_ENLARGING = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4)
_CHROMA = (
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
)


class Augment(Protocol):
    """Changes pictures; see `light` for the arguments."""

    def __call__(self, images: Pixels, rng: np.random.Generator, window: int | None = None, /) -> Pixels: ...


@dataclass(frozen=True, slots=True)
class _Part:
    """The part of a picture that is computed; all in pixels. A blur that is a share of the side is one of the `whole` side."""

    top: int
    left: int
    side: int
    whole: int


def light(images: Pixels, rng: np.random.Generator, window: int | None = None) -> Pixels:
    """Rotation up to 10 degrees, shifts, shear and zoom up to 0.05 of the side, and a mirror image half of the time.

    Args:
        images: uint8 (N, S, S, 3), RGB.
        rng: Where chance comes from; the same state gives the same pictures.
        window: Side of what is cut from each changed picture, at a place drawn for each; None for all of it.

    Returns:
        uint8 (N, S, S, 3), or of the side of the window; corners that move in repeat the border.
    """
    return _each(images, rng, window, lambda image, draw, part: _move(image, draw, part, ROTATION, SHIFT, SHEAR, ZOOM))


def delivery(images: Pixels, rng: np.random.Generator, window: int | None = None) -> Pixels:
    """What happens to pictures on their way: another crop, filters, scaling, screenshots, compression once or twice.

    Args:
        images, rng, window: As of `light`.

    Returns:
        As of `light`. About one in three arrives as it was sent, moved by whole pixels at most, so that its pixels are those
        that the detector will see.
    """
    return _each(images, rng, window, _deliver)


def rough(images: Pixels, rng: np.random.Generator, window: int | None = None) -> Pixels:
    """As `delivery`, and `ROUGH_BLUR` of the pictures that it does not leave alone are out of focus or shaken first."""
    return _each(images, rng, window, partial(_deliver, blur=ROUGH_BLUR))


def blurred(images: Pixels, rng: np.random.Generator, window: int | None = None) -> Pixels:
    """As `rough`, with `BLURRED_BLUR` for the share that is blurred and `BLURRED_UNTOUCHED` for that which is left alone."""
    return _each(images, rng, window, partial(_deliver, blur=BLURRED_BLUR, untouched=BLURRED_UNTOUCHED))


# By the names of the command line.
AUGMENTATIONS: dict[str, Augment | None] = {
    "none": None, "light": light, "delivery": delivery, "rough": rough, "blurred": blurred,
}  # fmt: skip


def _each(
    images: Pixels,
    rng: np.random.Generator,
    window: int | None,
    change: Callable[[Pixels, np.random.Generator, _Part], Pixels],
) -> Pixels:
    """A window of each changed picture, or all of it; little more than the window is computed."""
    whole = images.shape[1]
    window = whole if window is None else window
    side = min(whole, window + _ROOM)
    windows = np.empty((len(images), window, window, 3), np.uint8)
    for place, image in enumerate(images):
        # The window first, so that it lies anywhere alike; then the part around it.
        corner = rng.integers(0, whole - window + 1, 2)
        start = rng.integers(np.maximum(corner + window - side, 0), np.minimum(corner, whole - side) + 1)
        top, left = start.tolist()
        changed = change(image, rng, _Part(top, left, side, whole))
        down, across = (corner - start).tolist()
        windows[place] = changed[down : down + window, across : across + window]
    return windows


def _deliver(
    image: Pixels, rng: np.random.Generator, part: _Part, blur: float = 0.0, untouched: float = UNTOUCHED
) -> Pixels:
    if rng.random() < untouched:
        return _nudge(image, rng, part)
    image = _move(image, rng, part, rotation=4.0, shift=0.06, shear=0.0, zoom=0.12)
    if blur and rng.random() < blur:
        image = _blur(image, rng, part.whole)
    if rng.random() < 0.5:
        image = _recolour(image, rng)
    if rng.random() < 0.35:
        image = (_blur, _sharpen, _grain)[rng.integers(3)](image, rng, part.whole)
    if rng.random() < 0.4:
        image = _rescale(image, rng)
    if rng.random() < 0.08:
        image = _screenshot(image, rng, part)
    if rng.random() < 0.7:
        image = _compress(image, rng)
        if rng.random() < 0.35:
            image = _compress(_rescale(image, rng) if rng.random() < 0.5 else image, rng)
    return image


def _move(
    image: Pixels, rng: np.random.Generator, part: _Part, rotation: float, shift: float, shear: float, zoom: float
) -> Pixels:
    """One affine warp, so that the picture is interpolated once."""
    turn, across, down, slant, wide, high, mirror = rng.random(7) * 2 - 1
    side = part.whole
    angle = np.deg2rad(rotation * turn)
    cos, sin = np.cos(angle), np.sin(angle)
    rotated = np.array([[cos, -sin], [sin, cos]])
    # The report's zoom is of each axis alone; for the crop of a face (no shear) both go together.
    scales = (1 + zoom * wide, 1 + zoom * (high if shear else wide))
    matrix = rotated @ np.array([[1.0, shear * slant], [0.0, 1.0]]) @ np.diag(scales)
    if mirror < 0:
        matrix = matrix @ np.diag([-1.0, 1.0])
    centre = np.full(2, (side - 1) / 2)
    offset = centre - matrix @ centre + shift * side * np.array([across, down]) - np.array([part.left, part.top])
    return _uint8(
        cv2.warpAffine(
            image,
            np.column_stack([matrix, offset]),
            (part.side, part.side),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
    )


def _nudge(image: Pixels, rng: np.random.Generator, part: _Part) -> Pixels:
    """Shifted by whole pixels, and mirrored half of the time: nothing is interpolated."""
    reach = round(0.05 * part.whole)
    across, down = rng.integers(-reach, reach + 1, 2).tolist()
    padded = cv2.copyMakeBorder(image, reach, reach, reach, reach, cv2.BORDER_REFLECT_101)
    mirror = rng.random() < 0.5
    top = reach + down + part.top
    left = reach + across + (part.whole - part.left - part.side if mirror else part.left)
    cut = padded[top : top + part.side, left : left + part.side]
    return _uint8(cv2.flip(cut, 1) if mirror else cut)


def _recolour(image: Pixels, rng: np.random.Generator) -> Pixels:
    """Gamma, contrast, brightness, white balance and saturation, as a phone's filters shift them."""
    gamma, contrast, brightness, red, blue, saturation = rng.random(6) * 2 - 1
    ramp = np.linspace(0.0, 1.0, 256)[:, None] ** np.exp(0.3 * gamma)
    ramp = (ramp - 0.5) * (1 + 0.2 * contrast) + 0.5 + 0.08 * brightness
    table = np.clip(ramp * (1 + 0.06 * np.array([red, 0.0, blue])) * 255, 0, 255).astype(np.uint8)
    image = _uint8(cv2.LUT(image, table[None]))
    amount = 1 + (0.4 if saturation > 0 else 0.7) * saturation
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return _uint8(cv2.addWeighted(image, amount, grey, 1 - amount, 0))


def _blur(image: Pixels, rng: np.random.Generator, side: int) -> Pixels:
    """Out of focus, or the camera or the person moved; `side` is the whole picture's."""
    if rng.random() < 0.7:
        return _uint8(cv2.GaussianBlur(image, (0, 0), side * rng.uniform(0.003, 0.012)))
    length = int(rng.integers(3, max(4, round(side * 0.05)) + 1))
    angle = rng.uniform(0, np.pi)
    kernel = np.zeros((length, length), np.float32)
    middle, reach = (length - 1) / 2, (length - 1) / 2 * np.array([np.cos(angle), np.sin(angle)])
    start, end = np.rint(middle - reach).astype(int).tolist(), np.rint(middle + reach).astype(int).tolist()
    cv2.line(kernel, start, end, 1.0)
    return _uint8(cv2.filter2D(image, -1, kernel / kernel.sum()))


def _sharpen(image: Pixels, rng: np.random.Generator, side: int) -> Pixels:
    """An unsharp mask."""
    amount = rng.uniform(0.3, 1.5)
    soft = cv2.GaussianBlur(image, (0, 0), side * rng.uniform(0.006, 0.015))
    return _uint8(cv2.addWeighted(image, 1 + amount, soft, -amount, 0))


def _grain(image: Pixels, rng: np.random.Generator, _: int) -> Pixels:
    """A sensor's noise: normal, 2 to 12 grey levels, of each channel or of all three alike."""
    side = image.shape[0]
    pool = _noise()
    start = int(rng.integers(len(pool) - side * side * 3))
    grain = pool[start : start + side * side * 3].reshape(side, side, 3)
    if rng.random() < 0.5:
        grain = np.repeat(grain[..., :1], 3, axis=2)
    return _uint8(cv2.addWeighted(image, 1.0, grain, float(rng.uniform(2, 12)), 0, dtype=cv2.CV_8U))


@cache
def _noise() -> NDArray[np.float32]:
    """Normal numbers to cut from; drawing anew for every picture would take longer than all the rest."""
    return np.random.default_rng(0).standard_normal(1024 * 1024 * 4, np.float32)


def _rescale(image: Pixels, rng: np.random.Generator) -> Pixels:
    """Down to 0.35 to 0.95 of the side and up again, by any of the usual methods."""
    side = image.shape[0]
    small = max(8, round(side * rng.uniform(0.35, 0.95)))
    shrunk = cv2.resize(image, (small, small), interpolation=_SHRINKING[rng.integers(len(_SHRINKING))])
    return _uint8(cv2.resize(shrunk, (side, side), interpolation=_ENLARGING[rng.integers(len(_ENLARGING))]))


def _screenshot(image: Pixels, rng: np.random.Generator, part: _Part) -> Pixels:
    """The picture in a window: bars of one colour on some sides, as far as the part reaches to them."""
    side, beyond = part.side, part.whole - part.side
    seen = np.array([part.top == 0, part.top == beyond, part.left == 0, part.left == beyond])
    room = seen * (rng.random(4) < 0.6) * rng.uniform(0.0, 0.14, 4) * part.whole
    # Of a part much smaller than the picture, the most that a bar covers.
    room = np.minimum(room, 0.4 * side)
    top, bottom, left, right = room.astype(int).tolist()
    shade = int(rng.choice([0, 18, 32, 240, 255])) if rng.random() < 0.8 else int(rng.integers(256))
    inner = cv2.resize(image, (side - left - right, side - top - bottom), interpolation=cv2.INTER_AREA)
    return _uint8(cv2.copyMakeBorder(inner, top, bottom, left, right, cv2.BORDER_CONSTANT, value=(shade,) * 3))


def _compress(image: Pixels, rng: np.random.Generator) -> Pixels:
    """JPEG nine times of ten, else WebP, at a quality of 30 to 95 with the high ones more often."""
    quality = int(30 + 65 * np.sqrt(rng.random()))
    if rng.random() < 0.9:
        chroma = int(_CHROMA[rng.integers(len(_CHROMA))])
        return saved(image, ".jpg", [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, chroma])
    return saved(image, ".webp", [cv2.IMWRITE_WEBP_QUALITY, quality])


def saved(image: Pixels, suffix: str, options: list[int]) -> Pixels:
    """A picture as it is read again after it was saved: uint8 (S, S, 3), RGB; `options` are those of `cv2.imencode`."""
    _, data = cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    # Bytes from the line above, not a stranger's: the one decoder for those is in image.py.
    return _uint8(cv2.imdecode(data, cv2.IMREAD_COLOR_RGB))


def _uint8(image: object) -> Pixels:
    return np.asarray(image, np.uint8)
