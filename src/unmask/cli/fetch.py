"""Pictures from addresses on the web, for `unmask check --fetch`: the one place where Unmask asks another host.

Nothing inside of a machine's own networks is asked, whatever a name or a redirect says: names are looked up first, and the
connection goes to the very number that was checked. No proxy, no cookie and no password is used.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import tempfile
import threading
import time
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from unmask import __version__
from unmask.cli.paths import SAVE_IT, is_address
from unmask.errors import UnmaskError
from unmask.finding import Failure
from unmask.image.limits import LIMITS
from unmask.scan.place import without_account

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_REDIRECTS = 5
# To connect to a host, and then again for its answer.
SECONDS = 30.0
PORTS = {"http": 80, "https": 443}
# IPv6 behind which an IPv4 number of one of a machine's own networks could hide, and such networks of old.
HIDING = [
    ipaddress.ip_network(net)
    for net in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96", "fec0::/10")
]
HEADERS = {"User-Agent": f"unmask/{__version__}", "Accept": "image/*, video/*", "Accept-Encoding": "identity"}
# What stands in an address as it is.
SAFE = "/%:@!$&'()*+,;=~?"


class Fetched(AbstractContextManager["Fetched"]):
    """Files in the place of addresses, in a folder that is there for the length of a run.

    Attributes:
        names: Those given, with a file for each address; one that could not be fetched is not there.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="unmask-")
        self._of: dict[str, tuple[str, UnmaskError | None]] = {}
        self.names = [self._file(name) if is_address(name) else name for name in names]

    def _file(self, address: str) -> str:
        path, error = Path(self._folder.name) / str(len(self._of)), None
        try:
            path.write_bytes(fetch(address))
        except UnmaskError as why:
            error = why
        self._of[str(path)] = without_account(address), error
        return str(path)

    def named(self, examined: Any) -> Any:
        """An answer under the address that was asked for, and with the reason where it could not be fetched."""
        address, error = self._of.get(examined.finding.path, (examined.finding.path, None))
        failure = Failure(error.code, error.message, error.hint) if error else examined.finding.failure
        if failure:
            failure = replace(failure, message=failure.message.replace(examined.finding.path, address))
        return replace(examined, finding=replace(examined.finding, path=address, failure=failure))

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()


def fetch(address: str) -> bytes:
    """What is at an address.

    Raises:
        UnmaskError: It is not public, does not answer in time or with a file, or the file is too large. Code `not-fetched`.
    """
    for _ in range(1 + MOST_REDIRECTS):
        try:
            status, place, data = _get(_checked(address))
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise _refusal(f"{address} could not be fetched: {str(error) or 'it took too long'}") from None
        if status not in (301, 302, 303, 307, 308) or not place:
            break
        # Headers are read as Latin-1; a place in raw UTF-8 is asked for in the very bytes that were sent.
        address = urljoin(address, quote(place, safe=f"{SAFE}#[]", encoding="latin-1"))
    else:
        raise _refusal(f"{without_account(address)} leads on and on to other addresses")
    if status != 200:
        raise _refusal(f"{address} could not be fetched: the answer is {status}")
    if len(data) > LIMITS.max_bytes:
        raise _refusal(f"what is at {address} is larger than {LIMITS.max_bytes // 1_000_000} MB")
    return data


def _get(parts: SplitResult) -> tuple[int, str | None, bytes]:
    host = parts.hostname or ""
    with _connect(host, PORTS[parts.scheme]) as plain, plain.dup() as same:
        # Ends what waits for a host that sends a byte now and then, in the handshake of TLS or later.
        timer = threading.Timer(SECONDS, _shut, [same])
        begun = time.monotonic()
        timer.start()
        try:
            secure = parts.scheme == "https"
            channel = ssl.create_default_context().wrap_socket(plain, server_hostname=host) if secure else plain
            with channel:
                connection = http.client.HTTPConnection(host)
                connection.sock = channel  # is there already, so that no name is looked up a second time
                target = quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe=SAFE)
                connection.request("GET", target, headers=HEADERS)
                with connection.getresponse() as reply:  # left open, it would keep the channel open, too
                    found = reply.status, reply.getheader("Location"), reply.read(LIMITS.max_bytes + 1)
        finally:
            timer.cancel()
    if time.monotonic() - begun > SECONDS:  # what was cut off can look like an end
        raise TimeoutError
    return found


def _checked(address: str) -> SplitResult:
    shown = without_account(address)
    if shown == address:  # else what takes it apart would tell a piece of the password
        parts = urlsplit(address)
        if parts.scheme in PORTS and parts.port in (None, PORTS[parts.scheme]) and parts.hostname:
            return parts
    what = "only plain http and https addresses are, without a port, a name or a password"
    raise _refusal(f"{shown} is not fetched: {what}")


def _connect(host: str, port: int) -> socket.socket:
    found = socket.getaddrinfo(host.encode("idna").decode("ascii"), port, type=socket.SOCK_STREAM)
    numbers = [str(place[4][0]) for place in found]
    if not all(map(_is_public, numbers)):
        raise _refusal(f"nothing is fetched from {host}: it is no public address")
    failure = OSError("it has no address")
    for number in numbers:
        try:
            return socket.create_connection((number, port), timeout=SECONDS / len(numbers))
        except OSError as error:
            failure = error
    raise failure


def _is_public(number: str) -> bool:
    place = ipaddress.ip_address(number.split("%")[0])
    hidden = any(place in net for net in HIDING)
    return place.is_global and not (place.is_multicast or place.is_reserved or hidden)


def _shut(channel: socket.socket) -> None:
    with suppress(OSError):
        channel.shutdown(socket.SHUT_RDWR)


def _refusal(message: str) -> UnmaskError:
    return UnmaskError(message, hint=SAVE_IT, code="not-fetched")
