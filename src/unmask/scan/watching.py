"""A hot folder: what lands in it is judged, once it has landed whole."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from unmask.checking.paths import DESKTOP_FILES, Candidate, expand
from unmask.errors import UnmaskError
from unmask.scan.judging import Asked, Judges
from unmask.scan.sources import Item
from unmask.scan.storage import Place
from unmask.system.python import install_extra

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path
    from threading import Event

    from unmask.scan.rows import Row

# A file counts as whole when neither its size nor its time has changed for so many seconds.
SETTLED = 1.0
# How often is looked whether one has, in milliseconds.
_TICK = 250


def watch_folder(folder: Path, asked: Asked, *, workers: int, stop: Event | None = None) -> Generator[Row]:
    """A row for every picture or clip that lands in a folder, or below it, from now on.

    Args:
        folder: To watch. What lies in it already is not judged; one that is written anew is judged anew.
        asked: Of the detector.
        workers: Processes that judge.
        stop: Ends the watch when it is set; None to go on until Ctrl-C.

    Raises:
        UnmaskError: There is no such folder, or the package watchfiles is not installed.
        KeyboardInterrupt: Ctrl-C.
    """
    if not folder.is_dir():
        hint = "Name the folder that pictures are put into."
        raise UnmaskError(f"there is no folder {folder}", hint=hint, code="missing")
    try:
        from watchfiles import Change, watch
    except ImportError:
        hint = f"Install it, {install_extra('scan')}"
        raise UnmaskError("the package watchfiles is not installed", hint=hint, code="no-package") from None
    landing: dict[str, tuple[tuple[int, int], float]] = {}  # size and time of change, and since when they are so
    ticks = watch(folder, watch_filter=None, stop_event=stop, rust_timeout=_TICK, yield_on_timeout=True)
    with Judges(asked, workers) as judges:
        for changes in ticks:
            for change, path in changes:
                if change is not Change.deleted and not _is_left_out(path):
                    # Of a folder that comes with files in it, only the folder itself is told.
                    whole = change is Change.added and os.path.isdir(path)
                    for landed in expand([path]) if whole else [Candidate(path)]:
                        if not landed.left_out:
                            landing.setdefault(landed.path, ((-1, -1), 0.0))
            yield from judges.rows([Item(Place(path).name, Place(path)) for path in _settled(landing)])


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


def _is_left_out(path: str) -> bool:
    name = os.path.basename(path)
    return name.startswith(".") or name.lower() in DESKTOP_FILES
