"""A person's timeline as a drawing: P(fake) over time, in the report and on the web page (`templates/timeline.html`)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unmask.finding import Verdict
from unmask.output.wording import MARKS, score_text, time_text

if TYPE_CHECKING:
    from unmask.finding import ClipFinding, Moment, PersonFinding
    from unmask.verdict import Thresholds

# In units of the drawing. Across they are stretched to the width that there is, down they are pixels.
WIDTH, HEIGHT = 640.0, 116.0
# Around what is drawn, so that a dot at 0 or 1, at the beginning or at the end is seen whole.
SIDE, EDGE = 16.0, 9.0
# A mark needs so much of a zone's height.
MARK_HEIGHT = 10.0


@dataclass(frozen=True, slots=True)
class Dot:
    """One sample.

    Attributes:
        x: Time, to the right.
        y: P(fake), up.
        moment: What was found.
        says: The same in words; where a face is unlike the training pictures, its verdict is not that of the zone.
        is_decisive: Whether it is one of those that raised the person's score most.
    """

    x: float
    y: float
    moment: Moment
    says: str
    is_decisive: bool


@dataclass(frozen=True, slots=True)
class Zone:
    """A band of the drawing: its verdict, its place, and its mark where there is room for one."""

    verdict: Verdict
    top: float
    height: float
    mark: str | None


@dataclass(frozen=True, slots=True)
class Chart:
    """What the template draws.

    Attributes:
        zones: From the top.
        lines: Samples in the order of time; a new line where the person was not seen between.
        begin: Time of the clip's first sample, in seconds.
        end: Of its last.
        step: From one sample to the next, on average; 0 where there is one.
        label: What it shows, in words.
    """

    zones: tuple[Zone, ...]
    lines: tuple[tuple[Dot, ...], ...]
    begin: float
    end: float
    step: float
    label: str


def timeline_chart(finding: ClipFinding, number: int, thresholds: Thresholds) -> Chart:
    """The timeline of one person.

    Args:
        finding: Of a clip.
        number: The position among its people.
        thresholds: For people in clips.
    """
    person = finding.people[number]
    begin, end = finding.looked_at[0], finding.looked_at[-1]
    span = (end - begin) or 1.0
    place = {time: at for at, time in enumerate(finding.looked_at)}
    lines: list[list[Dot]] = []
    last = -2
    for at, moment in enumerate(person.moments):
        if place[moment.time] != last + 1:
            lines.append([])
        last = place[moment.time]
        x = SIDE + (WIDTH - 2 * SIDE) * (moment.time - begin) / span
        says = f"{time_text(moment.time)}: {moment.face.verdict}, P(fake) {score_text(moment.face.score)}"
        lines[-1].append(Dot(x, _y(moment.face.score), moment, says, at in person.decisive))
    step = (end - begin) / max(1, len(finding.looked_at) - 1)
    return Chart(_zones(thresholds), tuple(map(tuple, lines)), begin, end, step, _label(person, number))


def _y(score: float) -> float:
    return EDGE + (HEIGHT - 2 * EDGE) * (1 - score)


def _zones(thresholds: Thresholds) -> tuple[Zone, ...]:
    borders = (0.0, _y(thresholds.fake_above), _y(thresholds.real_below), HEIGHT)
    return tuple(
        Zone(verdict, top, bottom - top, MARKS[verdict] if bottom - top >= MARK_HEIGHT else None)
        for verdict, top, bottom in zip(reversed(Verdict), borders[:-1], borders[1:], strict=True)
    )


def _label(person: PersonFinding, number: int) -> str:
    found = Counter(moment.face.verdict for moment in person.moments)
    counts = ", ".join(f"{found[verdict]} {verdict}" for verdict in Verdict if found[verdict])
    top = max(person.moments, key=lambda moment: moment.face.score)
    return (
        f"P(fake) of person {number + 1} over time, {len(person.moments)} samples: {counts}; "
        f"the highest, {score_text(top.face.score)}, at {time_text(top.time)}"
    )
