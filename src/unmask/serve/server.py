"""The production server: waitress, held to the limits that it leaves open.

Waitress receives a whole request before it calls the application, and keeps it in memory up to a size and in a file
above. Here that size is larger than any request that is taken, so that nothing goes to disk; all requests and replies
together are held to a budget; a request that does not arrive in time is refused, a reply that is not taken in time is
dropped; and the server ends only after answering what it has begun.
"""

# Waitress has no types of its own, and those of others do not know its insides.
# mypy: disable-error-code="import-untyped,misc,has-type"

from __future__ import annotations

import logging
import signal
import socket
import threading
import time
import uuid
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any

from waitress.adjustments import Adjustments
from waitress.buffers import OverflowableBuffer
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import TcpWSGIServer
from waitress.task import ErrorTask, WSGITask
from waitress.wasyncore import dispatcher

from unmask.errors import UnmaskError
from unmask.serve.memory import give_back
from unmask.serve.pages import FORM, refusal_page
from unmask.serve.problem import MEDIA_TYPE, Problem
from unmask.serve.security import HEADERS, REQUEST_ID
from unmask.serve.settings import MEGABYTE

if TYPE_CHECKING:
    from flask import Flask

    from unmask.serve.services import Services
    from unmask.serve.settings import Settings

log = logging.getLogger("unmask.serve")

# Waitress's own refusals, as problem codes.
CODES = {400: "bad-request", 408: "slow-request", 413: "too-large", 431: "header-too-large", 501: "not-supported"}
# Above this waitress would put a reply into a file. None comes near: `Settings.reply_mb` bounds what is in it.
REPLY_BYTES = 1 << 30
# So much of its replies a connection may leave unread without asking the budget: refusals and health checks always go.
SMALL_REPLY_BYTES = 1 << 16
MAX_HEADER_BYTES = 32_768
# After a refusal, what the client is still sending is read and thrown away for so long, and up to so much: a
# connection that is closed on unread bytes takes the refusal with it before the client has seen it.
LINGER_SECONDS = 10.0
LINGER_BYTES = 200 * MEGABYTE
# Threads besides those that hold a request at the pool: for the page, the health checks and the refusals.
SPARE_THREADS = 6
# After work, freed memory goes back to the system at most so often: it takes milliseconds.
GIVE_BACK_SECONDS = 5.0


class Budget:
    """Bytes that all requests and replies together may hold.

    Args:
        size: In bytes.
    """

    def __init__(self, size: int) -> None:
        self._free = size
        self._lock = threading.Lock()

    def take(self, count: int) -> bool:
        """Takes so many bytes, or none and says False."""
        with self._lock:
            if count > self._free:
                return False
            self._free -= count
            return True

    def give(self, count: int) -> None:
        """Gives them back."""
        with self._lock:
            self._free += count


class _Refusal:
    """A problem in the form of waitress's own errors."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.code = problem.kind.status


class _Parser(HTTPRequestParser):
    """Asks the budget for the body's size before any of the body is read."""

    def __init__(self, adj: Adjustments, budget: Budget) -> None:
        super().__init__(adj)
        self._budget = budget
        self._give_back: weakref.finalize[Any, Any] | None = None

    def received(self, data: bytes) -> int:
        consumed: int = super().received(data)
        if self._give_back is None and self.body_rcv is not None and self.error is None:
            # The size of a chunked body is not known; it may become the largest.
            size = self.adj.max_request_body_size if self.chunked else self.content_length
            if self._budget.take(size):
                # Also where waitress forgets to close a request, as it does when a connection breaks.
                self._give_back = weakref.finalize(self, self._budget.give, size)
            else:
                self.error = _Refusal(
                    Problem("busy", "The server holds as many pictures as it may at the same time.", retry_after=2)
                )
                self.completed = True
        if self.error is not None:
            # Waitress would ask the client to go on with a body that it has just refused.
            self.expect_continue = False
        return consumed

    def close(self) -> None:
        super().close()
        if self._give_back is not None:
            self._give_back()


