"""What is in a tar, read from its beginning to its end, as a stream from anywhere is."""

from __future__ import annotations

import tarfile
from dataclasses import replace
from posixpath import join, normpath
from typing import TYPE_CHECKING, Any

from unmask.errors import UnmaskError
from unmask.image.file import printable_name, too_many_bytes
from unmask.scan.place import Item, Place
from unmask.scan.storage import open_file
from unmask.video.limits import CLIP_LIMITS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

TARS = (".tar", ".tar.gz", ".tgz")
# What stands beside the pictures in a WebDataset.
NO_PICTURES = (".json", ".txt", ".cls", ".csv", ".npy")


class _Header(tarfile.TarInfo):
    """Takes nothing but a block of zeros for the end of a tar; tarfile takes any damaged header for one."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if buf and not any(buf):
                raise
            raise tarfile.ReadError(str(error)) from None


def _entries(place: Place) -> Iterator[tuple[str, tarfile.TarInfo, tarfile.TarFile]]:
    names: dict[str, int] = {}
    options: dict[str, Any] = {"mode": "r|*", "bufsize": 1 << 20, "tarinfo": _Header}
    with open_file(place) as file, tarfile.open(fileobj=file, **options) as archive:
        for member in archive:
            archive.members.clear()  # type: ignore[attr-defined,unused-ignore]  # a list that would grow with the file
            if member.isreg() or member.islnk() or member.issym():
                name = same = _inside(place, member.name)
                while name in names:  # the same name again is another picture
                    names[same] += 1
                    name = f"{same}#{names[same]}"
                names[name] = 1
                yield name, member, archive


def members(place: Place) -> Iterator[Item]:
    """What is to be judged in a tar: its files, and links to them. Whatever leads out of it is not followed.

    Raises:
        UnmaskError: As `unmask.scan.storage.open_file`.
        Exception: Of several types, for a tar that is damaged or breaks off.
    """
    # Links, by the path that they lead to: the name of each, and its own path. That file may be past, and so comes by once more.
    links: dict[str, list[tuple[str, str]]] = {}
    for name, member, archive in _entries(place):
        folder, _, base = member.name.rpartition("/")
        if base.startswith(".") or base.lower().endswith(NO_PICTURES):
            continue
        if member.isreg():
            yield _member(name, member, archive)
        else:
            leads_to = normpath(join(folder if member.issym() else "", member.linkname))
            links.setdefault(leads_to, []).append((name, normpath(member.name)))
    if links:
        for name, member, archive in _entries(place):
            path = normpath(member.name)
            if member.isreg() and path in links:
                found, same = _member(name, member, archive), [path]
                for known in same:  # grows: links lead to links
                    for link, own in links.pop(known, ()):
                        same.append(own)
                        yield replace(found, name=link)
            while path := path.rpartition("/")[0]:
                links.pop(path, None)  # what is in a folder has its rows already
    for link in (link for several in links.values() for link, _ in several):
        hint = "Pack the tar again with the file that it links to."
        message = f"{printable_name(link)} is a link to what is not in the tar"
        yield Item(link, failure=UnmaskError(message, hint=hint, code="broken-link"))


def _inside(place: Place, member: str) -> str:
    return Place(f"{place.name}#{member}").name


def _member(name: str, member: tarfile.TarInfo, archive: tarfile.TarFile) -> Item:
    content = archive.extractfile(member)
    if member.size > CLIP_LIMITS.max_bytes or content is None:
        return Item(name, failure=too_many_bytes(printable_name(name), member.size, CLIP_LIMITS.max_bytes))
    return Item(name, data=content.read())
