"""Findings in a terminal: a card for one picture, a line each for many."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from unmask.finding import ClipFinding, FaceFinding, Finding, Status
from unmask.output.clip_card import clip_card
from unmask.output.documents import Tally
from unmask.output.evidence import file_facts, mark_codes, trace
from unmask.output.gauge import COLOURS, framed
from unmask.output.knowledge import knows
from unmask.output.ranking import because, by_suspicion
from unmask.output.wording import (
    EMPTY_HEATMAP,
    MARKS,
    NO_MARK,
    OUTCOMES,
    counted,
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
        known, beside_real = trace(finding, detector), knows(detector.info, detector.policy)
        if isinstance(finding, ClipFinding):
            thresholds, details = clip_thresholds(detector.info, detector.policy), f"{finding.seconds:.1f} s"
            shown = clip_card(finding, thresholds, details=details, known=known, beside_real=beside_real)
        else:
            known, details = [*file_facts(finding), *known], f"{finding.seconds * 1000:.0f} ms"
            shown = card(finding, detector.thresholds, details=details, known=known, beside_real=beside_real)
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
    finding: Finding,
    thresholds: Thresholds,
    *,
    details: str,
    known: Sequence[tuple[str, str]] = (),
    beside_real: str = "",
) -> RenderableType:
    """One picture's answer.

    Args:
        finding: Of one picture.
        thresholds: Of the detector's policy, for the gauge.
        details: The line at the bottom: how long it took.
        known: (name, value) pairs about the file, and by which the answer can be traced.
        beside_real: What to know of the detector where it says *real*.
    """
    parts = [Text(sentence, style="bold")] if (sentence := because(finding)) else []
    parts.append(Text())
    for number, face in by_suspicion(finding.faces):
        parts.append(_face_line(number, face, len(finding.faces)))
        if face.nothing_raised:
            parts.append(Text(EMPTY_HEATMAP))
    return framed(
        finding,
        "picture",
        thresholds,
        parts,
        beside_real=beside_real,
        remarks=remarks(finding),
        known=[*(f"{name}: {value}" for name, value in known), details],
    )


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
    text = Text(f"{counted(tally.pictures, clips)}: ", style="bold")
    counts = [(getattr(tally, field), words) for field, words in OUTCOMES.items()]
    text.append(", ".join(f"{count} {words}" for count, words in counts if count or words in COLOURS))
    if tally.left_out:
        text.append(f" (left out: {tally.left_out} {LEFT_OUT})", style="dim")
    return text


def _face_line(number: int, face: FaceFinding, count: int) -> Text:
    box = face.box
    where = f"{box.width} x {box.height} px at ({box.left}, {box.top})"
    if count == 1:
        return Text(f"1 face: {where}" if face.face_score is not None else "the whole picture taken as one face")
    answer = f"{MARKS[face.verdict]} {face.verdict} {score_text(face.score)}"
    return Text(f"face {number}: {where}  ").append(answer, style=COLOURS[face.verdict])
