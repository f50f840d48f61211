"""A clip's people in a terminal: a line with a small timeline for each, and the moments that decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from unmask.finding import ClipFinding, PersonFinding, Verdict
from unmask.output.gauge import COLOURS
from unmask.output.wording import MARKS, score_text, time_text
from unmask.verdict import decide

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unmask.finding import FaceFinding
    from unmask.verdict import Thresholds

# So that a person's line fits into 80 columns.
TIMELINE_WIDTH = 32
# Height as well as colour tells the zone: low is real, the middle unsure, high is fake; each zone has two steps.
STEPS = {Verdict.REAL: "▁▂", Verdict.UNSURE: "▄▅", Verdict.FAKE: "▇█"}
ABSENT = "·"


def people_lines(finding: ClipFinding, thresholds: Thresholds) -> list[Text]:
    """Two lines for each person of a clip, and one that tells the letters of their timelines."""
    lines = []
    for number, person in enumerate(finding.people, start=1):
        answer = f"{MARKS[person.verdict]} {person.verdict} {score_text(person.score)}"
        seen = f"{len(person.moments)} sample{'' if len(person.moments) == 1 else 's'}"
        first = Text(f"person {number}  ").append(f"{answer:<20}", style=COLOURS[person.verdict])
        lines.append(first.append(timeline(person, finding.looked_at, thresholds)).append(f"  {seen}"))
        moments = [person.moments[at] for at in person.decisive]
        times = ", ".join(f"{time_text(moment.time)} ({score_text(moment.face.score)})" for moment in moments)
        lines.append(Text(f"          decided at {times}", style="dim"))
    legend = "  ".join(f"{steps} {verdict}" for verdict, steps in STEPS.items())
    return [*lines, Text(f"{legend}  {ABSENT} not seen", style="dim")]


def timeline(person: PersonFinding, looked_at: Sequence[float], thresholds: Thresholds) -> Text:
    """P(fake) of one person over the frames that were looked at, from left to right.

    Args:
        person: Of one clip.
        looked_at: Times of all frames that were looked at, rising.
        thresholds: For people in clips.

    Returns:
        At most `TIMELINE_WIDTH` letters: the mean score of neighbouring samples, or that the person is not among them. No
        letter says fake where no face of its samples is called fake.
    """
    faces = {moment.time: moment.face for moment in person.moments}
    width = min(TIMELINE_WIDTH, len(looked_at))
    text = Text()
    for cell in range(width):
        times = looked_at[cell * len(looked_at) // width : (cell + 1) * len(looked_at) // width]
        found = [faces[time] for time in times if time in faces]
        if not found:
            text.append(ABSENT, style="dim")
            continue
        score = sum(face.score for face in found) / len(found)
        verdict = _verdict(found, score, thresholds)
        text.append(STEPS[verdict][_is_high(score, verdict, thresholds)], style=COLOURS[verdict])
    return text


def _verdict(faces: Sequence[FaceFinding], score: float, thresholds: Thresholds) -> Verdict:
    if len(faces) == 1:
        return faces[0].verdict
    return decide(score, thresholds, outside_training=all(face.verdict is not Verdict.FAKE for face in faces))


def _is_high(score: float, verdict: Verdict, thresholds: Thresholds) -> bool:
    low, high = {
        Verdict.REAL: (0.0, thresholds.real_below),
        Verdict.UNSURE: (thresholds.real_below, thresholds.fake_above),
        Verdict.FAKE: (thresholds.fake_above, 1.0),
    }[verdict]
    return score >= (low + high) / 2
