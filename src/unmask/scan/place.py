"""What a person names -> where it is, and how that is shown: as valid text that holds no password and no signature."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from unmask.errors import UnmaskError

HDFS = frozenset({"hdfs", "viewfs"})
AZURE = frozenset({"abfs", "abfss"})
# Read by pyarrow itself; what begins with anything else is read by fsspec.
ARROW = HDFS | AZURE | {"s3", "gs", "gcs"}
# What stands before the @ is a container, a bucket or an account's name, and part of where something is.
_NAMED_BEFORE_AT = AZURE | {"az", "adl", "wasb", "wasbs", "oci"}
# An @ is part of the name of a file or a repository.
_NO_ACCOUNT = frozenset({"git", "github", "zip", "tar"})
_AZURE_HOSTS = (".dfs.core.windows.net", ".blob.core.windows.net")
# fsspec's own addresses can be chained, as in zip://a.png::https://host/b.zip.
_NEXT = re.compile(r"::(?=[a-z][a-z0-9+.-]+://)", re.IGNORECASE)
_ADDRESS = re.compile(rf"([a-z][a-z0-9+.-]+)(?:://|{_NEXT.pattern})", re.IGNORECASE)
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
# What may as well be an account and the beginning of its password.
_LIKE_A_PORT = re.compile(r"(?!(?:localhost|\d+(?:\.\d+){3}):)[^:\[]+:\d*", re.IGNORECASE)
# What may follow an account, unlike the rest of a name such as pkg@1.2.3/a.jpg or a@2x.jpg.
_HOST_AND_PATH = re.compile(r"(?!\d*(?:\.\d+){0,2}/)[^/?#]+/")


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
        shown, scheme = self.path, scheme_of(self.root)
        if scheme in AZURE:
            authority, container = _azure(self.root.partition("://")[2].partition("?")[0])
            inside = shown.removeprefix(container).lstrip("/")
            shown = f"{scheme}://{'/'.join(filter(None, (authority, inside)))}"
        elif is_store(self):
            shown = f"{scheme}://{shown}"
        elif self.root:
            shown = _PARAMETER.sub(_hidden, without_account(shown))
        return shown.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")

    def ends(self, endings: str | tuple[str, ...]) -> bool:
        """Whether the file's name ends so, in small letters."""
        return (self.path.partition("?")[0] if self.root else self.path).lower().endswith(endings)

    def beside(self, name: str) -> Place:
        """What a list at this place means by `name`: an address, or a path; of lists in a store, from the list's folder."""
        if not self.root or _ADDRESS.match(name) or name.startswith("/"):
            return place_of(name)
        return self._replace(path=f"{self.path.rpartition('/')[0]}/{name}")


@dataclass(frozen=True, slots=True)
class Item:
    """One picture or clip.

    Attributes:
        name: What its row is known by: a path, an address, `shard.tar#member`, or `table.parquet#row`, rows from 0.
        place: Where to read it; None where `data` is at hand.
        data: The bytes of the file.
        failure: Why it cannot be read.
    """

    name: str
    place: Place | None = None
    data: bytes | None = None
    failure: UnmaskError | None = None


def place_of(name: str) -> Place:
    """The place that a path or an address names."""
    address = _ADDRESS.match(name)
    if address is None:
        return Place(name)
    scheme, rest = address[1].lower(), name[address.end() :]
    if scheme == "file":
        return place_of(rest)
    if scheme not in ARROW:
        return Place(name, f"{scheme}://")
    location, question, options = rest.partition("?")
    authority, _, key = location.partition("/")
    if scheme not in HDFS and ":" in authority and "@" not in authority and "@" in key:
        # A secret with a slash in it; `_system` refuses it.
        return Place(f"...@{key.rpartition('@')[2]}", f"{scheme}://")
    bucket = _azure(authority)[1] if scheme in AZURE else authority.rpartition("@")[2]
    path = f"/{key}" if scheme in HDFS else f"{bucket}/{key}".strip("/")
    return Place(path, f"{scheme}://{authority}{question}{options}")


def without_account(address: str) -> str:
    """An address without the account that it is opened by; of fsspec's chains, without those of all its parts."""
    return "::".join(map(_part_without_account, _NEXT.split(address)))


def _part_without_account(address: str) -> str:
    scheme, _, rest = address.partition("://")
    if scheme.lower() in _NO_ACCOUNT:
        return address
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    if "@" in authority:
        user, _, host = authority.rpartition("@")
        name = user.partition(":")[0] if scheme.lower() in _NAMED_BEFORE_AT else ""
        return f"{scheme}://{name}{name and '@'}{host}{rest[len(authority) :]}"
    _, at, behind = rest.rpartition("@")
    # A password with a slash in it; what stands before that may look like a port.
    is_port = _HOST.fullmatch(authority) and not (_LIKE_A_PORT.fullmatch(authority) and _HOST_AND_PATH.match(behind))
    return f"{scheme}://...@{behind}" if at and not is_port else address


def _azure(authority: str) -> tuple[str, str]:
    """What is shown of an authority, and the container, if that is named there: as pyarrow reads it.

    `container@account.dfs.core.windows.net`, `account@container`, or a host of which the path names the container.
    """
    user, _, host = authority.rpartition("@")
    name = user.partition(":")[0]
    container = host if not re.search("[.:]", host) else name if host.endswith(_AZURE_HOSTS) else ""
    return f"{name}@{host}" if name else host, container


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
    return scheme_of(place.root) in ARROW


def scheme_of(root: str) -> str:
    """The kind of what a place is opened by, such as "s3"; empty for this machine."""
    return root.partition("://")[0]
