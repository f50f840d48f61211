"""One program at a time in a folder: the second is told who is there."""

from __future__ import annotations

import os
import re
import time
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from unmask.errors import UnmaskError

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCK = ".unmask.lock"
# A killed process is gone before the processes that it started notice it and let go.
PATIENCE_SECONDS = 5.0


@contextmanager
def locked(folder: Path, doing: str) -> Iterator[None]:
    """Hold a folder for the length of the block.

    The operating system keeps the lock (`flock`, on Windows `msvcrt.locking`), so that it goes with the process however that
    ends; the file `.unmask.lock` tells who holds it, and stays.

    Args:
        folder: The folder; made if absent.
        doing: What is done there, for the one who is refused: "unmask train".

    Raises:
        UnmaskError: If another process holds it, with the code "in-use".
        OSError: If the folder cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / LOCK, "a+", encoding="utf-8") as file:
        end = time.monotonic() + PATIENCE_SECONDS
        while not take_lock(file.fileno()):
            file.seek(0)
            holder = file.read().strip()
            if _is_gone(holder) and time.monotonic() < end:
                time.sleep(0.05)
                continue
            message = f"{folder} is in use: {holder or 'by another program'}"
            raise UnmaskError(message, hint="Wait until that has ended, or name another folder.", code="in-use")
        file.truncate(0)
        since = datetime.now().astimezone().isoformat(timespec="seconds")
        file.write(f"{doing}, process {os.getpid()}, since {since}\n")
        file.flush()
        yield


def _is_gone(holder: str) -> bool:
    """Whether the process that a lock names has ended; on Windows, where a lock ends with its process, never asked."""
    found = re.search(r"process (\d+)", holder)
    if os.name == "nt" or found is None:
        return False
    try:
        os.kill(int(found[1]), 0)
    except ProcessLookupError:
        return True
    except OSError:  # somebody else's
        pass
    return False


def take_lock(descriptor: int) -> bool:
    """Take the lock of an open file, to be kept until that is closed; False where another process holds it."""
    try:
        if os.name == "nt":
            import msvcrt

            place = os.lseek(descriptor, 0, os.SEEK_CUR)
            try:
                # A byte far behind the text, so that others can read that: the last that this call knows.
                os.lseek(descriptor, (1 << 31) - 2, os.SEEK_SET)
                msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
            finally:
                os.lseek(descriptor, place, os.SEEK_SET)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
