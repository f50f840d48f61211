"""A WebP file's chunks: those that pixels need, put together anew, and what the others say (RFC 9649)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from unmask.image.exif import is_exif
from unmask.image.limits import LOSSLESS_PIXELS_A_ZERO, WEBP_PIXELS_A_ZERO

_FOR_PIXELS = (b"VP8X", b"ANIM", b"ANMF", b"ALPH", b"VP8 ", b"VP8L")
_HAS_METADATA = 0x20 | 0x08 | 0x04  # flags of VP8X: ICC profile, EXIF, XMP


@dataclass(slots=True)
class WebP:
    """A WebP file taken apart.

    Attributes:
        pixels_only: A file of the chunks that pixels need.
        coded: The compressed colour of each frame, as first byte and the one behind the last in the file.
        exif: The EXIF block, or nothing.
        profile: The ICC profile, or nothing.
        cut: Whether the file ends inside of its pixels.
        lossless: Whether any of its frames is lossless.
    """

    pixels_only: bytes
    coded: list[tuple[int, int]]
    exif: bytes = b""
    profile: bytes = b""
    cut: bool = False
    lossless: bool = False

    def flat(self, pixels: int) -> int:
        """So many zero bytes a flat picture of this many pixels may become."""
        return pixels // (LOSSLESS_PIXELS_A_ZERO if self.lossless else WEBP_PIXELS_A_ZERO)


def chunks(data: bytes, at: int, behind: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, first byte and the byte behind the last of each chunk's data between two places in a file."""
    while at + 8 <= behind:
        name, length = struct.unpack_from("<4sI", data, at)
        yield name, at + 8, min(at + 8 + length, behind)
        at += 8 + length + (length & 1)


def take_apart(data: bytes) -> WebP:
    """Sorts a WebP file's chunks.

    Args:
        data: A file that begins with RIFF and WEBP.
    """
    webp = WebP(b"", [])
    pieces = [b"WEBP"]
    for name, start, end in chunks(data, 12, len(data)):
        body = data[start:end]
        if name == b"EXIF":
            webp.exif = webp.exif or (body if is_exif(body) else b"")
        elif name == b"ICCP":
            webp.profile = webp.profile or body
        elif name in _FOR_PIXELS:
            webp.cut |= end - start < int.from_bytes(data[start - 4 : start], "little")
            frames = chunks(data, start + 16, end) if name == b"ANMF" else [(name, start, end)]
            for kind, first, behind in frames:
                if kind in (b"VP8 ", b"VP8L"):
                    webp.coded.append((first, behind))
                    webp.lossless |= kind == b"VP8L"
            if name == b"VP8X" and body:
                body = bytes((body[0] & ~_HAS_METADATA,)) + body[1:]
            pieces.append(name + len(body).to_bytes(4, "little") + body + b"\0" * (len(body) & 1))
    whole = b"".join(pieces)
    webp.pixels_only = b"RIFF" + len(whole).to_bytes(4, "little") + whole
    return webp
