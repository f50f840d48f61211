"""Bytes -> upright sRGB pixels. The only decoder in the project; its limits are in `unmask.image.limits`.

The order is fixed: how many bytes, what kind of file, how many pixels, and only then is anything decoded. Nothing
here changes Pillow's global settings, and no picture is let through or made up because of them.
"""

from __future__ import annotations

import hashlib
import os
import threading
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags
from PIL import Image as PillowImage

from unmask.errors import UnmaskError
from unmask.finding import Box, ImageFacts, Note
from unmask.image.colour import to_srgb
from unmask.image.file import is_stream, printable_name, read_file, read_stream, too_many_bytes
from unmask.image.formats import cut_off, decode
from unmask.image.limits import LIMITS, LOW_JPEG_QUALITY, Limits, check_size
from unmask.image.marks import read_marks
from unmask.image.provenance import read_provenance
from unmask.image.sniff import Kind, sniff
from unmask.image.structure import looks_cut_off
from unmask.image.transfer import Colour
from unmask.origin import Provenance

_QUIET = threading.Lock()
_XMP = ("xmp", "XML:com.adobe.xmp")

Pixels = NDArray[np.uint8]
Source = str | Path | bytes | Pixels | PillowImage.Image | BinaryIO


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """A decoded picture.

    Attributes:
        pixels: uint8 (height, width, 3), sRGB, upright, C-contiguous.
        facts: What is known of the file.
        notes: What to keep in mind when judging it.
        missing: Where pixels are made up, because the file does not hold them; no verdict may rest on those.
        provenance: What Content Credentials say; None where they were not asked for, or there is no file.
    """

    pixels: Pixels
    facts: ImageFacts
    notes: tuple[Note, ...] = ()
    missing: tuple[Box, ...] = ()
    provenance: Provenance | None = None

    def lacks(self, box: Box) -> bool:
        """Whether pixels are missing in a part of the picture."""
        return any(
            box.left < hole.left + hole.width
            and hole.left < box.left + box.width
            and box.top < hole.top + hole.height
            and hole.top < box.top + box.height
            for hole in self.missing
        )


def read_whole_image(source: Source) -> Image:
    """As `read_image`, for what has no use for a picture of which a part is missing: data sets and reports.

    Args:
        source: As in `read_image`.

    Returns:
        A picture without missing pixels.

    Raises:
        UnmaskError: As `read_image`, and ``damaged`` where pixels are missing.
    """
    image = read_image(source)
    if image.missing:
        name = printable_name(source) if isinstance(source, str | os.PathLike) else "The picture"
        raise UnmaskError(
            f"{name} is damaged: pixels are missing from its file", hint="Copy or download it again.", code="damaged"
        )
    return image


