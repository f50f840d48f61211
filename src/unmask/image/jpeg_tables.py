"""How a JPEG file was compressed: a name for its tables, and the quality setting that they stand for."""

from __future__ import annotations

import functools
import zlib

import numpy as np

from unmask.image.jpeg import DQT, FRAMES, SOS, Frame, Jpeg, read_frame, segments


def jpeg_tables(data: bytes) -> str:
    """A name for the tables of a JPEG file, such as `9f1c03ab 4:2:0`; equal names mean equal tables.

    Every camera, editor and site has tables of its own. Where the real pictures of a set came through one program and the
    fakes through another, the tables alone tell the class.

    Args:
        data: The file's bytes.

    Returns:
        CRC-32 of all quantisation tables, and the subsampling; empty if it is no JPEG file, or a broken one.
    """
    if data[:2] != b"\xff\xd8":
        return ""
    tables, frame = 0, None
    for segment in segments(data):
        payload = data[segment.start : segment.end]
        if segment.marker == SOS:
            return f"{tables:08x} {_sampling(frame)}" if frame and segment.end < len(data) else ""
        if segment.marker == DQT:
            tables = zlib.crc32(payload, tables)
        elif segment.marker in FRAMES:
            frame = read_frame(segment.marker, payload)
    return ""


def _sampling(frame: Frame) -> str:
    first, *others = [(across, down) for _, across, down in frame.components]
    if not others:
        return "grey"
    usual = {(1, 1): "4:4:4", (2, 1): "4:2:2", (2, 2): "4:2:0", (1, 2): "4:4:0", (4, 1): "4:1:1"}
    return usual.get(first, "other") if all(factors == (1, 1) for factors in others) else "other"


# The luminance table of T.81, annex K.1, in reading order, which the IJG library scales by its quality setting.
_LUMINANCE = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)
# The order in which a table is stored: along the diagonals, to and fro (T.81, figure A.6).
_ZIGZAG = sorted(
    ((row, column) for row in range(8) for column in range(8)),
    key=lambda place: (sum(place), place[0] if sum(place) % 2 else place[1]),
)


def jpeg_quality(jpeg: Jpeg) -> int | None:
    """The IJG quality, 1..100, whose luminance table is nearest; None where there is no table 0.

    Args:
        jpeg: A file that was taken apart.
    """
    for piece in jpeg.pieces:
        payload = jpeg.data[piece.start : piece.end] if piece.marker == DQT else b""
        while payload:
            size = 128 if payload[0] >> 4 else 64
            if payload[0] & 15 == 0 and len(payload) > size:
                return _nearest_quality(payload[1 : size + 1])
            payload = payload[size + 1 :]
    return None


@functools.lru_cache(maxsize=1024)
def _nearest_quality(table: bytes) -> int:
    steps = np.frombuffer(table, ">u2" if len(table) == 128 else np.uint8).astype(np.int64)
    quality = np.arange(1, 101)[:, None]
    scale = np.where(quality < 50, 5000 // quality, 200 - 2 * quality)
    standard = np.array([_LUMINANCE[place] for place in _ZIGZAG])
    return int(np.abs(np.clip((standard * scale + 50) // 100, 1, 255) - steps).sum(axis=1).argmin()) + 1
