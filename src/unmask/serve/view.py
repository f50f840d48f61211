"""Answers -> what the page's template shows of them beside the finding itself: where things stand, and what can be saved."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from unmask.output.evidence import as_text, file_facts
from unmask.output.face_tags import around, face_tags, stroke
from unmask.serve.data_urls import data_url

if TYPE_CHECKING:
    from typing import Any

    from unmask.detector import Detector
    from unmask.finding import Box, ClipFinding, FaceFinding, Finding
    from unmask.serve.answering import Answer, Answering
    from unmask.verdict import Thresholds


class Download(NamedTuple):
    """Something to save: its address, a data URL, and the name of the file."""

    url: str
    name: str


@dataclass(frozen=True, slots=True)
class AnswerView:
    """The answer for a picture or a clip, as shown.

    Attributes:
        number: Makes ids on the page unique.
        title: Name of the file.
        finding: The answer.
        detector: That judged it.
        thresholds: Where the zones of gauge and timelines meet.
        facts: (name, value) pairs about the file and its Content Credentials, as far as they were looked at.
        thumbnail: Data URL; None where there is nothing to show.
        stroke: Width of a box's line, in pixels of the picture, so that it is seen at any size.
        text: To copy.
        json: To download.
    """

    number: int
    title: str
    finding: Finding | ClipFinding
    detector: Detector
    thresholds: Thresholds
    facts: list[tuple[str, str]]
    thumbnail: str | None
    stroke: float
    text: str
    json: Download


@dataclass(frozen=True, slots=True)
class FaceView:
    """One face of a picture, as shown.

    Attributes:
        finding: What the detector says of it.
        tag: Where its number stands.
        target: What can be clicked: box and tag, so that a small face is no small target.
        heatmap: Data URL; None where there is none, or nothing to see on it.
        closeup: Data URL; None where the preview shows the face as well.
    """

    finding: FaceFinding
    tag: Box
    target: Box
    heatmap: str | None
    closeup: str | None


@dataclass(frozen=True, slots=True)
class PictureView(AnswerView):
    """One picture's answer, as shown.

    Attributes:
        faces: Largest first.
        preview: Data URL; None where the picture cannot be read.
    """

    faces: list[FaceView]
    preview: str | None


def json_download(document: dict[str, Any], title: str) -> Download:
    """A document to save."""
    data = (json.dumps(document, indent=2) + "\n").encode()
    return Download(data_url("application/json", data), f"{title.rsplit('.', 1)[0][:60]}-unmask.json")


def picture_view(answer: Answer, answering: Answering, number: int) -> PictureView:
    """What the template shows of an answer, which comes with heatmaps, provenance and preview as far as there are any."""
    finding, detector = answer.finding, answering.detector
    width, height = (finding.image.width, finding.image.height) if finding.image else (0, 0)
    none = (None,) * len(finding.faces)
    tags = face_tags([face.box for face in finding.faces], width, height)
    faces = [
        FaceView(face, tag, around(face.box, tag), None if face.nothing_raised else heatmap, closeup)
        for face, tag, heatmap, closeup in zip(
            finding.faces, tags, answer.heatmaps or none, answer.closeups or none, strict=True
        )
    ]
    title = finding.path or "picture"
    return PictureView(
        number=number,
        title=title,
        finding=finding,
        detector=detector,
        thresholds=detector.thresholds,
        facts=file_facts(finding),
        thumbnail=answer.thumbnail,
        stroke=stroke(width, height),
        text=as_text(finding, detector),
        json=json_download(answering.document([answer]), title),
        faces=faces,
        preview=answer.preview,
    )
