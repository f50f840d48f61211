"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def atomic_write(path: Path, mode: str = "wb", *, durable: bool = False, **options: Any) -> Iterator[IO[Any]]:
    """Open a file beside `path` to write to; it takes the place of `path` when the block ends, and never if it fails.

    The temporary name is unique, so that two programs that write one file do not meet in it: the last to finish wins, whole.

    Args:
        path: Where the file shall be. Its folder must exist.
        mode: "wb" or "w".
        durable: Whether the bytes are on the disk (fsync) before the name points to them, so that not even a loss of power
            leaves an empty file. For what cannot be made again in a moment.
        **options: For `open`, such as `newline` and `encoding` (default UTF-8 for text).

    Raises:
        OSError: If the folder cannot be written to, or the disk is full; `path` is as it was.

    Example:
        >>> with atomic_write(Path("numbers.csv"), "w") as file:  # doctest: +SKIP
        ...     file.write("1,2,3")
    """
    if "b" not in mode:
        options.setdefault("encoding", "utf-8")
    temporary = path.parent / f".{path.name[:40]}.{secrets.token_hex(8)}"
    opener = partial(os.open, mode=path.stat().st_mode & 0o777 if path.exists() else 0o666)
    try:
        with open(temporary, mode.replace("w", "x"), opener=opener, **options) as file:
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
        if path.exists():  # its mode, all of it, whatever new files may not allow
            temporary.chmod(path.stat().st_mode & 0o777)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if durable and os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def is_left_over(path: Path, *names: str) -> bool:
    """Whether a file is what a kill left of `atomic_write`, half-written.

    Args:
        path: The file.
        names: What was being written: names, or patterns of them such as "*.png".

    Example:
        >>> is_left_over(Path("run/.run.toml.x1_b3c"), "run.toml"), is_left_over(Path("run/run.toml"), "run.toml")
        (True, False)
    """
    return any(fnmatchcase(path.name, f".{name}.*") for name in names)


def sweep(folder: Path, *names: str) -> None:
    """Take away what kills left half-written, as `is_left_over` knows it. For a locked folder: nobody else may write there."""
    for path in folder.glob(".*"):
        if is_left_over(path, *names):
            path.unlink()
