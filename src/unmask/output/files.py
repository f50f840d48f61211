"""Files that answers are written to: names that every file system takes, and what to say where one cannot be written."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from unmask.errors import UnmaskError
from unmask.output.wording import printable
from unmask.system.atomic import atomic_write

if TYPE_CHECKING:
    from collections.abc import Iterator

# File systems count bytes, most up to 255 and encrypted ones up to 143; the rest is for a number and what is shown.
STEM_BYTES = 80
# What Windows does not take in a name.
_SPECIAL = re.compile(r'[<>:"/\\|?*]')


def file_stem(name: str) -> str:
    """The name of a picture as a part of another file's name.

    Args:
        name: Of any length, with any letters; without folder and ending.

    Returns:
        At most 80 bytes of UTF-8, without control characters.

    Example:
        >>> file_stem("a\\x1b: " + 50 * "ü")[:5], len(file_stem(50 * "ü"))
        ('a__ ü', 40)
    """
    safe = _SPECIAL.sub("_", printable(name).replace("\N{REPLACEMENT CHARACTER}", "_"))
    return safe.encode("utf-8")[:STEM_BYTES].decode("utf-8", errors="ignore").rstrip(". ") or "_"


def report_place(path: Path) -> tuple[Path, bool]:
    """Where a report goes that was asked for at `path`.

    Returns:
        The file, behind any links, and False; or `path` as it is and True for a device or a pipe, which is written to and
        not replaced.
    """
    is_device = path.exists() and not path.is_file()
    return (path if is_device else Path(os.path.realpath(path))), is_device


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn a failure to write `path` into an `UnmaskError` with the code ``bad-output``.

    A broken pipe is none: its reader has seen enough.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise UnmaskError(
            f"cannot write {os.fspath(path)}: {error.strerror or error}",
            hint="Name a place with room that you may write to.",
            code="bad-output",
        ) from None


def write_file(path: Path, data: bytes) -> Path:
    """Write a file whole or not at all, and its folder if that is not there; a device or a pipe is not replaced.

    Returns:
        `path`.

    Raises:
        UnmaskError: It cannot be written.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        is_device = report_place(path)[1]
        with path.open("wb") if is_device else atomic_write(path) as file:
            file.write(data)
    return path