class _Task(WSGITask):
    """Asks the budget for the reply's size, and ends the connection with it where the server is ending."""

    _is_refused = False

    def write(self, data: bytes) -> None:
        if self._is_refused:
            return
        if data and not self.wrote_header and not self.channel.makes_room(self.content_length or len(data)):
            self._is_refused = True
            given = dict(self.response_headers).get(REQUEST_ID)
            data = _turn_into(
                self,
                Problem("busy", "The server holds as many replies as it may at the same time.", retry_after=5),
                given,
            )
        super().write(data)

    def build_response_header(self) -> bytes:
        if self.channel.server.services.is_ending:
            self.set_close_on_finish()
        header: bytes = super().build_response_header()
        return header


class _ProblemTask(ErrorTask):
    """Waitress's refusals as problem documents, or as the page."""

    def execute(self) -> None:
        error = self.request.error
        problem = (
            error.problem
            if isinstance(error, _Refusal)
            else Problem(CODES.get(error.code, "internal"), self._detail(error))
        )
        body = _turn_into(self, problem, page=self._page(problem))
        self.set_close_on_finish()
        self.channel.lingers = True
        self.write(body)

    def _page(self, problem: Problem) -> bytes | None:
        """The refusal as a page, where the page's own form goes to; as the application does it."""
        # A request whose head could not be read has no path.
        if getattr(self.request, "path", None) != FORM:
            return None
        with self.channel.server.app.test_request_context(FORM):
            return refusal_page(problem).encode()

    def _detail(self, error: Any) -> str:
        if CODES.get(error.code) == "too-large":
            return f"The request is larger than {self.channel.server.settings.max_upload_mb} MB."
        return f"{error.reason}: {error.body}."


def _turn_into(
    task: WSGITask | ErrorTask, problem: Problem, request_id: str | None = None, *, page: bytes | None = None
) -> bytes:
    """Makes a task's reply a refusal, of which this is the body: the page, or else a problem document."""
    request_id = request_id or uuid.uuid4().hex
    body = page or problem.to_json(request_id)
    task.status = f"{problem.kind.status} {problem.kind.title}"
    task.response_headers = [
        ("Content-Type", "text/html; charset=utf-8" if page else MEDIA_TYPE),
        (REQUEST_ID, request_id),
        ("Cache-Control", "no-store"),
        *HEADERS.items(),
        *problem.headers.items(),
    ]
    task.content_length = len(body)
    task.channel.server.refused(problem.code)
    return body


