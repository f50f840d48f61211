"""From the command line's options to a running server."""

from __future__ import annotations

import logging
import os
import sys
import threading
import webbrowser
from typing import TYPE_CHECKING, Any

from unmask.checking import Detector
from unmask.demo import draw_face
from unmask.errors import UnmaskError
from unmask.serve.app import create_app
from unmask.serve.proxy import checked_prefix, networks
from unmask.serve.security import is_loopback
from unmask.serve.server import Server
from unmask.serve.settings import Settings
from unmask.serve.tokens import checked_token, read_tokens
from unmask.system.heap import keep_no_freed_memory

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WARNING = "warning: {host} can be reached from other machines, and without a token whoever reaches it can have pictures checked"


def start(
    options: dict[str, Any],
    *,
    bundle: Path | None,
    policy: str | None,
    token_file: Path | None,
    is_public: bool,
    browser: bool,
    say: Callable[[str], None],
) -> None:
    """Serves until SIGTERM or SIGINT.

    Args:
        options: Of `Settings`.
        is_public: Whether other machines are served without a token.
        browser: Whether to show the page to who started the server, where there is a screen.
        say: Shows a line to whoever started the server.

    Raises:
        UnmaskError: If the address cannot be listened on, or should not be, or if the token will not do.
    """
    networks(options.get("trusted_proxies", ()))
    checked = {"token": checked_token(options.get("token")), "prefix": checked_prefix(options.get("prefix", ""))}
    settings = Settings(**options | checked, tokens=read_tokens(token_file) if token_file else {})
    if token_file and not settings.tokens:
        hint = f"Make one: unmask token NAME --file {token_file}"
        raise UnmaskError(f"{token_file} has no token", hint=hint, code="bad-token-file")
    if not is_loopback(settings.host) and not settings.digests:
        say(WARNING.format(host=settings.host))
        if not is_public:
            hint = "Make one with `unmask token NAME` and give --tokens, or set UNMASK_TOKEN; or give --public for everyone."
            raise UnmaskError(f"not serving on {settings.host} without a token", hint=hint, code="open-address")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    # What a stranger sends is no news to whoever runs the server: refusals are counted.
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    keep_no_freed_memory()
    # One thread a picture: with many clients, pictures side by side are faster than one after the other.
    detector = Detector.load(bundle, threads=1, policy=policy)
    # The first run of a graph is slow; better now than for the first client.
    detector.check(draw_face(), heatmap=True)
    server = Server(create_app(detector, settings))
    server.end_on_signals()
    address = f"{server.address}{settings.prefix}"
    say(f"Unmask serves the detector {detector.label} at {address} (end with Ctrl-C)")
    if browser:
        _show(address, settings)
    server.run()
    say("Unmask has ended.")


def _show(address: str, settings: Settings) -> None:
    """Opens the page in a browser, for a person at this machine's screen."""
    has_screen = sys.platform in ("darwin", "win32") or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))
    by_hand = sys.stderr is not None and sys.stderr.isatty()
    if has_screen and by_hand and is_loopback(settings.host) and not settings.trusted_proxies:
        # Some browsers come back only when they are closed.
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