def read_image(source: Source, *, limits: Limits = LIMITS, credentials: bool = False) -> Image:
    """Reads one picture: checks it, decodes its first frame, turns it upright and converts it to sRGB.

    Content decides the format, not the name: JPEG, PNG, WebP, BMP, TIFF, GIF, AVIF, and HEIC where the package
    pillow-heif is installed. Transparent parts are laid on white. A JPEG, PNG, WebP or TIFF is turned by the orientation in
    its EXIF; an AVIF or HEIC by its own transformations only (`unmask.image.heif` says how, and what is cut).

    A JPEG, WebP, AVIF or HEIC of which a part is missing is read, with the note ``damaged`` and `Image.missing`. One that
    simply ends too early is refused, and so are the other formats, whose decoders give nothing then.

    Args:
        source: A path; the bytes of a file; a file open in binary mode, read from where it stands; pixels, uint8 (H, W),
            (H, W, 3) RGB or (H, W, 4) RGBA; or a picture of Pillow's, which is pixels too: its file is not looked at.
        limits: What to accept.
        credentials: Whether to look for Content Credentials, and to check them where c2pa-python is installed.

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
    if isinstance(source, PillowImage.Image):
        return _from_pillow(source, limits)
    if isinstance(source, bytes | bytearray | memoryview):
        data, name = bytes(source), "The picture"
        if len(data) > limits.max_bytes:
            raise too_many_bytes(name, len(data), limits.max_bytes)
    elif isinstance(source, str | os.PathLike):
        data, name = read_file(source, limits.max_bytes), printable_name(source)
    elif is_stream(source):
        data, name = read_stream(source, limits.max_bytes), "The picture"
    else:
        raise UnmaskError(
            f"A picture cannot be read from {type(source).__name__}",
            hint="Give a path, bytes, an open file, a picture of Pillow's, or a uint8 array of RGB pixels.",
            code="wrong-source",
        )
    if not data:
        raise UnmaskError(f"{name} is empty", hint="Copy or download it again.", code="empty-file")
    return _from_bytes(data, name, limits, credentials)


DAMAGED = Note("damaged", "Pixels are missing from this file; no face is judged where they are.")


def _from_bytes(data: bytes, name: str, limits: Limits, credentials: bool) -> Image:
    kind = sniff(data)
    if kind.format is None:
        raise UnmaskError(
            f"{name} is not a picture that can be read: it is {kind.name}", hint=kind.hint, code=kind.code
        )
    try:
        try:
            decoded = decode(kind, data, name, limits)
        except Warning:
            # A program that makes errors of warnings; no remark of Pillow's decides whether pixels are read.
            with _QUIET, warnings.catch_warnings():
                warnings.simplefilter("ignore")
                decoded = decode(kind, data, name, limits)
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
        # Decoders raise a dozen unrelated types on broken files; all of them mean this.
        raise _broken(kind, name, data, failure) from failure
    pixels = upright(decoded.pixels, decoded.exif.orientation)
    height, width = pixels.shape[:2]
    marks = read_marks(kind.format, data)
    # Some generators put their own name, or their settings, where others name the camera.
    is_camera = not any(mark.where in ("EXIF Make", "EXIF Model") for mark in marks)
    facts = ImageFacts(
        format=kind.format,
        width=width,
        height=height,
        file_bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        jpeg_quality=decoded.quality,
        camera=decoded.exif.camera if is_camera else None,
        lens=decoded.exif.lens,
        software=decoded.exif.software,
        marks=marks,
    )
    missing = tuple(_upright_rows(rows, width, height, decoded.exif.orientation) for rows in decoded.missing)
    notes = (*_file_notes(facts, limits), *([DAMAGED] if missing else []), *decoded.notes)
    provenance = read_provenance(data, kind.format) if credentials else None
    return Image(pixels, facts, notes, missing, provenance)


def _broken(kind: Kind, name: str, data: bytes, failure: Exception) -> UnmaskError:
    if "truncated" in str(failure).lower() or looks_cut_off(kind.format or "", data):
        return cut_off(kind, name)
    return UnmaskError(
        f"{name} is damaged: it begins like {kind.name} but cannot be decoded",
        hint="Copy or download it again, or open it in a picture editor and save it anew.",
        code="damaged",
    )


def upright(pixels: Pixels, orientation: int) -> Pixels:
    """Applies EXIF orientation 1..8 (EXIF 2.32, tag 0x0112); others change nothing."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def _upright_rows(rows: tuple[int, int], width: int, height: int, orientation: int) -> Box:
    """Where rows of the stored picture lie in the upright one of this width and height."""
    first, behind = rows
    if orientation in (5, 6, 7, 8):  # rows have become columns
        left = width - behind if orientation in (6, 7) else first
        return Box(left, 0, behind - first, height)
    top = height - behind if orientation in (3, 4) else first
    return Box(0, top, width, behind - first)


def _from_array(array: NDArray[Any], limits: Limits) -> Image:
    if array.dtype != np.uint8 or array.ndim < 2 or array.shape[2:] not in ((), (3,), (4,)):
        raise UnmaskError(
            f"An array of {array.dtype} {array.shape} is not a picture",
            hint="Give uint8 pixels: (height, width, 3) RGB, (height, width, 4) RGBA or (height, width) grey.",
            code="wrong-source",
        )
    height, width = array.shape[:2]
    check_size((width, height), "The array", limits)
    array = np.ascontiguousarray(array)
    notes: tuple[Note, ...] = ()
    if array.shape[2:] == (3,):
        pixels = array.copy()
    else:
        pixels, notes = to_srgb(PillowImage.fromarray(array), Colour())
    digest = hashlib.sha256(array.data).hexdigest()
    return Image(pixels, ImageFacts("array", width, height, array.nbytes, digest), notes)


def _from_pillow(picture: PillowImage.Image, limits: Limits) -> Image:
    check_size(picture.size, "The picture", limits)
    try:
        orientation = _load(picture)
        pixels, notes = to_srgb(picture, Colour(picture.info.get("icc_profile") or b""))
    except UnmaskError:
        raise
    except Exception as failure:  # its file is read only now, perhaps
        raise UnmaskError(
            f"The picture cannot be decoded: {failure}", hint="Give its file instead, to learn why.", code="damaged"
        ) from failure
    image = _from_array(upright(pixels, orientation), limits)
    return replace(image, notes=notes)


def _load(picture: PillowImage.Image) -> int:
    """Decodes a picture of Pillow's; how to turn it by its EXIF.

    Pillow also goes by XMP, and turns a TIFF by itself while it is decoded: XMP is hidden from it, as it turns no file here.
    """
    hidden: dict[Any, Any] = {key: picture.info.pop(key) for key in _XMP if key in picture.info}
    try:
        picture.load()
        plain = PillowImage.Image()
        plain.info = {key: value for key, value in picture.info.items() if key not in _XMP}
    finally:
        picture.info |= hidden
    told_by = plain if any(key in picture.info for key in _XMP) else picture
    orientation: int = told_by.getexif().get(ExifTags.Base.Orientation, 1)
    return orientation


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
