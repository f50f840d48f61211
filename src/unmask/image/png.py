"""A PNG file's chunks: those that pixels need, put together anew, and what the others say (ISO/IEC 15948, chapter 5).

Text, time, EXIF and animation never reach the decoder, so that no length, checksum or flood of theirs matters. The checksum
of a chunk that holds pixels is looked at: where it is wrong, pixels are. As in libpng, a chunk of colour or transparency
whose checksum is wrong, or which comes too late, says nothing.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from unmask.image.exif import is_exif
from unmask.image.limits import MAX_PROFILE_BYTES, MAX_TEXT_BYTES

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CRITICAL = (b"IHDR", b"PLTE", b"IDAT", b"IEND")
_MOVING = (b"acTL", b"fcTL", b"fdAT")
_COLOURS = (b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM")
_GREY, _RGB, _PALETTE = 0, 2, 3
TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_RAW_EXIF = (b"Raw profile type exif", b"Raw profile type APP1")  # as ImageMagick wrote it before there was eXIf


@dataclass(slots=True)
class Png:
    """A PNG file taken apart.

    Attributes:
        pixels_only: A file of the chunks that pixels need, with an end.
        ended: Whether the end chunk is there.
        broken: Whether the checksum of a chunk that holds pixels, or how to read them, is wrong.
        moves: Whether it is an animation; its default picture is in `pixels_only`.
        by_apple: Whether it is Apple's own variant, which no common decoder reads.
        exif: The EXIF block, or nothing.
        software: The text of that name, or nothing.
        profile: The ICC profile, or nothing; None for one that cannot be unpacked.
        colour: The other chunks of colour by name: cICP, sRGB, gAMA, cHRM.
        bits: Bits a sample.
        see_through: The one value, or the red, green and blue, that are transparent (tRNS); empty for a palette.
    """

    pixels_only: bytes = b""
    ended: bool = False
    broken: bool = False
    moves: bool = False
    by_apple: bool = False
    exif: bytes = b""
    software: bytes = b""
    profile: bytes | None = b""
    colour: dict[bytes, bytes] = field(default_factory=dict)
    bits: int = 8
    see_through: tuple[int, ...] = ()


def chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, first byte and the byte behind the last of each chunk's data, up to IEND or to the end of the file."""
    at = len(_SIGNATURE)
    while at + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        yield name, at + 8, min(at + 8 + length, len(data))
        if name == b"IEND":
            return
        at += 12 + length


def take_apart(data: bytes, *, moving: bool = False) -> Png:
    """Sorts a PNG file's chunks.

    Args:
        data: A file that begins with PNG's signature.
        moving: Whether `pixels_only` shall have the frames of an animation, too, as they are: one that is cut off stays so, and
            all transparency is left to the decoder.
    """
    png = Png()
    pieces = [_SIGNATURE]
    seen: set[bytes] = set()
    for name, start, end in chunks(data):
        body = data[start:end]
        sound = True
        if name in _CRITICAL or name in _COLOURS or name == b"tRNS":
            checksum = zlib.crc32(name + body).to_bytes(4, "big")
            sound = data[end : end + 4] in (checksum, b"")
        if name in _CRITICAL:
            png.broken |= not sound and name != b"IEND"
            png.ended |= name == b"IEND"
            if name != b"IEND" or moving:
                pieces.append(data[start - 8 : end + 4] if moving else _chunk(name, body))
        elif name in _COLOURS and sound and not seen & {name, b"PLTE", b"IDAT"}:
            if name == b"iCCP":
                png.profile = _unpack(body.partition(b"\0")[2][1:], MAX_PROFILE_BYTES)
            else:
                png.colour[name] = body
        elif name == b"tRNS" and sound and not seen & {name, b"IDAT"}:
            taken = _take_transparency(png, pieces, body)
            pieces += [_chunk(name, body)] if moving and png.see_through else taken
        elif name == b"eXIf":
            png.exif = png.exif or (body if is_exif(body) else b"")
        elif name in _MOVING and moving:
            pieces.append(data[start - 8 : end + 4])
        elif name == b"acTL":
            png.moves = int.from_bytes(body[:4], "big") > 1
        elif name == b"CgBI":
            png.by_apple = True
        elif name in TEXTS:
            _take_text(png, name, body, seen)
        seen.add(name)
    png.pixels_only = b"".join([*pieces, b"" if moving else _chunk(b"IEND", b"")])
    return png


def _take_transparency(png: Png, pieces: list[bytes], body: bytes) -> list[bytes]:
    """Takes down a transparent colour, for `png_key`; gives the chunk where it is a palette's, for the decoder."""
    header = pieces[1][8:] if len(pieces) > 1 else b""
    if len(header) < 10:
        return []
    png.bits, colour_type = header[8], header[9]
    if len(body) == {_GREY: 2, _RGB: 6}.get(colour_type):
        png.see_through = tuple(value & (1 << png.bits) - 1 for value in struct.unpack(f">{len(body) // 2}H", body))
    palette = next((piece for piece in pieces if piece[4:8] == b"PLTE"), b"")
    if colour_type == _PALETTE and 0 < len(body) <= (len(palette) - 12) // 3:
        return [_chunk(b"tRNS", body)]
    return []


def _take_text(png: Png, name: bytes, body: bytes, seen: set[bytes]) -> None:
    keyword, _, rest = body.partition(b"\0")
    if keyword == b"Software" and name == b"tEXt":
        png.software = rest.decode("latin-1").encode()
    elif keyword in _RAW_EXIF and keyword not in seen and not png.exif:
        seen.add(keyword)  # one of each is tried: a file may hold ten thousand that unpack to a megabyte
        block = raw_profile(read_text(name, body)[1] or b"")
        png.exif = block if is_exif(block) else b""  # an older ImageMagick kept XMP as APP1, too


def read_text(name: bytes, body: bytes) -> tuple[str, bytes | None]:
    """A text chunk's keyword and words, of a long one the beginning; None for words that cannot be unpacked.

    Args:
        name: Of the chunk: tEXt, zTXt or iTXt.
        body: Its data.
    """
    keyword, _, words = body.partition(b"\0")
    packed = name == b"zTXt"
    if name == b"iTXt":
        packed = words[:1] == b"\1"
        words = words[2:].partition(b"\0")[2].partition(b"\0")[2]
    elif packed:
        words = words[1:]
    unpacked = None
    with suppress(zlib.error):
        unpacked = zlib.decompressobj().decompress(words, MAX_TEXT_BYTES) if packed else words[:MAX_TEXT_BYTES]
    return keyword.decode("latin-1"), unpacked


def raw_profile(words: bytes) -> bytes:
    """What ImageMagick keeps as text because PNG had no chunk for it: behind a name and a length, in hexadecimal digits."""
    with suppress(ValueError):
        return bytes.fromhex(b"".join(words.split()[2:]).decode())
    return b""


def _unpack(packed: bytes, most: int) -> bytes | None:
    """What deflated bytes unpack to; None where they are broken or come to more than `most`."""
    unpacker = zlib.decompressobj()
    try:
        unpacked = unpacker.decompress(packed, most)
    except zlib.error:
        return None
    return unpacked if unpacker.eof else None


def _chunk(name: bytes, body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + name + body + zlib.crc32(name + body).to_bytes(4, "big")
