"""Answers -> what the page's template shows of them. Everything that needs counting is counted here."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from unmask.finding import Box
from unmask.output.wording import MARKS, MEANINGS, NO_MARK, as_text, hint, reason, remarks, score_text, size_text

if TYPE_CHECKING:
    from unmask.finding import FaceFinding, Finding
    from unmask.serve.answering import Answer, Answering
    from unmask.verdict import Thresholds

# The gauge is drawn 0..100 wide.
GAUGE = 100.0


@dataclass(frozen=True, slots=True)
class FaceView:
    """One face of a picture, as shown.

    Attributes:
        number: From 1.
        verdict, mark, score: As shown.
        position: Of the score on the gauge, 0..100.
        box, crop: Rectangles in pixels of the picture.
        tag: Where the face's number stands.
        target: What can be clicked: box and tag, so that a small face is no small target.
        heatmap: Data URL; None where there is none, or nothing to see on it.
        size: As shown.
        searched: False where the whole picture was taken as the face.
    """

    number: int
    verdict: str
    mark: str
    score: str
    position: float
    box: Box
    crop: Box
    tag: Box
    target: Box
    heatmap: str | None
    size: str
    searched: bool


@dataclass(frozen=True, slots=True)
class PictureView:
    """One picture's answer, as shown.

    Attributes:
        number: Makes ids on the page unique.
        title: Name of the file.
        verdict: real, unsure, fake; None without an answer.
        mark: The verdict's shape.
        score: As shown.
        position: Of the score on the gauge, 0..100.
        real_end, fake_begin: Where the gauge's zones end and begin, 0..100.
        meaning: Two sentences.
        failure, hint: Why there is no answer, and what to do.
        remarks: What to keep in mind.
        facts: (name, value) pairs about the file.
        provenance: What Content Credentials say, as pairs; empty if not looked at.
        faces: Largest first.
        has_heat: Whether any face has a heatmap with something to see on it.
        preview: Data URL; None where the picture cannot be read.
        width, height: Of the picture.
        stroke: Width of a box's line, in pixels of the picture, so that it is seen at any size.
        text: To copy.
        json_url: To download.
        json_name: The download's file name.
    """

    number: int
    title: str
    verdict: str | None
    mark: str
    score: str
    position: float
    real_end: float
    fake_begin: float
    meaning: tuple[str, ...]
    failure: str | None
    hint: str | None
    remarks: list[str]
    facts: list[tuple[str, str]]
    provenance: list[tuple[str, str]]
    faces: list[FaceView]
    has_heat: bool
    preview: str | None
    width: int
    height: int
    stroke: float
    text: str
    json_url: str
    json_name: str


def picture_view(answer: Answer, answering: Answering, number: int) -> PictureView:
    """What the template shows of an answer.

    Args:
        answer: With heatmaps, provenance and preview, as far as there are any.
        answering: For the detector and the JSON document.
        number: Of the card on its page.
    """
    finding, detector = answer.finding, answering.detector
    verdict = finding.verdict
    thresholds: Thresholds = detector.thresholds
    maps = answer.heatmaps or (None,) * len(finding.faces)
    width, height = (finding.image.width, finding.image.height) if finding.image else (0, 0)
    line = max(width, height) / 220
    faces = [
        _face(k, face, url, _tag(face.box, line, width, height))
        for k, (face, url) in enumerate(zip(finding.faces, maps, strict=False), start=1)
    ]
    title = finding.path or "picture"
    return PictureView(
        number=number,
        title=title,
        verdict=verdict.value if verdict else None,
        mark=MARKS[verdict] if verdict else NO_MARK,
        score=score_text(finding.score) if finding.score is not None else "",
        position=_position(finding.score or 0.0),
        real_end=GAUGE * thresholds.real_below,
        fake_begin=GAUGE * thresholds.fake_above,
        meaning=MEANINGS[verdict] if verdict else (),
        failure=reason(finding.failure) if finding.failure else None,
        hint=hint(finding.failure) if finding.failure else None,
        remarks=remarks(finding),
        facts=_facts(finding),
        provenance=_provenance(answer),
        faces=faces,
        has_heat=any(face.heatmap for face in faces),
        preview=answer.preview,
        width=width,
        height=height,
        stroke=line,
        text=as_text(finding, detector, answer.provenance.message if answer.provenance else None),
        json_url=_json_url(answering.document([answer])),
        json_name=f"{title.rsplit('.', 1)[0][:60]}-unmask.json",
    )


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


def _face(number: int, face: FaceFinding, heatmap: str | None, tag: Box) -> FaceView:
    return FaceView(
        number=number,
        verdict=face.verdict.value,
        mark=MARKS[face.verdict],
        score=score_text(face.score),
        position=_position(face.score),
        box=face.box,
        crop=face.crop,
        tag=tag,
        target=_around(face.box, tag),
        heatmap=heatmap if face.heatmap is not None and face.heatmap.any() else None,
        size=f"{face.box.width} × {face.box.height} px",
        searched=face.face_score is not None,
    )


def _position(score: float) -> float:
    return round(GAUGE * score, 2)


def _facts(finding: Finding) -> list[tuple[str, str]]:
    image = finding.image
    if image is None:
        return []
    kind = image.format + (f", quality about {image.jpeg_quality}" if image.jpeg_quality else "")
    facts = [("Format", kind), ("Size", f"{image.width} × {image.height} px, {size_text(image.file_bytes)}")]
    facts += [("Camera", image.camera)] if image.camera else []
    facts += [("Software", image.software)] if image.software else []
    return [*facts, ("SHA-256", image.sha256)]


def _provenance(answer: Answer) -> list[tuple[str, str]]:
    found = answer.provenance
    if found is None:
        return []
    rows = [("Content Credentials", found.message)]
    if found.signed_by:
        trust = "on a trust list" if found.trusted else "not checked against a trust list"
        rows.append(("Signed by", f"{found.signed_by} ({trust})"))
    rows += [("Made with", f"{found.made_with} (its own words)")] if found.made_with else []
    return rows


def _json_url(document: dict[str, Any]) -> str:
    text = json.dumps(document, indent=2) + "\n"
    return "data:application/json;base64," + base64.b64encode(text.encode()).decode("ascii")
