"""A clip's answer in a terminal: its verdict, a line with a small timeline for each person, and the moments that decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from unmask.finding import ClipFinding, PersonFinding, Verdict
from unmask.output.evidence import MARK_MEANS, mark_quotes, mark_sentences
from unmask.output.gauge import COLOURS, end_of, gauge
from unmask.output.wording import (
    MARKS,
    NO_MARK,
    clip_remarks,
    clip_text,
    meanings,
    printable,
    reason,
    score_text,
    time_text,
)
from unmask.verdict import decide

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from unmask.finding import FaceFinding, Finding
    from unmask.verdict import Thresholds

# So that a person's line fits into 80 columns.
TIMELINE_WIDTH = 32
# Height as well as colour tells the zone: low is real, the middle unsure, high is fake; each zone has two steps.
STEPS = {Verdict.REAL: "▁▂", Verdict.UNSURE: "▄▅", Verdict.FAKE: "▇█"}
ABSENT = "·"


def clip_card(
    finding: ClipFinding,
    thresholds: Thresholds,
    *,
    details: str,
    known: Sequence[tuple[str, str]] = (),
    beside_real: str = "",
) -> RenderableType:
    """One clip's answer.

    Args:
        finding: Of one clip.
        thresholds: For people in clips, of the detector's policy.
        details: The line at the bottom: how long it took.
        known: (name, value) pairs by which the answer can be traced.
        beside_real: What to know of the detector where it says *real*.
    """
    lines = Table.grid(padding=(0, 0))
    lines.add_column(overflow="fold")
    for row in mark_rows(finding):
        lines.add_row(row)
    if finding.verdict is not None and finding.score is not None:
        verdict = finding.verdict
        lines.add_row(Text(f"{MARKS[verdict]} {verdict.upper()}", style=f"bold {COLOURS[verdict]}"))
        lines.add_row(Text(f"P(fake) {score_text(finding.score)}  ").append(gauge(finding.score, thresholds)))
        for sentence in meanings(verdict, "clip"):
            lines.add_row(Text(sentence))
        if verdict is Verdict.REAL and beside_real:
            lines.add_row(Text(beside_real))
        lines.add_row("")
        for number, person in enumerate(finding.people, start=1):
            for row in _person(number, person, finding, thresholds):
                lines.add_row(row)
        lines.add_row(Text(f"{_legend()}  {ABSENT} not seen", style="dim"))
    elif finding.failure is not None:
        lines.add_row(Text(f"{NO_MARK} NO ANSWER: {printable(reason(finding.failure, finding.path))}", style="bold"))
        lines.add_row(Text(f"hint: {finding.failure.hint}"))
    if messages := clip_remarks(finding):
        lines.add_row("")
        lines.add_row(Text("Keep in mind", style="bold"))
        for message in messages:
            lines.add_row(Text(f"  • {printable(message)}"))
    lines.add_row("")
    if finding.clip is not None:
        lines.add_row(Text(clip_text(finding.clip, len(finding.looked_at)), style="dim"))
    for name, value in known:
        lines.add_row(Text(printable(f"{name}: {value}"), style="dim"))
    lines.add_row(Text(printable(details), style="dim"))
    title = Text(end_of(printable(finding.path or "clip")))
    return Panel(lines, title=title, title_align="left", expand=False, padding=(0, 1))


def mark_rows(finding: Finding | ClipFinding) -> list[Text]:
    """What the file says of being made by AI, above the verdict; empty where it says nothing."""
    sentences = mark_sentences(finding)
    rows = [Text(printable(sentence), style="bold reverse") for sentence in sentences]
    rows += [Text(printable(quote), style="dim") for quote in mark_quotes(finding)]
    return [*rows, Text(MARK_MEANS), Text("")] if sentences else []


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


def _person(number: int, person: PersonFinding, finding: ClipFinding, thresholds: Thresholds) -> list[Text]:
    answer = f"{MARKS[person.verdict]} {person.verdict} {score_text(person.score)}"
    seen = f"{len(person.moments)} sample{'' if len(person.moments) == 1 else 's'}"
    first = Text(f"person {number}  ").append(f"{answer:<20}", style=COLOURS[person.verdict])
    first.append(timeline(person, finding.looked_at, thresholds)).append(f"  {seen}")
    moments = [person.moments[at] for at in person.decisive]
    times = ", ".join(f"{time_text(moment.time)} ({score_text(moment.face.score)})" for moment in moments)
    return [first, Text(f"          decided at {times}", style="dim")]


def _legend() -> str:
    return "  ".join(f"{steps} {verdict}" for verdict, steps in STEPS.items())
