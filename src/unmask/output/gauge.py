"""What cards of pictures and of clips have in common in a terminal: colours, the scale with a score on it, the frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from unmask.finding import Verdict
from unmask.output.evidence import MARK_MEANS, mark_quotes, mark_sentences
from unmask.output.wording import MARKS, NO_MARK, meanings, printable, reason, score_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from unmask.finding import ClipFinding, Finding
    from unmask.verdict import Thresholds

COLOURS = {Verdict.REAL: "green", Verdict.UNSURE: "yellow", Verdict.FAKE: "red"}
GAUGE_WIDTH = 40
TITLE_WIDTH = 70


def gauge(score: float, thresholds: Thresholds) -> Text:
    """A scale from 0 to 1, the three zones in their colours, the score as a bar across it."""
    text = Text("0 ")
    position = min(GAUGE_WIDTH - 1, int(score * GAUGE_WIDTH))
    for cell in range(GAUGE_WIDTH):
        middle = (cell + 0.5) / GAUGE_WIDTH
        if middle < thresholds.real_below:
            glyph, style = "─", COLOURS[Verdict.REAL]
        elif middle > thresholds.fake_above:
            glyph, style = "━", COLOURS[Verdict.FAKE]
        else:
            glyph, style = "┄", COLOURS[Verdict.UNSURE]
        text.append("█" if cell == position else glyph, style="bold" if cell == position else style)
    return text.append(" 1")


def framed(
    finding: Finding | ClipFinding,
    what: str,
    thresholds: Thresholds,
    parts: Iterable[Text],
    *,
    beside_real: str,
    remarks: Sequence[str],
    known: Iterable[str],
) -> Panel:
    """The card of one answer.

    Args:
        finding: Of a picture or a clip.
        what: Which of both.
        thresholds: Of the detector's policy, for the gauge.
        parts: Lines about its faces or people, below the verdict.
        beside_real: What to know of the detector where it says *real*.
        remarks: What to keep in mind.
        known: Lines at the bottom: of the file, and of how it was answered.
    """
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
        rows += parts
    elif finding.failure is not None:
        rows.append(Text(f"{NO_MARK} NO ANSWER: {printable(reason(finding.failure, finding.path))}", style="bold"))
        rows.append(Text(f"hint: {finding.failure.hint}"))
    if remarks:
        rows += [Text(), Text("Keep in mind", style="bold")]
        rows += [Text(f"  • {printable(message)}") for message in remarks]
    rows += [Text(), *(Text(printable(line), style="dim") for line in known)]
    lines = Table.grid(padding=(0, 0))
    lines.add_column(overflow="fold")
    for row in rows:
        lines.add_row(row)
    title = Text(_end_of(printable(finding.path or what)))  # no markup, as a name may look like it
    return Panel(lines, title=title, title_align="left", expand=False, padding=(0, 1))


def _end_of(name: str) -> str:
    """What tells a long path from others: its end."""
    return name if len(name) <= TITLE_WIDTH else "…" + name[1 - TITLE_WIDTH :]