class _Channel(HTTPChannel):
    """A connection that keeps the time of its request and of its reply, and ends politely after a refusal."""

    task_class = _Task
    error_task_class = _ProblemTask
    lingers = False
    _lingering_until = 0.0
    _thrown_away = 0
    request_began = 0.0
    _reply_began: float | None = None
    _charged = 0

    def __init__(self, server: Server, sock: socket.socket, addr: Any, adj: Adjustments, map: Any = None) -> None:
        self.parser_class = partial(_Parser, budget=server.budget)
        super().__init__(server, sock, addr, adj, map=map)

    def received(self, data: bytes) -> bool:
        before = self.request
        taken: bool = super().received(data)
        if self.request is not None and self.request is not before:
            self.request_began = time.monotonic()
        return taken

    def readable(self) -> bool:
        return bool(self._lingering_until) or super().readable()

    def writable(self) -> bool:
        return not self._lingering_until and bool(super().writable())

    def handle_read(self) -> None:
        if not self._lingering_until:
            super().handle_read()
            return
        try:
            data = self.recv(1 << 16)
        except OSError:
            data = b""
        self._thrown_away += len(data)
        if not data or self._thrown_away > LINGER_BYTES:
            super().handle_close()

    def handle_write(self) -> None:
        super().handle_write()
        if self.connected:
            self._settle()

    def service(self) -> None:
        """Waitress's own; in a task's thread. The client may be gone by its end."""
        super().service()
        self.server.has_freed()

    def makes_room(self, size: int) -> bool:
        """Takes what a reply needs from the budget, before it is written; False if that does not have it."""
        with self.outbuf_lock:
            missing = self.total_outbufs_len + size - SMALL_REPLY_BYTES - self._charged
            if missing <= 0 or not self.connected:
                return True
            if not self.server.budget.take(missing):
                return False
            self._charged += missing
            return True

    def _settle(self) -> None:
        """Lets go of what replies held, once they are sent. In the main loop's thread, as all that shortens `outbufs`."""
        if self.total_outbufs_len:
            return
        self._reply_began = None
        # While a task runs, what it took may be for a reply that it is about to write.
        if not self.requests and (self.current_outbuf_count or self._charged):
            # Waitress would keep the buffer, as long as the longest reply in it was, until the next one.
            self.outbufs[-1].close()
            self.outbufs = [OverflowableBuffer(self.adj.outbuf_overflow)]
            self.current_outbuf_count = 0
            self._pay_back()

    def _pay_back(self) -> None:
        with self.outbuf_lock:
            self.server.budget.give(self._charged)
            self._charged = 0
        self.server.has_freed()

    def del_channel(self, map: Any = None) -> None:
        """Waitress's own; called when the connection is closed."""
        super().del_channel(map)
        self._pay_back()

    def handle_close(self) -> None:
        if self.lingers and self.connected and not self._lingering_until:
            try:
                self.socket.shutdown(socket.SHUT_WR)
            except OSError:
                super().handle_close()
                return
            self.will_close = False
            self._lingering_until = time.monotonic() + LINGER_SECONDS
            return
        super().handle_close()

    @property
    def is_idle(self) -> bool:
        """Whether nothing has begun to arrive and nothing is left to send."""
        return self.request is None and not self.requests and not self.total_outbufs_len

    def look_at_the_clock(self, now: float, body_seconds: float, reply_seconds: float) -> None:
        """Ends what has taken too long. Called by the main loop about once a second."""
        if self._lingering_until:
            if now > self._lingering_until:
                super().handle_close()
            return
        if self.total_outbufs_len:
            # Waitress's own limit begins anew with every byte that the client takes.
            self._reply_began = self._reply_began or now
            if now - self._reply_began >= reply_seconds:
                super().handle_close()
                return
        self._settle()
        with self.requests_lock:
            late = self.request
            if late is None or self.requests or now - self.request_began < body_seconds:
                return
            # Only a parsed header has these; a reply needs them.
            late.version = getattr(late, "version", "1.1")
            late.error = _Refusal(Problem("slow-request", f"The request did not arrive within {body_seconds:g} s."))
            late.completed = True
            self.request = None
            self.requests.append(late)
            self.server.add_task(self)


