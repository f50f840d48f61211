"""The page: the same cards with script, one by one as they are ready, and without, all at once.

Clips go through the API: the page's script sends and asks there, and fetches the card of the answer here. Without script the form
takes clips, too, and each is shown at an address of its own once it is answered.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

from flask import Blueprint, Response, g, redirect, render_template, request, send_file, url_for
from werkzeug.exceptions import BadHost

from unmask.demo.samples import SAMPLES, sample_jpeg
from unmask.image.limits import LIMITS
from unmask.output.wording import MARKS, NO_MARK, OUTCOMES, size_text
from unmask.serve.answering import Wanted
from unmask.serve.clip_answering import ClipWanted
from unmask.serve.clip_view import ClipView, clip_view
from unmask.serve.clips import find_job, take_in
from unmask.serve.problem import KINDS, Problem
from unmask.serve.services import charge, let_in, services
from unmask.serve.settings import FORM_PATH, MEGABYTE
from unmask.serve.uploads import Upload, uploads
from unmask.serve.view import PictureView, picture_view
from unmask.video.kinds import is_clip

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from werkzeug.wrappers import Response as WerkzeugResponse

    from unmask.serve.clip_jobs import ClipJob

pages = Blueprint("pages", __name__)

ALL = Wanted(heatmaps=True, provenance=True, preview=True)
ALL_OF_A_CLIP = ClipWanted(heatmaps=True, key_frames=True)
MAX_DIGITS = 4
# Without script: from one look at a clip's progress to the next. It also tells that somebody still wants the answer.
AGAIN_SECONDS = 3


@pages.get("/")
def index() -> str:
    """The page."""
    return _page()


@pages.post(FORM_PATH)
def check() -> WerkzeugResponse | str:
    """The page with answers, and with the addresses of those for clips: for browsers without script.

    Pictures come first: if they are refused, no clip is held that nobody knows of. A refused clip stops none of the others.
    """
    let_in(form=True)
    files = _files()
    pictures = [upload for upload in files if not is_clip(upload.data)]
    cards = _views(pictures, 1) if pictures else []
    jobs, problems = [], []
    for upload in files:
        if not is_clip(upload.data):
            continue
        try:
            jobs.append(take_in(upload, ALL_OF_A_CLIP))
        except Problem as problem:
            if len(files) == 1:
                raise
            detail = f"{upload.name or 'clip'}: {problem.detail}"
            problems.append(Problem(problem.code, detail, hint=problem.hint, headers=problem.headers))
    if len(files) == len(jobs) == 1:
        return redirect(url_for("pages.clip", name=jobs[0].id), 303)
    if not cards and not jobs:
        problems[0].others = problems[1:]
        raise problems[0]
    return _page(cards=cards, jobs=jobs, problems=problems)


@pages.post("/card")
def cards() -> str:
    """Answers alone: for the page's script, which puts them into the page.

    Raises:
        Problem: "is-clip", for the script to send it as one.
    """
    let_in()
    files = _files()
    if any(is_clip(upload.data) for upload in files):
        raise Problem("is-clip", "A clip takes longer than a picture.")
    return "".join(render_template("card.html", card=card) for card in _views(files, _number(request.form)))


@pages.get("/clips/<name>")
def clip(name: str) -> Response | str:
    """The page with a clip's answer, or with how far it is: for browsers without script.

    No token is asked for, which no link can carry: only who sent the clip with one knows this address.
    """
    job = find_job(name)
    if job.answer is None:
        reply = Response(_page(jobs=[job]), mimetype="text/html")
        reply.headers["Refresh"] = str(AGAIN_SECONDS)
        return reply
    return _page(cards=[clip_view(job.answer, services().detector, 1)])


@pages.get("/clips/<name>/card")
def clip_card(name: str) -> str:
    """The answer alone: for the page's script, once the API says that there is one."""
    job = find_job(name)
    if job.answer is None:
        raise Problem("no-such-clip", "The clip has no answer yet.")
    view = clip_view(job.answer, services().detector, _number(request.args))
    return render_template("clip_card.html", card=view)


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
    if isinstance(request.routing_exception, BadHost):
        return False  # Flask makes no addresses for such a host, and the page is full of them
    return "text/html" in request.headers.get("Accept", "")


def refusal_page(problem: Problem) -> str:
    """A refusal for people."""
    if request.path.endswith("/card"):
        return render_template("problem.html", problem=problem)
    return _page(problems=[problem, *problem.others])


def _page(
    cards: Sequence[PictureView | ClipView] = (), jobs: Sequence[ClipJob] = (), problems: Sequence[Problem] = ()
) -> str:
    shown = [("clip_card.html" if isinstance(card, ClipView) else "card.html", card) for card in cards]
    here = services()
    marks = {verdict.value: mark for verdict, mark in MARKS.items()}
    largest = min(LIMITS.max_bytes, here.settings.max_upload_bytes)
    return render_template(
        "index.html",
        cards=shown,
        jobs=jobs,
        problems=problems,
        outcomes=[[name.replace("_", "-"), word, marks.get(name, NO_MARK)] for name, word in OUTCOMES.items()],
        samples=SAMPLES,
        hints={code: kind.hint_for_people for code, kind in KINDS.items() if kind.hint_for_people},
        detector=here.detector,
        info=here.detector.info,
        policy=here.detector.info.policies[here.detector.policy],
        # To send, to be answered, and to receive the answer, by what the server allows each; no script waits longer.
        seconds=round(here.settings.body_seconds + here.settings.seconds + here.settings.reply_seconds),
        needs_token=bool(here.settings.digests),
        max_picture=largest,
        max_picture_text=size_text(largest).replace(".0", ""),
        clip_seconds=round(here.settings.clip_body_seconds + here.settings.reply_seconds),
        max_upload=here.settings.max_upload_mb,
        max_clip=here.settings.max_clip_mb * MEGABYTE,
    )


def _number(fields: Mapping[str, str]) -> int:
    """Makes the ids of the cards on the page differ; without one the page is the same every time."""
    number = fields.get("number", "1")
    return int(number) if len(number) <= MAX_DIGITS and number.isascii() and number.isdigit() else 1


def _views(pictures: list[Upload], first: int) -> list[PictureView]:
    here = services()
    here.pool.refuse_if_full()
    charge(len(pictures))
    answers = here.answering.answer(pictures, ALL, g.request_id)
    return [picture_view(answer, here.answering, number) for number, answer in enumerate(answers, start=first)]


def _files() -> list[Upload]:
    name = request.form.get("sample", "")
    data = sample_jpeg(name) if name else None
    if data is not None:
        return [Upload(f"{name}.jpg", data)]
    try:
        return uploads(request, services().settings)
    except Problem as problem:
        if problem.code == "no-picture":
            hint = "Choose one or more pictures first."
            raise Problem("no-picture", "No picture was chosen.", hint=hint) from None
        raise
