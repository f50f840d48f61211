"""A hot folder: what lands in it is judged, once it has landed whole."""

from __future__ import annotations

import os
import stat
import time
from contextlib import suppress
from functools import partial
from itertools import chain
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from unmask.checking.paths import DESKTOP_FILES, Candidate, expand
from unmask.errors import UnmaskError
from unmask.scan.judging import Asked, Judges
from unmask.scan.place import Item, Place
from unmask.system.python import install_extra

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    from watchfiles import Change

    from unmask.scan.rows import Row

# A file counts as whole when neither its size nor its time has changed for so many seconds.
SETTLED = 1.0
# How often is looked whether one has, in milliseconds.
_TICK = 250
# By how much the times of files may lag behind the clock, in seconds.
_LAG = 0.1


def watch_folder(folder: Path, asked: Asked, *, workers: int, stop: Event | None = None) -> Generator[Row]:
    """A row for every picture or clip that lands in a folder, or below it, from the moment that this returns.

    Args:
        folder: To watch. What lies in it already is not judged; one that is written anew is judged anew. Links to other
            folders are left out.
        asked: Of the detector.
        workers: Processes that judge.
        stop: Ends the watch when it is set; None to go on until Ctrl-C.

    Raises:
        UnmaskError: There is no such folder, it cannot be watched or goes away, or the package watchfiles is not installed.
        KeyboardInterrupt: Ctrl-C.
    """
    if not folder.is_dir():
        hint = "Name the folder that pictures are put into."
        raise UnmaskError(f"there is no folder {folder}", hint=hint, code="missing")
    try:
        from watchfiles import watch
    except ImportError:
        hint = f"Install it, {install_extra('scan')}"
        raise UnmaskError("the package watchfiles is not installed", hint=hint, code="no-package") from None
    stop = stop or Event()
    begin = partial(
        watch,
        folder,
        watch_filter=None,
        stop_event=stop,
        rust_timeout=_TICK,
        yield_on_timeout=True,
        ignore_permission_denied=True,
    )
    ticks = _ticks(begin, folder, stop)
    identity = _identity(folder)
    begun = next(ticks, set())  # the watch begins here
    return _rows(chain([begun], ticks), folder, identity, asked, workers)


def _rows(
    ticks: Iterable[set[tuple[Change, str]]],
    folder: Path,
    identity: tuple[int, int] | None,
    asked: Asked,
    workers: int,
) -> Generator[Row]:
    its_path = os.path.abspath(folder)
    landing: dict[str, tuple[tuple[int, int], float]] = {}  # size and time of change, and since when they are so
    with Judges(asked, workers) as judges:
        for changes in ticks:
            for path in _landed(changes, folder):
                landing.setdefault(path, ((-1, -1), 0.0))
            yield from judges.rows([Item(Place(path).name, Place(path)) for path in _settled(landing)])
            # What is watched is the folder, not its name. A new one may have the number that the old one had.
            gone = any(change.name == "deleted" and os.path.abspath(path) == its_path for change, path in changes)
            if gone or _identity(folder) != identity:
                hint = "Give the command again when the folder is there, and scan what lies in it already."
                raise UnmaskError(f"the folder {folder} was taken away or replaced", hint=hint, code="missing")


def _ticks(
    begin: Callable[[], Iterable[set[tuple[Change, str]]]], folder: Path, stop: Event
) -> Iterator[set[tuple[Change, str]]]:
    """What changes. Of a name that is no UTF-8 watchfiles ends, and loses what it had yet to tell: then the folder is looked
    into, the watch begins anew, and what landed between the two is looked for as well."""
    since, lost = time.time(), False
    while not stop.is_set():
        try:
            for changes in begin():
                now = time.time() - _LAG
                yield changes | _changed(folder, since) if lost else changes
                since, lost = now, False
            return
        except RuntimeError:
            now = time.time() - _LAG
            yield _changed(folder, since)
            since, lost = now, True
            stop.wait(SETTLED)  # a folder of such a name below this one ends every watch at once
        except OSError as error:
            hint = "Check who may read it; on Linux also how many folders may be watched: sysctl fs.inotify.max_user_watches."
            raise UnmaskError(f"{folder} cannot be watched: {error}", hint=hint, code="not-watched") from None


def _changed(folder: Path, since: float) -> set[tuple[Change, str]]:
    """What has changed in a folder from a moment on, in seconds, by the times that its file system keeps."""
    from watchfiles import Change

    found = set()
    for where, folders, files in os.walk(folder):
        for path in (os.path.join(where, name) for name in (*folders, *files)):
            with suppress(OSError):
                status = os.lstat(path)
                # Of a folder both times move when a file comes into it, and one when the folder itself comes.
                comes = not stat.S_ISDIR(status.st_mode) or status.st_ctime_ns > status.st_mtime_ns
                if status.st_ctime >= since and comes:
                    found.add((Change.added, path))
    return found


def _landed(changes: set[tuple[Change, str]], folder: Path) -> Iterator[str]:
    for change, path in changes:
        if change.name != "deleted" and not _is_left_out(path, folder):
            # Of a folder that comes with files in it, only the folder itself is told.
            whole = change.name == "added" and os.path.isdir(path)
            for candidate in expand([path]) if whole else [Candidate(path)]:
                if not candidate.left_out:
                    yield candidate.path


def _settled(landing: dict[str, tuple[tuple[int, int], float]]) -> list[str]:
    """Takes out what has landed whole, and what is gone again."""
    whole = []
    for path, (before, since) in list(landing.items()):
        now = _state(path)
        if now is None:
            del landing[path]
        elif now != before:
            landing[path] = now, time.monotonic()
        elif time.monotonic() - since >= SETTLED:
            del landing[path]
            whole.append(path)
    return sorted(whole)


def _state(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return None if os.path.isdir(path) else (status.st_size, status.st_mtime_ns)


def _is_left_out(path: str, folder: Path) -> bool:
    name = os.path.basename(path)
    return name.startswith(".") or name.lower() in DESKTOP_FILES or _is_behind_link(path, folder)


def _is_behind_link(path: str, folder: Path) -> bool:
    """Whether it is a link to a folder, or below one; such may lead anywhere, and in circles."""
    parts = Path(os.path.relpath(path if os.path.isdir(path) else os.path.dirname(path), folder)).parts
    return any(folder.joinpath(*parts[:depth]).is_symlink() for depth in range(1, len(parts) + 1))


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        status = folder.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
