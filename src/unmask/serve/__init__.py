"""The web page and the API: `create_app` makes the WSGI application, `Server` serves it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unmask.serve.app import create_app
    from unmask.serve.server import Server
    from unmask.serve.settings import Settings

__all__ = ["Server", "Settings", "create_app"]

_HOMES = {"create_app": "app", "Server": "server", "Settings": "settings"}


def __getattr__(name: str) -> object:
    """Loads what is asked for when it is asked for: the command line knows the verb without loading Flask."""
    if name not in _HOMES:
        raise AttributeError(f"module 'unmask.serve' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"unmask.serve.{_HOMES[name]}"), name)
