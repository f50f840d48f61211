"""Findings in a terminal: a card for one answer, a line each for many."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from unmask.finding import ClipFinding, Finding, Status, Verdict
from unmask.output import wording
from unmask.output.clip_card import people_lines
from unmask.output.documents import Tally
from unmask.output.evidence import MARK_MEANS, file_facts, mark_codes, mark_quotes, mark_sentences, trace
from unmask.output.gauge import COLOURS, end_of, gauge
from unmask.output.knowledge import knows
from unmask.output.ranking import because, by_suspicion
from unmask.output.wording import (
    MARKS,
    NO_MARK,
    clip_remarks,
    meanings,
    note_codes,
    printable,
    reason,
    remarks,
    score_text,
)
from unmask.video.timeline import clip_thresholds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console, RenderableType

    from unmask.checking import Examined, ExaminedClip
    from unmask.detector import Detector
    from unmask.verdict import Thresholds

LEFT_OUT = "hidden files, folders behind links or patterns, or files that this run writes"


class Cards:
    """Shows a card for each picture."""

    def __init__(self, console: Console, detector: Detector) -> None:
        self._console, self._detector = console, detector

    def add(self, examined: Examined | ExaminedClip) -> None:
        """Show one answer."""
        finding, detector = examined.finding, self._detector
        is_clip = isinstance(finding, ClipFinding)
        shown = card(
            finding,
            clip_thresholds(detector.info, detector.policy) if is_clip else detector.thresholds,
            details=f"{finding.seconds:.1f} s" if is_clip else f"{finding.seconds * 1000:.0f} ms",
            known=trace(finding, detector),
            beside_real=knows(detector.info, detector.policy),
        )
        self._console.print(shown)


class Lines:
    """Shows a table with a line for each picture."""

    def __init__(self, console: Console) -> None:
        self._console, self._begun = console, False

    def add(self, examined: Examined | ExaminedClip) -> None:
        """Show one answer; the header before the first."""
        if not self._begun:
            self._console.print(HEADER)
            self._begun = True
        self._console.print(line(examined.finding), soft_wrap=True)


def card(
    finding: Finding | ClipFinding,
    thresholds: Thresholds,
    *,
    details: str,
    known: Sequence[tuple[str, str]] = (),
    beside_real: str = "",
) -> RenderableType:
    """One answer.

    Args:
        finding: Of one picture or clip.
        thresholds: Of the detector's policy, for pictures or for people in clips.
        details: The line at the bottom: how long it took.
        known: (name, value) pairs by which the answer can be traced.
        beside_real: What to know of the detector where it says *real*.
    """
    if isinstance(finding, ClipFinding):
        what, messages, because_of, parts = "clip", clip_remarks(finding), "", people_lines(finding, thresholds)
        facts = [wording.clip_text(finding.clip, len(finding.looked_at))] if finding.clip else []
    else:
        what, messages, because_of, parts = "picture", remarks(finding), because(finding), _face_lines(finding)
        facts = [f"{name}: {value}" for name, value in file_facts(finding)]
    rows = []
    if sentences := mark_sentences(finding):  # above the verdict: what the file says of being made by AI
        rows += [Text(printable(sentence), style="bold reverse") for sentence in sentences]
        rows += [Text(printable(quote), style="dim") for quote in mark_quotes(finding)]
        rows += [Text(MARK_MEANS), Text()]
    if finding.verdict is not None and finding.score is not None:
        verdict = finding.verdict
        rows.append(Text(f"{MARKS[verdict]} {verdict.upper()}", style=f"bold {COLOURS[verdict]}"))
        rows.append(Text(f"P(fake) {score_text(finding.score)}  ").append(gauge(finding.score, thresholds)))
        rows += map(Text, meanings(verdict, what))
        if verdict is Verdict.REAL and beside_real:
            rows.append(Text(beside_real))
        if because_of:
            rows.append(Text(because_of, style="bold"))
        rows += [Text(), *parts]
    elif finding.failure is not None:
        rows.append(Text(f"{NO_MARK} NO ANSWER: {printable(reason(finding.failure, finding.path))}", style="bold"))
        rows.append(Text(f"hint: {finding.failure.hint}"))
    if messages:
        rows += [Text(), Text("Keep in mind", style="bold")]
        rows += [Text(f"  • {printable(message)}") for message in messages]
    below = (*facts, *(f"{name}: {value}" for name, value in known), details)
    rows += [Text(), *(Text(printable(text), style="dim") for text in below)]
    lines = Table.grid(padding=(0, 0))
    lines.add_column(overflow="fold")
    for row in rows:
        lines.add_row(row)
    title = Text(end_of(printable(finding.path or what)))  # no markup, as a name may look like it
    return Panel(lines, title=title, title_align="left", expand=False, padding=(0, 1))


def _face_lines(finding: Finding) -> list[Text]:
    lines = []
    for number, face in by_suspicion(finding.faces):
        box = face.box
        where = f"{box.width} x {box.height} px at ({box.left}, {box.top})"
        if len(finding.faces) > 1:
            answer = f"{MARKS[face.verdict]} {face.verdict} {score_text(face.score)}"
            lines.append(Text(f"face {number}: {where}  ").append(answer, style=COLOURS[face.verdict]))
        else:
            searched = face.face_score is not None
            lines.append(Text(f"1 face: {where}" if searched else "the whole picture taken as one face"))
        if face.nothing_raised:
            lines.append(Text(wording.EMPTY_HEATMAP))
    return lines


def line(finding: Finding | ClipFinding) -> Text:
    """One answer on a line of a table: verdict, P(fake), faces or people, path, what to keep in mind."""
    mark, style = (MARKS[finding.verdict], COLOURS[finding.verdict]) if finding.verdict else (NO_MARK, "dim")
    word = finding.verdict.value if finding.verdict else finding.status.value
    score = score_text(finding.score) if finding.score is not None else ""
    moves = isinstance(finding, ClipFinding)
    count = len(finding.people if isinstance(finding, ClipFinding) else finding.faces)
    faces = f"{count:>2}" if finding.status is not Status.UNREADABLE else "  "
    text = Text(f"{mark} {word:<10}", style=style).append(f" {score:>10}  {faces}  ", style="default")
    text.append(printable(finding.path or ("clip" if moves else "picture")), style="bold")
    codes = note_codes(finding)
    if says := mark_codes(finding):
        text.append(f"  {', '.join(says)}", style="bold reverse")
    if not moves and finding.faces and all(face.nothing_raised for face in finding.faces):
        codes.append("nothing raised the score: empty heatmap")
    if finding.failure is not None:
        text.append(f"  {printable(reason(finding.failure, finding.path))} hint: {finding.failure.hint}", style="dim")
    elif codes:
        text.append(f"  {', '.join(codes)}", style="dim")
    return text


HEADER = Text("  verdict        P(fake) faces  file", style="dim")


def summary(tally: Tally, clips: int = 0) -> Text:
    """The line below a table; so many of those counted are clips."""
    text = Text(f"{wording.counted(tally.pictures, clips)}: ", style="bold")
    counts = [(getattr(tally, field), words) for field, words in wording.OUTCOMES.items()]
    text.append(", ".join(f"{count} {words}" for count, words in counts if count or words in COLOURS))
    if tally.left_out:
        text.append(f" (left out: {tally.left_out} {LEFT_OUT})", style="dim")
    return text
