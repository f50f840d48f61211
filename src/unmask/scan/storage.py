"""Where files are: on this machine, in an object store or on a web server. Lists, opens and reads them, and tries again.

Object stores and HDFS are pyarrow's own file systems; whatever else is named by an address is fsspec's.
"""

from __future__ import annotations

import re
import sys
import time
from fnmatch import fnmatchcase
from functools import lru_cache
from glob import has_magic
from typing import TYPE_CHECKING, Any, cast

from unmask.checking.paths import Listed, expand, listed
from unmask.errors import UnmaskError
from unmask.image.file import open_file as open_here
from unmask.image.file import printable_name, read_file, too_many_bytes
from unmask.image.limits import LIMITS
from unmask.image.sniff import sniff
from unmask.scan.place import ARROW, AZURE, HDFS, Place, is_store, place_of, scheme_of
from unmask.system.python import install_extra
from unmask.video.limits import CLIP_LIMITS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

# How often a read is tried that fails for a passing reason, and how long the first pause is, in seconds; each further one
# is twice as long. About 15 s in all, in which a store that asks to slow down has recovered.
TRIES = 6
FIRST_PAUSE = 0.5
# Of a failure that another try may mend; the rows of such are tried again by the next run.
UNREACHABLE = "unreachable"
_WEB = frozenset({"http", "https"})


def listed_places(names: Iterable[str], own: Iterable[str]) -> Iterator[tuple[Place, bool] | None]:
    """The files behind paths, folders, patterns and addresses, each with whether it is of this machine and named itself.

    Args:
        names: As typed.
        own: What this run writes, which is left out.

    Yields:
        None for each that was left out.

    Raises:
        UnmaskError: A folder of a store cannot be listed, or is not there.
    """
    local: list[str] = []
    for name in names:
        place = place_of(name)
        if place.root:
            yield from (found and (found, False) for found in _remote(place))
        else:
            local.append(place.path)
    for candidate in expand(local, outputs=own):
        yield None if candidate.left_out else (Place(candidate.path), candidate.named)


def _remote(place: Place) -> Iterator[Place | None]:
    if not is_store(place):
        yield place
        return
    from pyarrow.fs import FileSelector, FileType

    def look() -> list[str]:
        system = _system(place.root)
        there = system.get_file_info([place.path])[0].type
        if there == FileType.File:
            return [place.path]
        pattern = there == FileType.NotFound and has_magic(place.path)
        folder = re.split(r"[*\[]", place.path)[0].rpartition("/")[0] if pattern else place.path
        found = system.get_file_info(FileSelector(folder, recursive=True, allow_not_found=pattern))
        files = sorted(info.path for info in found if info.type == FileType.File)
        # As on this machine, a pattern that matches nothing is a file that is missing.
        return [path for path in files if fnmatchcase(path, place.path)] or [place.path] if pattern else files

    for path in _trying(look, place):
        hidden = path.rpartition("/")[2].startswith(".") and path != place.path
        yield None if hidden else place._replace(path=path)


def read(place: Place) -> bytes:
    """All of a picture or clip.

    Raises:
        UnmaskError: As `unmask.image.file.read_file`; ``unreachable`` where a store fails again and again.
    """
    if not place.root:
        return read_file(place.path, LIMITS.max_bytes)

    # Of web servers the answer as it comes: some tell no size, some give no parts, and to ask for either costs requests.
    options = {"block_size": 0, "size": 1} if scheme_of(place.root) in _WEB else {}

    def whole() -> bytes:
        with _opened(place, **options) as file:
            data = _up_to(4096, file)
            most = CLIP_LIMITS.max_bytes if sniff(data).is_clip else LIMITS.max_bytes
            data += _up_to(most + 1 - len(data), file)
            if len(data) > most:
                raise too_many_bytes(printable_name(place.name), len(data), most)
            return data

    return cast(bytes, _trying(whole, place))


def _up_to(size: int, file: Any) -> bytes:
    parts = []
    while size and (part := file.read(size)):  # a stream gives what is there
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def read_list(place: Place) -> list[Listed]:
    """The names in a list.

    Raises:
        UnmaskError: As `read`, and as `unmask.checking.paths.listed`.
    """

    def whole() -> bytes:
        with _opened(place) as file:
            return cast(bytes, file.read())

    return listed(_trying(whole, place))


def open_file(place: Place) -> Any:
    """A file to read from anywhere, as pyarrow and tarfile like it.

    Raises:
        UnmaskError: As `read`.
    """
    return _trying(lambda: _opened(place), place)


def _trying(work: Callable[[], Any], place: Place) -> Any:
    """What `work` returns, tried again after failures that pass; never a message of a library, in which a secret may stand."""
    shown, tries = printable_name(place.name), TRIES if place.root else 1
    for number in range(1, tries + 1):
        try:
            return work()
        except UnmaskError:
            raise
        except Exception as error:  # each library has types of its own
            cause = error.__cause__
            if scheme_of(place.root) in _WEB and isinstance(error, FileNotFoundError) and isinstance(cause, Exception):
                error = cause  # fsspec says of any failure that there is no file
            status = getattr(error, "status", None)
            if isinstance(error, (FileNotFoundError, UnicodeError)) or status in (404, 410):
                hint = "Check the address, and the folder you are in."
                raise UnmaskError(f"There is no file {shown}", hint=hint, code="missing") from None
            if isinstance(error, PermissionError) or status in (401, 403) or "ACCESS_DENIED" in str(error):
                hint = "Check who may read it, and which account is in use."
                raise UnmaskError(f"{shown} may not be read", hint=hint, code="no-permission") from None
            if number == tries:
                hint = "Check the connection and the address; the same command tries it again."
                what = f"{shown} could not be read: {type(error).__name__}, tried {number} times"
                raise UnmaskError(what, hint=hint, code=UNREACHABLE) from None
            time.sleep(FIRST_PAUSE * 2 ** (number - 1))
    raise AssertionError  # the last try returns or raises


def _opened(place: Place, **options: Any) -> Any:
    if not place.root:
        return open_here(place.path, sys.maxsize)
    scheme = scheme_of(place.root)
    if scheme in ARROW:
        return _system(place.root).open_input_file(place.path)
    try:
        import fsspec

        fsspec.get_filesystem_class(scheme)
    except (ImportError, ValueError):
        raise UnmaskError(
            f"addresses that begin with {scheme}:// cannot be read here",
            hint=f"Install what reads them, {install_extra('scan,cloud')}; but for http and https also fsspec's package.",
            code="no-package",
        ) from None
    if scheme in _WEB:  # where two colons mean nothing
        return fsspec.filesystem(scheme).open(place.path, **options)
    system, path = fsspec.core.url_to_fs(place.path)
    return system.open(path, **options)


@lru_cache(maxsize=64)
def _system(root: str) -> Any:
    from pyarrow.fs import FileSystem

    scheme = scheme_of(root)
    if root == f"{scheme}://" and scheme not in HDFS:
        raise UnmaskError(
            f"an address that begins with {scheme}:// names no bucket, or holds a secret that is not escaped",
            hint=f"Write {scheme}://bucket/path, and in a secret %2F for a slash.",
            code="bad-address",
        )
    if scheme in AZURE and not re.search("[@.:]", root.partition("://")[2].partition("?")[0]):
        raise UnmaskError(
            f"an address that begins with {scheme}:// names its account as well",
            hint=f"Write {scheme}://container@account.dfs.core.windows.net/path.",
            code="bad-address",
        )
    return FileSystem.from_uri(root)[0]
