"""Findings for a notebook: as HTML, as a plot, as a table of pandas. Both libraries are loaded when asked for."""

from __future__ import annotations

import importlib
import sys
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from unmask.errors import UnmaskError
from unmask.explain.heatmap import lay_over
from unmask.finding import Box, ClipFinding, Finding
from unmask.output import evidence, wording
from unmask.output.clip_html import jpeg_url
from unmask.output.html_page import templates
from unmask.system.private import keep_matplotlib_out_of_home
from unmask.system.python import pip_install

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jinja2 import Template
    from numpy.typing import NDArray

    from unmask.finding import ClipFacts, ImageFacts

COLOURS = {"real": "#12723b", "unsure": "#c98a00", "fake": "#d93a2f"}


def drawn(finding: Finding, *, heatmaps: bool) -> NDArray[np.uint8]:
    """The picture with a box around each face, numbered where there are several.

    Args:
        finding: With a preview.
        heatmaps: Whether to lay them over the faces.

    Returns:
        uint8 (H, W, 3), RGB, as large as the preview.

    Raises:
        UnmaskError: ``no-preview``.
    """
    from PIL import Image, ImageDraw, ImageFont

    if finding.preview is None or finding.image is None:
        raise UnmaskError(
            "this finding has no picture",
            hint="Check it with heatmap=True; a file must be readable.",
            code="no-preview",
        )
    pixels = finding.preview.copy()
    scale = pixels.shape[1] / finding.image.width
    if heatmaps:
        for face in finding.faces:
            if face.heatmap is not None:
                lay_over(pixels, _scaled(face.crop, scale), face.heatmap)
    page = Image.fromarray(pixels)
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default(18)
    for number, face in enumerate(finding.faces, start=1):
        box, colour = _scaled(face.box, scale), COLOURS[face.verdict]
        corners = (box.left, box.top, box.left + box.width, box.top + box.height)
        draw.rectangle(corners, outline="white", width=5)
        draw.rectangle(tuple(np.add(corners, (1, 1, -1, -1))), outline=colour, width=3)
        if len(finding.faces) > 1:
            draw.text((box.left + 8, box.top + 5), str(number), "white", font, stroke_width=3, stroke_fill=colour)
    return np.asarray(page, dtype=np.uint8)


def html(finding: Finding | ClipFinding) -> str:
    """A card for a notebook's cell; of a clip in words only."""
    pictures: list[tuple[str, str]] = []
    if isinstance(finding, ClipFinding):
        what, part, remarks = "clip", "Person", wording.clip_remarks(finding)
    else:
        what, part, remarks = "picture", "Face", wording.remarks(finding)
        shown = 0 if finding.preview is None else 2 if finding.faces else 1
        for title, heatmaps in [("Faces", False), ("Heatmaps", True)][:shown]:
            pictures.append((title, jpeg_url(drawn(finding, heatmaps=heatmaps))))
    return _template().render(
        finding=finding,
        what=what,
        pictures=pictures,
        remarks=remarks,
        part=part,
        parts=finding.people if isinstance(finding, ClipFinding) else finding.faces,
        marks=evidence.mark_sentences(finding),
        colours=COLOURS,
        words=wording,
    )


def plot(finding: Finding, ax: Any = None) -> Any:
    """The picture with boxes and heatmaps, drawn by matplotlib.

    Args:
        finding: With a preview.
        ax: `matplotlib.axes.Axes` to draw on; None for the current ones.

    Returns:
        The axes.

    Raises:
        UnmaskError: ``no-preview``, or matplotlib is not installed.
    """
    pixels = drawn(finding, heatmaps=True)
    if ax is None:
        if "matplotlib" not in sys.modules:
            keep_matplotlib_out_of_home()
        ax = _library("matplotlib.pyplot", "A plot").gca()
    answer = finding.verdict.value if finding.verdict else "no answer"
    score = f", P(fake) {wording.score_text(finding.score)}" if finding.score is not None else ""
    ax.imshow(pixels)
    ax.set_title(f"{answer}{score}")
    ax.set_axis_off()
    return ax


def to_frame(findings: Iterable[Finding | ClipFinding]) -> Any:
    """Findings as a table, one row a picture or clip, in their order.

    Args:
        findings: Such as `unmask.check_paths` gives.

    Returns:
        `pandas.DataFrame`; what is not known is None or NaN. `faces` counts the faces of a picture, `people` those of a clip;
        `notes` and `marks` are as in the CSV of ``unmask check``.

    Raises:
        UnmaskError: pandas is not installed.
    """
    pandas = _library("pandas", "A table")
    rows = [_row(finding) for finding in findings]
    return pandas.DataFrame(rows, columns=COLUMNS)


COLUMNS = (
    "path", "status", "verdict", "score", "faces", "people", "marks", "notes", "failure", "message",
    "format", "width", "height", "file_bytes", "sha256", "camera", "lens", "software", "duration",
    "detector", "policy", "seconds", "checked",
)  # fmt: skip


def _row(finding: Finding | ClipFinding) -> dict[str, Any]:
    file: ImageFacts | ClipFacts | None
    own: dict[str, Any]
    if isinstance(finding, ClipFinding):
        file, own = finding.clip, {"people": len(finding.people)}
    else:
        file, own = finding.image, {"faces": len(finding.faces)}
    row = {name: getattr(finding, name) for name in ("path", "score", "detector", "policy", "seconds", "checked")}
    row |= {name: getattr(file, name, None) for name in COLUMNS[COLUMNS.index("format") : COLUMNS.index("detector")]}
    return row | {
        **own,
        "marks": evidence.mark_cell(finding),
        "status": finding.status.value,
        "verdict": finding.verdict.value if finding.verdict else None,
        "notes": ";".join(wording.note_codes(finding)),
        "failure": finding.failure.code if finding.failure else None,
        "message": finding.failure.message if finding.failure else None,
    }


def _scaled(box: Box, scale: float) -> Box:
    left, top = round(box.left * scale), round(box.top * scale)
    return Box(left, top, max(6, round(box.width * scale)), max(6, round(box.height * scale)))


def _library(name: str, what: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        package = name.partition(".")[0]
        raise UnmaskError(
            f"{what} needs {package}, which is not installed",
            hint=f"Run `{pip_install(package)}`.",
            code=f"no-{package}",
        ) from None


@cache
def _template() -> Template:
    return templates("unmask.output").get_template("notebook.html")
