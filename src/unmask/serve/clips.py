"""Clips in the API: one is sent, asked for until it is answered, and deleted or forgotten."""

from __future__ import annotations

import importlib.util
import re
from typing import Any

from flask import Blueprint, Response, g, request, url_for

from unmask.checking.clips import SAMPLING, Sampling
from unmask.serve.api import json_reply, parameters
from unmask.serve.clip_answering import ClipWanted, clip_document
from unmask.serve.clip_jobs import ClipJob
from unmask.serve.problem import Problem
from unmask.serve.services import charge, let_in, services
from unmask.serve.settings import CLIPS_PATH
from unmask.serve.uploads import Upload, clip_upload
from unmask.video.kinds import MOST_READ, START, kind_of
from unmask.video.limits import CLIP_LIMITS

clips = Blueprint("clips", __name__)

# What a clip costs of its client's pictures a minute: as many as are looked at in most clips.
PICTURES_A_CLIP = SAMPLING.frames or 1
# Fields of the form that brings a clip, or parameters of the address beside a raw body.
NAMES = ("heatmap", "key_frames", "frames", "from", "to")
# No sign, no exponent, no other digits than these: what `int` and `float` would take besides is no number to most programs.
_NUMBER = re.compile(r"\d{1,9}(\.\d{1,9})?", re.ASCII)


@clips.post(CLIPS_PATH)
def send() -> Response:
    """Takes in the clip of the request, and tells where to ask for its answer."""
    let_in()
    upload = clip_upload(request)
    job = take_in(upload, _wanted())
    reply = json_reply(_shown(job), 202)
    reply.headers["Location"] = url_for("clips.ask", name=job.id)
    return reply


@clips.get(f"{CLIPS_PATH}/<name>")
def ask(name: str) -> Response:
    """How far a clip is, and its answer once there is one."""
    let_in()
    parameters({})
    return json_reply(_shown(find_job(name)))


@clips.delete(f"{CLIPS_PATH}/<name>")
def delete(name: str) -> Response:
    """Ends the work on a clip, and forgets the clip and its answer."""
    let_in()
    parameters({})
    services().clips.end(name, request.remote_addr or "")
    return Response(status=204)


def take_in(upload: Upload, wanted: ClipWanted) -> ClipJob:
    """Has a clip looked at, where there is room for it.

    Raises:
        Problem: "busy", "ending", "no-videos", "too-often".
    """
    here = services()
    here.clips.refuse_if_full()
    _refuse_video(upload.data)
    charge(wanted.sampling.frames or PICTURES_A_CLIP)
    return here.clips.add(upload, request.remote_addr or "", g.request_id, wanted)


def find_job(name: str) -> ClipJob:
    """The job of this id, which this request's client sent.

    Raises:
        Problem: "no-such-clip", or "internal" where the server failed on it.
    """
    job = services().clips.find(name, request.remote_addr or "")
    if job.state == "failed":
        raise Problem("internal", "The server failed on this clip.")
    return job


def _shown(job: ClipJob) -> dict[str, Any]:
    here = services()
    # Looked at once: another thread may be about to set them, the answer first.
    state, answer = job.state, job.answer
    return {
        "id": job.id,
        "state": state,
        "progress": job.progress,
        "seconds_left": here.clips.seconds_left(job),
        "document": clip_document(answer, here.detector) if state == "done" and answer else None,
    }


def _refuse_video(data: bytes) -> None:
    """Refuses what only PyAV can decode where there is none; GIF, PNG and WebP that move need none."""
    kind = kind_of(data[:START], lambda: data[:MOST_READ])
    if kind is not None and kind.format is None and importlib.util.find_spec("av") is None:
        raise Problem("no-videos", "This is a video, and PyAV, which decodes videos, is not installed here.")


def _wanted() -> ClipWanted:
    """What is asked about the clip of this request, or a `Problem` "bad-parameter"."""
    given = [*request.args.items(multi=True), *request.form.items(multi=True)]
    values = dict(given)
    if not values.keys() <= set(NAMES):
        raise Problem("bad-parameter", "The request has a parameter or a field that is not known here.")
    if len(values) < len(given):
        raise Problem("bad-parameter", "A parameter is given more than once.")
    frames, start, end = (_number(values, name) for name in ("frames", "from", "to"))
    if frames is not None and (frames != int(frames) or not 1 <= frames <= CLIP_LIMITS.max_sampled):
        raise Problem("bad-parameter", f"The parameter frames takes a whole number, 1 to {CLIP_LIMITS.max_sampled}.")
    if end is not None and end <= (start or 0.0):
        raise Problem("bad-parameter", "The part to look at must end after it begins: to is no more than from.")
    return ClipWanted(
        Sampling.of(frames=None if frames is None else int(frames), start=start or 0.0, end=end),
        heatmaps=_choice(values, "heatmap", "png"),
        key_frames=_choice(values, "key_frames", "jpeg"),
    )


def _number(values: dict[str, str], name: str) -> float | None:
    if name not in values:
        return None
    if not _NUMBER.fullmatch(values[name]):
        raise Problem("bad-parameter", f"The parameter {name} takes a number, 0 or more, such as 12 or 1.5.")
    return float(values[name])


def _choice(values: dict[str, str], name: str, wanted: str) -> bool:
    given = values.get(name, "none")
    if given not in ("none", wanted):
        raise Problem("bad-parameter", f"The parameter {name} takes one of: none, {wanted}.")
    return given == wanted
