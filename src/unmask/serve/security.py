"""What every reply carries, who may ask, and the request's id."""

from __future__ import annotations

import ipaddress
import re
import uuid
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from unmask.serve.problem import Problem

if TYPE_CHECKING:
    from flask import Request, Response

    from unmask.serve.settings import Settings

# No script and no style but the server's own files; pictures also as data URLs, which the replies hold; clips only from the
# visitor's own disk; no other host, and no page of another site around this one. No cookies are set, so there is nothing that a
# forged request could use.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src blob:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Our own forms must say where they come from, see `check_origin`.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
REQUEST_ID = "X-Request-ID"
_PORT = re.compile(r":\d*\Z", re.ASCII)
_GOOD_ID = re.compile(r"[A-Za-z0-9._-]{1,64}\Z", re.ASCII)


def request_id(request: Request) -> str:
    """The id that the client gave, if it is a plain word; else a new one."""
    given = request.headers.get(REQUEST_ID, "")
    return given if _GOOD_ID.match(given) else uuid.uuid4().hex


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_origin(request: Request, settings: Settings) -> None:
    """Refuses what a page of another site makes a browser ask of a server that only this machine can reach.

    Such a page can send a form anywhere. And a name of its own that points to 127.0.0.1 (DNS rebinding) would make this
    server a part of its site, which may read the replies; but the browser then sends that name.

    Args:
        request: Of a browser or any other program. Most programs send neither `Sec-Fetch-Site` nor `Origin`; browsers leave
            the former out towards other machines without HTTPS.
        settings: For the address. Behind a proxy the names are the proxy's matter.

    Raises:
        Problem: "cross-site", "wrong-host".
    """
    if request.method in ("POST", "DELETE") and _is_cross_site(request):
        raise Problem("cross-site", "A page of another site sent this request.")
    name = _PORT.sub("", request.headers.get("Host", "")).lower()
    if name and is_loopback(settings.host) and not settings.trusted_proxies and not is_loopback(name.strip("[]")):
        raise Problem("wrong-host", "This server only answers to localhost and 127.0.0.1.")


def _is_cross_site(request: Request) -> bool:
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site is not None or origin is None:
        return site == "cross-site"
    try:
        return urlsplit(origin).netloc.lower() != request.host.lower()
    except ValueError:
        return True


def harden(response: Response) -> None:
    """Adds the headers that every reply carries; nothing but static files may be kept by a cache."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-store")
