"""From the server (ASGI) to the application (WSGI): one request and its reply, bounded in bytes and in time.

A body is bounded before it is read, and read in the server's loop, so that a slow client holds no thread. All bodies and
replies together are held to a budget. Where there is a token, none is read for who does not show it; only the form without script
shows it in its body. A refusal is worded by the application, as all others are.
"""

from __future__ import annotations

import asyncio
import io
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.wrappers import Request, Response

from unmask.serve.problem import REFUSED, Problem
from unmask.serve.proxy import client_address, is_trusted, take_in
from unmask.serve.services import check_token
from unmask.serve.settings import ENVELOPE_BYTES, FORM_PATH, MEGABYTE, is_clip

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from wsgiref.types import WSGIEnvironment

    from flask import Flask

    Message = dict[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]

# Threads besides those that hold a request at the pool: for the page, the health checks and the refusals.
SPARE_THREADS = 6
# A reply goes out in pieces of this size, each when the client has taken most of those before it.
PIECE_BYTES = 1 << 16
# A reply up to this size asks no budget: refusals and health checks always go.
SMALL_REPLY_BYTES = 1 << 16
# After a refusal, what the client is still sending is read and thrown away: a connection that is closed on unread bytes
# takes the refusal with it before the client has seen it. For so long, up to a pause of so long, and up to so much.
LINGER_SECONDS = 10.0
LINGER_PAUSE_SECONDS = 1.0
LINGER_BYTES = 200 * MEGABYTE


class Gateway:
    """Answers the server's requests with the application that `unmask.serve.create_app` made."""

    def __init__(self, app: Flask) -> None:
        self._services = app.extensions["unmask"]
        self._settings = self._services.settings
        self._app = app
        self._behind_proxy = ProxyFix(app, x_for=1, x_proto=1, x_host=1)
        self._threads = ThreadPoolExecutor(self._settings.workers + self._settings.waiting + SPARE_THREADS)
        self.budget = _Budget(max(self._settings.memory_mb * MEGABYTE, 2 * self._settings.max_request_bytes))
        self.clip_budget = _Budget(self._settings.clips_arriving * self._settings.max_clip_bytes)
        self.form_budget = _Budget(self._settings.forms_arriving * self._settings.max_request_bytes)

    async def answer(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Receives a request, has it answered, and sends the reply.

        Raises:
            TimeoutError: If the client does not take the reply in time.
            ConnectionError: If it is gone.
        """
        environ = _environ(scope)
        take_in(environ, self._settings)
        of_clip = is_clip(environ["REQUEST_METHOD"], environ["PATH_INFO"])
        held_body = _Held(self.clip_budget if of_clip else self.form_budget if self._is_form(environ) else self.budget)
        held = _Held(self.budget)
        try:
            is_read = await self._receive(environ, receive, held_body, of_clip)
            reply = await self._ask(environ)
            # The body is no longer needed.
            environ["wsgi.input"] = io.BytesIO()
            held_body.change(0)
            if not held.change(max(0, len(reply.data) - SMALL_REPLY_BYTES)):
                detail = "The server holds as many replies as it may at the same time."
                environ[REFUSED] = Problem("busy", detail, retry_after=5)
                reply = await self._ask(environ)
            if not is_read:
                reply.headers["Connection"] = "close"
            async with asyncio.timeout(self._settings.reply_seconds):
                await _send(reply, send)
                if not is_read and "HTTP_EXPECT" not in environ:
                    await _throw_away(receive)
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            held.change(0)
            held_body.change(0)

    def _is_form(self, environ: WSGIEnvironment) -> bool:
        """Whether there is a token, and it is looked for in the body."""
        is_sent_there = (environ["REQUEST_METHOD"], environ["PATH_INFO"]) == ("POST", FORM_PATH)
        scheme = environ.get("HTTP_AUTHORIZATION", "").partition(" ")[0].lower()
        return bool(self._settings.digests) and is_sent_there and scheme != "bearer"

    async def _receive(self, environ: WSGIEnvironment, receive: Receive, held: _Held, of_clip: bool) -> bool:
        """Puts the body into the environment, or why it is refused; whether all of it was read."""
        environ["wsgi.input"] = io.BytesIO()
        seconds = self._settings.clip_body_seconds if of_clip else self._settings.body_seconds
        try:
            async with asyncio.timeout(seconds):
                environ["wsgi.input"] = await self._body(environ, receive, held, of_clip)
        except Problem as problem:
            environ[REFUSED] = problem
        except TimeoutError:
            detail = f"The request did not arrive within {seconds:g} s."
            environ[REFUSED] = Problem("slow-request", detail)
        return REFUSED not in environ

    async def _body(self, environ: WSGIEnvironment, receive: Receive, held: _Held, of_clip: bool) -> io.BytesIO:
        largest = self._settings.most_bytes(environ["REQUEST_METHOD"], environ["PATH_INFO"])
        # The size of a chunked body is not known; it may become the largest.
        is_chunked = environ.pop("HTTP_TRANSFER_ENCODING", None) is not None
        size = largest if is_chunked else int(environ.get("CONTENT_LENGTH") or 0)
        hint = "Send a shorter or a smaller clip." if of_clip else None
        if size and not self._is_form(environ):
            check_token(self._services, Request(environ), client_address(environ, self._settings))
        if of_clip:
            self._services.clips.refuse_if_full()
        most = (largest - ENVELOPE_BYTES) // MEGABYTE
        too_large = Problem("too-large", f"The request is larger than {most} MB.", hint=hint)
        if size > largest:
            raise too_large
        if not held.change(size):
            what = "clips" if of_clip else "pictures"
            raise Problem("busy", f"The server holds as many {what} as it may at the same time.", retry_after=2)
        body, is_more = io.BytesIO(), size > 0
        while is_more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ConnectionAbortedError
            body.write(message.get("body", b""))
            if body.tell() > largest:
                raise too_large
            is_more = message.get("more_body", False)
        environ["CONTENT_LENGTH"] = str(body.tell())
        body.seek(0)
        return body

    async def _ask(self, environ: WSGIEnvironment) -> Response:
        """The application's reply, made in a thread."""
        app = self._behind_proxy if is_trusted(environ["REMOTE_ADDR"], self._settings) else self._app
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, lambda: Response.from_app(app, environ, buffered=True))


