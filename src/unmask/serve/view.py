"""Answers -> what the page's template shows of them beside the finding itself: where things stand, and what can be saved."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unmask.finding import Box
from unmask.output.evidence import as_text, file_facts, trace

if TYPE_CHECKING:
    from typing import Any

    from unmask.finding import FaceFinding, Finding
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
    """

    finding: FaceFinding
    tag: Box
    target: Box
    heatmap: str | None


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
        stroke: Width of a box's line, in pixels of the picture, so that it is seen at any size.
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
    stroke: float
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
    line = stroke(width, height)
    faces = []
    for face, url in zip(finding.faces, answer.heatmaps or (None,) * len(finding.faces), strict=False):
        tag = _tag(face.box, line, width, height)
        faces.append(FaceView(face, tag, _around(face.box, tag), None if face.nothing_raised else url))
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
        stroke=line,
        text=as_text(finding, detector),
        json_url=json_url,
        json_name=json_name,
    )


def stroke(width: int, height: int) -> float:
    """Width of a box's line that is seen at any size, in pixels of a picture of this size."""
    return max(width, height) / 220


def _tag(box: Box, line: float, width: int, height: int) -> Box:
    """Above a face's box or, where that is beyond the picture, below it or inside: a small face is not covered."""
    wide, high = round(17 * line), round(11 * line)
    top = box.top - high - round(line)
    if top < 0:
        below = box.top + box.height + round(line)
        top = below if below + high <= height else max(box.top, 0)
    return Box(max(0, min(box.left, width - wide)), top, wide, high)


def _around(box: Box, tag: Box) -> Box:
    """The smallest box around two."""
    left, top = min(box.left, tag.left), min(box.top, tag.top)
    right = max(box.left + box.width, tag.left + tag.width)
    bottom = max(box.top + box.height, tag.top + tag.height)
    return Box(left, top, right - left, bottom - top)
