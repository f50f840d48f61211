"""Bytes -> upright sRGB pixels. The only decoder in the project; its limits are in `unmask.image.limits`.

The order is fixed: how many bytes, what kind of file, how many pixels, and only then is anything decoded. Nothing
here changes Pillow's global settings, and no picture is let through or made up because of them.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import io
import os
import threading
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import ImageFile

from unmask.errors import UnmaskError
from unmask.finding import ImageFacts, Note
from unmask.image.colour import to_srgb
from unmask.image.encode import encode_jpeg as encode_jpeg
from unmask.image.encode import encode_png as encode_png
from unmask.image.facts import exif_facts, jpeg_quality
from unmask.image.file import printable_name, read_file, too_many_bytes
from unmask.image.jpeg import plain_jpeg
from unmask.image.limits import LARGE_PIXELS, LIMITS, LOW_JPEG_QUALITY, Limits
from unmask.image.resize import resize as resize
from unmask.image.resize import shrink as shrink
from unmask.image.sniff import SAVE_AS, sniff
from unmask.image.structure import count_parts, declared_size, looks_cut_off

_ONE_AT_A_TIME = threading.Lock()

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """A decoded picture.

    Attributes:
        pixels: uint8 (height, width, 3), sRGB, upright, C-contiguous.
        facts: What is known of the file.
        notes: What to keep in mind when judging it.
    """

    pixels: Pixels
    facts: ImageFacts
    notes: tuple[Note, ...] = ()


def read_image(source: str | Path | bytes | Pixels, *, limits: Limits = LIMITS) -> Image:
    """Reads one picture: checks it, decodes its first frame, turns it upright and converts it to sRGB.

    Content decides the format, not the name: JPEG, PNG, WebP, BMP, TIFF, GIF, AVIF, and HEIC where the package
    pillow-heif is installed. Transparent parts are laid on white.

    Args:
        source: A path; the bytes of a file; or pixels, uint8 (H, W), (H, W, 3) RGB or (H, W, 4) RGBA.
        limits: What to accept.

    Returns:
        Pixels, facts and notes.

    Raises:
        UnmaskError: And nothing else. Codes: ``missing``, ``broken-link``, ``is-a-folder``, ``not-a-file``,
            ``no-permission``, ``read-error``, ``empty-file``, ``too-many-bytes``, ``not-a-picture``,
            ``unsupported-format``, ``too-many-pixels``, ``too-many-parts``, ``too-small``, ``truncated``,
            ``too-long``, ``damaged``, ``out-of-memory``, ``wrong-source``.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source, limits)
    if isinstance(source, bytes | bytearray | memoryview):
        data, name = bytes(source), "The picture"
        if len(data) > limits.max_bytes:
            raise too_many_bytes(name, len(data), limits.max_bytes)
    elif isinstance(source, str | os.PathLike):
        data, name = read_file(source, limits.max_bytes), printable_name(source)
    else:
        raise UnmaskError(
            f"A picture cannot be read from {type(source).__name__}",
            hint="Give a path, the bytes of a file, or a uint8 array of RGB pixels.",
            code="wrong-source",
        )
    if not data:
        raise UnmaskError(f"{name} is empty", hint="Copy or download it again.", code="empty-file")
    return _from_bytes(data, name, limits)


ANIMATED = Note("animated", "This is an animation, of which only the first frame was looked at.")

_PLUGINS = {
    "JPEG": ("PIL.JpegImagePlugin", "JpegImageFile"),
    "PNG": ("PIL.PngImagePlugin", "PngImageFile"),
    "WEBP": ("PIL.WebPImagePlugin", "WebPImageFile"),
    "BMP": ("PIL.BmpImagePlugin", "BmpImageFile"),
    "TIFF": ("PIL.TiffImagePlugin", "TiffImageFile"),
    "GIF": ("PIL.GifImagePlugin", "GifImageFile"),
    "AVIF": ("PIL.AvifImagePlugin", "AvifImageFile"),
    "HEIC": ("pillow_heif", "HeifImageFile"),
}
_INSTALL = {"AVIF": "pip install --upgrade pillow", "HEIC": "pip install pillow-heif"}


