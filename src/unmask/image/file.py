"""A path -> the file's bytes, or a refusal that says what is there instead.

Part of the decoder in `read.py`.
"""

from __future__ import annotations

import errno
import glob
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from unmask.errors import UnmaskError

if TYPE_CHECKING:
    from typing_extensions import TypeIs


def read_file(path: str | os.PathLike[str], max_bytes: int) -> bytes:
    """Reads a whole file, and looks at its size first.

    Args:
        path: A regular file, or a link to one.
        max_bytes: The most that is read into memory.

    Returns:
        Its bytes; none for an empty file.

    Raises:
        UnmaskError: ``missing``, ``broken-link``, ``is-a-folder``, ``not-a-file``, ``no-permission``,
            ``too-many-bytes`` or ``read-error``.
    """
    name = printable_name(path)
    with open_file(path, max_bytes) as file, _reading(path):
        size = os.fstat(file.fileno()).st_size
        data = file.read(size + 1)
        if len(data) > size:  # it grew meanwhile, or keeps no size, like the files in /proc
            data += file.read(max_bytes + 1 - len(data))
        if len(data) > max_bytes:
            raise too_many_bytes(name, len(data), max_bytes)
        return data


def is_stream(source: object) -> TypeIs[BinaryIO]:
    """Whether something is an open file, or can be read like one; `read_stream` refuses those in text mode."""
    return hasattr(source, "read")


def read_stream(file: BinaryIO, max_bytes: int) -> bytes:
    """Reads the rest of an open file, no more than `max_bytes`.

    Raises:
        UnmaskError: ``wrong-source`` for one that is open as text, ``too-many-bytes`` or ``read-error``.
    """
    name = "The file"
    try:
        data: object = file.read(max_bytes + 1)
    except UnicodeDecodeError:
        data = None
    except (OSError, ValueError) as failure:
        raise _cannot_be_read(name, failure) from failure
    if not isinstance(data, bytes):
        raise UnmaskError(
            "The file is not open in binary mode", hint='Open it with open(path, "rb").', code="wrong-source"
        )
    if len(data) > max_bytes:
        raise too_many_bytes(name, len(data), max_bytes)
    return data


def open_file(path: str | os.PathLike[str], max_bytes: int) -> BinaryIO:
    """Opens a file to read from, and looks at its size first; `read_file` says what is refused.

    Args:
        path: A regular file, or a link to one.
        max_bytes: Of the largest that is opened.
    """
    name = printable_name(path)
    with _reading(path):
        if not os.fspath(path):
            raise FileNotFoundError(errno.ENOENT, "no name")
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode) and not os.access(path, os.R_OK | os.X_OK):
            raise PermissionError(errno.EACCES, "a folder that may not be listed")
        _refuse_unless_regular(mode, name)
        # Looked at again once open: between the two, a name can come to mean something else. Without O_NONBLOCK,
        # opening a pipe would wait for a writer.
        file = open(path, "rb", opener=_open_without_waiting)  # noqa: SIM115  (the caller closes it)
        try:
            status = os.fstat(file.fileno())
            _refuse_unless_regular(status.st_mode, name)
            if status.st_size > max_bytes:
                raise too_many_bytes(name, status.st_size, max_bytes)
        except BaseException:
            file.close()
            raise
        return file


@contextmanager
def _reading(path: str | os.PathLike[str]) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as failure:
        raise _cannot_read(path, failure) from failure


def _open_without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _refuse_unless_regular(mode: int, name: str) -> None:
    if stat.S_ISDIR(mode):
        raise UnmaskError(
            f"{name} is a folder", hint="Give a picture, or check the folder's pictures one by one.", code="is-a-folder"
        )
    if not stat.S_ISREG(mode):
        raise UnmaskError(
            f"{name} is not a file but a pipe, a socket or a device",
            hint="Save the picture to a file and give that.",
            code="not-a-file",
        )


def _cannot_read(path: str | os.PathLike[str], failure: Exception) -> UnmaskError:
    name = printable_name(path)
    number = getattr(failure, "errno", None)
    if os.path.islink(path) and number in (errno.ENOENT, errno.ELOOP, errno.ENOTDIR):
        return UnmaskError(
            f"{name} is a link to something that is not there",
            hint="Mend the link, or give the picture itself.",
            code="broken-link",
        )
    if isinstance(failure, PermissionError):
        return UnmaskError(
            f"{name} may not be read by this user", hint="Change its permissions, or copy it.", code="no-permission"
        )
    if isinstance(failure, ValueError) or number in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP):
        return _missing(name)
    return _cannot_be_read(name, failure)


def _cannot_be_read(name: str, failure: Exception) -> UnmaskError:
    reason = getattr(failure, "strerror", None) or type(failure).__name__
    return UnmaskError(
        f"{name} could not be read: {reason}", hint="Check the disk, or copy the file and try again.", code="read-error"
    )


def _missing(name: str) -> UnmaskError:
    if re.match(r"[a-z]{2,}://", name, re.IGNORECASE):
        message, hint = f"{name} is an address, not a file", "Download the picture first, and give that file."
    elif glob.has_magic(name):
        message = f"There is no file {name}, and as a pattern it matches nothing"
        hint = "Check the folder you are in, and the pattern: **/*.jpg looks into folders, too."
    else:
        message, hint = f"There is no file {name or '(empty name)'}", "Check the spelling and the folder you are in."
    return UnmaskError(message, hint=hint, code="missing")


def too_many_bytes(name: str, size: int, max_bytes: int) -> UnmaskError:
    """The refusal of a file of `size` bytes, of which there may be more."""
    return UnmaskError(
        f"{name} is too large: {size / 1e6:,.1f} MB, at most {max_bytes / 1e6:,.1f} MB are read",
        hint="Save the picture smaller, as JPEG for instance.",
        code="too-many-bytes",
    )


def printable_name(path: str | os.PathLike[str]) -> str:
    """A file's name that can be shown anywhere: no control characters, no half characters."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in os.fsdecode(path))
