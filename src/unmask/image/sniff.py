"""What a file is, from its first bytes. Content decides, never the name; no pixel is decoded here.

Part of the decoder in `read.py`.
"""

from __future__ import annotations

import codecs
import struct
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """What a file turned out to be.

    Attributes:
        name: How to call it in a sentence, with its article ("a PDF document").
        format: The decoder's name for it (``JPEG``); None where there is no decoder.
        code: The failure's code where `format` is None.
        hint: What to do where `format` is None.
    """

    name: str
    format: str | None = None
    code: str = "unsupported-format"
    hint: str = ""

    @property
    def is_clip(self) -> bool:
        """Whether it is a video or may be one, so that `unmask.video` is to look at it."""
        return self.hint == VIDEO_HINT


SAVE_AS = "Open it in a picture editor, save it as PNG or JPEG, and check that."
VIDEO_HINT = "Save a frame as PNG (most players can), and check that."
UNPACK_HINT = "Unpack it and give the pictures or the folder."
NOT_A_PICTURE_HINT = "Give a picture: JPEG, PNG, WebP, BMP, TIFF, GIF, AVIF or HEIC."

_PICTURES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
)
_OTHERS = (
    (b"%PDF", "a PDF document", SAVE_AS),
    (b"8BPS", "a Photoshop document", SAVE_AS),
    (b"%!PS", "a PostScript document", SAVE_AS),
    (b"\xc5\xd0\xd3\xc6", "an EPS document", SAVE_AS),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 picture", SAVE_AS),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 picture", SAVE_AS),
    (b"\0\0\0\x0cJXL ", "a JPEG XL picture", SAVE_AS),
    (b"\xff\x0a", "a JPEG XL picture", SAVE_AS),
    (b"\0\0\1\0", "an icon", SAVE_AS),
    (b"\0\0\2\0\0\0", "a Targa picture", SAVE_AS),
    (b"\0\0\x0a\0\0\0", "a Targa picture", SAVE_AS),
    (b"\0\0\2\0", "a cursor", SAVE_AS),
    (b"icns", "an icon", SAVE_AS),
    (b"DDS ", "a DirectDraw texture", SAVE_AS),
    (b"qoif", "a QOI picture", SAVE_AS),
    (b"gimp xcf", "a GIMP document", SAVE_AS),
    (b"v/1\x01", "an OpenEXR picture", SAVE_AS),
    (b"#?RADIANCE", "a Radiance picture", SAVE_AS),
    (b"FUJIFILMCCD-RAW", "a camera raw picture", SAVE_AS),
    (b"IIU\0", "a camera raw picture", SAVE_AS),
    (b"IIRO", "a camera raw picture", SAVE_AS),
    (b"\x1aE\xdf\xa3", "a video", VIDEO_HINT),
    (b"\0\0\1\xba", "a video", VIDEO_HINT),
    (b"\0\0\1\xb3", "a video", VIDEO_HINT),
    (b"FLV\1", "a video", VIDEO_HINT),
    (b"DKIF", "a video", VIDEO_HINT),
    (b"YUV4MPEG2 ", "a video", VIDEO_HINT),
    (b"\x06\x0e\x2b\x34\2\5\1\1\x0d\1\2\1", "a video", VIDEO_HINT),
    (b"OggS", "an Ogg recording", VIDEO_HINT),
    (b"0&\xb2u\x8ef\xcf\x11", "a Windows Media recording", VIDEO_HINT),
    (b"PK\3\4", "a ZIP archive or an office document", UNPACK_HINT),
    (b"PK\5\6", "an empty ZIP archive", UNPACK_HINT),
    (b"\x1f\x8b", "a gzip archive", UNPACK_HINT),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", UNPACK_HINT),
    (b"Rar!", "a RAR archive", UNPACK_HINT),
)
_UNKNOWN = Kind("of no known kind", code="not-a-picture", hint=NOT_A_PICTURE_HINT)
_HEIC_BRANDS = {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs", b"mif1", b"msf1"}


def sniff(data: bytes) -> Kind:
    """Tells what a file is from its content.

    Args:
        data: The file's bytes, at least one.

    Returns:
        Its kind; `Kind.format` is one of JPEG, PNG, WEBP, BMP, TIFF, GIF, AVIF, HEIC, or None.
    """
    for magic, name in _PICTURES:
        if data.startswith(magic):
            if name == "TIFF" and data[8:10] == b"CR":
                return Kind("a camera raw picture", hint=SAVE_AS)
            return Kind(f"a {name} picture", name)
    if data[:4] == b"RIFF":
        return _riff_kind(data)
    if data[4:8] == b"ftyp":
        return _ftyp_kind(data)
    if data[:2] == b"BM" and len(data) > 18 and struct.unpack_from("<I", data, 14)[0] in _BMP_HEADERS:
        return Kind("a BMP picture", "BMP")
    for magic, name, hint in _OTHERS:
        if data.startswith(magic):
            return Kind(name, hint=hint)
    if data[4:8] in (b"moov", b"mdat", b"wide", b"free", b"skip"):
        return Kind("a QuickTime video", hint=VIDEO_HINT)
    # Packets of an MPEG transport stream; camcorders put a time before each.
    if b"GGGG" in (data[0:565:188], data[4:581:192]):
        return Kind("a video", hint=VIDEO_HINT)
    if len(data) > 2 and data[0] == ord("P") and data[1] in b"1234567Ff" and data[2] in b" \t\r\n#":
        return Kind("a Netpbm picture", hint=SAVE_AS)
    return _text_kind(data)


_BMP_HEADERS = {12, 16, 40, 52, 56, 64, 108, 124}


def _riff_kind(data: bytes) -> Kind:
    if data[8:12] == b"WEBP":
        return Kind("a WebP picture", "WEBP")
    if data[8:12] == b"AVI ":
        return Kind("a video", hint=VIDEO_HINT)
    return Kind("a sound recording or another RIFF file", code="not-a-picture", hint=NOT_A_PICTURE_HINT)


def _ftyp_kind(data: bytes) -> Kind:
    end = min(int.from_bytes(data[:4], "big"), len(data), 256)
    brands = {data[8:12]} | {data[at : at + 4] for at in range(16, end - 3, 4)}
    if brands & {b"avif", b"avis"}:
        return Kind("an AVIF picture", "AVIF")
    if data[8:12] in _HEIC_BRANDS:
        return Kind("a HEIC picture", "HEIC")
    if data[8:12] == b"crx ":
        return Kind("a camera raw picture", hint=SAVE_AS)
    return Kind("a video", hint=VIDEO_HINT)


def _text_kind(data: bytes) -> Kind:
    head = data[:4096]
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        head = head[2:].replace(b"\0", b"")
    elif b"\0" in head:
        return _UNKNOWN
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if b"<svg" in start and start.startswith(b"<"):
        return Kind("an SVG drawing", hint=SAVE_AS)
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<body", b"<script")):
        return Kind(
            "a web page",
            code="not-a-picture",
            hint="The download probably saved the page around the picture; save the picture itself.",
        )
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)  # the last character may be cut
    except UnicodeDecodeError:
        return _UNKNOWN
    return Kind("text", code="not-a-picture", hint=NOT_A_PICTURE_HINT)
