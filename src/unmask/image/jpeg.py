"""A JPEG file's segments, and its pixels by libjpeg-turbo, which says when it had to guess (ITU-T T.81, annex B).

Only what pixels need reaches the decoder: tables, frame, scans, and the two markers that tell the colour space where they
are well-formed. Whatever is wrong with EXIF, XMP, IPTC, thumbnails and comments cannot keep a picture from being read.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from unmask.image.exif import is_exif

EOI, SOS, DQT, DHT, DRI, DNL, DAC = 0xD9, 0xDA, 0xDB, 0xC4, 0xDD, 0xDC, 0xCC
BASELINE, EXTENDED, PROGRESSIVE, ARITHMETIC, ARITHMETIC_PROGRESSIVE = 0xC0, 0xC1, 0xC2, 0xC9, 0xCA
FRAMES = frozenset(range(0xC0, 0xD0)) - {DHT, 0xC8, DAC}
_APP0, _APP1, _APP2, _APP14 = 0xE0, 0xE1, 0xE2, 0xEE
_FOR_PIXELS = FRAMES | {DQT, DHT, DRI, DNL, DAC, SOS}
# Any marker but those that occur inside a scan: a stuffed zero, a restart, a fill byte.
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_WITHOUT_LENGTH = (0x01, 0xD8)


@dataclass(frozen=True, slots=True)
class Segment:
    """One marker segment.

    Attributes:
        marker: The marker's second byte.
        start: Where its payload begins, behind marker and length; for the end of the image, behind the marker.
        end: Where the payload ends.
        scan_end: Where the entropy-coded data behind a start of scan end; `end` for all others.
        gap: Bytes between this segment and the one before that belong to neither.
    """

    marker: int
    start: int
    end: int
    scan_end: int
    gap: int


def segments(data: bytes) -> Iterator[Segment]:
    """The segments of the first picture in a JPEG file, up to its end marker or to the end of the data.

    The only walk over JPEG segments in the project. Like libjpeg it goes on at the next marker where there is none.

    Args:
        data: A file that begins with the start of an image.

    Yields:
        Segments in the order of the file.
    """
    at = 2
    while match := _MARKER.search(data, at):
        gap, marker, at = match.start() - at, data[match.start() + 1], match.end()
        if marker == EOI:
            yield Segment(EOI, at, at, at, gap)
            return
        if marker in _WITHOUT_LENGTH:
            continue
        end = min(at + max(2, int.from_bytes(data[at : at + 2], "big")), len(data))
        scan_end = end
        if marker == SOS:
            following = _MARKER.search(data, end)
            scan_end = following.start() if following else len(data)
        yield Segment(marker, min(at + 2, end), end, scan_end, gap)
        at = scan_end


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame header (T.81, B.2.2): how the picture is coded, its size in pixels, and its components.

    Attributes:
        marker: SOF marker, such as `BASELINE`.
        precision: Bits a sample.
        width, height: In pixels.
        components: Identifier, horizontal and vertical sampling factor of each.
    """

    marker: int
    precision: int
    width: int
    height: int
    components: tuple[tuple[int, int, int], ...]

    @property
    def unsupported(self) -> str:
        """Why no common decoder reads such a picture; empty where one does."""
        if self.marker not in (BASELINE, EXTENDED, PROGRESSIVE, ARITHMETIC, ARITHMETIC_PROGRESSIVE):
            return "a lossless or hierarchical JPEG picture"
        if self.precision != 8:
            return f"a JPEG picture with {self.precision} bits a channel"
        if len(self.components) not in (1, 3, 4):
            return f"a JPEG picture with {len(self.components)} channels"
        if not self.height:
            return "a JPEG picture that tells its height behind its pixels"
        return ""


@dataclass(slots=True)
class Jpeg:
    """A JPEG file taken apart.

    Attributes:
        data: The file.
        frame: Its frame header; None where there is none.
        pieces: The segments that pixels need.
        ended: Whether the end marker is there.
        adobe: Whether a well-formed Adobe marker is.
        exif: The EXIF block, or nothing.
        profile: The ICC profile, or nothing.
    """

    data: bytes
    frame: Frame | None = None
    pieces: list[Segment] = field(default_factory=list)
    ended: bool = False
    adobe: bool = False
    exif: bytes = b""
    profile: bytes = b""

    @property
    def scans(self) -> list[Segment]:
        """The segments that begin a scan."""
        return [piece for piece in self.pieces if piece.marker == SOS]


