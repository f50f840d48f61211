"""The production server: uvicorn, with limits on connections, around the gateway to the application.

Of uvicorn only what its documentation names is used: its settings, `Server.serve` and `should_exit`, and one of the
protocol classes that the setting `http` takes, told of a connection's begin and end as `asyncio.Protocol` says.
"""

from __future__ import annotations

import asyncio
import signal
import socket
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from unmask.errors import UnmaskError
from unmask.serve.connections import Connections
from unmask.serve.gateway import Gateway

if TYPE_CHECKING:
    from flask import Flask

    from unmask.serve.gateway import Receive, Send
    from unmask.serve.services import Services
    from unmask.serve.settings import Settings


class Server:
    """Serves an application until it is told to end.

    Args:
        app: By `unmask.serve.create_app`.

    Raises:
        UnmaskError: If the address cannot be listened on.
    """

    def __init__(self, app: Flask) -> None:
        self.services: Services = app.extensions["unmask"]
        settings = self.services.settings
        self._socket = _listen(settings)
        self.host, self.port = self._socket.getsockname()[:2]
        self.connections = connections = Connections(settings)
        self.gateway = Gateway(app)

        class Protocol(H11Protocol):
            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
                super().connection_made(transport)
                self.peer = (transport.get_extra_info("peername") or ("", 0))[:2]
                connections.add(self.peer, transport)

            def connection_lost(self, exc: Exception | None) -> None:
                connections.remove(self.peer)
                super().connection_lost(exc)

        config = uvicorn.Config(
            self._answer,
            http=Protocol,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=round(settings.drain_seconds),
        )
        self._server = uvicorn.Server(config)

    @property
    def address(self) -> str:
        """Where to point a browser."""
        host = socket.gethostname() if self.host in ("0.0.0.0", "::") else self.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    def end(self) -> None:
        """Tells the server to end; from any thread, and also when it was told before or has ended."""
        self._server.should_exit = True

    def end_on_signals(self) -> None:
        """Makes SIGTERM and SIGINT tell the server to end, also where one comes before uvicorn listens to them."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.end())

    def run(self) -> None:
        """Serves until told to end, then answers what has begun, and returns."""
        with self._socket:
            asyncio.run(self._server.serve(sockets=[self._socket]))
        self.services.clips.close()
        self.services.pool.close()

    async def _answer(self, scope: Any, receive: Receive, send: Send) -> None:
        client = scope["client"] or ("", 0)
        self.connections.begin(client)
        try:
            await self.gateway.answer(scope, receive, send)
        except (TimeoutError, ConnectionError):
            self.connections.drop(client)
            await asyncio.sleep(0)  # so that uvicorn knows before it looks for the reply's end
        finally:
            self.connections.end(client)


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        settings.host.encode("idna")  # which a socket would do as well, and raise one or another error
        return socket.create_server((settings.host, settings.port), family=family, backlog=1024)
    except (OSError, UnicodeError) as error:
        message = f"cannot listen on {settings.host}:{settings.port}: {getattr(error, 'strerror', None) or error}"
        hint = "Give --host an address of this machine, and --port one that no other program has."
        raise UnmaskError(message, hint=hint, code="no-address") from None
