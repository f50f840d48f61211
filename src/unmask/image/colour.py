"""Any Pillow picture -> 8-bit sRGB pixels, in strips, so that memory stays near the size of the result.

Part of the decoder in `read.py`.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from unmask.errors import UnmaskError
from unmask.finding import Note
from unmask.image.transfer import Colour, converter

STRIP_PIXELS = 1_000_000
"""Pixels converted at a time: a conversion holds a few copies, each 4 bytes a pixel."""

_PROFILE_SPACES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK", "Lab": "LAB"}
_BITS_PER_SAMPLE, _PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0  # TIFF 6.0, section 8
_HAS_ALPHA = {"LA", "La", "PA", "RGBA", "RGBa"}
_BASE_MODES = {"1": "L", "L": "L", "CMYK": "CMYK", "LAB": "LAB"}  # the others become RGB

Strip = PillowImage.Image
Level = Callable[[NDArray[Any]], NDArray[np.uint8]]


UNCERTAIN = Note("colour-uncertain", "The picture's colours were converted for the screen, and may be off.")
UNUSABLE = Note("colour-profile", "The picture's colour profile could not be used; colours may be a little off.")

TRANSPARENT = Note("transparent", "Transparent parts of the picture were laid on white.")


def to_srgb(image: PillowImage.Image, colour: Colour) -> tuple[NDArray[np.uint8], tuple[Note, ...]]:
    """Converts a decoded picture of any mode to 8-bit sRGB.

    Transparent parts are laid on white, which is what most viewers show. An embedded ICC profile is applied
    (perceptual intent), whatever its name says; one that is broken or belongs to another kind of picture is left out, with
    a note. Without one, colours told by numbers are converted. 16-bit pictures keep their high byte. Floating pictures
    must lie in 0..1 or 0..255.

    Args:
        image: Decoded picture, first frame.
        colour: What its file says of its colours.

    Returns:
        Pixels, uint8 (height, width, 3), and what to keep in mind.

    Raises:
        UnmaskError: ``unsupported-format`` for a pixel range that has no agreed meaning.
    """
    notes: list[Note] = []
    level = _high_range(image)
    transparent = image.mode in _HAS_ALPHA or "transparency" in image.info
    mode = "L" if level else "RGB" if transparent else _BASE_MODES.get(image.mode, "RGB")
    transform, convert = _profile_transform(colour.profile, mode, notes), None
    if not colour.profile and mode in ("RGB", "L"):
        convert = converter(colour)
        notes += [UNCERTAIN] if colour.uncertain else []

    width, height = image.size
    pixels = np.empty((height, width, 3), dtype=np.uint8)
    rows = max(1, STRIP_PIXELS // width)
    uncovered = False
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        strip = image if rows >= height else image.crop((0, top, width, bottom))
        if level:
            strip = PillowImage.fromarray(level(np.asarray(strip)))
        elif transparent:
            strip, opaque = _on_white(strip)
            uncovered = uncovered or not opaque
        if transform is not None:
            strip = transform(strip)
        rgb = np.asarray(strip if strip.mode == "RGB" else strip.convert("RGB"))
        pixels[top:bottom] = convert(rgb) if convert else rgb
    if uncovered:
        notes.append(TRANSPARENT)
    return pixels, tuple(notes)


def _on_white(strip: Strip) -> tuple[Strip, bool]:
    strip = (strip.convert("LA") if strip.mode == "La" else strip).convert("RGBA")
    alpha = strip.getchannel("A")
    if alpha.getextrema() == (255, 255):
        return strip.convert("RGB"), True
    white = PillowImage.new("RGB", strip.size, (255, 255, 255))
    white.paste(strip, mask=alpha)
    return white, False


def _high_range(image: PillowImage.Image) -> Level | None:
    """How to bring one channel of 16 bits, 32 bits or floating numbers to 8 bits; None for the other modes."""
    if image.mode.startswith("I;16"):
        tags = getattr(image, "tag_v2", {})
        shift = max(0, int(np.ravel(tags.get(_BITS_PER_SAMPLE, 16))[0]) - 8)
        flip = np.uint8(255 if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO else 0)  # Pillow flips 8 bits only
        return lambda values: (values >> shift).astype(np.uint8) ^ flip
    if image.mode not in ("I", "F"):
        return None
    low, high = (float(value) for value in image.getextrema())  # type: ignore[arg-type]
    if np.isfinite(low) and np.isfinite(high) and low >= 0:
        scale = 255 if image.mode == "F" and high <= 1 else 1
        if high <= 255:
            return lambda values: np.rint(np.nan_to_num(values) * scale).astype(np.uint8)
        if image.mode == "I" and high <= 65535:
            return lambda values: (values >> 8).astype(np.uint8)
    raise UnmaskError(
        "The picture's numbers lie in no range that has an agreed meaning (0 to 1, 0 to 255 or 16 bits)",
        hint="Save it with 8 bits a channel, as PNG or JPEG, and check that.",
        code="unsupported-format",
    )


def _profile_transform(profile_bytes: bytes | None, mode: str, notes: list[Note]) -> Callable[[Strip], Strip] | None:
    if profile_bytes == b"" and mode != "LAB":
        return None
    from PIL import ImageCms

    try:
        srgb = ImageCms.createProfile("sRGB")
        if mode == "LAB":
            return _transform(ImageCms.buildTransform(ImageCms.createProfile("LAB"), srgb, "LAB", "RGB"), mode)
        profile = ImageCms.ImageCmsProfile(io.BytesIO(profile_bytes or b"")).profile
        space = _PROFILE_SPACES.get(profile.xcolor_space.strip())
        if space == mode:
            if mode == "RGB" and _changes_nothing(profile_bytes or b""):
                return None
            return _transform(ImageCms.buildTransform(profile, srgb, mode, "RGB"), mode)
        if space == "RGB" and mode == "L":
            return None  # equal channels stay equal: an RGB profile on a grey picture has next to nothing to say
    except Exception:
        # LittleCMS raises several unrelated types on bytes that are no profile.
        pass
    notes.append(UNUSABLE)
    return None


@lru_cache(maxsize=8)
def _changes_nothing(profile_bytes: bytes) -> bool:
    """Whether an RGB profile is sRGB's own but for rounding: looked up on a grid of colours, not in its name."""
    from PIL import ImageCms

    steps = np.linspace(0, 255, 9).round().astype(np.uint8)
    grid = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(27, 27, 3)
    profile = ImageCms.ImageCmsProfile(io.BytesIO(profile_bytes))
    transform = ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), "RGB", "RGB")
    changed = np.asarray(_transform(transform, "RGB")(PillowImage.fromarray(grid)))
    return bool(np.abs(changed.astype(int) - grid).max() <= 2)


def _transform(transform: Any, mode: str) -> Callable[[Strip], Strip]:
    from PIL import ImageCms

    def apply(strip: Strip) -> Strip:
        ready = strip if strip.mode == mode else strip.convert(mode)
        result = ImageCms.applyTransform(ready, transform)
        assert result is not None
        return result

    return apply
