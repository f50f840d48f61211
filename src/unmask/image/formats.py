"""One function a format: the bytes of a file -> its pixels, and what its file says besides.

Each takes its file apart, hands the decoder only the pieces that pixels need, and looks for pixels that are not there.
Pillow decodes all but JPEG; nothing here changes its global settings, and no picture is let through because of them.
"""

from __future__ import annotations

import functools
import importlib
import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import ImageFile

from unmask.errors import UnmaskError
from unmask.finding import Note
from unmask.image import heif, jpeg, png, tiff, webp
from unmask.image.colour import TRANSPARENT, to_srgb
from unmask.image.exif import Exif, one_line, read_exif
from unmask.image.jpeg_scan import Rows, missing_rows
from unmask.image.jpeg_tables import jpeg_quality
from unmask.image.limits import DECODING_PIXELS, Limits, check_size
from unmask.image.png_key import see_through
from unmask.image.sniff import SAVE_AS, Kind
from unmask.image.structure import count_parts, declared_size, has_hole, looks_cut_off
from unmask.image.tiff_damage import lacks_pixels
from unmask.image.transfer import Colour, of_png
from unmask.system.budget import Budget
from unmask.system.python import pip_install

ANIMATED = Note("animated", "This is an animation, of which only the first frame was looked at.")
NO_END = Note("no-end-marker", "The file lacks its end marker; all of its pixels are there.")

_DECODING = Budget(DECODING_PIXELS)


@dataclass(slots=True)
class Decoded:
    """A decoded file.

    Attributes:
        pixels: uint8 (height, width, 3), sRGB, not turned yet.
        exif: How to turn them, and who made them.
        notes: What to keep in mind.
        missing: Rows of `pixels` that the file does not hold.
        quality: The JPEG quality, for a JPEG.
    """

    pixels: NDArray[np.uint8]
    exif: Exif
    notes: tuple[Note, ...] = ()
    missing: tuple[Rows, ...] = ()
    quality: int | None = None


def decode(kind: Kind, data: bytes, name: str, limits: Limits) -> Decoded:
    """Checks a file's structure and size, and decodes its first frame.

    Args:
        kind: What `sniff` made of it, with a format.
        data: The whole file.
        name: What to call it.
        limits: What is accepted.

    Raises:
        UnmaskError: ``unsupported-format``, ``too-many-parts``, ``too-many-pixels``, ``too-small``, ``too-long``,
            ``truncated``.
        Exception: Of a dozen types, where the file is damaged.
    """
    assert kind.format is not None
    if kind.format != "JPEG" and _reader(kind.format) is None:
        raise UnmaskError(
            f"{name} is {kind.name}, which this installation cannot read",
            hint=f"Run `{pip_install(_INSTALL.get(kind.format, '--force-reinstall pillow'))}`, or save it as PNG.",
            code="unsupported-format",
        )
    if count_parts(kind.format, data, limits.max_parts) > limits.max_parts:
        raise UnmaskError(
            f"{name} is {kind.name} chopped into far more pieces than a real one has",
            hint="Open it in a picture editor, save it anew, and check that.",
            code="too-many-parts",
        )
    if kind.format in ("WEBP", "GIF") and (size := declared_size(kind.format, data)):
        check_size(size, name, limits)  # their decoders set memory aside before they can be asked
    # A program around this one may have told Pillow to make up what is missing; no verdict must rest on that.
    made_up = ImageFile.LOAD_TRUNCATED_IMAGES and kind.format != "JPEG"
    if made_up and looks_cut_off(kind.format, data):
        raise cut_off(kind, name)
    return _DECODERS[kind.format](_File(kind, data, name, limits))


def cut_off(kind: Kind, name: str) -> UnmaskError:
    """The refusal of a file that ends too early."""
    return UnmaskError(
        f"{name} is cut off: {kind.name} that ends too early", hint="Copy or download it again.", code="truncated"
    )


def _unsupported(name: str, what: str) -> UnmaskError:
    return UnmaskError(f"{name} is {what}, which cannot be read", hint=SAVE_AS, code="unsupported-format")


