"""How a picture's file is put together: its declared size, its pieces and its end, without decoding a pixel.

Part of the decoder: it runs before Pillow sees a byte, so that a bomb is refused from its structure.
Formats: JPEG (ITU-T T.81, annex B), PNG (ISO/IEC 15948, chapter 5), GIF89a, TIFF 6.0, WebP (RFC 9649), AVIF and HEIC
(ISO/IEC 14496-12).
"""

from __future__ import annotations

import struct
from itertools import islice

from unmask.image import heif, jpeg, png, tiff
from unmask.image.limits import CODED_ZERO_RUN, ERASED_RUN

_ODDITIES = (struct.error, IndexError, OverflowError)
"""What reading numbers and places out of a broken file raises."""


def declared_size(format_name: str, data: bytes) -> tuple[int, int] | None:
    """Width and height from the header of a GIF or WebP, before its decoder sets memory aside for them.

    Args:
        format_name: "GIF" or "WEBP".
        data: The whole file, or its beginning.

    Returns:
        Width and height in pixels, not turned; None for headers that make no sense or are not there.
    """
    try:
        return _gif_size(data) if format_name == "GIF" else _webp_size(data)
    except _ODDITIES:
        return None


def count_parts(format_name: str, data: bytes, most: int) -> int:
    """Weighs the pieces a file is chopped into, each of which costs time and memory.

    A hundred kilobytes of empty pieces can keep a decoder busy for longer than fifty million pixels. A piece weighs 1;
    a scan of a progressive JPEG weighs more, by what it costs.

    Args:
        format_name: One of the names that `sniff` gives.
        data: The whole file.
        most: Where to stop counting.

    Returns:
        The weight; anything above `most` means only that.
    """
    try:
        if format_name == "JPEG":
            return _jpeg_parts(data, most)
        if format_name == "PNG":
            return sum(1 for _ in islice(png.chunks(data), most + 1))
        if format_name == "GIF":
            return _walk_gif(data, most)[0]
        if format_name == "TIFF":
            return tiff.take_apart(data).pieces
        if format_name in ("AVIF", "HEIC"):
            return heif.take_apart(data).pieces
    except _ODDITIES:
        pass  # cut off or damaged: the decoder will say so
    return 0


def looks_cut_off(format_name: str, data: bytes) -> bool:
    """Whether a file ends before its own structure says that it should."""
    try:
        if format_name == "JPEG":
            return all(segment.marker != jpeg.EOI for segment in jpeg.segments(data))
        if format_name == "PNG":
            return b"IEND" not in data
        if format_name == "GIF":
            return _walk_gif(data, len(data))[1] is None or not data.rstrip(b"\0").endswith(b";")
        if format_name == "TIFF":
            tiff.take_apart(data)  # fails where the directory is not all there
            return False
        if format_name == "WEBP":
            return len(data) < int.from_bytes(data[4:8], "little") + 8
        if format_name == "BMP":
            return len(data) < int.from_bytes(data[2:6], "little")
        return _boxes_end(data) > len(data)
    except _ODDITIES:
        return True


def has_hole(data: bytes, coded: list[tuple[int, int]], flat: int = 0) -> bool:
    """Whether a part of coded pixels was overwritten, of which their decoder does not tell.

    Args:
        data: The file.
        coded: Where in it the coded pixels lie.
        flat: So many zero bytes a flat picture of this size may become.
    """
    for hole in (bytes(max(CODED_ZERO_RUN, flat)), b"\xff" * max(ERASED_RUN, flat)):
        reached = 0
        for start, end in sorted(coded):  # they may overlap: ten thousand can name the same megabyte
            if data.find(hole, max(start, reached - len(hole) + 1), end) >= 0:
                return True
            reached = max(reached, end)
    return False


def _webp_size(data: bytes) -> tuple[int, int] | None:
    chunk = data[12:16] if len(data) >= 30 else b""
    if chunk == b"VP8X":
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if chunk == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if chunk == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None


_SCAN_WEIGHT = 200


def _jpeg_parts(data: bytes, most: int) -> int:
    """A segment weighs 1, a scan what it costs, and so does every byte between segments."""
    weight, in_scans = 0, False
    for segment in jpeg.segments(data):
        weight += 1 + (0 if in_scans else segment.gap)
        if segment.marker == jpeg.SOS:
            in_scans = True
            weight += _SCAN_WEIGHT
        if weight > most:
            break
    return weight


def _boxes_end(data: bytes) -> int:
    """Where the last top-level box of an AVIF or HEIC file ends, by its own account (ISO/IEC 14496-12)."""
    at = 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16], "big")
        if size < 8:
            return len(data)
        at += size
    return at


def _gif_size(data: bytes) -> tuple[int, int] | None:
    """The screen, enlarged by the first frame where that sticks out, as Pillow does."""
    width, height = struct.unpack_from("<HH", data, 6)
    at = _walk_gif(data, len(data))[1]
    if at is None:
        return width, height
    left, top, frame_width, frame_height = struct.unpack_from("<HHHH", data, at + 1)
    return max(width, left + frame_width), max(height, top + frame_height)


def _walk_gif(data: bytes, most: int) -> tuple[int, int | None]:
    """The number of blocks before the first frame, and where that is."""
    flags = data[10]
    at = 13 + (3 << ((flags & 7) + 1) if flags & 128 else 0)
    count = 0
    while count <= most:
        mark = data[at]
        if mark == 0x2C:
            return count, at
        if mark == 0x3B:
            break
        count += 1
        at += 1
        if mark == 0x21:
            at += 1
            while data[at] and count <= most:
                count += 1
                at += data[at] + 1
            at += 1
    return count, None