def _from_bytes(data: bytes, name: str, limits: Limits) -> Image:
    kind = sniff(data)
    if kind.format is None:
        raise UnmaskError(
            f"{name} is not a picture that can be read: it is {kind.name}", hint=kind.hint, code=kind.code
        )
    reader = _reader(kind.format)
    if reader is None:
        raise UnmaskError(
            f"{name} is {kind.name}, which this installation cannot read",
            hint=f"Run `{_INSTALL.get(kind.format, 'pip install --force-reinstall pillow')}`, or save it as PNG.",
            code="unsupported-format",
        )
    try:
        _check_structure(kind.format, kind.name, data, name, limits)
        # The plugin itself, not Image.open, which would warn or raise by a global setting of Pillow's.
        with reader(io.BytesIO(data)) as picture:
            _check_size(picture.size, name, limits)
            _check_shape(picture.size, name, limits)
            if kind.format == "TIFF":
                _check_tiff(picture, name, limits)
            with _turn(picture.size):
                decoded = plain_jpeg(picture, data) if kind.format == "JPEG" else None
                if decoded is None:
                    picture.load()
                orientation, camera, software = exif_facts(picture)
                tables = getattr(picture, "quantization", None)
                pixels, notes = to_srgb(picture) if decoded is None else (decoded, ())
                if decoded is None and _moves(picture):
                    notes = (*notes, ANIMATED)
    except UnmaskError:
        raise
    except (PillowImage.DecompressionBombError, PillowImage.DecompressionBombWarning) as failure:
        raise UnmaskError(
            f"{name} has more pixels than this program lets Pillow decode",
            hint="Raise PIL.Image.MAX_IMAGE_PIXELS, or save the picture smaller.",
            code="too-many-pixels",
        ) from failure
    except MemoryError as failure:
        raise UnmaskError(
            f"There is not enough memory to decode {name}", hint="Save the picture smaller.", code="out-of-memory"
        ) from failure
    except Exception as failure:
        # Pillow's decoders raise a dozen unrelated types on broken files; all of them mean this.
        raise _broken(kind.format, kind.name, name, data, failure) from failure
    pixels = _upright(pixels, orientation)
    height, width = pixels.shape[:2]
    facts = ImageFacts(
        format=kind.format,
        width=width,
        height=height,
        file_bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        jpeg_quality=jpeg_quality(tables) if kind.format == "JPEG" else None,
        camera=camera,
        software=software,
    )
    return Image(pixels, facts, (*_file_notes(facts, limits), *notes))


def _moves(picture: PillowImage.Image) -> bool:
    # A GIF looks for its second frame to know that, which may be damaged.
    try:
        return bool(getattr(picture, "is_animated", False))
    except Exception:
        return False


def _turn(size: tuple[int, int]) -> AbstractContextManager[object]:
    """Threads decode ordinary pictures side by side, and large ones one after the other."""
    return _ONE_AT_A_TIME if size[0] * size[1] > LARGE_PIXELS else nullcontext()


def _check_structure(format_name: str, kind: str, data: bytes, name: str, limits: Limits) -> None:
    if count_parts(format_name, data, limits.max_parts) > limits.max_parts:
        raise UnmaskError(
            f"{name} is {kind} chopped into far more pieces than a real one has",
            hint="Open it in a picture editor, save it anew, and check that.",
            code="too-many-parts",
        )
    if size := declared_size(format_name, data):
        _check_size(size, name, limits)
    # A TIFF without its directory makes Pillow warn. And a program around this one may have told Pillow to make up
    # what is missing; no verdict must rest on that.
    if (format_name == "TIFF" or ImageFile.LOAD_TRUNCATED_IMAGES) and looks_cut_off(format_name, data):
        raise _cut_off(kind, name)


@functools.cache
def _reader(format_name: str) -> Any:
    """The Pillow plugin of a format; None where this installation has none."""
    module, class_name = _PLUGINS[format_name]
    try:
        if format_name == "AVIF":
            importlib.import_module("PIL._avif")
        plugin = getattr(importlib.import_module(module), class_name)
    except (ImportError, AttributeError):
        return None
    if format_name == "JPEG":
        # Nobody asks for the resolution, and looking for it in broken EXIF makes Pillow warn, or fail under -W error.
        plugin = type("QuietJpegImageFile", (plugin,), {"_read_dpi_from_exif": lambda self: None})
    return plugin


