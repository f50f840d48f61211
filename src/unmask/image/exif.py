"""Orientation, camera and software from an EXIF block, each entry read by itself (EXIF 2.32; TIFF 6.0, section 2).

A directory of which one entry points outside of the block, counts wrongly or is cut off is common; the other entries say
what they say all the same. Only the first directory is looked at. XMP never turns a picture, nor does it in browsers.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

_MAKE, _MODEL, _ORIENTATION, _SOFTWARE = 0x010F, 0x0110, 0x0112, 0x0131
_ASCII = 2
# Of RATIONAL and SRATIONAL (5 and 10), the numerator.
_NUMBERS = {1: "B", 3: "H", 4: "I", 5: "I4x", 6: "b", 7: "B", 8: "h", 9: "i", 10: "i4x"}
_ORDERS = {b"II": "<", b"MM": ">"}
_LONGEST_TEXT = 400


@dataclass(frozen=True, slots=True)
class Exif:
    """What a picture's file says besides its pixels. None of it goes into a score.

    Attributes:
        orientation: How to turn the pixels upright, 1..8.
        camera: Maker and model in one printable line of at most 80 characters; None where nothing is said.
        software: The same for the program that wrote the file.
    """

    orientation: int = 1
    camera: str | None = None
    software: str | None = None


def read_exif(block: bytes) -> Exif:
    """Reads the first directory of an EXIF block.

    Args:
        block: A TIFF header and what follows it, with or without ``Exif\\0\\0`` before it; may be broken or empty.

    Returns:
        What is there; the defaults for what is missing or makes no sense.

    Examples:
        >>> entry = struct.pack("<HHII", 0x0112, 3, 1, 6)
        >>> read_exif(b"II*\\0" + struct.pack("<IH", 8, 1) + entry).orientation
        6
    """
    block = _bare(block)
    order = _ORDERS.get(block[:2])
    if order is None or len(block) < 10:
        return Exif()
    at = struct.unpack_from(order + "I", block, 4)[0]
    count = struct.unpack_from(order + "H", block, at)[0] if at + 2 <= len(block) else 0
    orientation: int | None = None
    texts = dict[int, bytes]()
    for place in range(at + 2, min(at + 2 + 12 * count, len(block) - 11), 12):
        tag, kind, length, offset = struct.unpack_from(order + "HHII", block, place)
        if tag == _ORIENTATION and kind in _NUMBERS and orientation is None:
            size = length * struct.calcsize(order + _NUMBERS[kind])
            start = place + 8 if size <= 4 else offset
            if size and start + size <= len(block):
                orientation = struct.unpack_from(order + _NUMBERS[kind], block, start)[0]
        elif tag in (_MAKE, _MODEL, _SOFTWARE) and kind == _ASCII:
            start = place + 8 if length <= 4 else offset
            texts.setdefault(tag, block[start : start + min(length, _LONGEST_TEXT)])
    return exif_of(orientation or 1, *(texts.get(tag, b"") for tag in (_MAKE, _MODEL, _SOFTWARE)))


def is_exif(block: bytes) -> bool:
    """Whether a block begins as EXIF does, behind its name; some programs write an empty one before the good one."""
    return _bare(block)[:2] in _ORDERS


def _bare(block: bytes) -> bytes:
    while block[:4] == b"Exif":
        block = block[6:]
    return block


def exif_of(orientation: int, make: bytes, model: bytes, software: bytes) -> Exif:
    """What the tags of that name say, in a form that can be shown; empty texts where a tag is missing."""
    maker, kind = one_line(make), one_line(model)
    repeats = maker and kind and kind.lower().startswith(maker.lower())
    camera = kind if repeats else one_line(f"{maker or ''} {kind or ''}")
    return Exif(orientation if 1 <= orientation <= 8 else 1, camera, one_line(software))


def one_line(value: str | bytes) -> str | None:
    """A stranger's words as one printable line of at most 80 characters; None where nothing is left."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in value[:_LONGEST_TEXT]).split())
    return line[:80].rstrip() or None