def take_apart(data: bytes) -> Jpeg:
    """Sorts a JPEG file's segments.

    Args:
        data: A file that begins with the start of an image.
    """
    jpeg = Jpeg(data)
    parts_of_profile: dict[int, bytes] = {}
    for segment in segments(data):
        payload = data[segment.start : segment.end]
        if segment.marker == EOI:
            jpeg.ended = True
        elif segment.marker in _FOR_PIXELS:
            jpeg.pieces.append(segment)
            if segment.marker in FRAMES and jpeg.frame is None:
                jpeg.frame = read_frame(segment.marker, payload)
        elif segment.marker == _APP0 and payload[:5] == b"JFIF\0" and len(payload) >= 14:
            jpeg.pieces.append(segment)
        elif segment.marker == _APP14 and payload[:5] == b"Adobe" and len(payload) >= 12:
            jpeg.pieces.append(segment)
            jpeg.adobe = True
        elif segment.marker == _APP1 and payload[:4] == b"Exif" and not jpeg.exif and is_exif(payload):
            jpeg.exif = payload
        elif segment.marker == _APP2 and payload[:12] == b"ICC_PROFILE\0" and len(payload) > 14:
            parts_of_profile[payload[12]] = payload[14:]
    jpeg.profile = b"".join(part for _, part in sorted(parts_of_profile.items()))
    return jpeg


def read_frame(marker: int, payload: bytes) -> Frame | None:
    """A frame header from its segment.

    Args:
        marker: SOF marker.
        payload: The segment's bytes behind its length.

    Returns:
        The header; None for one that is cut short.
    """
    if len(payload) < 6 or len(payload) < 6 + 3 * payload[5]:
        return None
    components = tuple(
        (payload[at], payload[at + 1] >> 4, payload[at + 1] & 15) for at in range(6, 6 + 3 * payload[5], 3)
    )
    height, width = int.from_bytes(payload[1:3], "big"), int.from_bytes(payload[3:5], "big")
    return Frame(marker, payload[0], width, height, components)


def decode(jpeg: Jpeg) -> tuple[NDArray[np.uint8], bool]:
    """The pixels of a JPEG file, not turned, in its own colours.

    Args:
        jpeg: A file that was taken apart, with a supported frame.

    Returns:
        uint8 (height, width, 3) RGB, (height, width) grey or (height, width, 4) CMYK, where 0 is no ink; and whether the
        decoder warned: it may then have filled up what was not there.

    Raises:
        Exception: Of several types, where no pixels can be had.
    """
    import simplejpeg

    assert jpeg.frame is not None
    space = {1: "GRAY", 4: "CMYK"}.get(len(jpeg.frame.components), "RGB")
    data, warned = _for_decoder(jpeg), False
    try:
        pixels = simplejpeg.decode_jpeg(data, space)
    except ValueError:
        warned = True
        # Grey where nothing is written: some damage ends the decoder early, and new memory holds what was there before.
        shape = (jpeg.frame.height, jpeg.frame.width, {"GRAY": 1, "CMYK": 4}.get(space, 3))
        try:
            pixels = simplejpeg.decode_jpeg(data, space, strict=False, buffer=np.full(shape, 128, np.uint8))
        except ValueError:
            return _by_pillow(data), warned  # which knows some rare ways of subsampling
    if space == "CMYK" and jpeg.adobe:
        pixels = 255 - pixels  # Adobe's programs store CMYK inverted
    return np.asarray(pixels[..., 0] if space == "GRAY" else pixels, dtype=np.uint8), warned


def _for_decoder(jpeg: Jpeg) -> bytes:
    out = io.BytesIO()
    out.write(b"\xff\xd8")
    for piece in jpeg.pieces:
        payload = jpeg.data[piece.start : piece.end]
        if piece.marker == _APP0:
            payload = payload[:12] + b"\0\0"  # without its thumbnail
        out.write(bytes((0xFF, piece.marker)) + (len(payload) + 2).to_bytes(2, "big") + payload)
        out.write(memoryview(jpeg.data)[piece.end : piece.scan_end])
    out.write(b"\xff\xd9")
    return out.getvalue()


def _by_pillow(data: bytes) -> NDArray[np.uint8]:
    from PIL.JpegImagePlugin import JpegImageFile

    with JpegImageFile(io.BytesIO(data)) as picture:
        return np.asarray(picture)
