"""Orientation, camera, lens and software from an EXIF block, each entry read by itself (EXIF 2.32 and 3.0; TIFF 6.0, section 2).

A directory of which one entry points outside of the block, counts wrongly or is cut off is common; the other entries say
what they say all the same. Only the first directory, and the one of the camera's settings that it names, are looked at. XMP
never turns a picture, nor does it in browsers.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator
from dataclasses import dataclass

_ORIENTATION, _SETTINGS = 0x0112, 0x8769
_TEXTS = (0x010F, 0x0110, 0x0131, 0xA434)  # make, model, software, lens
_ASCII, _UTF8 = 2, 129  # the second since EXIF 3.0
# Of RATIONAL and SRATIONAL (5 and 10), the numerator.
_NUMBERS = {1: "B", 3: "H", 4: "I", 5: "I4x", 6: "b", 7: "B", 8: "h", 9: "i", 10: "i4x"}
_ORDERS = {b"II": "<", b"MM": ">"}
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, _UTF8: 1}
_MOST_ENTRIES = 2_000
_LONGEST_TEXT = 400
_LONGEST_NAME = 60


@dataclass(frozen=True, slots=True)
class Exif:
    """What a picture's file says besides its pixels. None of it goes into a score.

    Attributes:
        orientation: How to turn the pixels upright, 1..8.
        camera: Maker and model in one printable line of at most 80 characters; None where nothing is said.
        software: The same for the program that wrote the file.
        lens: The same for the lens.
    """

    orientation: int = 1
    camera: str | None = None
    software: str | None = None
    lens: str | None = None


def read_exif(block: bytes) -> Exif:
    """Reads what is needed to show a picture and to tell what made it.

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
    orientation: int | None = None
    for tag, kind, length, place in _entries(block, order, struct.unpack_from(order + "I", block, 4)[0]):
        if tag == _ORIENTATION and kind in _NUMBERS and orientation is None:
            size = length * struct.calcsize(order + _NUMBERS[kind])
            start = place + 8 if size <= 4 else struct.unpack_from(order + "I", block, place + 8)[0]
            if size and start + size <= len(block):
                orientation = struct.unpack_from(order + _NUMBERS[kind], block, start)[0]
    texts = read_entries(block, _TEXTS, _LONGEST_TEXT, kinds=(_ASCII, _UTF8))
    return exif_of(orientation or 1, *(texts.get(tag, b"") for tag in _TEXTS))


def read_entries(block: bytes, tags: Collection[int], most: int, *, kinds: Collection[int] = SIZES) -> dict[int, bytes]:
    """The values of some entries of the first directory and of the one of the camera's settings.

    Args:
        block: As in `read_exif`; a whole TIFF file is one, too.
        tags: Which entries.
        most: Bytes of the longest value; longer ones are cut.
        kinds: Types of entries that are taken, of those in `SIZES` (TIFF 6.0, section 2).

    Returns:
        The first value of each tag that is there, as it is in the file.
    """
    block = _bare(block)
    order = _ORDERS.get(block[:2])
    if order is None or len(block) < 10:
        return {}
    values = dict[int, bytes]()
    directories = [struct.unpack_from(order + "I", block, 4)[0]]
    for at in directories:
        for tag, kind, length, place in _entries(block, order, at):
            if tag == _SETTINGS and len(directories) == 1:
                directories.append(struct.unpack_from(order + "I", block, place + 8)[0])
            elif tag in tags and kind in kinds and tag not in values:
                size = length * SIZES[kind]
                start = place + 8 if size <= 4 else struct.unpack_from(order + "I", block, place + 8)[0]
                values[tag] = block[start : start + min(size, most)]
    return values


def _entries(block: bytes, order: str, at: int) -> Iterator[tuple[int, int, int, int]]:
    """Tag, type and count of each entry of the directory there, and where the entry is."""
    count = struct.unpack_from(order + "H", block, at)[0] if at + 2 <= len(block) else 0
    for place in range(at + 2, min(at + 2 + 12 * min(count, _MOST_ENTRIES), len(block) - 11), 12):
        yield (*struct.unpack_from(order + "HHI", block, place), place)


def is_exif(block: bytes) -> bool:
    """Whether a block begins as EXIF does, behind its name; some programs write an empty one before the good one."""
    return _bare(block)[:2] in _ORDERS


def _bare(block: bytes) -> bytes:
    at = 0
    while at <= _LONGEST_NAME and block[at : at + 4] == b"Exif":
        at += 6
    return block[at:]


def exif_of(orientation: int, make: bytes, model: bytes, software: bytes, lens: bytes = b"") -> Exif:
    """What the tags of that name say, in a form that can be shown; empty texts where a tag is missing."""
    maker, kind = one_line(make), one_line(model)
    repeats = maker and kind and kind.lower().startswith(maker.lower())
    camera = kind if repeats else one_line(f"{maker or ''} {kind or ''}")
    return Exif(orientation if 1 <= orientation <= 8 else 1, camera, one_line(software), one_line(lens))


def decoded(raw: bytes) -> str:
    """Text of an encoding that is not told: UTF-8, which may be cut within its last letter, or Latin-1 where it is none."""
    raw = raw.rstrip(b"\0")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        # Long ones are cut here, others where a camera's field ends. One last byte above ASCII may well be Latin-1.
        may_be_cut = len(raw) > _LONGEST_TEXT - 4 or not raw[: error.start].isascii()
        is_cut = error.reason == "unexpected end of data" and may_be_cut
        return raw.decode("utf-8", "replace") if is_cut else raw.decode("latin-1")


def one_line(value: str | bytes) -> str | None:
    """A stranger's words as one printable line of at most 80 characters; None where nothing is left."""
    if isinstance(value, bytes):
        value = decoded(value)
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in value[:_LONGEST_TEXT]).split())
    return line[:80].rstrip() or None
