"""Pages that need nothing but themselves, beside their numbers as JSON and their plots as files."""

from __future__ import annotations

import base64
import datetime
import json
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from unmask import __version__
from unmask.errors import UnmaskError
from unmask.evaluate.plot_style import Plot
from unmask.evaluate.statements import estimate_text, number, percent
from unmask.output.wording import limit_text, score_text
from unmask.system.cores import available_cores

# Every plot that a page can have, so that none of an earlier page stays beside a new one.
PLOTS: Final = {
    "report": (
        "scores", "confusion", "curves", "reliability", "risk_coverage", "slices", "robustness",
        "against_curves", "against_risk_coverage", "explanation",
    ),
    "compare": ("comparison", "curves", "risk_coverage"),
}  # fmt: skip


def write_page(folder: Path, name: str, content: dict[str, Any], page: str, drawn: Sequence[Plot]) -> Path:
    """Writes NAME.html, NAME.json and plots/; plots that an earlier page left there go.

    Args:
        folder: Made if it is not there.
        name: Of the files, without an ending; one of `PLOTS`.
        content: Of the JSON: plain values, and no number that is none.
        page: The HTML.
        drawn: The plots.

    Returns:
        The page's path.

    Raises:
        UnmaskError: The folder cannot be written.
    """
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    path = folder / f"{name}.html"
    try:
        (folder / "plots").mkdir(parents=True, exist_ok=True)
        for old in set(PLOTS[name]) - {plot.name for plot in drawn}:
            for ending in ("png", "svg"):
                (folder / "plots" / f"{old}.{ending}").unlink(missing_ok=True)
        for plot in drawn:
            (folder / "plots" / f"{plot.name}.png").write_bytes(plot.png)
            (folder / "plots" / f"{plot.name}.svg").write_bytes(plot.svg)
        (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8", errors="replace")
        path.write_text(page, encoding="utf-8", errors="replace")
    except OSError as error:
        raise UnmaskError(
            f"cannot write into {folder}: {error.strerror or error}",
            hint="Name a folder that you may write to.",
            code="bad-output",
        ) from None
    return path


def render(template: str, drawn: Sequence[Plot], **values: Any) -> str:
    """A page of `templates/`, with the plots by name and the filters that print numbers."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("unmask.evaluate"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        percent=percent, number=number, estimate=estimate_text, score=score_text, limit=limit_text, data_url=_data_url
    )
    return environment.get_template(template).render(
        plots={plot.name: plot for plot in drawn}, version=__version__, **values
    )


def _data_url(plot: Plot) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(plot.svg).decode("ascii")


def today() -> str:
    """ISO date, in UTC."""
    return datetime.datetime.now(tz=datetime.UTC).date().isoformat()


def hardware() -> str:
    """The machine in words, such as ``2 cores of an AMD EPYC, no GPU used``."""
    cores = available_cores()
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), name)
    except OSError:
        pass
    return f"{cores} core{'' if cores == 1 else 's'} of {name}, no GPU used"
