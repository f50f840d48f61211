"""What cards of pictures and of clips are made of in a terminal: colours, the scale with a score on it, a title."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from unmask.finding import Verdict

if TYPE_CHECKING:
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


def end_of(name: str) -> str:
    """What tells a long path from others: its end."""
    return name if len(name) <= TITLE_WIDTH else "…" + name[1 - TITLE_WIDTH :]
