"""The app factory: one detector, one pool, and the two faces of the server, page and API."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from flask import Flask, Response, g, request
from jinja2 import ChoiceLoader, PackageLoader, StrictUndefined
from werkzeug.exceptions import HTTPException

from unmask import __version__
from unmask.output import evidence, knowledge, ranking, wording
from unmask.serve.answering import Answering
from unmask.serve.api import api
from unmask.serve.clip_answering import ClipAnswering
from unmask.serve.clip_jobs import ClipJobs
from unmask.serve.clips import clips
from unmask.serve.metrics import Metrics
from unmask.serve.pages import pages, refusal_page, wants_page
from unmask.serve.pool import Pool
from unmask.serve.problem import MEDIA_TYPE, REFUSED, Problem
from unmask.serve.rate_limit import RateLimit
from unmask.serve.security import REQUEST_ID, check_origin, harden, request_id
from unmask.serve.services import Services, services
from unmask.serve.settings import MEGABYTE, Settings
from unmask.serve.uploads import OTHER_PARTS, MemoryRequest

if TYPE_CHECKING:
    from unmask.detector import Detector

log = logging.getLogger("unmask.serve")

CODES = {400: "bad-request", 404: "not-found", 405: "wrong-method", 413: "too-large", 415: "wrong-type"}


def create_app(detector: Detector, settings: Settings | None = None) -> Flask:
    """The WSGI application.

    Args:
        detector: Loaded; its face finder is loaded here, once.
        settings: None for the defaults.
    """
    settings = settings or Settings()
    _ = detector.face_finder
    pool = Pool(settings.workers, settings.waiting, settings.seconds)
    metrics = Metrics(detector, pool)
    app = Flask("unmask.serve")
    app.request_class = MemoryRequest
    # The largest of all; `_begin` looks at each request's own.
    app.config["MAX_CONTENT_LENGTH"] = max(settings.max_request_bytes, settings.max_clip_bytes)
    app.config["MAX_FORM_PARTS"] = settings.max_pictures + OTHER_PARTS
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = 0
    # The drawing of a timeline is the report's.
    app.jinja_env.loader = ChoiceLoader([app.create_global_jinja_loader(), PackageLoader("unmask.output")])
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals |= {
        "version": __version__,
        "words": wording,
        "evidence": evidence,
        "knowledge": knowledge,
        "ranking": ranking,
    }
    app.extensions["unmask"] = Services(
        settings,
        detector,
        pool,
        metrics,
        RateLimit(settings.pictures_a_minute),
        RateLimit(settings.wrong_tokens_a_minute),
        Answering(detector, pool, metrics, settings.reply_mb * MEGABYTE),
        ClipJobs(ClipAnswering(detector, metrics).answer, settings, metrics, has_pictures=lambda: pool.under_way > 0),
    )
    app.before_request(_begin)
    app.after_request(_end)
    app.register_error_handler(Problem, _refuse)
    app.register_error_handler(Exception, _refuse_other)
    app.register_blueprint(api)
    app.register_blueprint(clips)
    app.register_blueprint(pages)
    return app


def _begin() -> None:
    g.started = time.perf_counter()
    g.request_id = request_id(request)
    refused: Problem | None = request.environ.get(REFUSED)
    if refused is not None:
        raise refused
    settings = services().settings
    check_origin(request, settings)
    limit = settings.most_bytes(request.method, request.path)
    if (request.content_length or 0) > limit:
        raise Problem("too-large", f"The request has {request.content_length:,} bytes, at most {limit:,} go.")


def _end(response: Response) -> Response:
    seconds = time.perf_counter() - g.started
    harden(response)
    response.headers[REQUEST_ID] = g.request_id
    response.headers["Server-Timing"] = f"app;dur={1000 * seconds:.1f}"
    # The pattern, not the address: what a stranger writes into an address is kept out of labels and logs.
    route = request.url_rule.rule if request.url_rule else "(none)"
    method = request.method if request.method in ("GET", "HEAD", "POST", "DELETE", "OPTIONS") else "(other)"
    services().metrics.request(method, route, response.status_code, seconds)
    return response


def _refuse(problem: Problem) -> Response:
    services().metrics.refusal(problem.code)
    log.info("refused request=%s code=%s", g.request_id, problem.code)
    if wants_page():
        return Response(refusal_page(problem), problem.kind.status, problem.headers, "text/html")
    document = problem.to_json(g.request_id, request.script_root)
    return Response(document, problem.kind.status, problem.headers, MEDIA_TYPE)


def _refuse_other(error: Exception) -> Response:
    if isinstance(error, HTTPException):
        status = error.code or 500
        code = CODES.get(status, "bad-request" if status < 500 else "internal")
        detail = error.description or "The request cannot be answered."
        # 405 must say which methods go.
        headers = {name: value for name, value in error.get_headers(request.environ) if name == "Allow"}
        return _refuse(Problem(code, detail, headers=headers))
    log.error("failed request=%s", g.request_id, exc_info=error)
    return _refuse(Problem("internal", "The server failed on this request."))
