"""Findings in a terminal: a card for one picture, a line each for many."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from unmask.finding import FaceFinding, Finding, Status, Verdict
from unmask.output.documents import Tally

if TYPE_CHECKING:
    from rich.console import RenderableType

    from unmask.verdict import Thresholds

# Word, shape and colour: none of them alone carries the verdict.
MARKS = {Verdict.REAL: ("●", "green"), Verdict.UNSURE: ("◆", "yellow"), Verdict.FAKE: ("▲", "red")}
NO_ANSWER = ("–", "dim")
SENTENCES = {
    Verdict.REAL: "The detector sees no sign of a fake that it knows. That is no proof that the picture is real.",
    Verdict.UNSURE: "The detector cannot tell. Treat the picture as unchecked.",
    Verdict.FAKE: "The detector sees what it learned to see in fakes. That is a hint, not proof.",
}
GAUGE_WIDTH = 40
TITLE_WIDTH = 70
LEFT_OUT = "hidden files, links to folders or files that this run writes"


def card(finding: Finding, thresholds: Thresholds, *, details: str) -> RenderableType:
    """One picture's answer.

    Args:
        finding: Of one picture.
        thresholds: Of the detector's policy, for the gauge.
        details: The line at the bottom: detector, policy, time.
    """
    lines = Table.grid(padding=(0, 0))
    lines.add_column(overflow="fold")
    if finding.verdict is not None and finding.score is not None:
        mark, style = MARKS[finding.verdict]
        lines.add_row(Text(f"{mark} {finding.verdict.upper()}", style=f"bold {style}"))
        lines.add_row(Text(f"P(fake) {finding.score:.2f}  ").append(_gauge(finding.score, thresholds)))
        lines.add_row(Text(SENTENCES[finding.verdict]))
        lines.add_row("")
        for number, face in enumerate(finding.faces, start=1):
            lines.add_row(_face_line(number, face, len(finding.faces)))
            if face.nothing_raised:
                lines.add_row(Text("Nothing in this face raised the score, so its heatmap is empty."))
    elif finding.failure is not None:
        lines.add_row(Text(f"{NO_ANSWER[0]} NO ANSWER: {finding.failure.message}", style="bold"))
        lines.add_row(Text(f"hint: {finding.failure.hint}"))
    notes = [*finding.notes, *(note for face in finding.faces for note in face.notes)]
    if notes:
        lines.add_row("")
        lines.add_row(Text("Keep in mind", style="bold"))
        for message in dict.fromkeys(note.message for note in notes):
            lines.add_row(Text(f"  • {message}"))
    if finding.image is not None:
        image = finding.image
        lines.add_row("")
        size = f", {_file_size(image.file_bytes)}" if image.file_bytes else ""
        lines.add_row(Text(f"{image.format} {image.width} x {image.height}{size}", style="dim"))
    lines.add_row(Text(details, style="dim"))
    title = escape(_end_of(_printable(finding.path or "picture")))
    return Panel(lines, title=title, title_align="left", expand=False, padding=(0, 1))


def line(finding: Finding) -> Text:
    """One picture's answer on a line of a table: verdict, P(fake), faces, path, what to keep in mind."""
    mark, style = MARKS[finding.verdict] if finding.verdict else NO_ANSWER
    word = finding.verdict.value if finding.verdict else finding.status.value
    score = f"{finding.score:.2f}" if finding.score is not None else "    "
    faces = f"{len(finding.faces):>2}" if finding.status is not Status.UNREADABLE else "  "
    text = Text(f"{mark} {word:<10}", style=style).append(f" {score}  {faces}  ", style="default")
    text.append(_printable(finding.path or "picture"), style="bold")
    notes = [*finding.notes, *(note for face in finding.faces for note in face.notes)]
    remarks = list(dict.fromkeys(note.code for note in notes))
    if finding.faces and all(face.nothing_raised for face in finding.faces):
        remarks.append("nothing raised the score: empty heatmap")
    if finding.failure is not None:
        text.append(f"  {_printable(finding.failure.message)}; hint: {finding.failure.hint}", style="dim")
    elif remarks:
        text.append(f"  {', '.join(remarks)}", style="dim")
    return text


HEADER = Text("  verdict     P(fake) faces  picture", style="dim")


def summary(tally: Tally) -> Text:
    """The line below a table."""
    text = Text(f"{tally.pictures} picture{'' if tally.pictures == 1 else 's'}: ", style="bold")
    parts = [f"{tally.real} real", f"{tally.unsure} unsure", f"{tally.fake} fake"]
    if tally.no_face:
        parts.append(f"{tally.no_face} without a face")
    if tally.unreadable:
        parts.append(f"{tally.unreadable} not readable")
    text.append(", ".join(parts))
    if tally.left_out:
        text.append(f" (left out: {tally.left_out} {LEFT_OUT})", style="dim")
    return text


def _face_line(number: int, face: FaceFinding, count: int) -> Text:
    box = face.box
    where = f"{box.width} x {box.height} px at ({box.left}, {box.top})"
    if count == 1:
        return Text(f"1 face: {where}" if face.face_score is not None else "the whole picture taken as one face")
    mark, style = MARKS[face.verdict]
    return Text(f"face {number}: {where}  ").append(f"{mark} {face.verdict} {face.score:.2f}", style=style)


def _gauge(score: float, thresholds: Thresholds) -> Text:
    """A scale from 0 to 1, the three zones in their colours, the score as a bar across it."""
    text = Text("0 ")
    position = min(GAUGE_WIDTH - 1, int(score * GAUGE_WIDTH))
    for cell in range(GAUGE_WIDTH):
        middle = (cell + 0.5) / GAUGE_WIDTH
        if middle < thresholds.real_below:
            glyph, style = "─", MARKS[Verdict.REAL][1]
        elif middle > thresholds.fake_above:
            glyph, style = "━", MARKS[Verdict.FAKE][1]
        else:
            glyph, style = "┄", MARKS[Verdict.UNSURE][1]
        text.append("█" if cell == position else glyph, style="bold" if cell == position else style)
    return text.append(" 1")


def _file_size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1_000_000 else f"{max(1, round(count / 1000))} kB"


def _end_of(name: str) -> str:
    """What tells a long path from others: its end."""
    return name if len(name) <= TITLE_WIDTH else "…" + name[1 - TITLE_WIDTH :]


def _printable(name: str) -> str:
    """A file name without control characters, which could write over the lines above."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in name)
