"""Every text of a file in which a program may say what it made, whatever the format. Nothing is decoded, nothing raised.

JPEG (ITU-T T.81; JUMBF in APP11: ISO 19566-5, D.2), PNG (ISO/IEC 15948, 11.3.4), WebP (RFC 9649), GIF89a, TIFF 6.0, AVIF and
HEIC (ISO/IEC 14496-12); where Content Credentials lie in each: C2PA 2.1, A.3.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice

from unmask.image import heif, jpeg, png, webp
from unmask.image.exif import decoded, read_entries
from unmask.image.iptc import read_iim, read_resources
from unmask.image.limits import MAX_ALL_TEXT_BYTES, MAX_MANIFEST_BYTES, MAX_TEXT_BYTES
from unmask.image.xmp import read_xmp

_EXIF = {
    0x010E: "ImageDescription", 0x010F: "Make", 0x0110: "Model", 0x0131: "Software", 0x013B: "Artist",
    0x9286: "UserComment", 0x9C9B: "XPTitle", 0x9C9C: "XPComment", 0x9C9F: "XPSubject",
}  # fmt: skip
_TIFF_XMP, _TIFF_IPTC, _TIFF_PHOTOSHOP, _TIFF_C2PA = 700, 33723, 34377, 52545
_XMP, _XMP_MORE = b"http://ns.adobe.com/xap/1.0/\0", b"http://ns.adobe.com/xmp/extension/\0"
_PHOTOSHOP = b"Photoshop 3.0\0"
_APP1, _APP11, _APP13, _COMMENT = 0xE1, 0xEB, 0xED, 0xFE
_C2PA_BOX = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_MOST_PIECES = 20_000
_MOST_TEXTS = 300


@dataclass(frozen=True, slots=True)
class Text:
    """A text in a file.

    Attributes:
        holder: "PNG text", "EXIF", "XMP", "IPTC", "JPEG comment", "GIF comment" or, of clips, "Metadata".
        name: What it is called there; empty for comments.
        words: The text.
    """

    holder: str
    name: str
    words: str


@dataclass(slots=True)
class Said:
    """What a file says.

    Attributes:
        texts: In the order of the file, as far as they fit into `MAX_ALL_TEXT_BYTES`.
        manifest: The bytes of Content Credentials, not checked; or nothing.
    """

    texts: list[Text] = field(default_factory=list)
    manifest: bytes = b""
    _room: int = MAX_ALL_TEXT_BYTES

    def room_for(self, length: int) -> int:
        """How much of a text there is room for; that much of it is taken, whether the text is used or not."""
        fits = max(0, min(length, MAX_TEXT_BYTES, self._room))
        self._room -= fits
        return fits

    def add(self, holder: str, name: str, raw: bytes | str) -> None:
        """Takes down a text."""
        raw = raw[: self.room_for(len(raw))]
        if raw and len(self.texts) < _MOST_TEXTS:
            self.texts.append(Text(holder, name, decoded(raw) if isinstance(raw, bytes) else raw))

    def add_exif(self, block: bytes) -> None:
        """Takes down the texts of an EXIF block."""
        for tag, raw in read_entries(block, _EXIF, MAX_TEXT_BYTES).items():
            name = _EXIF[tag]
            self.add("EXIF", name, _user_comment(raw) if tag == 0x9286 else _wide(raw) if name[:2] == "XP" else raw)

    def add_xmp(self, packet: bytes) -> None:
        """Takes down the properties of an XMP packet."""
        packet = packet[: self.room_for(len(packet))]
        if packet and len(self.texts) < _MOST_TEXTS:
            self.texts += [Text("XMP", name, words) for name, words in read_xmp(packet)]

    def add_iptc(self, texts: list[tuple[str, bytes]]) -> None:
        """Takes down IPTC datasets."""
        for name, raw in texts:
            self.add("IPTC", name, raw)


def read_said(format_name: str, data: bytes) -> Said:
    """Collects the texts of a file.

    Args:
        format_name: One of the names that `sniff` gives.
        data: The whole file.
    """
    said = Said()
    # Whatever a stranger wrote beside the pixels, what was read until there is told, and the picture's answer stands.
    with suppress(Exception):
        if format_name in _READERS:
            _READERS[format_name](said, data)
    said.manifest = said.manifest[:MAX_MANIFEST_BYTES]
    return said


def _user_comment(raw: bytes) -> str:
    """EXIF 2.32, table 9; the byte order of UNICODE is that which gives letters, as writers take the one or the other."""
    if raw[:8] == b"UNICODE\0":
        return _wide(raw[8:])
    return decoded(raw[8:] if raw[:8] in (b"ASCII\0\0\0", b"JIS\0\0\0\0\0", bytes(8)) else raw)


def _wide(raw: bytes) -> str:
    # In Chinese, too, settings are in Latin letters; 一, which ends in a zero, is less common than these.
    big = raw[:2] == b"\xfe\xff" or (raw[:2] != b"\xff\xfe" and raw[::2].count(0) > raw[1::2].count(0))
    return raw.decode("utf-16-be" if big else "utf-16-le", "replace").strip("\0\ufeff")


def _jpeg(said: Said, data: bytes) -> None:
    more, photoshop = bytearray(), bytearray()
    boxes: dict[tuple[bytes, int], bytes] = {}
    for segment in jpeg.segments(data):
        if segment.marker in (jpeg.SOS, jpeg.EOI):
            break
        body = data[segment.start : segment.end]
        if segment.marker == _COMMENT:
            said.add("JPEG comment", "", body)
        elif segment.marker == _APP1 and body[:4] == b"Exif":
            said.add_exif(body)
        elif segment.marker == _APP1 and body.startswith(_XMP):
            said.add_xmp(body[len(_XMP) :])
        elif segment.marker == _APP1 and body.startswith(_XMP_MORE) and len(more) < MAX_TEXT_BYTES:
            more += body[len(_XMP_MORE) + 40 :]
        elif segment.marker == _APP13 and body.startswith(_PHOTOSHOP) and len(photoshop) < MAX_TEXT_BYTES:
            photoshop += body[len(_PHOTOSHOP) :]
        elif segment.marker == _APP11 and body[:2] == b"JP" and len(boxes) < 1_000:
            number = int.from_bytes(body[4:8], "big")
            boxes.setdefault((body[2:4], number), body[8 if number <= 1 else 16 :])
    said.add_xmp(bytes(more))
    said.add_iptc(read_resources(bytes(photoshop)))
    said.manifest = b"".join(box for _, box in sorted(boxes.items()))


def _png(said: Said, data: bytes) -> None:
    for name, start, end in islice(png.chunks(data), _MOST_PIECES):
        if name == b"eXIf":
            said.add_exif(data[start : min(end, start + MAX_TEXT_BYTES)])
        elif name == b"caBX":
            said.manifest = said.manifest or data[start:end]
        elif name in png.TEXTS and said._room > 0:
            keyword, words = png.read_text(name, data[start : min(end, start + MAX_TEXT_BYTES)])
            if words is None:
                said.room_for(MAX_TEXT_BYTES)  # may have been unpacked to that before the fault
            elif keyword == "XML:com.adobe.xmp":
                said.add_xmp(words)
            elif keyword.startswith("Raw profile type "):
                raw = png.raw_profile(words[: said.room_for(len(words))])
                _raw_profile(said, keyword.rpartition(" ")[2], raw)
            else:
                said.add("PNG text", keyword[:79], words)


def _raw_profile(said: Said, kind: str, raw: bytes) -> None:
    if kind in ("exif", "APP1") and raw[:4] != b"http":
        said.add_exif(raw)
    elif kind in ("xmp", "APP1"):
        said.add_xmp(raw)
    elif kind in ("iptc", "8bim"):
        said.add_iptc(read_resources(raw) or read_iim(raw))


def _webp(said: Said, data: bytes) -> None:
    for name, start, end in islice(webp.chunks(data, 12, len(data)), _MOST_PIECES):
        if name == b"EXIF":
            said.add_exif(data[start:end])
        elif name == b"XMP ":
            said.add_xmp(data[start:end])
        elif name == b"C2PA":
            said.manifest = said.manifest or data[start:end]


def _tiff(said: Said, data: bytes) -> None:
    if 43 in data[2:4]:  # BigTIFF, whose entries are of another size
        return
    said.add_exif(data)
    found = read_entries(data, (_TIFF_XMP, _TIFF_IPTC, _TIFF_PHOTOSHOP, _TIFF_C2PA), MAX_MANIFEST_BYTES)
    said.add_xmp(found.get(_TIFF_XMP, b""))
    said.add_iptc(read_iim(found.get(_TIFF_IPTC, b"")) or read_resources(found.get(_TIFF_PHOTOSHOP, b"")))
    said.manifest = found.get(_TIFF_C2PA, b"")


def _heif(said: Said, data: bytes) -> None:
    parts = heif.take_apart(data)
    said.add_exif(parts.exif)
    said.add_xmp(parts.xmp)
    for box in islice(heif.boxes(data, 0, len(data)), _MOST_PIECES):
        if box.kind == b"uuid" and data[box.start : box.start + 16] == _C2PA_BOX:
            said.manifest = said.manifest or data[box.start + 16 : box.end]


def _gif(said: Said, data: bytes) -> None:
    for kind, start, end in islice(_gif_extensions(data), 100):
        if kind == 0xFE:
            said.add("GIF comment", "", _gif_blocks(data, start, end))
        elif data[start + 1 : start + 12] == b"XMP DataXMP":  # counts its lengths as a part of itself
            said.add_xmp(data[start + 12 : min(end, start + MAX_TEXT_BYTES)])
        elif data[start + 1 : start + 9] == b"C2PA_GIF":
            said.manifest = said.manifest or _gif_blocks(data, start + 12, end)


def _gif_extensions(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Label of each comment and application extension, and where its blocks begin and end (GIF89a, 24 and 26)."""

    def colours(flags: int) -> int:
        return 3 << ((flags & 7) + 1) if flags & 128 else 0

    at = 13 + colours(data[10])
    for _ in range(_MOST_PIECES):
        mark, kind = data[at : at + 1], 0
        if mark == b"\x2c" and at + 11 < len(data):  # a frame
            at += 11 + colours(data[at + 9])
        elif mark == b"\x21" and at + 2 < len(data):
            kind = data[at + 1]
            at += 2
        else:
            return
        start = at
        while at < len(data) and data[at]:
            at += data[at] + 1
        if kind in (0xFE, 0xFF):
            yield kind, start, min(at, len(data))
        at += 1


def _gif_blocks(data: bytes, at: int, end: int) -> bytes:
    """What stands in blocks, each behind its length."""
    body = bytearray()
    while at < end and len(body) < MAX_MANIFEST_BYTES:
        body += data[at + 1 : at + 1 + data[at]]
        at += data[at] + 1
    return bytes(body)


_READERS = {
    "JPEG": _jpeg,
    "PNG": _png,
    "WEBP": _webp,
    "TIFF": _tiff,
    "AVIF": _heif,
    "HEIC": _heif,
    "GIF": _gif,
}