@dataclass(frozen=True, slots=True)
class _File:
    kind: Kind
    data: bytes
    name: str
    limits: Limits


def _jpeg(file: _File) -> Decoded:
    parts = jpeg.take_apart(file.data)
    if parts.frame is None or not parts.scans:
        raise ValueError("no picture") if parts.ended else cut_off(file.kind, file.name)
    if parts.frame.unsupported:
        raise _unsupported(file.name, parts.frame.unsupported)
    size = (parts.frame.width, parts.frame.height)
    check_size(size, file.name, file.limits)
    with _DECODING.take(size[0] * size[1]):
        pixels, warned = jpeg.decode(parts)
        missing = tuple(missing_rows(parts, warned))
        if missing and not parts.ended:
            raise cut_off(file.kind, file.name)
        notes: tuple[Note, ...] = ()
        if parts.profile or pixels.shape[2:] != (3,):
            mode = "L" if pixels.ndim == 2 else {3: "RGB", 4: "CMYK"}[pixels.shape[2]]
            picture = PillowImage.frombuffer(mode, size, np.ascontiguousarray(pixels), "raw", mode, 0, 1)
            pixels, notes = to_srgb(picture, Colour(parts.profile))
    notes = notes if parts.ended else (*notes, NO_END)
    return Decoded(pixels, read_exif(parts.exif), notes, missing, jpeg_quality(parts))


def _png(file: _File) -> Decoded:
    parts = png.take_apart(file.data)
    if parts.by_apple:
        raise _unsupported(file.name, "a PNG picture in Apple's own variant")
    if parts.broken:
        raise ValueError("a wrong checksum")
    colour = of_png(parts.colour, parts.profile)
    decoded = _by_pillow(file, parts.pixels_only, colour, functools.partial(see_through, parts))
    exif = read_exif(parts.exif)
    decoded.exif = replace(exif, software=exif.software or one_line(parts.software))
    decoded.notes += (ANIMATED,) * parts.moves + (NO_END,) * (not parts.ended)
    return decoded


def _webp(file: _File) -> Decoded:
    parts = webp.take_apart(file.data)
    if parts.cut:
        raise cut_off(file.kind, file.name)
    decoded = _by_pillow(file, parts.pixels_only, Colour(parts.profile))
    decoded.exif = read_exif(parts.exif)
    return _without_holes(
        decoded, file.data, parts.coded, parts.flat(decoded.pixels.shape[0] * decoded.pixels.shape[1])
    )


def _tiff(file: _File) -> Decoded:
    parts = tiff.take_apart(file.data)
    if parts.unsupported:
        raise _unsupported(file.name, parts.unsupported)
    # A tile is decoded whole, however small the picture.
    tile = (parts.number(tiff.TILE_WIDTH), parts.number(tiff.TILE_HEIGHT))
    if any(tile):
        side = file.limits.min_side
        check_size((max(tile[0], side), max(tile[1], side)), file.name, file.limits)
    if parts.cut:
        raise cut_off(file.kind, file.name)
    decoded = _by_pillow(file, parts.pixels_only(), Colour(parts.text(tiff.PROFILE)))
    if lacks_pixels(parts):  # any row may depend on what is damaged
        decoded.missing = ((0, decoded.pixels.shape[0]),)
    decoded.exif = parts.facts
    decoded.notes += (ANIMATED,) * parts.pages
    return decoded


def _heif(file: _File) -> Decoded:
    parts = heif.take_apart(file.data)
    decoded = _by_pillow(file, parts.pixels_only, Colour(transfer=parts.transfer, primaries=parts.primaries))
    if file.kind.format == "AVIF" and parts.aperture:
        width, height = parts.aperture
        decoded.pixels = decoded.pixels[:height, :width]
        check_size(parts.aperture, file.name, file.limits)
    decoded.exif = replace(read_exif(parts.exif), orientation=decoded.exif.orientation)
    return _without_holes(decoded, file.data, parts.coded)