def _check_size(size: tuple[int, int], name: str, limits: Limits) -> None:
    width, height = size
    if width * height > limits.max_pixels:
        raise UnmaskError(
            f"{name} has too many pixels: {width:,} x {height:,}, at most {limits.max_pixels:,} are read",
            hint="Save it smaller, or cut out the face.",
            code="too-many-pixels",
        )
    if min(width, height) < limits.min_side:
        raise UnmaskError(
            f"{name} is too small to judge: {width:,} x {height:,} pixels, both sides must have {limits.min_side}",
            hint="Find a larger version; enlarging this one adds nothing to see.",
            code="too-small",
        )


def _check_shape(size: tuple[int, int], name: str, limits: Limits) -> None:
    width, height = size
    if max(width, height) > limits.max_side_ratio * min(width, height):
        raise UnmaskError(
            f"{name} is too long and thin: {width:,} x {height:,} pixels, at most {limits.max_side_ratio:.0f} to 1 is read",
            hint="Cut out the part with the face.",
            code="too-long",
        )


def _check_tiff(picture: Any, name: str, limits: Limits) -> None:
    new_subfile_type, tile_width, tile_length, dng_version = 254, 322, 323, 50706
    tags = picture.tag_v2
    if tags.get(new_subfile_type, 0) & 1 or dng_version in tags:
        raise UnmaskError(
            f"{name} is not a picture that can be read: it is a camera raw picture or a thumbnail in a TIFF file",
            hint=SAVE_AS,
            code="unsupported-format",
        )
    # A tile is decoded whole, however small the picture.
    _check_size(
        (max(tags.get(tile_width, 0), limits.min_side), max(tags.get(tile_length, 0), limits.min_side)), name, limits
    )


def _broken(format_name: str, kind: str, name: str, data: bytes, failure: Exception) -> UnmaskError:
    if "truncated" in str(failure).lower() or looks_cut_off(format_name, data):
        return _cut_off(kind, name)
    return UnmaskError(
        f"{name} is damaged: it begins like {kind} but cannot be decoded",
        hint="Copy or download it again, or open it in a picture editor and save it anew.",
        code="damaged",
    )


def _cut_off(kind: str, name: str) -> UnmaskError:
    return UnmaskError(
        f"{name} is cut off: {kind} that ends too early", hint="Copy or download it again.", code="truncated"
    )


def _upright(pixels: Pixels, orientation: int) -> Pixels:
    """Applies EXIF orientation 1..8 (EXIF 2.32, tag 0x0112)."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def _from_array(array: NDArray[Any], limits: Limits) -> Image:
    is_rgb = array.ndim == 3 and array.shape[2] in (3, 4)
    if array.dtype != np.uint8 or not (array.ndim == 2 or is_rgb):
        raise UnmaskError(
            f"An array of {array.dtype} {array.shape} is not a picture",
            hint="Give uint8 pixels: (height, width, 3) RGB, (height, width, 4) RGBA or (height, width) grey.",
            code="wrong-source",
        )
    height, width = array.shape[:2]
    _check_size((width, height), "The array", limits)
    _check_shape((width, height), "The array", limits)
    array = np.ascontiguousarray(array)
    notes: tuple[Note, ...] = ()
    if is_rgb and array.shape[2] == 3:
        pixels = array.copy()
    else:
        pixels, notes = to_srgb(PillowImage.fromarray(array))
    digest = hashlib.sha256(array.data).hexdigest()
    return Image(pixels, ImageFacts("array", width, height, array.nbytes, digest), notes)


def _file_notes(facts: ImageFacts, limits: Limits) -> list[Note]:
    notes = []
    if facts.file_bytes < limits.small_file_bytes:
        notes.append(
            Note("small-file", f"The file is very small ({facts.file_bytes:,} bytes): fine traces may be lost.")
        )
    if facts.jpeg_quality is not None and facts.jpeg_quality < LOW_JPEG_QUALITY:
        notes.append(
            Note(
                "heavy-compression",
                f"The picture is heavily compressed (JPEG quality near {facts.jpeg_quality}): fine traces may be lost.",
            )
        )
    return notes
