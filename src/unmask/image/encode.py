"""Pixels -> the bytes of a PNG or JPEG file."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

Pixels = NDArray[np.uint8]


def encode_png(pixels: Pixels) -> bytes:
    """The bytes of a PNG file, made for speed and not for the smallest size.

    Args:
        pixels: uint8 (height, width, 3), RGB.
    """
    return _encode(pixels, "PNG", compress_level=1)


def encode_jpeg(pixels: Pixels, quality: int = 90) -> bytes:
    """The bytes of a JPEG file, with the chroma at half size (4:2:0).

    Args:
        pixels: uint8 (height, width, 3), RGB.
        quality: That of the IJG library, 1..100.
    """
    return _encode(pixels, "JPEG", quality=quality)


def _encode(pixels: Pixels, format_name: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    PillowImage.fromarray(np.ascontiguousarray(pixels)).save(stream, format_name, **options)
    return stream.getvalue()