class Server(TcpWSGIServer):
    """Serves an application until it is told to end.

    Args:
        app: By `unmask.serve.create_app`.

    Raises:
        UnmaskError: If the address cannot be listened on.
    """

    channel_class = _Channel

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.services: Services = app.extensions["unmask"]
        self.budget = Budget(self.settings.memory_mb * MEGABYTE)
        self._told_to_end = False
        # Held to wake the main loop and to close what wakes it. A signal may come while its own thread holds it.
        self._waking = threading.RLock()
        self._has_worked = False
        self._next_giving_back = 0.0
        try:
            super().__init__(app.wsgi_app, adj=_adjustments(self.settings))
        except OSError as error:
            self.trigger.close()
            self.socket.close()
            raise UnmaskError(
                f"cannot listen on {self.settings.host}:{self.settings.port}: {error.strerror or error}",
                hint="Choose another port with --port, or end the program that has this one.",
                code="no-address",
            ) from None

    @property
    def settings(self) -> Settings:
        """As the application was made."""
        return self.services.settings

    @property
    def address(self) -> str:
        """Where to point a browser."""
        host = self.effective_host
        if host in ("0.0.0.0", "::"):
            host = socket.gethostname()
        return f"http://{f'[{host}]' if ':' in host else host}:{self.effective_port}"

    def add_task(self, task: Any) -> None:
        """Waitress's own; called for every request that has arrived."""
        self._has_worked = True
        super().add_task(task)

    def has_freed(self) -> None:
        """Told by a connection that has let go of something: that goes back to the system, too."""
        self._has_worked = True

    def accept(self) -> Any:
        """Waitress's own: a new connection, or None. One address leaves some for others; a proxy speaks for many."""
        accepted = super().accept()
        if accepted is None:
            return None
        address = accepted[1][0]
        count = sum(channel.addr[0] == address for channel in self.active_channels.values())
        if count < self.settings.connections_an_address or address == self.settings.trusted_proxy:
            return accepted
        accepted[0].close()
        return None

    def refused(self, code: str) -> None:
        """Counts and logs a refusal that the application never saw."""
        self.services.metrics.refusal(code)
        log.info("refused code=%s", code)

    def maintenance(self, now: float) -> None:
        """Waitress's own, and ours."""
        super().maintenance(now)
        if self._has_worked and now >= self._next_giving_back:
            self._has_worked = False
            self._next_giving_back = now + GIVE_BACK_SECONDS
            give_back()
        for channel in list(self.active_channels.values()):
            channel.look_at_the_clock(time.monotonic(), self.settings.body_seconds, self.settings.reply_seconds)

    def end(self) -> None:
        """Tells the server to end; from any thread, and also when it was told before or has ended."""
        with self._waking:
            if not self._told_to_end:
                self._told_to_end = True
                self.pull_trigger()

    def end_on_signals(self) -> None:
        """Makes SIGTERM and SIGINT tell the server to end; a second one ends it at once."""

        def told(*_: object) -> None:
            if self._told_to_end:
                raise SystemExit(1)
            self.end()

        signal.signal(signal.SIGTERM, told)
        signal.signal(signal.SIGINT, told)

    def run(self) -> None:
        """Serves until told to end, then answers what has begun, and returns."""
        while not self._told_to_end:
            self._turn(1.0)
        self.services.is_ending = True
        # What the kernel has accepted already is taken in; then nobody new.
        self._turn(0.0)
        self.accepting = False
        dispatcher.close(self)
        end = time.monotonic() + self.settings.drain_seconds
        while self.active_channels and time.monotonic() < end:
            self._turn(0.05)
            for channel in list(self.active_channels.values()):
                if channel.is_idle:
                    channel.handle_close()
            self.maintenance(time.time())
        self.task_dispatcher.shutdown(timeout=1)
        self.services.pool.close()
        for channel in list(self.active_channels.values()):
            channel.handle_close()
        with self._waking:
            self.trigger.close()

    def _turn(self, timeout: float) -> None:
        self.asyncore.loop(timeout=timeout, use_poll=True, map=self._map, count=1)


def _adjustments(settings: Settings) -> Adjustments:
    # Waitress refuses from this size on; we, above ours.
    largest = settings.max_request_bytes + 1
    proxy: dict[str, Any] = {}
    if settings.trusted_proxy:
        proxy = {
            "trusted_proxy": settings.trusted_proxy,
            "trusted_proxy_count": 1,
            "trusted_proxy_headers": {"x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"},
        }
    try:
        return _adjusted(settings, proxy, largest)
    except ValueError as error:
        raise UnmaskError(
            f"cannot listen on {settings.host}:{settings.port}: this machine knows no such address",
            hint="Give an address of this machine to --host: 127.0.0.1 for itself, 0.0.0.0 for the network.",
            code="no-address",
        ) from error


def _adjusted(settings: Settings, proxy: dict[str, Any], largest: int) -> Adjustments:
    return Adjustments(
        listen=f"{settings.host}:{settings.port}" if ":" not in settings.host else f"[{settings.host}]:{settings.port}",
        threads=settings.workers + settings.waiting + SPARE_THREADS,
        max_request_body_size=largest,
        inbuf_overflow=largest + 1,
        outbuf_overflow=REPLY_BYTES,
        max_request_header_size=MAX_HEADER_BYTES,
        recv_bytes=1 << 16,
        connection_limit=settings.connections,
        # Ours comes first, and is polite.
        channel_timeout=round(settings.body_seconds) + 5,
        cleanup_interval=1,
        asyncore_use_poll=True,
        log_socket_errors=False,
        ident=None,
        **proxy,
    )
