"""One file of a dataset -> its picture, or the reason why it is rejected."""

from __future__ import annotations

import hashlib
import stat
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unmask.data.manifest import Row
from unmask.errors import UnmaskError
from unmask.face.crop import crop_faces, cut
from unmask.face.finder import FaceFinder
from unmask.image.jpeg_tables import jpeg_tables
from unmask.image.limits import LIMITS
from unmask.image.read import read_whole_image
from unmask.image.resize import resize

# Smaller files than this were thrown out of the dataset behind the report that the project reproduces.
MIN_FILE_BYTES = 2_500

Crop = Literal["none", "face"]


class FileFacts(NamedTuple):
    """What a file was like before it became pixels; `unmask audit` asks whether that tells the class.

    Attributes:
        format: Of its content; empty where that is no picture.
        file_bytes: Its size.
        jpeg_quality: Estimated; None where it is no JPEG file.
        jpeg_tables: Name of its quantisation tables and subsampling; likewise empty.
    """

    format: str = ""
    file_bytes: int = 0
    jpeg_quality: int | None = None
    jpeg_tables: str = ""


class RejectedError(Exception):
    """Carries the reason of a rejection.

    Attributes:
        code: The reason, as a short kebab-case name.
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def read_file(path: Path, row: Row, size: int, crop: Crop) -> tuple[Row, FileFacts, NDArray[np.uint8] | None]:
    """Decodes and resizes a file.

    Args:
        path: Of the file.
        row: What is known of it already.
        size: Side S of the picture in pixels.
        crop: ``none`` for the whole picture, ``face`` for its largest face, cut as `unmask check` cuts it.

    Returns:
        The row with what was found, facts of the file, and uint8 (S, S, 3), RGB; None instead of the pixels where the row
        has a reason for rejecting the file.
    """
    facts = FileFacts()
    try:
        status = path.stat()
        facts = FileFacts(file_bytes=status.st_size)
        if not stat.S_ISREG(status.st_mode):
            raise RejectedError("not-a-file")
        if status.st_size < MIN_FILE_BYTES:
            raise RejectedError("file-too-small")
        if status.st_size > LIMITS.max_bytes:
            raise RejectedError("too-many-bytes")
        data = path.read_bytes()
        image = read_whole_image(data)  # refuses anything below 64 x 64, or with missing pixels, among other things
        found = image.facts
        facts = FileFacts(found.format, found.file_bytes, found.jpeg_quality, jpeg_tables(data))
        height, width = image.pixels.shape[:2]
        row = replace(row, sha256=found.sha256, width=width, height=height)
        return row, facts, resize(cropped(image.pixels, crop), size)
    except (RejectedError, UnmaskError, OSError) as error:
        return rejected(path, row, error), facts, None


def rejected(path: Path, row: Row, error: RejectedError | UnmaskError | OSError) -> Row:
    """The row of a file that is rejected for an error."""
    reason = "unreadable-file" if isinstance(error, OSError) else error.code
    return replace(row, sha256=row.sha256 or _sha256(path), reason=reason)


def cropped(pixels: NDArray[np.uint8], crop: Crop) -> NDArray[np.uint8]:
    """What is taken of a picture.

    Args:
        pixels: uint8 (H, W, 3), RGB.
        crop: ``none`` for all of it, ``face`` for its largest face, cut as `unmask check` cuts it.

    Raises:
        RejectedError: There is no face, or none that is large enough.
    """
    if crop == "none":
        return pixels
    crops = crop_faces(pixels, _face_finder().find(pixels))
    if not crops.kept:
        raise RejectedError("faces-too-small" if crops.too_small else "no-face")
    return cut(pixels, crops.kept[0].square)


@cache
def _face_finder() -> FaceFinder:
    return FaceFinder.load()


def _sha256(path: Path) -> str:
    try:
        if not path.is_file():  # a pipe would never end
            return ""
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
