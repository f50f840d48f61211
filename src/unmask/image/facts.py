"""What a picture's file says besides its pixels: which camera, which software, how strongly compressed.

Part of the decoder in `image.py`. None of it goes into a score.
"""

from __future__ import annotations

import functools
import re

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from unmask.image.structure import looks_cut_off

_NO_EXIF = b"II*\0\x08\0\0\0\0\0"
# Where Pillow looks for EXIF, and for an orientation in XMP.
_PLACES_OF_EXIF = frozenset({"exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif"})


def exif_facts(picture: PillowImage.Image) -> tuple[int, str | None, str | None]:
    """EXIF orientation (1..8), camera and software; what is missing or broken is 1, None and None.

    Args:
        picture: A picture that Pillow has opened and loaded.
    """
    orientation_tag, make_tag, model_tag, software_tag = 0x0112, 0x010F, 0x0110, 0x0131
    orientation, camera, software = 1, None, _text(picture.info.get("Software"))
    if picture.format == "JPEG" and not _PLACES_OF_EXIF & picture.info.keys():
        return orientation, camera, software
    # Pillow warns of a directory that is not all there, value by value.
    if looks_cut_off("TIFF", re.sub(b"^(Exif\0\0)+", b"", picture.info.get("exif") or _NO_EXIF)):
        return orientation, camera, software
    try:
        exif = picture.getexif()
        found = exif.get(orientation_tag)
        if isinstance(found, int) and 1 <= found <= 8:
            orientation = found
        make, model = _text(exif.get(make_tag)), _text(exif.get(model_tag))
        repeats = make and model and model.lower().startswith(make.lower())
        camera = model if repeats else _text(f"{make or ''} {model or ''}")
        software = _text(exif.get(software_tag)) or software
    except Exception:
        pass  # broken EXIF is common and says nothing about the pixels
    return orientation, camera, software


def _text(value: object) -> str | None:
    """A tag as one printable line of at most 80 characters; None where nothing is left of it."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if not isinstance(value, str):
        return None
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in value[:400]).split())
    return line[:80].rstrip() or None


# The luminance table of ITU-T T.81, annex K.1, which the IJG library scales by its quality setting.
_LUMINANCE = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
).ravel()


@functools.cache
def _ijg_tables() -> NDArray[np.int64]:
    quality = np.arange(1, 101)[:, None]
    scale = np.where(quality < 50, 5000 // quality, 200 - 2 * quality)
    return np.asarray(np.clip((_LUMINANCE * scale + 50) // 100, 1, 255), dtype=np.int64)


def jpeg_quality(tables: dict[int, list[int]] | None) -> int | None:
    """The IJG quality, 1..100, whose luminance table is nearest; None where there is no table.

    Args:
        tables: Quantisation tables by number, 64 steps each in reading order, as Pillow gives them.
    """
    table = (tables or {}).get(0)
    if table is None or len(table) != 64:
        return None
    return _nearest_quality(tuple(table))


@functools.lru_cache(maxsize=1024)
def _nearest_quality(table: tuple[int, ...]) -> int:
    return int(np.abs(_ijg_tables() - np.asarray(table)).sum(axis=1).argmin()) + 1
