"""The API's OpenAPI 3.1 document, made from the replies' own shapes."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from unmask import __version__
from unmask.serve import schema
from unmask.serve.problem import KINDS, MEDIA_TYPE

# Codes of `KINDS`. The first of the server, before the request is looked at, whatever it is.
_ALWAYS = ("bad-request", "slow-request", "too-large", "wrong-host", "busy", "internal")
_TOKEN = ("unauthorized", "too-many-tokens")
_REFUSALS = {
    "check": (
        *_ALWAYS,
        *_TOKEN,
        "no-picture",
        "bad-parameter",
        "cross-site",
        "too-many-pictures",
        "wrong-type",
        "too-often",
        "too-slow",
        "ending",
    ),
    "read": (*_ALWAYS, "bad-parameter"),
    "ready": (*_ALWAYS, "not-ready"),
    "metrics": (*_ALWAYS, *_TOKEN),
}
_PICTURE = {"type": "string", "contentMediaType": "application/octet-stream"}


@cache
def openapi() -> dict[str, Any]:
    """The document; not to be changed."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Unmask",
            "version": __version__,
            "summary": "Tells whether face pictures are real or deepfakes.",
            "description": (
                "A verdict is a hint, not proof. Pictures are kept in memory for the length of the request and never "
                "on disk. The HTTP status tells about the request; the `status` of a finding tells about the picture: "
                "one that cannot be read, or shows no face, is a finding, not an error."
            ),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": {
            "/api/v1/check": {"post": _check()},
            "/api/v1/detector": {
                "get": _get("detector", "The detector, its measured numbers, and this server's limits", "AboutReply")
            },
            "/healthz": {"get": _get("healthz", "Whether the process answers", "HealthReply")},
            "/readyz": {"get": _get("readyz", "Whether to send it requests", "HealthReply", "ready")},
            "/metrics": {"get": _metrics()},
        },
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "Needed if the server has a token."}
            },
        },
    }


def _check() -> dict[str, Any]:
    pictures = {"type": "array", "items": {"type": "string", "format": "binary"}, "minItems": 1}
    return {
        "operationId": "check",
        "summary": "Say of each picture whether its face is real or fake",
        "description": (
            "Send one picture as the raw body, or one or more as files of a multipart form. The reply is the document "
            "that `unmask check --json` prints."
        ),
        "security": [{}, {"token": []}],
        "parameters": [
            _choice("heatmap", ["none", "png"], "png adds to each face where the detector looked, a PNG over `crop`."),
            _choice("provenance", ["none", "c2pa"], "c2pa adds to each finding what its Content Credentials say."),
            _id_parameter(),
        ],
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": {"type": "object", "properties": {"picture": pictures}, "required": ["picture"]}
                },
                "application/octet-stream": {"schema": _PICTURE},
                "image/*": {"schema": _PICTURE},
            },
        },
        "responses": {
            "200": _reply("An answer for every picture, in their order", "CheckReply"),
            **_refusals("check"),
        },
    }


def _get(name: str, summary: str, reply: str, refusals: str = "read") -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": summary,
        "parameters": [_id_parameter()],
        "responses": {"200": _reply(summary, reply), **_refusals(refusals)},
    }


def _metrics() -> dict[str, Any]:
    text = {"text/plain": {"schema": {"type": "string"}}}
    return {
        "operationId": "metrics",
        "summary": "Counters for Prometheus",
        "security": [{}, {"token": []}],
        "parameters": [_id_parameter()],
        "responses": {
            "200": {"description": "The text format 0.0.4", "headers": _id_header(), "content": text},
            **_refusals("metrics"),
        },
    }


def _choice(name: str, values: list[str], description: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "query",
        "description": description,
        "schema": {"type": "string", "enum": values, "default": values[0]},
    }


def _id_parameter() -> dict[str, Any]:
    return {
        "name": "X-Request-ID",
        "in": "header",
        "description": "Comes back in the reply and stands in the log; made up if it is not given or no plain word.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
    }


def _id_header() -> dict[str, Any]:
    return {"X-Request-ID": {"schema": {"type": "string"}, "required": True}}


def _reply(description: str, name: str) -> dict[str, Any]:
    return {
        "description": description,
        "headers": _id_header(),
        "content": {"application/json": {"schema": _reference(name)}},
    }


def _refusals(operation: str) -> dict[str, Any]:
    kinds = [KINDS[code] for code in _REFUSALS[operation]]
    replies = {}
    for status in sorted({kind.status for kind in kinds}):
        titles = [kind.title for kind in kinds if kind.status == status]
        headers = _id_header()
        if status in (429, 503):
            headers["Retry-After"] = {"schema": {"type": "integer"}, "required": True}
        replies[str(status)] = {
            "description": "; ".join(titles),
            "headers": headers,
            "content": {MEDIA_TYPE: {"schema": _reference("ProblemReply")}},
        }
    return replies


def _schemas() -> dict[str, Any]:
    models: list[type[BaseModel]] = [schema.CheckReply, schema.AboutReply, schema.HealthReply, schema.ProblemReply]
    _, definitions = models_json_schema(
        [(model, "serialization") for model in models], ref_template="#/components/schemas/{model}"
    )
    found: dict[str, Any] = definitions["$defs"]
    return found


def _reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}
