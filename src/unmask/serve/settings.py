"""What the server is told, and every limit it keeps. What a single picture may be is said in `unmask.image.limits`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from unmask.serve.tokens import digest
from unmask.system.cores import available_cores

if TYPE_CHECKING:
    from collections.abc import Mapping

MEGABYTE = 1_000_000
# Where clips are sent to: bodies may be larger and take longer there.
CLIPS_PATH = "/api/v1/clips"
# Where the form without script is sent to, with its token in the body.
FORM_PATH = "/check"
# Boundaries and headers around the files of a multipart body.
ENVELOPE_BYTES = 100_000


@dataclass(frozen=True, slots=True)
class Settings:
    """How to serve.

    Attributes:
        host: Address to listen on.
        port: Port to listen on; 0 for any that is free.
        token: Whoever asks for a check must show this, or one of `tokens`; without either everyone is answered.
        tokens: Names of further ones, by what `unmask.serve.tokens.digest` makes of them.
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
        memory_mb: Most megabytes of request bodies and replies held at once, those still arriving or leaving included; or
            twice the largest request, if that is more.
        forms_arriving: Forms without script that may arrive at the same time where there is a token, which stands in their body.
            They have this budget of their own, so that who has no token takes nothing from who has one.
        connections: Most open connections.
        connections_an_address: Most of them from one client, as for `pictures_a_minute`, so that one cannot take all.
        drain_seconds: Time that requests under way get when the server is told to end.
        max_clip_mb: Largest clip. 100 MB are over six minutes of a phone's 1080p at 2 Mbit/s. The reader itself takes 500 MB;
            but here clips are held in memory, one of them twice, and strangers send several at once.
        clips_arriving: Clips that may arrive at the same time. They have this budget of their own, and take none from pictures.
        clip_body_seconds: Time that a client may take to send one. 100 MB arrive in it at 7 Mbit/s.
        clips_under_way: Clips held at the same time: one is looked at, the others wait for it.
        clips_kept: Clips held or answered, until they are forgotten. An answer takes up to some 1 MB, or 2 MB with key frames.
        clip_minutes: From the arrival of a clip until it is forgotten with its answer, whether or not it has one.
        clip_unasked_seconds: A clip without an answer that nobody asks for in this time is forgotten: its client is gone.
        trusted_proxies: Addresses, or networks in CIDR notation, of reverse proxies whose `X-Forwarded-...` headers are believed.
        prefix: Path under which a proxy shows this server, such as "/unmask"; empty for the root of a host.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = field(default=None, repr=False)
    tokens: Mapping[str, str] = field(default_factory=dict, repr=False)
    max_upload_mb: int = 25
    max_pictures: int = 50
    workers: int = field(default_factory=lambda: min(4, available_cores()))
    waiting: int = 32
    seconds: float = 30.0
    pictures_a_minute: int = 600
    wrong_tokens_a_minute: int = 30
    body_seconds: float = 30.0
    reply_seconds: float = 60.0
    reply_mb: int = 40
    memory_mb: int = 500
    forms_arriving: int = 4
    connections: int = 200
    connections_an_address: int = 100
    drain_seconds: float = 30.0
    max_clip_mb: int = 100
    clips_arriving: int = 2
    clip_body_seconds: float = 120.0
    clips_under_way: int = 4
    clips_kept: int = 100
    clip_minutes: float = 15.0
    clip_unasked_seconds: float = 60.0
    trusted_proxies: tuple[str, ...] = ()
    prefix: str = ""

    @property
    def digests(self) -> tuple[str, ...]:
        """Of all tokens; none where everyone is answered."""
        return (*([digest(self.token)] if self.token is not None else []), *self.tokens)

    @property
    def max_upload_bytes(self) -> int:
        """All pictures of a request together."""
        return self.max_upload_mb * MEGABYTE

    @property
    def max_request_bytes(self) -> int:
        """Largest request body, but for clips."""
        return self.max_upload_bytes + ENVELOPE_BYTES

    @property
    def max_clip_bytes(self) -> int:
        """Largest request body with a clip."""
        return self.max_clip_mb * MEGABYTE + ENVELOPE_BYTES

    def most_bytes(self, method: str, path: str) -> int:
        """Largest body of a request."""
        return self.max_clip_bytes if is_clip(method, path) else self.max_request_bytes


def is_clip(method: str, path: str) -> bool:
    """Whether a request brings a clip."""
    return method == "POST" and path == CLIPS_PATH
