"""A PNG's one transparent colour (tRNS), compared in all bits of its samples as libpng does (ISO/IEC 15948, 11.3.2).

Pillow compares 8 bits of 16, and shades of 2 or 4 bits before they are scaled with those that are.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from unmask.image.png import Png

if TYPE_CHECKING:
    from PIL.PngImagePlugin import PngImageFile


def see_through(png: Png, picture: PngImageFile) -> NDArray[np.bool_] | None:
    """Where a picture shows what lies behind it.

    Args:
        png: The file.
        picture: The same, loaded.

    Returns:
        (height, width); None where no colour is transparent, or only some of a palette.
    """
    if not png.see_through:
        return None
    values = np.asarray(picture)
    if picture.mode != "RGB":
        step = 255 // ((1 << png.bits) - 1) if picture.mode == "L" else 1
        return np.asarray(values == png.see_through[0] * step)
    wide = png.bits == 16
    hidden = _is(values, [value >> 8 for value in png.see_through] if wide else png.see_through)
    if wide and hidden.any():
        # Of each sample the second byte; Pillow gives the first.
        with type(picture)(io.BytesIO(png.pixels_only)) as low:
            low.tile = [tile._replace(args="RGB;16L") for tile in low.tile]
            hidden &= _is(np.asarray(low), [value & 255 for value in png.see_through])
    return hidden


def _is(values: NDArray[np.uint8], colour: list[int] | tuple[int, ...]) -> NDArray[np.bool_]:
    red, green, blue = (values[..., channel] == value for channel, value in enumerate(colour))
    return np.asarray(red & green & blue)
