"""What the server is told, and every limit it keeps. What a single picture may be is said in `unmask.image.limits`."""

from __future__ import annotations

from dataclasses import dataclass, field

from unmask.system.cores import available_cores

MEGABYTE = 1_000_000
# Boundaries and headers around the pictures of a multipart body.
ENVELOPE_BYTES = 100_000


def _workers() -> int:
    return min(4, available_cores())


@dataclass(frozen=True, slots=True)
class Settings:
    """How to serve.

    Attributes:
        host: Address to listen on.
        port: Port to listen on; 0 for any that is free.
        token: Whoever asks for a check must show this; None to answer everyone.
        max_upload_mb: Largest request, in megabytes of 10^6 bytes, all pictures together.
        max_pictures: Most pictures in one request.
        workers: Pictures that are decoded and judged at the same time.
        waiting: Requests that may wait for a worker; the next one is told to come back. At some 20 ms a picture this
            is well under a second of waiting on two cores.
        seconds: Time from the start of waiting to the answer, for one request.
        pictures_a_minute: For one client: an IPv4 address or a /64 of IPv6; 0 for no limit.
        wrong_tokens_a_minute: From one client; 0 for no limit. Over it the right one is not looked at, either:
            whoever guesses must not learn more.
        body_seconds: Time that a client may take to send a request.
        reply_seconds: Time that a client may take to receive a reply.
        reply_mb: Most megabytes of pictures and heatmaps in one reply: those of 50 photos without script fit.
        memory_mb: Most megabytes of request bodies and replies held at once, those still arriving or leaving included.
        connections: Most open connections.
        connections_an_address: Most of them from one client address, so that one cannot take all.
        drain_seconds: Time that requests under way get when the server is told to end.
        trusted_proxy: Address of a reverse proxy whose `X-Forwarded-For` is believed; None for no proxy.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = field(default=None, repr=False)
    max_upload_mb: int = 25
    max_pictures: int = 50
    workers: int = field(default_factory=_workers)
    waiting: int = 32
    seconds: float = 30.0
    pictures_a_minute: int = 600
    wrong_tokens_a_minute: int = 30
    body_seconds: float = 30.0
    reply_seconds: float = 60.0
    reply_mb: int = 40
    memory_mb: int = 500
    connections: int = 200
    connections_an_address: int = 100
    drain_seconds: float = 30.0
    trusted_proxy: str | None = None

    @property
    def max_upload_bytes(self) -> int:
        """All pictures of a request together."""
        return self.max_upload_mb * MEGABYTE

    @property
    def max_request_bytes(self) -> int:
        """Largest request body."""
        return self.max_upload_bytes + ENVELOPE_BYTES
