"""Answers -> what the page's template shows of them beside the finding itself: where things stand, and what can be saved."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unmask.output.evidence import as_text, file_facts, trace
from unmask.output.face_tags import around, face_tags, stroke
from unmask.output.knowledge import at_base_rates, knows

if TYPE_CHECKING:
    from typing import Any

    from unmask.finding import Box, FaceFinding, Finding
    from unmask.serve.answering import Answer, Answering
    from unmask.verdict import Thresholds


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
class PictureView:
    """One picture's answer, as shown.

    Attributes:
        number: Makes ids on the page unique.
        title: Name of the file.
        finding: The answer.
        thresholds: Where the gauge's zones meet.
        faces: Largest first.
        facts: (name, value) pairs about the file and its Content Credentials, as far as they were looked at.
        trace: (name, value) pairs by which the answer can be traced.
        preview: Data URL; None where the picture cannot be read.
        thumbnail: Data URL, likewise.
        stroke: Width of a box's line, in pixels of the picture, so that it is seen at any size.
        knows: What to know of the detector beside a *real*.
        at_base_rates: What the score means where 1 in so many pictures is fake.
        text: To copy.
        json_url: To download.
        json_name: The download's file name.
    """

    number: int
    title: str
    finding: Finding
    thresholds: Thresholds
    faces: list[FaceView]
    facts: list[tuple[str, str]]
    trace: list[tuple[str, str]]
    preview: str | None
    thumbnail: str | None
    stroke: float
    knows: str
    at_base_rates: list[tuple[int, str]]
    text: str
    json_url: str
    json_name: str


def json_download(document: dict[str, Any], title: str) -> tuple[str, str]:
    """A document to save: its address, a data URL, and the name of the file."""
    data = (json.dumps(document, indent=2) + "\n").encode()
    url = "data:application/json;base64," + base64.b64encode(data).decode("ascii")
    return url, f"{title.rsplit('.', 1)[0][:60]}-unmask.json"


def picture_view(answer: Answer, answering: Answering, number: int) -> PictureView:
    """What the template shows of an answer.

    Args:
        answer: With heatmaps, provenance and preview, as far as there are any.
        answering: For the detector and the JSON document.
        number: Of the card on its page.
    """
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
    json_url, json_name = json_download(answering.document([answer]), title)
    return PictureView(
        number=number,
        title=title,
        finding=finding,
        thresholds=detector.thresholds,
        faces=faces,
        facts=file_facts(finding),
        trace=trace(finding, detector),
        preview=answer.preview,
        thumbnail=answer.thumbnail,
        stroke=stroke(width, height),
        knows=knows(detector.info, detector.policy),
        at_base_rates=at_base_rates(finding, detector.info),
        text=as_text(finding, detector),
        json_url=json_url,
        json_name=json_name,
    )
