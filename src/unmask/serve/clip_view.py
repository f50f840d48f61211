"""A clip's answer -> what the page's template shows of it beside the finding itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from unmask.output.evidence import as_text
from unmask.output.face_tags import stroke
from unmask.output.timeline_chart import Chart, timeline_chart
from unmask.output.wording import size_text, time_text
from unmask.serve.clip_answering import clip_document
from unmask.serve.data_urls import heatmap_url
from unmask.serve.view import AnswerView, json_download
from unmask.video.timeline import clip_thresholds

if TYPE_CHECKING:
    from unmask.detector import Detector
    from unmask.finding import ClipFacts, Moment, PersonFinding
    from unmask.serve.clip_answering import ClipAnswer, KeyPictures

# Clips by this name are pictures that move: browsers show them, and let nobody stop them at a moment.
MOVING_PICTURES = frozenset({"GIF", "PNG", "WEBP"})


@dataclass(frozen=True, slots=True)
class MomentView:
    """A moment that decided, as shown.

    Attributes:
        moment: What was found.
        pictures: The frame and the face; None where the frame could not be read once more.
        heatmap: Data URL; None where there is none, or nothing to see on it.
    """

    moment: Moment
    pictures: KeyPictures | None
    heatmap: str | None


@dataclass(frozen=True, slots=True)
class PersonView:
    """One person of a clip, as shown: what was found, the timeline, and the moments that decided, the highest score first."""

    finding: PersonFinding
    chart: Chart
    decisive: list[MomentView]


@dataclass(frozen=True, slots=True)
class ClipView(AnswerView):
    """One clip's answer, as shown; its thumbnail is a face that decided.

    Attributes:
        people: The most suspicious first.
        plays: Whether a browser may play it; some can not, for want of a codec.
    """

    people: list[PersonView]
    plays: bool


def clip_view(answer: ClipAnswer, detector: Detector, number: int) -> ClipView:
    """What the template shows of an answer, which comes with heatmaps and key frames as far as there are any."""
    finding, clip = answer.finding, answer.finding.clip
    thresholds = clip_thresholds(detector.info, detector.policy)
    title = finding.path or "clip"
    people = [
        PersonView(person, timeline_chart(finding, at, thresholds), _decisive(answer, at))
        for at, person in enumerate(finding.people)
    ]
    faces = [view.pictures.face for person in people for view in person.decisive if view.pictures]
    return ClipView(
        number=number,
        title=title,
        finding=finding,
        detector=detector,
        thresholds=thresholds,
        facts=_facts(clip, len(finding.looked_at)) if clip else [],
        thumbnail=faces[0] if faces else None,
        stroke=stroke(clip.width, clip.height) if clip else 1.0,
        text=as_text(finding, detector),
        json=json_download(clip_document(answer, detector, pictures=False), title),
        people=people,
        plays=clip is not None and clip.format not in MOVING_PICTURES,
    )


def _decisive(answer: ClipAnswer, number: int) -> list[MomentView]:
    person = answer.finding.people[number]
    views = []
    for at in sorted(person.decisive, key=lambda position: -person.moments[position].face.score):
        moment = person.moments[at]
        face = moment.face
        url = heatmap_url(face.heatmap) if face.heatmap is not None and not face.nothing_raised else None
        views.append(MomentView(moment, answer.pictures.get((number, at)), url))
    return views


def _facts(clip: ClipFacts, looked_at: int) -> list[tuple[str, str]]:
    return [
        ("Format", f"{clip.format}, {clip.codec}"),
        ("Size", f"{clip.width} × {clip.height} px, {size_text(clip.file_bytes)}"),
        ("Length", f"{time_text(clip.duration)}, {clip.frame_rate:.3g} frames a second"),
        ("Looked at", f"{looked_at:,} of {clip.frames:,} frames"),
    ]
