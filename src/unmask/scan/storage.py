"""Where files are: on this machine, in an object store or on a web server. Lists, opens and reads them, and tries again.

Object stores and HDFS are pyarrow's own file systems; whatever else is named by an address is fsspec's. What a person sees of
an address holds no password and no signature.
"""

from __future__ import annotations

import hashlib
import re
import sys
import time
from fnmatch import fnmatchcase
from functools import lru_cache
from glob import has_magic
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from unmask.checking.paths import Listed, expand, listed
from unmask.errors import UnmaskError
from unmask.image.file import open_file as open_here
from unmask.image.file import printable_name, read_file, too_many_bytes
from unmask.image.limits import LIMITS
from unmask.image.sniff import sniff
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
# pyarrow's own; the others are fsspec's.
_HDFS = frozenset({"hdfs", "viewfs"})
_ARROW = _HDFS | {"s3", "gs", "gcs", "abfs", "abfss"}
_WEB = frozenset({"http", "https"})
_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+)://", re.IGNORECASE)
_PARAMETER = re.compile(r"(?<=[?&])([^=&]+)=([^&]*)")
# Names of parameters whose value is hidden; "design", "author" and "keyword" are none.
_SECRET = re.compile(
    r"sig(?![a-z])|signature|token|keys?(?:id)?(?![a-z])|cred|secret|pass|pwd|auth(?!or(?!i))|jwt|hmac|bearer",
    re.IGNORECASE,
)
# Of these not even a hash is shown: what changes when the same file is signed anew, and passwords, which a hash lets guess.
_NO_HASH = re.compile(
    r"X-(?:Amz|Goog)-.*|(?i:signature|sig)|Expires|Policy|Key-Pair-Id|AWSAccessKeyId|GoogleAccessId"
    r"|(?i:.*(?:passw|passphrase|pwd).*|pass)"
)
_HOST = re.compile(r"(?:\[[^\]]*\]|[^:]*)(?::\d*)?")


class Place(NamedTuple):
    """A file or a folder.

    Attributes:
        path: As its file system names it.
        root: What that is opened by, such as "s3://bucket?region=eu-north-1"; empty for this machine.
    """

    path: str
    root: str = ""

    @property
    def name(self) -> str:
        """What a person sees, and what a row is known by: valid text without any secret."""
        shown = self.path
        if is_store(self):
            shown = f"{_scheme(self.root)}://{shown}"
        elif self.root:
            shown = _PARAMETER.sub(_hidden, _without_account(shown))
        return shown.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")

    def ends(self, endings: str | tuple[str, ...]) -> bool:
        """Whether the file's name ends so, in small letters."""
        return (self.path.partition("?")[0] if self.root else self.path).lower().endswith(endings)

    def beside(self, name: str) -> Place:
        """What a list at this place means by `name`: an address, or a path; of lists in a store, from the list's folder."""
        if not self.root or _ADDRESS.match(name) or name.startswith("/"):
            return place_of(name)
        return self._replace(path=f"{self.path.rpartition('/')[0]}/{name}")


def place_of(name: str) -> Place:
    """The place that a path or an address names."""
    address = _ADDRESS.match(name)
    if address is None:
        return Place(name)
    scheme, rest = address[1].lower(), name[address.end() :]
    if scheme == "file":
        return Place(rest)
    if scheme not in _ARROW:
        return Place(name, f"{scheme}://")
    location, question, options = rest.partition("?")
    authority, _, key = location.partition("/")
    if scheme not in _HDFS and ":" in authority and "@" not in authority and "@" in key:
        # A secret with a slash in it; `_system` refuses it.
        return Place(f"...@{key.rpartition('@')[2]}", f"{scheme}://")
    bucket = authority.rpartition("@")[2]
    path = f"/{key}" if scheme in _HDFS else f"{bucket}/{key}".rstrip("/")
    return Place(path, f"{scheme}://{authority}{question}{options}")


def _without_account(address: str) -> str:
    scheme, _, rest = address.partition("://")
    if scheme.lower() in ("git", "github"):  # there it is the repository
        return address
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    if "@" in authority:
        return f"{scheme}://{rest[authority.rindex('@') + 1 :]}"
    if "@" in rest and not _HOST.fullmatch(authority):  # a password with a slash in it
        return f"{scheme}://...@{rest.rpartition('@')[2]}"
    return address


def _hidden(parameter: re.Match[str]) -> str:
    name, value = parameter.groups()
    if _NO_HASH.fullmatch(name):
        return f"{name}=..."
    if not _SECRET.search(name):
        return parameter[0]
    # Two pictures may differ by this alone.
    return f"{name}=...{hashlib.sha256(value.encode('utf-8', 'surrogateescape')).hexdigest()[:12]}"


def is_store(place: Place) -> bool:
    """Whether it is in an object store or in HDFS, rather than on this machine or on a web server."""
    return _scheme(place.root) in _ARROW


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
    options = {"block_size": 0, "size": 1} if _scheme(place.root) in _WEB else {}

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
            if _scheme(place.root) in _WEB and isinstance(error, FileNotFoundError) and isinstance(cause, Exception):
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


def _scheme(root: str) -> str:
    return root.partition("://")[0]


def _opened(place: Place, **options: Any) -> Any:
    if not place.root:
        return open_here(place.path, sys.maxsize)
    scheme = _scheme(place.root)
    if scheme in _ARROW:
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

    scheme = _scheme(root)
    if root == f"{scheme}://" and scheme not in _HDFS:
        raise UnmaskError(
            f"an address that begins with {scheme}:// names no bucket, or holds a secret that is not escaped",
            hint=f"Write {scheme}://bucket/path, and in a secret %2F for a slash.",
            code="bad-address",
        )
    return FileSystem.from_uri(root)[0]
