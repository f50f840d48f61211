"""How a picture's file is put together: its declared size, its pieces and its end, without decoding a pixel.

Part of the decoder in `image.py`: it runs before Pillow sees a byte, so that a bomb is refused from its structure.
Formats: JPEG (ITU-T T.81, annex B), PNG (ISO/IEC 15948, chapter 5), GIF89a, TIFF 6.0, WebP (RFC 9649).
"""

from __future__ import annotations

import re
import struct

_ODDITIES = (struct.error, IndexError, OverflowError)
"""What reading numbers and places out of a broken file raises."""


def declared_size(format_name: str, data: bytes) -> tuple[int, int] | None:
    """Width and height from the header, for formats whose decoder sets memory aside before it can be asked.

    Returns:
        Width and height in pixels; None for other formats and for headers that make no sense.
    """
    try:
        if format_name == "WEBP":
            return _webp_size(data)
        if format_name == "GIF":
            return _gif_size(data)
    except _ODDITIES:
        pass
    return None


def count_parts(format_name: str, data: bytes, most: int) -> int:
    """Weighs the pieces a file is chopped into, each of which costs its decoder time and memory.

    A hundred kilobytes of empty pieces can keep a decoder busy for longer than fifty million pixels. A piece weighs 1;
    a compressed text or profile of a PNG and a scan of a progressive JPEG weigh more, by what they cost.

    Args:
        format_name: One of the names that `sniff` gives.
        data: The whole file.
        most: Where to stop counting.

    Returns:
        The weight; anything above `most` means only that.
    """
    try:
        if format_name == "JPEG":
            return _walk_jpeg(data, most)[0]
        if format_name == "PNG":
            return _png_parts(data, most)
        if format_name == "GIF":
            return _walk_gif(data, most)[0]
        if format_name == "TIFF":
            return _tiff_parts(data)
    except _ODDITIES:
        pass  # cut off or damaged: the decoder will say so
    return 0


def looks_cut_off(format_name: str, data: bytes) -> bool:
    """Whether a file ends before its own structure says that it should."""
    try:
        if format_name == "JPEG":
            return not _walk_jpeg(data, len(data))[1]
        if format_name == "PNG":
            return b"IEND" not in data
        if format_name == "GIF":
            return _walk_gif(data, len(data))[1] is None or not data.rstrip(b"\0").endswith(b";")
        if format_name == "TIFF":
            _tiff_parts(data)  # fails where the directory is not all there
            return False
        if format_name == "WEBP":
            return len(data) < int.from_bytes(data[4:8], "little") + 8
        if format_name == "BMP":
            return len(data) < int.from_bytes(data[2:6], "little")
        return _boxes_end(data) > len(data)
    except _ODDITIES:
        return True


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


# Any marker but the ones that occur inside a scan: a stuffed zero, a restart, a fill byte.
_JPEG_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_START_OF_IMAGE, _END_OF_IMAGE, _START_OF_SCAN = 0xD8, 0xD9, 0xDA
_SCAN_WEIGHT = 200
_COMPRESSED_CHUNK_WEIGHT = 100
_TIFF_OFFSETS = {273, 324}
_TIFF_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}


def _walk_jpeg(data: bytes, most: int) -> tuple[int, bool]:
    """The weight of the first picture's segments, and whether its end was reached."""
    at, weight, in_scans = 2, 0, False
    while weight <= most:
        match = _JPEG_MARKER.search(data, at)
        if not in_scans:
            weight += (match.start() if match else len(data)) - at  # fill bytes are read one by one
        if match is None:
            return weight, False
        weight += 1
        marker = data[match.start() + 1]
        at = match.end()
        if marker == _END_OF_IMAGE:
            return weight, True
        if marker == _START_OF_SCAN:
            in_scans = True
            weight += _SCAN_WEIGHT
        if marker not in (1, _START_OF_IMAGE):
            at += int.from_bytes(data[at : at + 2], "big")
    return weight, False


def _png_parts(data: bytes, most: int) -> int:
    at, weight = 8, 0
    while at + 8 <= len(data) and weight <= most:
        length, name = struct.unpack_from(">I4s", data, at)
        weight += _COMPRESSED_CHUNK_WEIGHT if name in (b"iCCP", b"zTXt", b"iTXt") else 1
        if name == b"IEND":
            break
        at += 12 + length
    return weight


def _tiff_parts(data: bytes) -> int:
    """Entries of the first page's directory, or its strips or tiles, which weigh little: a row a strip is usual."""
    order = "<" if data[:2] == b"II" else ">"
    big = data[2:4] in (b"+\0", b"\0+")
    at = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)[0]
    entries = struct.unpack_from(order + ("Q" if big else "H"), data, at)[0]
    at += 8 if big else 2
    pieces: int = entries
    room = len(data)
    for _ in range(entries):
        tag, kind, count, _ = struct.unpack_from(order + ("HHQQ" if big else "HHII"), data, at)
        at += 20 if big else 12
        room -= count * _TIFF_SIZES.get(kind, 0)
        if room < 0:
            raise IndexError  # values that lie outside the file, or one megabyte named a thousand times
        if tag in _TIFF_OFFSETS:
            pieces = max(pieces, count // 20)
    return pieces


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