def _bmp(file: _File) -> Decoded:
    profile, header = b"", file.data[14:138]
    # An embedded profile (BITMAPV5HEADER).
    if len(header) == 124 and header[:1] == b"\x7c" and header[56:60] == b"DEBM":
        start, size = 14 + int.from_bytes(header[112:116], "little"), int.from_bytes(header[116:120], "little")
        profile = file.data[start : start + size]
    return _by_pillow(file, file.data, Colour(profile), _without_alpha)


def _without_alpha(picture: PillowImage.Image) -> None:
    """Makes a picture opaque of which nothing would be seen: many programs leave zeros in a BMP's alpha; browsers do the same."""
    if picture.mode == "RGBA" and picture.getchannel("A").getextrema() == (0, 0):
        picture.putalpha(255)


_DECODERS: dict[str, Callable[[_File], Decoded]] = {
    "JPEG": _jpeg,
    "PNG": _png,
    "WEBP": _webp,
    "TIFF": _tiff,
    "AVIF": _heif,
    "HEIC": _heif,
    "BMP": _bmp,
    "GIF": lambda file: _by_pillow(file, file.data, Colour()),
}


def _without_holes(decoded: Decoded, data: bytes, coded: list[tuple[int, int]], flat: int = 0) -> Decoded:
    """Notices an overwritten part of coded pixels whose decoder does not tell: all rows may depend on it."""
    if has_hole(data, coded, flat):
        decoded.missing = ((0, decoded.pixels.shape[0]),)
    return decoded


def _by_pillow(file: _File, data: bytes, colour: Colour, loaded: Callable[[Any], Any] = lambda _: None) -> Decoded:
    reader = _reader(file.kind.format or "")
    try:
        # The plugin itself, not Image.open, which would warn or raise by a global setting of Pillow's.
        picture = reader(io.BytesIO(data))
    except Exception as failure:
        whole = file.kind.format in ("TIFF", "BMP") and not looks_cut_off(file.kind.format, file.data)
        if whole and not isinstance(failure, Warning | MemoryError):
            raise _unsupported(file.name, f"{file.kind.name} of a rare kind") from failure
        raise
    with picture:
        check_size(picture.size, file.name, file.limits)
        with _DECODING.take(picture.width * picture.height):
            picture.load()
            if file.kind.format in ("AVIF", "HEIC") and (profile := picture.info.get("icc_profile")):
                colour = Colour(profile)
            hidden = loaded(picture)
            pixels, notes = to_srgb(picture, colour)
            if hidden is not None and hidden.any():
                pixels[hidden] = 255
                notes = (*notes, TRANSPARENT)
        # Pillow tells of an AVIF's own transformations this way; pillow-heif has turned a HEIC already.
        turn = read_exif(picture.info.get("exif") or b"").orientation if file.kind.format == "AVIF" else 1
        return Decoded(pixels, Exif(turn), (*notes, ANIMATED) if _moves(picture) else notes)


def _moves(picture: PillowImage.Image) -> bool:
    # A GIF looks for its second frame to know that, which may be damaged.
    try:
        return bool(getattr(picture, "is_animated", False))
    except Exception:
        return False


_PLUGINS = {
    "PNG": ("PIL.PngImagePlugin", "PngImageFile"),
    "WEBP": ("PIL.WebPImagePlugin", "WebPImageFile"),
    "BMP": ("PIL.BmpImagePlugin", "BmpImageFile"),
    "TIFF": ("PIL.TiffImagePlugin", "TiffImageFile"),
    "GIF": ("PIL.GifImagePlugin", "GifImageFile"),
    "AVIF": ("PIL.AvifImagePlugin", "AvifImageFile"),
    "HEIC": ("pillow_heif", "HeifImageFile"),
}
_INSTALL = {"AVIF": "--upgrade pillow", "HEIC": "pillow-heif"}


@functools.cache
def _reader(format_name: str) -> Any:
    """The Pillow plugin of a format; None where this installation has none."""
    module, class_name = _PLUGINS[format_name]
    try:
        if format_name == "AVIF":
            importlib.import_module("PIL._avif")
        return getattr(importlib.import_module(module), class_name)
    except (ImportError, AttributeError):
        return None
