"""The page: the same cards with script, one by one as they are ready, and without, all at once."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

from flask import Blueprint, Response, g, render_template, request, send_file

from unmask.image.limits import LIMITS
from unmask.output.wording import MARKS, NO_MARK, OUTCOMES, size_text
from unmask.serve.answering import Wanted
from unmask.serve.problem import Problem
from unmask.serve.samples import SAMPLES, sample_jpeg
from unmask.serve.services import charge, let_in, services
from unmask.serve.uploads import Upload, uploads
from unmask.serve.view import PictureView, picture_view

if TYPE_CHECKING:
    from typing import Any

pages = Blueprint("pages", __name__)

ALL = Wanted(heatmaps=True, provenance=True, preview=True)
MAX_NUMBER = 9999


@pages.get("/")
def index() -> str:
    """The page."""
    return render_template("index.html", cards=[], problem=None, **_surroundings())


@pages.post("/check")
def check() -> str:
    """The page with answers: for browsers without script."""
    cards = _cards(1)
    return render_template("index.html", cards=cards, problem=None, **_surroundings())


@pages.post("/card")
def cards() -> str:
    """Answers alone: for the page's script, which puts them into the page."""
    # The form's number makes the ids of the cards on the page differ; without one the page is the same every time.
    number = request.form.get("number", "1")
    views = _cards(int(number) if number.isascii() and number.isdigit() and int(number) <= MAX_NUMBER else 1)
    return "".join(render_template("card.html", card=card) for card in views)


@pages.get("/samples/<name>.jpg")
def sample(name: str) -> Response:
    """A picture to try."""
    data = sample_jpeg(name)
    if data is None:
        raise Problem("not-found", "There is no such sample.")
    reply = send_file(BytesIO(data), mimetype="image/jpeg")
    reply.headers["Cache-Control"] = "public, max-age=86400"
    return reply


def wants_page() -> bool:
    """Whether a refusal should be a page rather than a problem document."""
    if request.blueprint is not None:
        return request.blueprint == "pages"
    return "text/html" in request.headers.get("Accept", "")


def refusal_page(problem: Problem) -> str:
    """A refusal for people."""
    if request.path == "/card":
        return render_template("problem.html", problem=problem)
    return render_template("index.html", cards=[], problem=problem, **_surroundings())


def _cards(first: int) -> list[PictureView]:
    here = services()
    let_in(form=True)
    pictures = _pictures()
    charge(len(pictures))
    answers = here.answering.answer(pictures, ALL, g.request_id)
    return [picture_view(answer, here.answering, number) for number, answer in enumerate(answers, start=first)]


def _pictures() -> list[Upload]:
    name = request.form.get("sample", "")
    data = sample_jpeg(name) if name else None
    if data is not None:
        return [Upload(f"{name}.jpg", data)]
    try:
        return uploads(request, services().settings)
    except Problem as problem:
        if problem.code == "no-picture":
            raise Problem("no-picture", "No picture was chosen.", hint="Choose one or more pictures first.") from None
        raise


def _surroundings() -> dict[str, Any]:
    """What the page shows besides the answers."""
    here = services()
    marks = {verdict.value: mark for verdict, mark in MARKS.items()}
    largest = min(LIMITS.max_bytes, here.settings.max_upload_bytes)
    return {
        "outcomes": [[name.replace("_", "-"), word, marks.get(name, NO_MARK)] for name, word in OUTCOMES.items()],
        "samples": SAMPLES,
        "detector": here.detector,
        "info": here.detector.info,
        "policy": here.detector.info.policies[here.detector.policy],
        # To send, to be answered, and to receive the answer, by what the server allows each; no script waits longer.
        "seconds": round(here.settings.body_seconds + here.settings.seconds + here.settings.reply_seconds),
        "needs_token": here.settings.token is not None,
        "max_picture": largest,
        "max_picture_text": size_text(largest).replace(".0", ""),
    }
