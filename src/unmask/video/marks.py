"""Where a clip's file says itself that it was made, or edited, by AI. As for pictures: `unmask.image.marks` has the rules.

Nothing is decoded and nothing raised. What is read: MP4 and MOV (ISO/IEC 14496-12; Apple's QuickTime File Format, "User data
atoms" and "Metadata"; XMP: ISO 16684-3; Content Credentials: C2PA 2.1, A.5), WebM and Matroska (RFC 9559, tags and segment
information), and pictures that move.
"""

from __future__ import annotations

import struct
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO

from unmask.image.limits import MAX_MANIFEST_BYTES, MAX_TEXT_BYTES
from unmask.image.marks import marks_of, read_marks
from unmask.image.said import Said
from unmask.video.kinds import MOST_READ

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unmask.image.sniff import Kind
    from unmask.origin import Mark

# Boxes or elements that are looked at. A clip that is written as it is recorded has two boxes, or one cluster, a second.
MOST_PARTS = 20_000
HOLDER = "Metadata"
_C2PA, _XMP = bytes.fromhex("d8fec3d61b0e483c92975828877ec481"), bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
# Of QuickTime's and of iTunes's tags those in which programs and makers stand; other names are kept as they are.
_NAMES = {
    b"\xa9too": "encoder", b"\xa9enc": "encoder", b"\xa9swr": "software", b"\xa9mak": "make", b"\xa9cmt": "comment",
    b"\xa9des": "description", b"desc": "description", b"\xa9nam": "title", b"\xa9ART": "artist", b"\xa9aut": "author",
}  # fmt: skip
_APPLE = "com.apple.quicktime."
_EBML = b"\x1a\x45\xdf\xa3"
_SEGMENT, _INFO, _TAGS, _TAG, _SIMPLE_TAG = 0x18538067, 0x1549A966, 0x1254C367, 0x7373, 0x67C8
_WRITING_APP, _TITLE, _TAG_NAME, _TAG_STRING = 0x5741, 0x7BA9, 0x45A3, 0x4487


def read_clip_marks(file: BinaryIO, kind: Kind) -> tuple[Mark, ...]:
    """Looks for marks of generators.

    Args:
        file: A clip; it is left anywhere.
        kind: As `unmask.video.kinds` gives it.

    Returns:
        As `unmask.image.marks.read_marks`.
    """
    file.seek(0)
    if kind.format:
        return read_marks(kind.format, file.read(MOST_READ))
    said = Said()
    # Whatever a stranger wrote beside the frames, what was read until there is told, and the clip's answer stands.
    with suppress(Exception):
        is_matroska = file.read(4) == _EBML
        end = file.seek(0, 2)
        (_matroska if is_matroska else _boxes)(said, file, 0, end, iter(range(MOST_PARTS)))
    return marks_of(said)


def _boxes(said: Said, file: BinaryIO, at: int, end: int, left: Iterator[int]) -> None:
    """The boxes of an MP4 or MOV file, or those in one of them; `left` has an item for each that may still be looked at."""
    for _, (name, start, behind) in zip(left, _children(file, at, end), strict=False):
        if name in (b"moov", b"udta"):
            _boxes(said, file, start, behind, left)
        elif name == b"meta":
            _meta(said, file, start, behind, left)
        elif name == b"uuid":
            what = _read(file, start, start + 16, 16)
            if what == _XMP:
                said.add_xmp(_read(file, start + 16, behind, MAX_TEXT_BYTES))
            elif what == _C2PA:
                said.manifest = said.manifest or _read(file, start + 16, behind, MAX_MANIFEST_BYTES)
        elif name == b"XMP_":
            said.add_xmp(_read(file, start, behind, MAX_TEXT_BYTES))
        elif name in _NAMES:  # a length and a language before the words
            words = _read(file, start, behind, MAX_TEXT_BYTES)
            said.add(HOLDER, _NAMES[name], words[4 : 4 + int.from_bytes(words[:2], "big")])


def _meta(said: Said, file: BinaryIO, at: int, end: int, left: Iterator[int]) -> None:
    """Tags by name (iTunes) or by number (`keys`). In MP4, but not in MOV, a version of 4 bytes stands before the boxes."""
    at += 4 if _read(file, at, end, 8)[4:] != b"hdlr" else 0
    parts = {name: (start, behind) for _, (name, start, behind) in zip(left, _children(file, at, end), strict=False)}
    keys: list[str] = []
    if b"keys" in parts:
        start, behind = parts[b"keys"]
        found = zip(left, _children(file, start + 8, behind), strict=False)
        keys = [_read(file, first, last, 200).decode("utf-8", "replace") for _, (_, first, last) in found]
    for _, (name, start, behind) in zip(left, _children(file, *parts.get(b"ilst", (0, 0))), strict=False):
        number = int.from_bytes(name, "big")
        told = keys[number - 1].removeprefix(_APPLE) if 0 < number <= len(keys) else _NAMES.get(name, "")
        for _, (kind, first, last) in zip(left, _children(file, start, behind), strict=False):
            if kind == b"name":  # of a tag of one's own, `----`
                told = _read(file, first + 4, last, 200).decode("utf-8", "replace")
            elif kind == b"data" and told:
                said.add(HOLDER, told, _read(file, first + 8, last, MAX_TEXT_BYTES))


def _children(file: BinaryIO, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Name of each box between two places, and where its content begins and ends."""
    while at + 8 <= end:
        head = _read(file, at, end, 16)
        size, name = struct.unpack_from(">I4s", head)
        start = at + 8
        if size == 1 and len(head) == 16:
            size, start = int.from_bytes(head[8:], "big"), at + 16
        behind = end if size == 0 else at + size
        if behind < start:
            return
        yield name, start, min(behind, end)
        at = behind


def _matroska(said: Said, file: BinaryIO, at: int, end: int, left: Iterator[int]) -> None:
    """The elements of a WebM or Matroska file, or those in one of them."""
    name = ""
    for _, (kind, start, behind) in zip(left, _elements(file, at, end), strict=False):
        if kind in (_SEGMENT, _INFO, _TAGS, _TAG, _SIMPLE_TAG):
            _matroska(said, file, start, behind, left)
        elif kind == _TAG_NAME:
            name = _read(file, start, behind, 200).decode("utf-8", "replace")
        elif kind in (_WRITING_APP, _TITLE, _TAG_STRING):
            told = {_WRITING_APP: "encoder", _TITLE: "title"}.get(kind, name)
            # Names of tags are in capitals, whatever they were called before.
            said.add(HOLDER, told if told == "AIGC" else told.lower(), _read(file, start, behind, MAX_TEXT_BYTES))


def _elements(file: BinaryIO, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Name of each element between two places, and where its content begins and ends (RFC 8794)."""
    while at + 2 <= end:
        head = _read(file, at, end, 12)
        long = 9 - head[0].bit_length()
        size_long = 9 - head[long].bit_length()
        size = int.from_bytes(head[long : long + size_long], "big") & (1 << 7 * size_long) - 1
        start = at + long + size_long
        if long > 4 or size_long > 8 or start > end:
            return
        is_open = size == (1 << 7 * size_long) - 1  # its size was not known when it was begun
        behind = end if is_open else start + size
        yield int.from_bytes(head[:long], "big"), start, min(behind, end)
        at = behind


def _read(file: BinaryIO, start: int, end: int, most: int) -> bytes:
    file.seek(start)
    return file.read(max(0, min(end - start, most)))
