"""Whether a file is a clip, from its content: a video, or a GIF, PNG or WebP that moves."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from unmask.image import png
from unmask.image.sniff import Kind, sniff

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

START = 4096
"""Bytes that tell what a file is."""

MOST_READ = 32_000_000
"""Bytes of a GIF or PNG in which a second frame begins, if there is one."""

MOST_BLOCKS = 100_000
"""Blocks of a GIF or PNG that are walked in search of a second frame."""


def is_clip(source: object) -> bool:
    """Whether something is to be looked at as a clip rather than as a picture.

    Args:
        source: A path, or the bytes of a file; anything else, and a path that cannot be read, is no clip.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        return kind_of(bytes(source[:START]), lambda: bytes(source[:MOST_READ])) is not None
    if not isinstance(source, str | os.PathLike):
        return False
    try:
        # A pipe is not waited for; a name can come to mean something else, so that the open file is asked.
        with open(source, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0))) as file:
            return stat.S_ISREG(os.fstat(file.fileno()).st_mode) and kind_of_file(file) is not None
    except (OSError, ValueError):
        return False


def kind_of(start: bytes, rest: Callable[[], bytes]) -> Kind | None:
    """What a clip is.

    Args:
        start: The first `START` bytes of a file.
        rest: A function that gives the file, up to `MOST_READ`; asked only where the first bytes do not tell.

    Returns:
        Its kind: with a `format` for GIF, PNG and WEBP, without one for videos; None for what is no clip.
    """
    if not start:
        return None
    kind = sniff(start)
    if kind.is_clip:
        return kind
    if kind.format == "GIF":
        moves = _gif_moves(rest())
    elif kind.format == "PNG":
        moves = _png_moves(start if b"IDAT" in start else rest())
    else:
        moves = kind.format == "WEBP" and _webp_moves(start)
    return kind if moves else None


def kind_of_file(file: BinaryIO) -> Kind | None:
    """As `kind_of`, of an open file; leaves it at its beginning."""

    def whole() -> bytes:
        file.seek(0)
        return file.read(MOST_READ)

    found = kind_of(file.read(START), whole)
    file.seek(0)
    return found


def _webp_moves(data: bytes) -> bool:
    """The animation flag of the extended header (RFC 9649, section 2.7)."""
    return data[12:16] == b"VP8X" and len(data) > 20 and bool(data[20] & 2)


def _png_moves(data: bytes) -> bool:
    """Whether an acTL chunk stands before the first IDAT (PNG, third edition, section 11.3.6.1)."""
    for number, (name, start, end) in enumerate(png.chunks(data)):
        if name == b"acTL":
            return end - start >= 4 and int.from_bytes(data[start : start + 4], "big") > 1
        if name == b"IDAT" or number > MOST_BLOCKS:
            break
    return False


def _gif_moves(data: bytes) -> bool:
    """Whether a GIF has a second picture (GIF89a, section 20)."""
    try:
        at = 13 + _table_bytes(data[10])
        pictures = 0
        for _ in range(MOST_BLOCKS):
            mark = data[at]
            if mark == 0x2C:
                pictures += 1
                if pictures == 2:
                    return True
                at += 11 + _table_bytes(data[at + 9])  # descriptor, its colours, the size of the first code
            elif mark == 0x21:
                at += 2
            else:
                break
            while data[at]:  # blocks of pixels or of an extension
                at += data[at] + 1
            at += 1
    except IndexError:
        pass
    return False


def _table_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 128 else 0
