"""The API. The HTTP status tells about the request; the `status` of a finding tells about the picture."""

from __future__ import annotations

import json
import re
from typing import Any

from flask import Blueprint, Response, g, render_template, request
from markupsafe import Markup, escape

from unmask import __version__
from unmask.image.limits import LIMITS
from unmask.output.documents import detector_facts
from unmask.serve.answering import Wanted
from unmask.serve.openapi import openapi
from unmask.serve.problem import KINDS, Problem
from unmask.serve.services import charge, let_in, services
from unmask.serve.settings import MEGABYTE
from unmask.serve.uploads import uploads

api = Blueprint("api", __name__)


@api.app_template_filter()
def marked_code(text: str) -> Markup:
    """Text in which `words` between backticks are code, for the docs page."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


@api.post("/api/v1/check")
def check() -> Response:
    """Answers for the pictures of the request: the document of `unmask check --json`."""
    here = services()
    let_in()
    heatmap, provenance = parameters({"heatmap": ("none", "png"), "provenance": ("none", "c2pa")})
    pictures = uploads(request, here.settings)
    here.pool.refuse_if_full()
    charge(len(pictures))
    wanted = Wanted(heatmaps=heatmap == "png", provenance=provenance == "c2pa")
    answers = here.answering.answer(pictures, wanted, g.request_id)
    return json_reply(here.answering.document(answers))


@api.get("/api/v1/detector")
def detector() -> Response:
    """What the detector is, how good it is, and what this server takes."""
    parameters({})
    here = services()
    return json_reply(
        {
            "unmask": __version__,
            "detector": detector_facts(here.detector),
            **here.detector.info.model_dump(include={"policies", "metrics", "accusations", "training_data"}),
            "limits": {
                "request_bytes": here.settings.max_request_bytes,
                "picture_bytes": LIMITS.max_bytes,
                "picture_pixels": LIMITS.max_pixels,
                "pictures": here.settings.max_pictures,
                "seconds": here.settings.seconds,
                "pictures_a_minute": here.settings.pictures_a_minute,
                "clip_bytes": here.settings.max_clip_mb * MEGABYTE,
                "clips_under_way": here.settings.clips_under_way,
                "clip_seconds": 60 * here.settings.clip_minutes,
            },
        }
    )


@api.get("/api/v1/openapi.json")
def description() -> Response:
    """The OpenAPI 3.1 document."""
    return json_reply(openapi() | {"servers": [{"url": request.script_root or "/"}]})


@api.get("/api/v1/docs")
def docs() -> str:
    """The same for people."""
    return render_template("docs.html", api=openapi(), kinds=KINDS, address=request.url_root.rstrip("/"))


@api.get("/healthz")
def healthz() -> Response:
    """Whether the process answers."""
    return json_reply({"status": "ok"})


@api.get("/readyz")
def readyz() -> Response:
    """Whether it should be sent requests."""
    here = services()
    if here.pool.is_full:
        raise Problem("not-ready", "The queue is full.", retry_after=1)
    return json_reply({"status": "ready"})


@api.get("/metrics")
def metrics() -> Response:
    """Prometheus."""
    here = services()
    let_in()
    return Response(here.metrics.text(), content_type=here.metrics.content_type)


def parameters(allowed: dict[str, tuple[str, ...]]) -> list[str]:
    """The values of the query's parameters, the first one allowed where one is not given."""
    for name in request.args:
        if name not in allowed:
            raise Problem("bad-parameter", "The query has a parameter that is not known here.")
    values = []
    for name, choices in allowed.items():
        given = request.args.getlist(name) or [choices[0]]
        if len(given) > 1 or given[0] not in choices:
            raise Problem("bad-parameter", f"The parameter {name} takes one of: {', '.join(choices)}.")
        values.append(given[0])
    return values


def json_reply(value: dict[str, Any], status: int = 200) -> Response:
    """Laid out like the command line's JSON."""
    return Response(json.dumps(value, indent=2, allow_nan=False) + "\n", status, mimetype="application/json")
