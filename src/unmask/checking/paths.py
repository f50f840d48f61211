"""What a person names -> the files to look at. Nothing is skipped in silence."""

from __future__ import annotations

import glob
import os
from typing import TYPE_CHECKING, NamedTuple

from unmask.errors import UnmaskError
from unmask.image.sniff import sniff

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Left behind in folders by desktops; nobody who names a folder means these.
DESKTOP_FILES = frozenset({"thumbs.db", "desktop.ini", "ehthumbs.db"})


class Candidate(NamedTuple):
    """A file to look at, or something that was left out: hidden, a desktop's own, a link or folder, an output.

    Attributes:
        path: Of the file.
        left_out: Whether it was.
        named: Whether a name or a pattern leads to it, and not only a folder above it.
    """

    path: str
    left_out: bool = False
    named: bool = False


class Listed(str):
    """A name that stood in a list."""

    __slots__ = ()


def expand(names: Iterable[str], *, outputs: Iterable[str | os.PathLike[str]] = ()) -> Iterator[Candidate]:
    """Files behind files, folders (recursively, sorted) and glob patterns.

    Args:
        names: As typed. A name that exists is never read as a pattern; a pattern that matches nothing is given back as
            it is, so that it is reported as missing.
        outputs: What this run writes itself: files are marked `left_out`, folders inside a folder are not entered.

    Yields:
        Every file once, in order, also where several names lead to it; a link to a file is a file of its own. In
        folders, hidden files, those that a desktop leaves behind and links to other folders (they may lead in circles)
        are marked `left_out`; so are folders that a pattern without ** matches. A folder that cannot be listed is given
        back as it is, so that it is reported.
    """
    own = {os.path.realpath(place) for place in outputs}
    every = list(names)
    if len(every) == 1:  # comes upon no file twice, so that nothing needs to be remembered
        yield from _behind(every[0], own)
        return
    folders = {name for name in every if os.path.isdir(name)}
    # Known beforehand, as a folder may come before the name of a file in it.
    alone = (name for name in every if folders and name not in folders)
    named = {_place(candidate.path) for name in alone for candidate in _behind(name, own)}
    seen: set[tuple[str, bool]] = set()
    for name in every:
        for candidate in _behind(name, own):
            # What a folder left out is looked at all the same where it is named as well.
            place = _place(candidate.path), candidate.left_out
            if place not in seen:
                seen.add(place)
                yield candidate._replace(named=candidate.named or place[0] in named)


def listed(data: bytes) -> list[Listed]:
    """The names in a list of paths, as other programs print it: one a line, or each ended by a zero byte.

    Args:
        data: All of the list. UTF-16 as Windows' PowerShell writes it, and byte order marks, are understood; a file name
            may hold a line break if names end with zero bytes (`find -print0`).

    Raises:
        UnmaskError: This is a picture and no list, or on Windows not in UTF-8. Code `wrong-source`.
    """
    if data and sniff(data).format is not None:
        raise UnmaskError(
            "standard input is a picture, and - reads a list of paths",
            hint="Save the picture to a file and give its name.",
            code="wrong-source",
        )
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _named(data.decode("utf-16", errors="replace").splitlines())
    if b"\n\0" in data and not any(data[1::2]):
        return _named(data.decode("utf-16-le", errors="replace").splitlines())
    data = data.removeprefix(b"\xef\xbb\xbf")
    lines = data.split(b"\0") if b"\0" in data else data.splitlines()
    try:
        return _named([os.fsdecode(line) for line in lines])
    except UnicodeDecodeError:  # on Windows only, whose command prompt writes in a code page of its own
        raise UnmaskError(
            "the list of paths is not in UTF-8", hint="Run `chcp 65001` first, and list again.", code="wrong-source"
        ) from None


def _named(lines: list[str]) -> list[Listed]:
    return [Listed(line) for line in lines if line.strip()]


def _place(path: str) -> str:
    folder, last = os.path.split(path)
    return os.path.join(os.path.realpath(folder), last)


def _behind(name: str, own: set[str]) -> Iterator[Candidate]:
    if os.path.isdir(name):
        yield from _walk(name, own)
    elif os.path.lexists(name) or not glob.has_magic(name):
        yield Candidate(name, _is_among(name, own), named=True)
    else:
        matches = sorted(set(glob.glob(name, recursive=True)))  # with two ** a file comes several times
        if not matches:
            yield Candidate(name, named=True)
        for match in matches:
            if not os.path.isdir(match):
                yield Candidate(match, _is_among(match, own), named=True)
            elif "**" not in name:
                yield Candidate(match, left_out=True)


def _walk(folder: str, own: set[str]) -> Iterator[Candidate]:
    unlisted: list[str] = []
    for where, folders, files in os.walk(folder, onerror=lambda error: unlisted.append(error.filename)):
        folders[:] = sorted(name for name in folders if os.path.realpath(os.path.join(where, name)) not in own)
        for name in folders:
            link = os.path.join(where, name)
            if os.path.islink(link):
                yield Candidate(link, left_out=True)
        for name in sorted(files):
            path = os.path.join(where, name)
            hidden = name.startswith(".") or name.lower() in DESKTOP_FILES
            yield Candidate(path, hidden or _is_among(path, own))
        yield from map(Candidate, unlisted)
        unlisted.clear()
    yield from map(Candidate, unlisted)


def _is_among(path: str, own: set[str]) -> bool:
    return bool(own) and os.path.realpath(path) in own
