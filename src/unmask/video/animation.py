"""Frames out of a GIF, PNG or WebP that moves, with Pillow. Runs in the decoder's own process only."""

from __future__ import annotations

import importlib
import io
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image as PillowImage

from unmask.image import png, webp
from unmask.image.colour import to_srgb
from unmask.image.exif import read_exif
from unmask.image.read import upright
from unmask.image.structure import declared_size, has_hole
from unmask.image.transfer import Colour, of_png
from unmask.video.messages import RefusedError, send
from unmask.video.sampling import choose, chosen

if TYPE_CHECKING:
    from collections.abc import Iterator

PLUGINS = {
    "GIF": ("PIL.GifImagePlugin", "GifImageFile"),
    "PNG": ("PIL.PngImagePlugin", "PngImageFile"),
    "WEBP": ("PIL.WebPImagePlugin", "WebPImageFile"),
}
SHORTEST = 0.011
"""A frame that asks for less is shown for 0.1 s, as in browsers."""


def decode(request: dict[str, Any]) -> Iterator[None]:
    """Send the facts of the animation on standard input, then the frames that are asked for."""
    data, colour, orientation, whole = _pixels_only(request["kind"], sys.stdin.buffer.read())
    lengths, broken = _lengths(request["kind"], data, request["limits"])
    lengths, broken = lengths[:whole], broken or (whole is not None and whole < len(lengths))
    if not lengths:
        raise RefusedError("no-frames")
    times = np.concatenate([[0.0], np.cumsum(lengths)[:-1]])
    numbers = chosen(request, times)
    notes = ["cut-off"] * broken
    with _opened(request["kind"], data) as picture:
        duration = float(sum(lengths))
        width, height = (picture.height, picture.width) if orientation >= 5 else picture.size
        send(
            {
                "type": "facts",
                "format": request["kind"],
                "codec": request["kind"].lower(),
                "width": width,
                "height": height,
                "frames": len(lengths),
                "duration": duration,
                "frame_rate": len(lengths) / duration,
                "wanted": len(numbers),
            }
        )
        for number in numbers.tolist():
            picture.seek(_first(picture) + number)
            pixels, remarks = to_srgb(picture, colour)
            pixels = upright(pixels, orientation)
            notes += [remark.code for remark in remarks if remark.code not in notes]
            size = {"height": pixels.shape[0], "width": pixels.shape[1]}
            send({"type": "frame", "number": number, "time": float(times[number]), **size}, pixels)
            yield
    send({"type": "end", "notes": notes})


def _pixels_only(kind: str, data: bytes) -> tuple[bytes, Colour, int, int | None]:
    """A file without what no pixel needs, and what else is to be known of it, as of a picture that does not move.

    Returns:
        The file, its colours, how to turn it upright, and before which frame a part of it was overwritten, where its decoder
        does not tell: those behind show what is left of it.
    """
    if kind == "PNG":
        parts = png.take_apart(data, moving=True)
        if parts.broken and parts.ended:
            raise RefusedError("damaged", "a wrong checksum")
        return parts.pixels_only, of_png(parts.colour, parts.profile), read_exif(parts.exif).orientation, None
    if kind == "WEBP":
        told = webp.take_apart(data)
        width, height = declared_size(kind, data) or (0, 0)
        flat = told.flat(width * height)
        holes = (number for number, coded in enumerate(told.coded) if has_hole(data, [coded], flat))
        return data, Colour(told.profile), read_exif(told.exif).orientation, next(holes, None)
    return data, Colour(), 1, None


def _opened(kind: str, data: bytes) -> Any:
    module, name = PLUGINS[kind]
    return getattr(importlib.import_module(module), name)(io.BytesIO(data))


def _first(picture: Any) -> int:
    """The first frame: a PNG may begin with a picture for programs that animate none, which is no part of it."""
    return int(getattr(picture, "default_image", False))


def _lengths(kind: str, data: bytes, limits: dict[str, Any]) -> tuple[list[float], bool]:
    """How long each frame that can be decoded is shown, in seconds, and whether one cannot be."""
    lengths: list[float] = []
    with _opened(kind, data) as picture:
        if picture.width * picture.height > limits["max_pixels"]:
            raise RefusedError("too-many-pixels", f"{picture.width:,} x {picture.height:,}")
        try:
            for number in range(limits["max_frames"] + 1):
                picture.seek(_first(picture) + number)
                picture.load()
                length = (picture.info.get("duration") or 0) / 1000
                lengths.append(length if length >= SHORTEST else 0.1)
        except EOFError:
            return lengths, False
        except (OSError, SyntaxError, ValueError):
            return lengths, True
    raise RefusedError("too-many-frames")


def _load_all() -> None:
    """Loads what would be loaded later, before the process may open no further file."""
    importlib.import_module("PIL.ImageCms")
    for module, _ in PLUGINS.values():
        importlib.import_module(module)
    for mode in ("RGBA", "P", "L"):
        to_srgb(PillowImage.new(mode, (8, 8)), Colour())
    choose(np.arange(4.0), frames=2)


_load_all()
