"""The open connections of the server: at most so many, and none for long without a request under way."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from unmask.serve.proxy import is_trusted
from unmask.serve.rate_limit import client_of

if TYPE_CHECKING:
    from unmask.serve.settings import Settings

    # Its address and port.
    Client = tuple[str, int]


class Connections:
    """Keeps count and time of the connections. Used in the server's loop only."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        # Whom its address stands for, and the connection.
        self._open: dict[Client, tuple[str, asyncio.Transport, asyncio.TimerHandle]] = {}

    def __len__(self) -> int:
        return len(self._open)

    def add(self, client: Client, transport: asyncio.Transport) -> None:
        """A new one; closed at once where there are too many. A proxy speaks for many, others leave some for others."""
        whose = client_of(client[0])
        of_client = sum(other == whose for other, _, _ in self._open.values())
        is_many = of_client >= self._settings.connections_an_address and not is_trusted(client[0], self._settings)
        if is_many or len(self._open) >= self._settings.connections:
            transport.close()
        else:
            self._open[client] = (whose, transport, self._timer(transport))

    def remove(self, client: Client) -> None:
        """One that is closed."""
        if client in self._open:
            self._open.pop(client)[2].cancel()

    def begin(self, client: Client) -> None:
        """A request begins, which has time limits of its own."""
        if client in self._open:
            self._open[client][2].cancel()

    def end(self, client: Client) -> None:
        """It ends. What is left of the reply has to be taken, and the next request has to begin, in time."""
        if client in self._open:
            whose, transport, _ = self._open[client]
            self._open[client] = (whose, transport, self._timer(transport))

    def drop(self, client: Client) -> None:
        """Closes one without waiting for the client."""
        if client in self._open:
            self._open[client][1].abort()

    def _timer(self, transport: asyncio.Transport) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(self._settings.body_seconds, transport.abort)
