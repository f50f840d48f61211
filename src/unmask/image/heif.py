"""An AVIF or HEIC file's boxes: colour, clean aperture, where the coded pixels lie, and what the decoder need not see.

ISO/IEC 14496-12 (boxes), 23008-12 (items and their properties), 23000-22 (MIAF). Only the first picture's ``meta`` is read.

Orientation and crop follow one rule: the file's own transformations (``irot``, ``imir``) turn an AVIF and a HEIC, and neither
EXIF nor XMP ever turns it again. A clean aperture (``clap``) of a HEIC is cut by its decoder. That of an AVIF is cut as
Chrome does it: only where it is valid and begins in the upper left corner; otherwise the whole picture is shown, because a
crop that hides a part of what everyone can unpack is no crop (AOMediaCodec/av1-avif, issues 188 and 189).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from unmask.image.limits import LIMITS, MAX_TEXT_BYTES

_CODED = (b"av01", b"hvc1", b"hev1", b"lhv1", b"grid", b"iovl", b"iden")
_METADATA = (b"Exif", b"mime")


@dataclass(slots=True)
class Heif:
    """An AVIF or HEIC file taken apart.

    Attributes:
        pixels_only: The file with its EXIF and XMP items made unknown to the decoder.
        pieces: Extents of all items, counted up to more than there may be; some take no byte in the file, but memory to decode.
        coded: Where compressed pixels lie: first byte and the one behind the last of each extent.
        exif: The EXIF block, or nothing.
        xmp: The first item that has a media type, which is XMP as a rule, or nothing.
        transfer, primaries: How light became numbers, and what the channels' colours are, by ITU-T H.273; 2 where not said.
        aperture: Width and height in pixels to cut an AVIF to, from the upper left corner, before it is turned; None for all.
    """

    pixels_only: bytes
    pieces: int = 0
    coded: list[tuple[int, int]] = field(default_factory=list)
    exif: bytes = b""
    xmp: bytes = b""
    transfer: int = 2
    primaries: int = 2
    aperture: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class _Box:
    kind: bytes
    start: int
    end: int


def boxes(data: bytes, at: int, end: int) -> Iterator[_Box]:
    """The boxes between two places of a file, each with where its content begins and ends."""
    while at + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, at)
        start = at + 8
        if size == 1 and at + 16 <= end:
            size, start = int.from_bytes(data[at + 8 : at + 16], "big"), at + 16
        behind = end if size == 0 else at + size
        if behind < start:
            return
        yield _Box(kind, start, min(behind, end))
        at = behind


def take_apart(data: bytes) -> Heif:
    """Reads the boxes that tell about pixels; what is broken there is left at its default.

    Args:
        data: A file that begins with an ``ftyp`` box.
    """
    heif = Heif(data)
    try:
        meta = next(box for box in boxes(data, 0, len(data)) if box.kind == b"meta")
        parts = {box.kind: box for box in reversed(list(boxes(data, meta.start + 4, meta.end)))}
        places = _extents(heif, data, parts[b"iloc"], parts.get(b"idat"))
        items = _items(data, parts[b"iinf"])
        heif.pixels_only = _without_metadata(data, items)
        for item, (kind, _) in items.items():
            if kind in _CODED:
                heif.coded += places.get(item, [])
            elif kind == b"Exif" and not heif.exif:
                block = _joined(data, places.get(item, []))
                heif.exif = block[4 + int.from_bytes(block[:4], "big") :]
            elif kind == b"mime" and not heif.xmp:
                heif.xmp = _joined(data, places.get(item, []))
        pitm = parts[b"pitm"]
        primary = struct.unpack_from(">I" if data[pitm.start] else ">H", data, pitm.start + 4)[0]
        _properties(heif, data, primary, parts[b"iprp"])
    except (StopIteration, KeyError, IndexError, struct.error, ZeroDivisionError, OverflowError):
        pass  # the decoder will say what is wrong with it
    return heif


def _joined(data: bytes, places: list[tuple[int, int]]) -> bytes:
    """The bytes of an item; of one that names more than the largest text, its beginning: extents may repeat a file."""
    block = bytearray()
    for start, end in places:
        block += data[start : min(end, start + MAX_TEXT_BYTES - len(block))]
        if len(block) >= MAX_TEXT_BYTES:
            break
    return bytes(block)


def _items(data: bytes, iinf: _Box) -> dict[int, tuple[bytes, int]]:
    """Kind of each item, and where in the file that is written."""
    items = {}
    for box in boxes(data, iinf.start + (8 if data[iinf.start] else 6), iinf.end):
        version = data[box.start]
        if box.kind == b"infe" and version >= 2:
            item = struct.unpack_from(">H" if version == 2 else ">I", data, box.start + 4)[0]
            place = box.start + (8 if version == 2 else 10)
            items[item] = (data[place : place + 4], place)
    return items


def _without_metadata(data: bytes, items: dict[int, tuple[bytes, int]]) -> bytes:
    places = [place for kind, place in items.values() if kind in _METADATA]
    if not places:
        return data
    copy = bytearray(data)
    for place in places:
        copy[place : place + 4] = b"skip"
    return bytes(copy)


def _extents(heif: Heif, data: bytes, iloc: _Box, idat: _Box | None) -> dict[int, list[tuple[int, int]]]:
    """Where the bytes of each item lie (ISO/IEC 14496-12, 8.11.3)."""
    version, sizes, at = data[iloc.start], struct.unpack_from(">H", data, iloc.start + 4)[0], iloc.start + 6
    offset_size, length_size, base_size, index_size = (sizes >> shift & 15 for shift in (12, 8, 4, 0))

    def number(size: int) -> int:
        nonlocal at
        at += size
        if at > iloc.end:
            raise IndexError
        return int.from_bytes(data[at - size : at], "big")

    places: dict[int, list[tuple[int, int]]] = {}
    for _ in range(number(2 if version < 2 else 4)):
        item = number(2 if version < 2 else 4)
        inside_meta = version > 0 and number(2) & 15 == 1
        number(2)
        base = number(base_size) + (idat.start if inside_meta and idat else 0)
        places[item] = []
        count = number(2)
        heif.pieces += count
        if heif.pieces > LIMITS.max_parts:
            raise IndexError
        for _ in range(count):
            number(index_size if version > 0 else 0)
            start = base + number(offset_size)
            length = number(length_size)
            places[item].append((start, start + length if length else len(data)))
    return places


def _properties(heif: Heif, data: bytes, primary: int, iprp: _Box) -> None:
    containers = {box.kind: box for box in boxes(data, iprp.start, iprp.end)}
    properties = list(boxes(data, containers[b"ipco"].start, containers[b"ipco"].end))
    size, aperture = None, None
    for number in _associated(data, containers[b"ipma"], primary):
        if not 0 < number <= len(properties):
            continue
        box = properties[number - 1]
        if box.kind == b"colr" and data[box.start : box.start + 4] == b"nclx":
            heif.primaries, heif.transfer = struct.unpack_from(">HH", data, box.start + 4)
        elif box.kind == b"ispe":
            size = struct.unpack_from(">II", data, box.start + 4)
        elif box.kind == b"clap":
            aperture = struct.unpack_from(">IIIIiIiI", data, box.start)
    if size and aperture:
        heif.aperture = _cut_at_origin(size, aperture)


def _associated(data: bytes, ipma: _Box, primary: int) -> list[int]:
    """The numbers of the primary item's properties."""
    version, wide, at = data[ipma.start], data[ipma.start + 3] & 1, ipma.start + 8
    for _ in range(struct.unpack_from(">I", data, ipma.start + 4)[0]):
        item = struct.unpack_from(">I" if version else ">H", data, at)[0]
        at += 4 if version else 2
        count = data[at]
        at += 1
        if item == primary:
            if wide:
                return [value & 0x7FFF for value in struct.unpack_from(f">{count}H", data, at)]
            return [value & 0x7F for value in data[at : at + count]]
        at += count * (2 if wide else 1)
    return []


def _cut_at_origin(size: tuple[int, int], clap: tuple[int, ...]) -> tuple[int, int] | None:
    """The size of a clean aperture that begins at the origin; None for one that does not, or makes no sense."""
    width, height = Fraction(clap[0], clap[1]), Fraction(clap[2], clap[3])
    left = Fraction(clap[4], clap[5]) + Fraction(size[0] - 1, 2) - (width - 1) / 2
    top = Fraction(clap[6], clap[7]) + Fraction(size[1] - 1, 2) - (height - 1) / 2
    whole = width.denominator == height.denominator == 1
    if not whole or left or top or not (0 < width <= size[0] and 0 < height <= size[1]):
        return None
    return int(width), int(height)
