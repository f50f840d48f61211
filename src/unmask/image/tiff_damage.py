"""Damage of a TIFF file's strips and tiles that libtiff passes over: in JPEG (compression 7) and in deflated bytes (8).

libtiff hands on what libjpeg filled up with, and pixels whose deflated bytes end in a wrong checksum.
"""

from __future__ import annotations

import zlib

from unmask.image import jpeg, tiff
from unmask.image.jpeg_scan import missing_rows
from unmask.image.tiff import Tiff

_DEFLATE = (8, 32946)


def lacks_pixels(parts: Tiff) -> bool:
    """Whether some strip or tile of a TIFF file was damaged after it was written.

    Args:
        parts: A file that was taken apart, and whose pixels were decoded.
    """
    compression = parts.number(tiff.COMPRESSION)
    if compression != tiff.JPEG_COMPRESSION and compression not in _DEFLATE:
        return False
    width, rows = parts.number(tiff.WIDTH), parts.number(tiff.HEIGHT)
    across, down = parts.number(tiff.TILE_WIDTH), parts.number(tiff.TILE_HEIGHT)
    if not (across and down):
        across, down = width, max(1, min(parts.number(tiff.ROWS_A_STRIP, rows), rows))
    planes = parts.number(tiff.SAMPLES, 1) if parts.number(tiff.PLANES, 1) == 2 else 1
    # No more than the picture has: a file may name the same megabyte ten thousand times.
    coded = parts.coded[: planes * -(-width // across) * -(-rows // down)]
    size = down * -(-across * parts.number(tiff.SAMPLES, 1) // planes * parts.number(tiff.BITS, 1) // 8)
    most = 2 * size + 1_000  # bytes that a strip of this size may become; what a count tells beyond is none of its own
    tables = parts.text(tiff.JPEG_TABLES) if compression == tiff.JPEG_COMPRESSION else b""
    room = 2 * len(parts.data) + 1_000_000  # the tables that go with each strip may weigh more than it
    for start, behind in coded:
        strip = parts.data[start : min(behind, start + most)]
        room -= len(strip) + len(tables)
        if room < 0:  # strips that overlap, as no program writes them
            return False
        if compression in _DEFLATE:
            lacks = not _inflates(strip, size)
        else:
            lacks = _jpeg_lacks_pixels(tables, strip, across * down, start + most < behind)
        if lacks:
            return True
    return False


def _jpeg_lacks_pixels(tables: bytes, strip: bytes, pixels: int, shortened: bool) -> bool:
    """A strip is a JPEG picture whose tables may lie in an entry of their own (TIFF Technical Note 2)."""
    picture = jpeg.take_apart(tables[:-2] + strip[2:] if tables else strip)
    frame = picture.frame
    if frame is None or not picture.scans or frame.unsupported or frame.width * frame.height > pixels:
        return False  # nothing that libtiff reads
    if shortened and not picture.ended:
        return False
    try:
        warned = jpeg.decode(picture)[1]
    except Exception:  # of several types; libtiff has read it, so it is a kind that the other decoder does not know
        return False
    return bool(missing_rows(picture, warned))


def _inflates(packed: bytes, size: int) -> bool:
    """Whether bytes unpack to their checksum without an error, or at least to no more than `size`."""
    unpacker = zlib.decompressobj()
    try:
        return len(unpacker.decompress(packed, size + 1)) <= size or unpacker.eof
    except zlib.error:
        return False
