"""A TIFF file's first directory: the entries that pixels need, put together anew, and which kinds can be read (TIFF 6.0).

Both byte orders and BigTIFF become a classic TIFF with one directory, so that nothing that an odd entry says, points to or
leaves out reaches the decoder.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, replace
from itertools import zip_longest

from unmask.image.exif import SIZES, Exif, exif_of, read_exif
from unmask.image.limits import MAX_PROFILE_BYTES

NEW_SUBFILE_TYPE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 254, 256, 257, 258, 259, 262
STRIP_OFFSETS, ORIENTATION, SAMPLES, STRIP_COUNTS, PLANES, COLOUR_MAP = 273, 274, 277, 279, 284, 320
TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_COUNTS = 322, 323, 324, 325
INK_SET, SAMPLE_FORMAT, PROFILE, DNG_VERSION = 332, 339, 34675, 50706
ROWS_A_STRIP, JPEG_TABLES, SUBSAMPLING = 278, 347, 530
_FOR_PIXELS = frozenset({
    WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, 266, STRIP_OFFSETS, SAMPLES, ROWS_A_STRIP, STRIP_COUNTS, PLANES, 292, 293, 317,
    COLOUR_MAP, TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_COUNTS, INK_SET, 338, SAMPLE_FORMAT, JPEG_TABLES,
    *range(512, 522), *range(529, 533),
})  # fmt: skip
_MAKE, _MODEL, _SOFTWARE = 271, 272, 305
_SIZES = SIZES | {16: 8, 17: 8, 18: 8}  # BigTIFF's own
_LETTERS = {1: "B", 3: "H", 4: "I", 16: "Q", 18: "Q"}
_SIGNED_LETTERS = {6: "b", 8: "h", 9: "i", 17: "q"}
_LONG, _LONG_LONG = 4, (16, 18)
_READABLE_PHOTOMETRIC = {0, 1, 2, 3, 5, 6, 8}
JPEG_COMPRESSION, YCBCR, _WHITE_IS_ZERO = 7, 6, 0
_UNSIGNED, _SIGNED, _UNDEFINED = 1, 2, 4


@dataclass(slots=True)
class Tiff:
    """A TIFF file taken apart.

    Attributes:
        data: The file.
        order: "<" or ">".
        entries: Type and raw bytes of each entry that is used, by tag.
        pages: Whether another directory follows.
        pieces: Entries, or strips or tiles, which weigh little: a row a strip is usual.
    """

    data: bytes
    order: str
    entries: dict[int, tuple[int, bytes]] = field(default_factory=dict)
    pages: bool = False
    pieces: int = 0

    def numbers(self, tag: int, default: tuple[int, ...] = ()) -> tuple[int, ...]:
        """The whole numbers of an entry; the default where it is missing or of another type."""
        kind, raw = self.entries.get(tag, (0, b""))
        letter = _LETTERS.get(kind)
        if letter is None:
            return default
        count = len(raw) // _SIZES[kind]
        return struct.unpack_from(f"{self.order}{count}{letter}", raw) or default

    def number(self, tag: int, default: int = 0) -> int:
        """The first of an entry's whole numbers."""
        return self.numbers(tag, (default,))[0]

    def text(self, tag: int) -> bytes:
        """The bytes of an entry, or nothing."""
        return self.entries.get(tag, (0, b""))[1]

    @property
    def orientation(self) -> int:
        """One whole number of any type, as libtiff has it; 1 for anything else."""
        kind, raw = self.entries.get(ORIENTATION, (0, b""))
        letter = (_LETTERS | _SIGNED_LETTERS).get(kind)
        return int(struct.unpack(self.order + letter, raw)[0]) if letter and len(raw) == _SIZES[kind] else 1

    @property
    def facts(self) -> Exif:
        """How to turn the pixels upright, and who made them."""
        lens = read_exif(self.data).lens
        return replace(exif_of(self.orientation, *(self.text(tag) for tag in (_MAKE, _MODEL, _SOFTWARE))), lens=lens)

    @property
    def coded(self) -> list[tuple[int, int]]:
        """Where the strips or tiles lie: first byte and the one behind the last, or the file's end where no size is told."""
        offsets = self.numbers(STRIP_OFFSETS) or self.numbers(TILE_OFFSETS)
        counts = self.numbers(STRIP_COUNTS) or self.numbers(TILE_COUNTS)
        sized = zip_longest(offsets, counts[: len(offsets)], fillvalue=0)
        return [(start, start + count if count else len(self.data)) for start, count in sized]

    @property
    def cut(self) -> bool:
        """Whether the file ends inside of its pixels; a count that is merely told too large is none of their business."""
        here = len(self.data)
        if self.number(COMPRESSION, 1) != 1 or self.number(PHOTOMETRIC, 1) == YCBCR:
            return any(behind > here for _, behind in self.coded)
        row = -(-self.number(WIDTH) * self.number(SAMPLES, 1) * self.number(BITS, 1) // 8)
        return sum(max(0, min(behind, here) - start) for start, behind in self.coded) < row * self.number(HEIGHT)

    @property
    def unsupported(self) -> str:
        """Why this file cannot be read rightly, as what it is; empty where it can."""
        if self.number(NEW_SUBFILE_TYPE) & 1 or DNG_VERSION in self.entries:
            return "a camera raw picture or a thumbnail in a TIFF file"
        bits, formats = self.numbers(BITS, (1,)), self.numbers(SAMPLE_FORMAT, (_UNSIGNED,))
        samples = self.number(SAMPLES, 1)
        if self.number(PHOTOMETRIC, 1) not in _READABLE_PHOTOMETRIC or self.number(INK_SET, 1) != 1:
            return "a TIFF picture in unusual colours"
        if len(set(bits)) > 1 or len(set(formats)) > 1:
            return "a TIFF picture whose channels are of different kinds"
        if samples > 1 and bits[0] not in (8, 16):
            return f"a TIFF picture with {bits[0]} bits a channel"
        if samples > 1 and formats[0] not in (_UNSIGNED, _UNDEFINED):
            return "a TIFF picture of floating or signed numbers"
        uncompressed = self.number(COMPRESSION, 1) == 1
        if samples > 1 and bits[0] == 16 and self.number(PLANES, 1) == 2 and uncompressed:
            return "a TIFF picture with 16 bits a channel in separate uncompressed planes"
        if bits[0] in (8, 16) and formats[0] == _SIGNED:
            return "a TIFF picture of signed numbers"
        if bits[0] > 16 and self.number(PHOTOMETRIC, 1) == _WHITE_IS_ZERO:
            return "a TIFF picture of floating or large numbers that count from white"
        if uncompressed and self.number(PHOTOMETRIC, 1) == YCBCR and self.numbers(SUBSAMPLING, (2, 2)) != (1, 1):
            whole = self.number(WIDTH) * self.number(HEIGHT) * samples
            if sum(behind - start for start, behind in self.coded) < whole:
                return "an uncompressed TIFF picture whose colours are subsampled"
        return ""

    def pixels_only(self) -> bytes:
        """A classic TIFF of the first page, with the entries that pixels need; the pixels stay where they are."""
        directory_at = len(self.data) + (len(self.data) & 1)
        entries = sorted((tag, *entry) for tag, entry in self.entries.items() if tag in _FOR_PIXELS)
        more_at = directory_at + 2 + 12 * len(entries) + 4
        directory, more = struct.pack(self.order + "H", len(entries)), b""
        for tag, kind, raw in entries:
            if tag == COLOUR_MAP:
                raw = self._wide_colour_map(raw)
            elif kind in _LONG_LONG:
                kind, raw = _LONG, struct.pack(f"{self.order}{len(raw) // 8}I", *self.numbers(tag))
            directory += struct.pack(self.order + "HHI", tag, kind, len(raw) // _SIZES[kind])
            if len(raw) <= 4:
                directory += raw.ljust(4, b"\0")
            else:
                directory += struct.pack(self.order + "I", more_at + len(more))
                more += raw + b"\0" * (len(raw) & 1)
        header = (b"II*\0" if self.order == "<" else b"MM\0*") + struct.pack(self.order + "I", directory_at)
        padding = bytes(directory_at - len(self.data))
        return b"".join((header, memoryview(self.data)[8:], padding, directory, bytes(4), more))

    def _wide_colour_map(self, raw: bytes) -> bytes:
        """Colour maps count to 65,535; some programs write them as if to 255."""
        values = self.numbers(COLOUR_MAP)
        if not values or max(values) > 255:
            return raw
        return struct.pack(f"{self.order}{len(values)}H", *(value * 257 for value in values))


def take_apart(data: bytes) -> Tiff:
    """Reads a TIFF file's first directory.

    Args:
        data: A file that begins with II or MM and 42, or 43 for BigTIFF.

    Raises:
        IndexError: If the directory, or something in it that pixels need, is not all there.
        struct.error: The same.
        OverflowError: The same.
    """
    tiff = Tiff(data, "<" if data[:2] == b"II" else ">")
    order, big = tiff.order, 43 in data[2:4]
    at = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)[0]
    entries = struct.unpack_from(order + ("Q" if big else "H"), data, at)[0]
    at += 8 if big else 2
    size, inline, form = (20, 8, "HHQ") if big else (12, 4, "HHI")
    if at + entries * size > len(data):
        raise IndexError("a directory that is not all there")
    tiff.pieces = entries
    room = len(data)  # for all entries together: a thousand may name the same megabyte
    for place in range(at, at + entries * size, size):
        tag, kind, count = struct.unpack_from(order + form, data, place)
        length = count * _SIZES.get(kind, 0)
        start = place + size - inline
        if length > inline:
            start = struct.unpack_from(order + ("Q" if big else "I"), data, start)[0]
        needed, known = tag in _FOR_PIXELS, tag in (PROFILE, ORIENTATION, NEW_SUBFILE_TYPE, DNG_VERSION)
        if not needed and not known and tag not in (_MAKE, _MODEL, _SOFTWARE):
            continue
        room -= length
        if needed and (not length or start + length > len(data) or room < 0):
            raise IndexError("an entry whose values lie outside of the file")
        if tag in (STRIP_OFFSETS, TILE_OFFSETS):
            tiff.pieces = max(tiff.pieces, count // 20)
        if not needed and (start + length > len(data) or length > MAX_PROFILE_BYTES):
            continue
        tiff.entries.setdefault(tag, (kind, data[start : start + length]))
    tiff.pages = any(data[at + entries * size : at + entries * size + inline])
    return tiff
