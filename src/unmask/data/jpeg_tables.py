"""A short name for how a JPEG file was written: its quantisation tables and chroma subsampling.

Every camera, editor and site has tables of its own. Where the real pictures of a set came through one program and the
fakes through another, the tables alone tell the class. Only markers are read here; nothing is decoded.
"""

from __future__ import annotations

import zlib

_TABLES = 0xDB
_SCAN = 0xDA
# Start of frame: baseline, extended, progressive. The rarer kinds are not read by common software.
_FRAMES = (0xC0, 0xC1, 0xC2)
_WITHOUT_LENGTH = frozenset((0x01, 0xD8, *range(0xD0, 0xD8)))


def jpeg_tables(data: bytes) -> str:
    """A name for the tables of a JPEG file, such as `9f1c03ab 4:2:0`; equal names mean equal tables.

    Args:
        data: The file's bytes.

    Returns:
        CRC-32 of all quantisation tables, and the subsampling; empty if it is no JPEG file, or a broken one.
    """
    if data[:2] != b"\xff\xd8":
        return ""
    tables, sampling, position = 0, "", 2
    while position + 4 <= len(data):
        if data[position] != 0xFF:
            return ""
        marker = data[position + 1]
        if marker == 0xFF or marker in _WITHOUT_LENGTH:
            position += 1 if marker == 0xFF else 2
            continue
        length = int.from_bytes(data[position + 2 : position + 4], "big")
        segment = data[position + 4 : position + 2 + length]
        if length < 2 or len(segment) < length - 2:
            return ""
        if marker == _SCAN:
            return f"{tables:08x} {sampling}" if sampling else ""
        if marker == _TABLES:
            tables = zlib.crc32(segment, tables)
        elif marker in _FRAMES:
            sampling = _sampling(segment)
        position += 2 + length
    return ""


def _sampling(frame: bytes) -> str:
    """Chroma subsampling from a frame header (ITU-T T.81, B.2.2)."""
    if len(frame) < 6 or len(frame) < 6 + 3 * frame[5]:
        return ""
    factors = [(frame[7 + 3 * index] >> 4, frame[7 + 3 * index] & 15) for index in range(frame[5])]
    if len(factors) == 1:
        return "grey"
    usual = {(1, 1): "4:4:4", (2, 1): "4:2:2", (2, 2): "4:2:0", (1, 2): "4:4:0", (4, 1): "4:1:1"}
    plain = all(factor == (1, 1) for factor in factors[1:])
    return usual.get(factors[0], "other") if plain else "other"
