"""Refusals as problem documents (RFC 9457): what happened, and what to do about it."""

from __future__ import annotations

import json
from dataclasses import dataclass

MEDIA_TYPE = "application/problem+json"
# Where the gateway leaves, for the application, why it refuses a request.
REFUSED = "unmask.refused"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of refusal.

    Attributes:
        status: HTTP status.
        title: The same for every refusal of this kind.
        hint: What to do, unless there is something better to say.
        hint_for_people: The same on the page, where `hint` is for who writes programs.
    """

    status: int
    title: str
    hint: str
    hint_for_people: str = ""


_SOON = "Try again in a moment."
KINDS = {
    "no-picture": Kind(
        400,
        "No picture in the request",
        "Send a picture as the raw body, or as a file in a multipart form; with curl: -F picture=@photo.jpg.",
    ),
    "no-clip": Kind(
        400,
        "No clip in the request",
        "Send a clip as the raw body, or as a file in a multipart form; with curl: -F clip=@clip.mp4.",
    ),
    "bad-request": Kind(400, "The request cannot be understood", "Compare it with /api/v1/docs."),
    "bad-parameter": Kind(400, "A parameter has no such value", "Compare it with /api/v1/docs."),
    "unauthorized": Kind(
        401,
        "A token is needed",
        "Send the header `Authorization: Bearer TOKEN`; ask whoever runs this server for it.",
        "Give the access token above.",
    ),
    "cross-site": Kind(403, "The request comes from another site", "Open this server's own page, or use a program."),
    "not-found": Kind(404, "There is nothing here", "The API is described at /api/v1/docs."),
    "no-such-clip": Kind(
        404,
        "There is no such clip",
        "Send it again: clips and answers are kept for some minutes, for the address that sent them, and not over a restart.",
    ),
    "wrong-method": Kind(405, "This address takes another method", "The API is described at /api/v1/docs."),
    "slow-request": Kind(408, "The request did not arrive in time", "Try again, over a faster connection if you can."),
    "too-large": Kind(413, "The request is too large", "Send fewer pictures at once, or smaller ones."),
    "too-many-pictures": Kind(413, "Too many pictures in one request", "Send them in several requests."),
    "too-many-clips": Kind(413, "More than one clip in one request", "Send each in a request of its own."),
    "wrong-type": Kind(
        415,
        "The request's content type is not taken",
        "Use multipart/form-data, an image type, or application/octet-stream.",
    ),
    "is-clip": Kind(415, "This is a clip, not a picture", "Send it to /api/v1/clips."),
    "wrong-host": Kind(
        421,
        "The server is not known by this name",
        "Open it as localhost or 127.0.0.1; whoever runs it can name a proxy with --trusted-proxy.",
    ),
    "too-often": Kind(429, "Too many pictures from this address", "Wait for the seconds of Retry-After.", _SOON),
    "too-many-tokens": Kind(
        429, "Too many wrong tokens from this address", "Wait for the seconds of Retry-After.", _SOON
    ),
    "busy": Kind(429, "The server is busy", "Try again after the seconds of Retry-After.", _SOON),
    "internal": Kind(500, "Something went wrong in the server", "Tell whoever runs this server, with the request id."),
    "no-videos": Kind(
        501,
        "This server cannot read videos",
        "Whoever runs it can install the extra `video` (PyAV); GIF, PNG and WebP that move are read without it.",
    ),
    "too-slow": Kind(503, "The check took too long", "Try again later, or send fewer and smaller pictures."),
    "not-ready": Kind(503, "The server should not be sent requests now", "Try again after the seconds of Retry-After."),
    "ending": Kind(503, "The server is ending", _SOON),
}


class Problem(Exception):  # noqa: N818 - it is the name of RFC 9457
    """A request that is refused.

    Args:
        code: A key of `KINDS`.
        detail: What happened this time, in one sentence.
        hint: What to do, where the kind's own hint is not the best one.
        retry_after: Seconds until another try makes sense.
        headers: More headers for the reply.

    Attributes:
        others: Of the same request, which a page shows as well.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        hint: str | None = None,
        retry_after: int | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.kind = KINDS[code]
        self.detail = detail
        self.hint = hint or self.kind.hint
        self.headers = dict(headers or {})
        self.others: list[Problem] = []
        if retry_after is not None:
            self.headers["Retry-After"] = str(retry_after)

    @property
    def hint_for_people(self) -> str:
        """What to do, for who sees a page."""
        return self.kind.hint_for_people or self.hint

    def to_json(self, request_id: str, root: str) -> bytes:
        """The problem document; `root` is the path that the server stands under."""
        document = {
            "type": f"{root}/api/v1/docs#{self.code}",
            "title": self.kind.title,
            "status": self.kind.status,
            "detail": self.detail,
            "hint": self.hint,
            "code": self.code,
            "request_id": request_id,
        }
        return (json.dumps(document, indent=2) + "\n").encode()
