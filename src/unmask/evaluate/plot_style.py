"""How the report's plots look: one style, in colours that colour-blind readers can tell apart, as PNG and SVG."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from unmask.image.encode import encode_png
from unmask.system.private import keep_matplotlib_out_of_home

# Okabe and Ito, Color Universal Design, 2008. Real is always blue and round, fake always orange and pointed.
REAL: Final = "#0072B2"
FAKE: Final = "#D55E00"
UNSURE: Final = "#7F7F7F"
ACCENT: Final = "#009E73"
SERIES: Final = (REAL, FAKE, ACCENT, "#CC79A7", "#E69F00", "#56B4E9")
DASHES: Final = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
MARKERS: Final = ("o", "^", "s", "D", "v", "P")

_DPI: Final = 150  # of the PNG

_STYLE: Final[dict[Any, Any]] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "grid.color": "#E6E8EB",
    "grid.linewidth": 0.8,
    "axes.edgecolor": "#8A9099",
    "axes.labelcolor": "#30363D",
    "xtick.color": "#59616C",
    "ytick.color": "#59616C",
    "legend.frameon": False,
    "figure.facecolor": "white",
    # A name with $ in it is a name.
    "text.parse_math": False,
    # The same numbers always give the same file.
    "svg.hashsalt": "unmask",
}


@dataclass(frozen=True, slots=True)
class Plot:
    """A finished plot.

    Attributes:
        name: File name without its ending.
        title: What it shows, for the caption.
        alt: What a reader who cannot see it should know.
        png: Bytes.
        svg: Bytes.
    """

    name: str
    title: str
    alt: str
    png: bytes
    svg: bytes


@contextmanager
def figure(width: float, height: float, rows: int = 1, columns: int = 1) -> Iterator[tuple[Any, Any]]:
    """A figure and its axes, in the style of the house."""
    # The object interface with its own canvas: no pyplot, no display, no state between threads.
    keep_matplotlib_out_of_home()
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE):
        drawn = Figure(figsize=(width, height), layout="constrained")
        yield drawn, drawn.subplots(rows, columns)


def legend(figure: Any, lines: list[Any], **look: Any) -> None:
    """A legend of all lines below a figure; by itself matplotlib 3.9 leaves out names that begin with an underscore."""
    drawn = figure.legend(lines, ["."] * len(lines), loc="outside lower center", **look)
    for text, line in zip(drawn.get_texts(), lines, strict=True):
        text.set_text(line.get_label())


def finished(drawn: Any, name: str, title: str, alt: str) -> Plot:
    """The figure as PNG and SVG, each drawn once: `savefig` draws every file twice."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    drawn.set_dpi(_DPI)
    canvas: Any = FigureCanvasAgg(drawn)
    canvas.draw()
    png = encode_png(np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3]))
    drawn.set_layout_engine("none")  # it is laid out now; once is enough for both files
    svg = io.BytesIO()
    vector: Any = FigureCanvasSVG(drawn)
    vector.print_svg(svg, metadata={"Date": None, "Creator": None})
    return Plot(name, title, alt, png, svg.getvalue())


def percent() -> Any:
    """Tick labels in per cent for an axis of shares."""
    from matplotlib.ticker import PercentFormatter

    return PercentFormatter(1.0, decimals=None)
