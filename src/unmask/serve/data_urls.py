"""Pictures inside a reply: the picture itself, small, and the heatmaps, as data URLs."""

from __future__ import annotations

import base64
import io
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image as PillowImage

from unmask.explain.heatmap import ALPHA, colour, levels
from unmask.face.crop import cut
from unmask.image.encode import encode_jpeg
from unmask.image.resize import shrink

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.finding import Box

# Longer side of the copy that a page shows: sharp on a phone and on most of a desktop's width.
PREVIEW_SIDE = 1280
PREVIEW_QUALITY = 88
# Hardly a photo needs more; a picture of noise would need five times as much, and is shown smaller.
PREVIEW_BYTES = 400_000
# Longer side of a face that is enlarged.
CLOSEUP_SIDE = 320
THUMBNAIL_SIDE = 128
THUMBNAIL_QUALITY = 75
# A heatmap has some 7 x 7 to 16 x 16 cells; this is smooth, and the browser enlarges the rest of the way.
HEATMAP_SIDE = 192


def heatmap_url(heatmap: NDArray[np.float32]) -> str:
    """A heatmap as a PNG of 192 x 192 pixels in the project's colour scale, to lay over the face, as a data URL.

    What did not raise the score is transparent; otherwise it would be a dark veil over the face.

    Args:
        heatmap: (h, w), 0..1.
    """
    picture = PillowImage.fromarray(levels(heatmap, HEATMAP_SIDE, HEATMAP_SIDE))
    picture.putpalette(_palette())
    stream = io.BytesIO()
    picture.save(stream, "PNG", compress_level=3, transparency=ALPHA)
    return data_url("image/png", stream.getvalue())


def preview_url(pixels: NDArray[np.uint8], most_bytes: int = PREVIEW_BYTES) -> tuple[str, int]:
    """A picture, made smaller where it is large, as a JPEG data URL, and its longer side there.

    Args:
        pixels: uint8 (H, W, 3), RGB.
        most_bytes: Of the JPEG.
    """
    side = min(PREVIEW_SIDE, max(pixels.shape[:2]))
    data = encode_jpeg(shrink(pixels, side), PREVIEW_QUALITY)
    while len(data) > most_bytes:
        side //= 2
        data = encode_jpeg(shrink(pixels, side), PREVIEW_QUALITY)
    return data_url("image/jpeg", data), side


def closeup_url(pixels: NDArray[np.uint8], crop: Box, preview_side: int) -> str | None:
    """A face as the detector saw it, as a JPEG data URL; None where the preview shows it as well.

    Args:
        pixels: uint8 (H, W, 3), RGB: the whole picture.
        crop: Of the face.
        preview_side: Longer side of the preview.
    """
    scale = preview_side / max(pixels.shape[:2])
    if scale >= 1 or crop.width * scale >= CLOSEUP_SIDE:
        return None
    return data_url("image/jpeg", encode_jpeg(shrink(cut(pixels, crop), CLOSEUP_SIDE), PREVIEW_QUALITY))


def thumbnail_url(pixels: NDArray[np.uint8]) -> str:
    """A picture as small as an overview of many shows it, as a JPEG data URL.

    Args:
        pixels: uint8 (H, W, 3), RGB.
    """
    return data_url("image/jpeg", encode_jpeg(shrink(pixels, THUMBNAIL_SIDE), THUMBNAIL_QUALITY))


@cache
def _palette() -> bytes:
    """The colour scale of `unmask.explain.heatmap`, 256 x RGB: a palette makes the PNG a third of the size."""
    ramp = np.linspace(0.0, 1.0, 256, dtype=np.float32)[None]
    return colour(ramp, 256, 1).tobytes()


def data_url(media_type: str, data: bytes) -> str:
    """Data as an address that holds them (RFC 2397)."""
    return f"data:{media_type};base64,{base64.b64encode(data).decode('ascii')}"
