"""From the command line's options to a running server."""

from __future__ import annotations

import ctypes
import ipaddress
import logging
import sys
from typing import TYPE_CHECKING, Any

from unmask.checking import Detector
from unmask.demo import draw_face
from unmask.errors import UnmaskError
from unmask.serve.app import create_app
from unmask.serve.security import checked_token, is_loopback
from unmask.serve.server import Server
from unmask.serve.settings import MEGABYTE, Settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Of glibc's <malloc.h>.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8

WARNING = "warning: {host} can be reached from other machines, and without a token whoever reaches it can have pictures checked"


def start(
    options: dict[str, Any],
    *,
    bundle: Path | None,
    policy: str | None,
    is_open: bool,
    say: Callable[[str], None],
) -> None:
    """Serves until SIGTERM or SIGINT.

    Args:
        options: Of `Settings`.
        bundle: Folder of the detector; None for the shipped one.
        policy: Name of its thresholds; None for its default.
        is_open: Whether other machines are served without a token.
        say: Shows a line to whoever started the server.

    Raises:
        UnmaskError: If the address cannot be listened on, or should not be, or if the token will not do.
    """
    _refuse_names(options.get("trusted_proxy"))
    settings = Settings(**{**options, "token": checked_token(options.get("token"))})
    if not is_loopback(settings.host) and settings.token is None:
        say(WARNING.format(host=settings.host))
        if not is_open:
            raise UnmaskError(
                f"not serving on {settings.host} without a token",
                hint="Set UNMASK_TOKEN to a long random word; or give --open if everyone there may use it.",
                code="open-address",
            )
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    # What a stranger sends is no news to whoever runs the server: refusals are counted.
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    _keep_no_freed_memory()
    # One thread a picture: with many clients, pictures side by side are faster than one after the other.
    detector = Detector.load(bundle, threads=1, policy=policy)
    # The first run of a graph is slow; better now than for the first client.
    detector.check(draw_face(), heatmap=True)
    server = Server(create_app(detector, settings))
    server.end_on_signals()
    say(f"Unmask serves the detector {detector.label} at {server.address} (end with Ctrl-C)")
    server.run()
    say("Unmask has ended.")


def _keep_no_freed_memory() -> None:
    """Has the C library give what pictures took back to the system (mallopt(3)); nothing where that is not glibc.

    Otherwise it keeps freed memory for the next time, in a heap a thread: hundreds of megabytes after a few large pictures.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, MEGABYTE)
        mallopt(M_TRIM_THRESHOLD, MEGABYTE)
        mallopt(M_ARENA_MAX, 2)


def _refuse_names(proxy: str | None) -> None:
    """A proxy is known by the address that it connects from; a name would match none, and nobody would notice."""
    if proxy is None:
        return
    try:
        ipaddress.ip_address(proxy)
    except ValueError:
        raise UnmaskError(
            f"the proxy {proxy} is not an IP address",
            hint="Give the address that it connects from, such as --trusted-proxy 127.0.0.1.",
            code="bad-proxy",
        ) from None
