"""Changes to training pictures: `light` moves them a little, `delivery` treats them as their way to a viewer does.

`light` has the six settings of the report. `delivery` is what happens between a camera (or
a generator) and the person who looks: filters, scaling by every site on the way, screenshots, and JPEG or WebP each time
somebody saves. A detector that never saw that learns traces which do not survive it.

Everything is OpenCV on uint8: at 128 px a library of augmentation objects spends more time on itself than on pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

from unmask.data.film import filmed
from unmask.data.filters import Pixels, blur, compress, grain, grey, recolour, rescale, sharpen, smooth, uint8

# The report's settings. Its shear was 0.05 of Keras' degrees, which moves nothing by a pixel; here it is 0.05 of the side.
ROTATION = 10.0
SHIFT = 0.05
SHEAR = 0.05
ZOOM = 0.05
# Share of the pictures that `delivery` leaves alone. Where every picture is filtered, faint traces of a generator are never
# seen as they are, and are not learned.
UNTOUCHED = 0.35

# Of the others: frames of a clip, black and white, and skin made smooth. Real people do all of that to their pictures.
FILM, GREY, SMOOTH = 0.3, 0.04, 0.08
# Constant rate factors of the clips, from hardly seen to blocky.
FILM_RATES = (18, 41)

# Pixels beyond a window that are changed with it, shared between its sides by chance: so a JPEG's blocks begin anywhere in it,
# and its edges look nearly as if the whole picture had been changed.
_ROOM = 16


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
        images: uint8 (N, S, S, 3), RGB; more channels, such as masks, are moved with the others.
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


# By the names of the command line.
AUGMENTATIONS: dict[str, Augment | None] = {"none": None, "light": light, "delivery": delivery}


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
    windows = np.empty((len(images), window, window, images.shape[-1]), np.uint8)
    for place, image in enumerate(images):
        # The window first, so that it lies anywhere alike; then the part around it.
        corner = rng.integers(0, whole - window + 1, 2)
        start = rng.integers(np.maximum(corner + window - side, 0), np.minimum(corner, whole - side) + 1)
        top, left = start.tolist()
        changed = change(image, rng, _Part(top, left, side, whole))
        down, across = (corner - start).tolist()
        windows[place] = changed[down : down + window, across : across + window]
    return windows


def _deliver(image: Pixels, rng: np.random.Generator, part: _Part) -> Pixels:
    if rng.random() < UNTOUCHED:
        return _nudge(image, rng, part)
    image = _move(image, rng, part, rotation=4.0, shift=0.06, shear=0.0, zoom=0.12)
    if rng.random() < 0.08:
        image = _screenshot(image, rng, part)
    image, mask = np.ascontiguousarray(image[..., :3]), image[..., 3:]
    if rng.random() < 0.5:
        image = recolour(image, rng)
    if rng.random() < GREY:
        image = grey(image)
    if rng.random() < SMOOTH:
        image = smooth(image, rng, part.whole)
    if rng.random() < 0.35:
        image = (blur, sharpen, grain)[rng.integers(3)](image, rng, part.whole)
    if rng.random() < 0.4:
        image = rescale(image, rng)
    if rng.random() < FILM:
        image = filmed(image, int(rng.integers(*FILM_RATES)), shift=(rng.uniform(-1.5, 1.5), rng.uniform(-1.5, 1.5)))
    if rng.random() < 0.7:
        image = compress(image, rng)
        if rng.random() < 0.35:
            image = compress(rescale(image, rng) if rng.random() < 0.5 else image, rng)
    return np.concatenate([image, mask], axis=-1) if mask.shape[-1] else image


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
    warp, size = np.column_stack([matrix, offset]), (part.side, part.side)
    return uint8(cv2.warpAffine(image, warp, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


def _nudge(image: Pixels, rng: np.random.Generator, part: _Part) -> Pixels:
    """Shifted by whole pixels, and mirrored half of the time: nothing is interpolated."""
    reach = round(0.05 * part.whole)
    across, down = rng.integers(-reach, reach + 1, 2).tolist()
    padded = cv2.copyMakeBorder(image, reach, reach, reach, reach, cv2.BORDER_REFLECT_101)
    mirror = rng.random() < 0.5
    top = reach + down + part.top
    left = reach + across + (part.whole - part.left - part.side if mirror else part.left)
    cut = padded[top : top + part.side, left : left + part.side]
    return uint8(cv2.flip(cut, 1) if mirror else cut)


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
    bars = (shade, shade, shade, 0)
    return uint8(cv2.copyMakeBorder(inner, top, bottom, left, right, cv2.BORDER_CONSTANT, value=bars))
