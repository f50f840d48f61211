"""Clips in the API: one is sent, asked for until it is answered, and deleted or forgotten."""

from __future__ import annotations

import importlib.util
from typing import Any

from flask import Blueprint, Response, g, request, url_for

from unmask.checking.clips import SAMPLING
from unmask.serve.api import json_reply, parameters
from unmask.serve.clip_answering import ClipWanted, clip_document
from unmask.serve.clip_jobs import ClipJob
from unmask.serve.clip_wanted import clip_wanted
from unmask.serve.problem import Problem
from unmask.serve.services import charge, let_in, services
from unmask.serve.settings import CLIPS_PATH
from unmask.serve.uploads import Upload, clip_upload
from unmask.video.kinds import MOST_READ, START, kind_of

clips = Blueprint("clips", __name__)

# What a clip costs of its client's pictures a minute: as many as are looked at in most clips.
PICTURES_A_CLIP = SAMPLING.frames or 1


@clips.post(CLIPS_PATH)
def send() -> Response:
    """Takes in the clip of the request, and tells where to ask for its answer."""
    let_in()
    upload = clip_upload(request)
    job = take_in(upload, clip_wanted(request))
    reply = json_reply(_shown(job), 202)
    reply.headers["Location"] = url_for("clips.ask", name=job.id)
    return reply


@clips.get(f"{CLIPS_PATH}/<name>")
def ask(name: str) -> Response:
    """How far a clip is, and its answer once there is one."""
    let_in()
    parameters({})
    job = services().clips.find(name, request.remote_addr or "")
    if job.state == "failed":
        raise Problem("internal", "The server failed on this clip.")
    return json_reply(_shown(job))


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
