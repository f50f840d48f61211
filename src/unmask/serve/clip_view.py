"""A clip's answer -> what the page's template shows of it beside the finding itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from unmask.output.evidence import as_text, trace
from unmask.output.face_tags import stroke
from unmask.output.knowledge import at_base_rates, knows
from unmask.output.timeline_chart import Chart, timeline_chart
from unmask.output.wording import size_text, time_text
from unmask.serve.clip_answering import clip_document
from unmask.serve.data_urls import heatmap_url
from unmask.serve.view import json_download
from unmask.video.timeline import clip_thresholds

if TYPE_CHECKING:
    from unmask.detector import Detector
    from unmask.finding import ClipFacts, ClipFinding, Moment, PersonFinding
    from unmask.serve.clip_answering import ClipAnswer, KeyPictures
    from unmask.verdict import Thresholds

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
class ClipView:
    """One clip's answer, as shown.

    Attributes:
        number: Makes ids on the page unique.
        title: Name of the file.
        finding: The answer.
        thresholds: Where the zones of gauge and timelines meet.
        people: The most suspicious first.
        facts: (name, value) pairs about the file.
        trace: (name, value) pairs by which the answer can be traced.
        thumbnail: Data URL: a face that decided; None where there is none.
        plays: Whether a browser may play it; some can not, for want of a codec.
        stroke: Width of a box's line, in pixels of the clip.
        knows: What to know of the detector beside a *real*.
        at_base_rates: What the score means where 1 in so many pictures is fake.
        text: To copy.
        json_url: To download.
        json_name: The download's file name.
    """

    number: int
    title: str
    finding: ClipFinding
    thresholds: Thresholds
    people: list[PersonView]
    facts: list[tuple[str, str]]
    trace: list[tuple[str, str]]
    thumbnail: str | None
    plays: bool
    stroke: float
    knows: str
    at_base_rates: list[tuple[int, str]]
    text: str
    json_url: str
    json_name: str


def clip_view(answer: ClipAnswer, detector: Detector, number: int) -> ClipView:
    """What the template shows of an answer.

    Args:
        answer: With heatmaps and key frames, as far as there are any.
        detector: That judged it.
        number: Of the card on its page.
    """
    finding, clip = answer.finding, answer.finding.clip
    thresholds = clip_thresholds(detector.info, detector.policy)
    title = finding.path or "clip"
    people = [
        PersonView(person, timeline_chart(finding, at, thresholds), _decisive(answer, at))
        for at, person in enumerate(finding.people)
    ]
    faces = [view.pictures.face for person in people for view in person.decisive if view.pictures]
    json_url, json_name = json_download(clip_document(answer, detector, pictures=False), title)
    return ClipView(
        number=number,
        title=title,
        finding=finding,
        thresholds=thresholds,
        people=people,
        facts=_facts(clip, len(finding.looked_at)) if clip else [],
        trace=trace(finding, detector),
        thumbnail=faces[0] if faces else None,
        plays=clip is not None and clip.format not in MOVING_PICTURES,
        stroke=stroke(clip.width, clip.height) if clip else 1.0,
        knows=knows(detector.info, detector.policy),
        at_base_rates=at_base_rates(finding, detector.info),
        text=as_text(finding, detector),
        json_url=json_url,
        json_name=json_name,
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
