"""The few properties of an XMP packet that tell how a picture was made (ISO 16684-1; IPTC Photo Metadata 2025.1).

Expat reads it as it comes, so that a packet that is cut off or odd says what it says until there. One that declares a
document type is not read at all: nothing is ever expanded, and nothing fetched.
"""

from __future__ import annotations

from contextlib import suppress
from xml.parsers import expat

from unmask.image.limits import MAX_TEXT_BYTES

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
# A part of the namespace, and the properties' names in it.
_WANTED = {
    "/Iptc4xmpExt/": ("DigitalSourceType", "DigitalSourceFileType", "AISystemUsed"),
    "/photoshop/": ("Credit", "Source"),
    "/xap/": ("CreatorTool",),
    "/dc/elements/": ("description", "creator"),
    "/exif/": ("UserComment",),
    "/tiff/": ("Software", "Make", "Artist", "ImageDescription"),
    "tc260.org.cn/": ("AIGC",),
}
_NAMES = frozenset(name for names in _WANTED.values() for name in names)
# These tell of other pictures, from which this one was made.
_OF_OTHERS = ("Pantry", "Ingredients", "DerivedFrom", "History")
_DEEPEST = 60
_MOST = 50


class _StoppedError(Exception):
    """A packet that is read no further."""


def read_xmp(packet: bytes) -> list[tuple[str, str]]:
    """The properties that tell how a picture was made.

    Args:
        packet: XML in UTF-8 or UTF-16; may be broken, hostile or empty.

    Returns:
        Name, without its namespace, and value of each, as far as they can be read; at most 50.
    """
    start = packet.find(b"<")
    if start < 0:
        return []
    if packet[start + 1 : start + 2] == b"\0" or packet[:2] in (b"\xfe\xff", b"\xff\xfe"):
        start = 0  # UTF-16
    reader = _Reader()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = reader.begin
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = reader.refuse
    parser.EntityDeclHandler = reader.refuse
    with suppress(_StoppedError, expat.ExpatError, ValueError, LookupError):  # what was read until there stands
        parser.Parse(packet[start : start + MAX_TEXT_BYTES], True)
    return reader.found[:_MOST]


class _Reader:
    def __init__(self) -> None:
        self.found: list[tuple[str, str]] = []
        self._path: list[str] = []
        self._others = 0
        self._open: list[str] = []
        self._depth = 0

    def refuse(self, *_: object) -> None:
        self.found.clear()
        raise _StoppedError

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        self._path.append(name)
        if len(self._path) > _DEEPEST or len(self.found) > _MOST:
            raise _StoppedError
        self._others += name.endswith(_OF_OTHERS)
        if self._others:
            return
        for attribute, value in attributes.items():
            if wanted := _wanted(attribute):
                self.found.append((wanted, value))
        if wanted := _wanted(name):
            self._open, self._depth = [], len(self._path)
            if resource := attributes.get(f"{_RDF} resource"):
                self.found.append((wanted, resource))

    def end(self, name: str) -> None:
        whole = self._depth and len(self._path) == self._depth
        if whole or (self._depth and name == f"{_RDF} li"):  # each author, or language, is a value of its own
            if value := "".join(self._open).strip():
                self.found.append((_wanted(self._path[self._depth - 1]), value))
            self._open = []
        if whole:
            self._depth = 0
        self._others -= name.endswith(_OF_OTHERS)
        self._path.pop()

    def text(self, words: str) -> None:
        if self._depth and not self._others:
            self._open.append(words)


def _wanted(name: str) -> str:
    """The name without its namespace where it is one of `_WANTED`; empty otherwise."""
    space, _, local = name.rpartition(" ")
    return local if local in _NAMES and any(part in space and local in names for part, names in _WANTED.items()) else ""
