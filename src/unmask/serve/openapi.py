"""The API's OpenAPI 3.1 document, made from the replies' own shapes."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from unmask import __version__
from unmask.serve.problem import KINDS, MEDIA_TYPE
from unmask.serve.schema import AboutReply, CheckReply, ClipReply, HealthReply, ProblemReply
from unmask.video.limits import CLIP_LIMITS

if TYPE_CHECKING:
    from collections.abc import Sequence

# Codes of `KINDS`. The first of the server, before the request is looked at, whatever it is.
_ALWAYS = ("bad-request", "slow-request", "too-large", "wrong-host", "busy", "internal")
_TOKEN = ("unauthorized", "too-many-tokens")
_SENT = ("bad-parameter", "cross-site", "too-many-pictures", "wrong-type", "too-often")
_CHECK = ("no-picture", *_SENT, "too-slow", "ending")
_CLIP = ("no-clip", *_SENT, "too-many-clips", "no-videos", "ending")
_FILE = {"type": "string", "contentMediaType": "application/octet-stream"}
_FILE_OF_FORM = {"type": "string", "format": "binary"}
_FILES_OF_FORM = {"type": "array", "items": _FILE_OF_FORM, "minItems": 1}
_FORM = {"type": "object", "properties": {"picture": _FILES_OF_FORM}, "required": ["picture"]}
_NONE_OR = {word: {"type": "string", "enum": ["none", word], "default": "none"} for word in ("png", "jpeg", "c2pa")}
# Schemas and descriptions, by name.
_OPTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "heatmap": (_NONE_OR["png"], "png adds to each face where the detector looked, a PNG over `crop`."),
    "provenance": (_NONE_OR["c2pa"], "c2pa adds to each finding what its Content Credentials say."),
}
_CLIP_OPTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "heatmap": (
        _NONE_OR["png"],
        "png adds to each face of a decisive moment where the detector looked, a PNG over `crop`.",
    ),
    "key_frames": (_NONE_OR["jpeg"], "jpeg adds to each decisive moment the frame, small, and the face's `crop`."),
    "frames": (
        {"type": "integer", "minimum": 1, "maximum": CLIP_LIMITS.max_sampled},
        "Look at so many frames; else at 32, and at one in 2 s, up to 128, of clips over a minute.",
    ),
    "from": ({"type": "number", "minimum": 0, "default": 0}, "Begin at this second."),
    "to": ({"type": "number", "minimum": 0}, "End at this second."),
}
_CLIP_FORM = {
    "type": "object",
    "properties": {"clip": _FILE_OF_FORM} | {name: schema for name, (schema, _) in _CLIP_OPTIONS.items()},
    "required": ["clip"],
    "additionalProperties": False,
}
_ID = {
    "name": "X-Request-ID",
    "in": "header",
    "description": "Comes back in the reply and stands in the log; made up if it is not given or no plain word.",
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
}
_ID_BACK = {"X-Request-ID": {"schema": {"type": "string"}, "required": True}}
_LATER = {"Retry-After": {"schema": {"type": "integer"}, "required": True}}
_LOCATION = {
    "Location": {"description": "Where to ask for its answer.", "schema": {"type": "string"}, "required": True}
}
_JOB = {
    "name": "name",
    "in": "path",
    "required": True,
    "description": "The `id` of the clip; only the address that sent it may ask.",
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]+$"},
}
_TEXT = {"text/plain": {"schema": {"type": "string"}}}
_ABOUT = "The detector, its measured numbers, and this server's limits"


@cache
def openapi() -> dict[str, Any]:
    """The document; not to be changed."""
    replies: list[type[BaseModel]] = [CheckReply, ClipReply, AboutReply, HealthReply, ProblemReply]
    _, shapes = models_json_schema(
        [(reply, "serialization") for reply in replies], ref_template="#/components/schemas/{model}"
    )
    token = {"type": "http", "scheme": "bearer", "description": "Needed if the server has a token."}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Unmask",
            "version": __version__,
            "summary": "Tells whether face pictures are real or deepfakes.",
            "description": (
                "A verdict is a hint, not proof. Pictures are kept in memory for the length of the request, clips until "
                "they are answered, and neither on disk. The HTTP status tells about the request; the `status` of a "
                "finding tells about the picture or clip: one that cannot be read, or shows no face, is a finding, not "
                "an error."
            ),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": {
            "/api/v1/check": {"post": _check()},
            "/api/v1/clips": {"post": _send_clip()},
            "/api/v1/clips/{name}": {"get": _ask_clip(), "delete": _delete_clip()},
            "/api/v1/detector": {"get": _operation("detector", _ABOUT, _json(AboutReply), "bad-parameter")},
            "/healthz": {"get": _operation("healthz", "Whether the process answers", _json(HealthReply))},
            "/readyz": {"get": _operation("readyz", "Whether to send it requests", _json(HealthReply), "not-ready")},
            "/metrics": {"get": _operation("metrics", "Counters for Prometheus", _TEXT, *_TOKEN)},
        },
        "components": {"schemas": shapes["$defs"], "securitySchemes": {"token": token}},
    }


def _check() -> dict[str, Any]:
    summary = "Say of each picture whether its face is real or fake"
    operation = _operation("check", summary, _json(CheckReply), *_TOKEN, *_CHECK, parameters=_in_query(_OPTIONS))
    return operation | {
        "description": (
            "Send one picture as the raw body, or one or more as files of a multipart form. The reply is the document "
            "that `unmask check --json` prints."
        ),
        "requestBody": _body(_FORM, "image/*"),
    }


def _send_clip() -> dict[str, Any]:
    summary = "Send a clip to be said of each person in it whether the face is real or fake"
    options = _in_query(_CLIP_OPTIONS)
    operation = _operation("clip", summary, _json(ClipReply), *_TOKEN, *_CLIP, status="202", parameters=options)
    operation["responses"]["202"]["headers"] = _ID_BACK | _LOCATION
    return operation | {
        "description": (
            "Send one clip as the raw body, or as the file of a multipart form: a video, or a GIF, PNG or WebP that moves. "
            "What is wanted stands in fields of the form or in the query, each once. "
            "Ask at the address in `Location` until `state` is `done`; a clip that nobody asks for is forgotten."
        ),
        "requestBody": _body(_CLIP_FORM, "video/*", "image/*"),
    }


def _ask_clip() -> dict[str, Any]:
    summary = "How far a clip is, and its answer once there is one"
    refusals = (*_TOKEN, "bad-parameter", "no-such-clip")
    operation = _operation("clip-answer", summary, _json(ClipReply), *refusals, parameters=[_JOB])
    return operation | {"description": "`document` is what `unmask check --json` prints for the clip."}


def _delete_clip() -> dict[str, Any]:
    summary = "End the work on a clip, and forget the clip and its answer"
    refusals = (*_TOKEN, "bad-parameter", "cross-site", "no-such-clip")
    return _operation("clip-delete", summary, {}, *refusals, status="204", parameters=[_JOB])


def _operation(
    name: str,
    summary: str,
    content: dict[str, Any],
    *refusals: str,
    status: str = "200",
    parameters: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    """What is the same of all: an id, a good reply, and the refusals by their status."""
    responses: dict[str, Any] = {status: {"description": summary, "headers": _ID_BACK, "content": content}}
    kinds = [KINDS[code] for code in (*_ALWAYS, *refusals)]
    for refused in sorted({kind.status for kind in kinds}):
        responses[str(refused)] = {
            "description": "; ".join(kind.title for kind in kinds if kind.status == refused),
            "headers": _ID_BACK | (_LATER if refused in (429, 503) else {}),
            "content": _json(ProblemReply, MEDIA_TYPE),
        }
    operation = {"operationId": name, "summary": summary, "parameters": [_ID, *parameters], "responses": responses}
    return operation | ({"security": [{}, {"token": []}]} if "unauthorized" in refusals else {})


def _in_query(options: dict[str, tuple[dict[str, Any], str]]) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "query", "description": description, "schema": schema}
        for name, (schema, description) in options.items()
    ]


def _body(form: dict[str, Any], *types: str) -> dict[str, Any]:
    raw = {media_type: {"schema": _FILE} for media_type in ("application/octet-stream", *types)}
    return {"required": True, "content": {"multipart/form-data": {"schema": form}} | raw}


def _json(reply: type[BaseModel], media_type: str = "application/json") -> dict[str, Any]:
    return {media_type: {"schema": {"$ref": f"#/components/schemas/{reply.__name__}"}}}