class _Budget:
    """Bytes that may be held. Looked at and changed in the server's loop only."""

    def __init__(self, count: int) -> None:
        self.free_bytes = count


class _Held:
    """Bytes of a budget that one request holds."""

    def __init__(self, budget: _Budget) -> None:
        self._budget, self._count = budget, 0

    def change(self, count: int) -> bool:
        """Holds so many from now on; or as many as before, and says False, where there are not enough."""
        if count - self._count > self._budget.free_bytes:
            return False
        self._budget.free_bytes -= count - self._count
        self._count = count
        return True


def _environ(scope: dict[str, Any]) -> WSGIEnvironment:
    environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": scope["server"][0],
        "SERVER_PORT": str(scope["server"][1]),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": (scope["client"] or ("",))[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in scope["headers"]:
        # `X_Forwarded_For` would become what `X-Forwarded-For`, which a proxy vouches for, becomes.
        if b"_" in name:
            continue
        key = name.decode("latin-1").upper().replace("-", "_")
        key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
        text = value.decode("latin-1")
        environ[key] = f"{environ[key]},{text}" if key in environ else text
    return environ


async def _send(reply: Response, send: Send) -> None:
    """Sends a reply, all but its end."""
    headers = [
        (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers.to_wsgi_list()
    ]
    await send({"type": "http.response.start", "status": reply.status_code, "headers": headers})
    for begin in range(0, len(reply.data), PIECE_BYTES):
        piece = reply.data[begin : begin + PIECE_BYTES]
        await send({"type": "http.response.body", "body": piece, "more_body": True})


async def _throw_away(receive: Receive) -> None:
    """Reads what a refused client is still sending."""
    with suppress(TimeoutError):
        async with asyncio.timeout(LINGER_SECONDS):
            count, is_more = 0, True
            while is_more and count < LINGER_BYTES:
                async with asyncio.timeout(LINGER_PAUSE_SECONDS):
                    message = await receive()
                count += len(message.get("body", b""))
                is_more = message.get("more_body", False)
