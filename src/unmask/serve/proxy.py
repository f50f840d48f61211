"""Who asked, and under which address, where a reverse proxy stands in front.

Only an address that was named as a proxy is believed; of everybody else these headers mean nothing.
"""

from __future__ import annotations

import ipaddress
import re
from functools import cache
from typing import TYPE_CHECKING

from unmask.errors import UnmaskError

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

    from unmask.serve.settings import Settings

    Network = ipaddress.IPv4Network | ipaddress.IPv6Network

FORWARDED_FOR, FORWARDED_PREFIX = "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PREFIX"
# First parts of the server's own addresses. Under such a prefix nobody could tell whether a proxy has taken it off the path.
OWN_PARTS = ("api", "card", "check", "clips", "healthz", "metrics", "readyz", "samples", "static")
_GOOD_PREFIX = re.compile(rf"(?!/({'|'.join(OWN_PARTS)})(/|\Z))(/[A-Za-z0-9._~-]+)+\Z")


def checked_prefix(prefix: str) -> str:
    """The path under which a proxy shows the server, such as ``/unmask``; empty for none.

    Raises:
        UnmaskError: ``bad-prefix``.
    """
    path = "/" + prefix.strip("/") if prefix.strip("/") else ""
    if path and not _GOOD_PREFIX.match(path):
        raise UnmaskError(
            f"{prefix!r} is no path to serve under",
            hint="Give letters, digits and . _ ~ - between slashes, such as --prefix /unmask; it must not begin with an address "
            f"of the server itself: {', '.join(OWN_PARTS)}.",
            code="bad-prefix",
        )
    return path


@cache
def networks(proxies: tuple[str, ...]) -> tuple[Network, ...]:
    """Addresses and networks in CIDR notation, parsed.

    Raises:
        UnmaskError: ``bad-proxy``. A proxy is known by the address that it connects from; a name would match none, and nobody
            would notice.
    """
    found = []
    for proxy in proxies:
        try:
            found.append(ipaddress.ip_network(proxy))
        except ValueError:
            hint = "Give what it connects from, such as --trusted-proxy 127.0.0.1 or --trusted-proxy 10.0.0.0/8."
            raise UnmaskError(
                f"the proxy {proxy} is not an IP address or network", hint=hint, code="bad-proxy"
            ) from None
    return tuple(found)


def parsed_address(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """An IP address; IPv4 also where a socket for both kinds shows it as IPv6. None for what is no address."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    return (parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None) or parsed


def is_trusted(address: str, settings: Settings) -> bool:
    """Whether an address is one of a trusted proxy."""
    parsed = parsed_address(address)
    return parsed is not None and any(parsed in network for network in networks(settings.trusted_proxies))


def client_address(environ: WSGIEnvironment, settings: Settings) -> str:
    """Who asks, as the application sees it, of an environment that was taken in."""
    named = environ.get(FORWARDED_FOR, "") if is_trusted(environ["REMOTE_ADDR"], settings) else ""
    return named or environ["REMOTE_ADDR"]


def take_in(environ: WSGIEnvironment, settings: Settings) -> None:
    """Splits the server's prefix off the path, and leaves of the headers that proxies set what is to be believed.

    The prefix is what the proxy says, or else the setting's; whether the proxy has taken it off the path or not. Of several hops
    the client is the nearest that is no trusted proxy.

    Args:
        environ: Of a request; changed. What is left in it is for `werkzeug.middleware.proxy_fix.ProxyFix`.
        settings: With the trusted proxies, and the prefix.
    """
    prefix = environ.pop(FORWARDED_PREFIX, "").rstrip("/")
    trusted = is_trusted(environ["REMOTE_ADDR"], settings)
    if not trusted or not _GOOD_PREFIX.match(prefix):
        prefix = settings.prefix
    if trusted:
        hops = [_address(hop.strip()) for hop in environ.get(FORWARDED_FOR, "").split(",")]
        environ[FORWARDED_FOR] = next((hop for hop in reversed(hops) if not is_trusted(hop, settings)), hops[0])
    environ["SCRIPT_NAME"] = prefix
    path = environ["PATH_INFO"]
    if prefix and (path == prefix or path.startswith(f"{prefix}/")):
        environ["PATH_INFO"] = path.removeprefix(prefix) or "/"


def _address(hop: str) -> str:
    """The address of a hop, which some proxies write with a port, and IPv6 then in brackets."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop
