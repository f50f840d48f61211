"""Several detectors side by side on the pictures that all of them answered: bundles, and score tables of other tools."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from unmask import __version__
from unmask.errors import UnmaskError
from unmask.evaluate import plots
from unmask.evaluate.aligned import align
from unmask.evaluate.evaluation import Evaluation, compare_tables, evaluate_scores
from unmask.evaluate.plot_style import Plot
from unmask.evaluate.report import environment
from unmask.evaluate.run import DEFAULT_PLAN, Plan, hardware, score_any
from unmask.evaluate.scores import ScoreTable
from unmask.stats.delong import Comparison
from unmask.stats.inputs import UndefinedMeasureError
from unmask.stats.measures import MEASURES

SHOWN: Final = (
    "false_accusation_rate", "missed_fake_rate", "share_unsure", "accuracy", "roc_auc", "equal_error_rate",
    "tpr_at_fpr_1", "calibration_error",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SideBySide:
    """Detectors on the same pictures.

    Attributes:
        evaluations: One a detector, on the shared pictures only.
        tests: DeLong's test of the first against each other one; None with the reason in `reasons`.
        reasons: Why a test is missing, by place.
        shared: Pictures that all answered.
        left_out: By detector, how many of its pictures are not among the shared ones.
        made: ISO date.
        hardware: Of the machine, in words.
    """

    evaluations: tuple[Evaluation, ...]
    tests: tuple[Comparison | None, ...]
    reasons: dict[int, str]
    shared: int
    left_out: dict[str, int]
    made: str
    hardware: str


def compare(
    what: Sequence[str | Path],
    data: str | Path | None = None,
    *,
    plan: Plan = DEFAULT_PLAN,
    on_step: Callable[[str], None] = lambda name: None,
) -> SideBySide:
    """Judges several detectors on the same pictures.

    Args:
        what: Folders of bundles, and CSV files of scores (see `scores.read_scores`).
        data: The pictures for the bundles; None if there are score tables only.
        plan: Split, policy and resamplings; the rest is not used.
        on_step: Told what is being done.

    Raises:
        UnmaskError: Fewer than two, no shared pictures, or labels that contradict each other.
    """
    if len(what) < 2:
        raise UnmaskError("there is nothing to compare with", hint="Name two or more.", code="too-few")
    return compare_scores([score_any(one, data, plan, on_step) for one in what], replicates=plan.replicates)


def compare_scores(tables: Sequence[ScoreTable], *, replicates: int = 1000) -> SideBySide:
    """As `compare`, for tables that are there already."""
    import datetime

    kept = align(tables)
    shared = len(kept[0].rows)
    evaluations = tuple(evaluate_scores(table, replicates=replicates) for table in kept)
    tests: list[Comparison | None] = []
    reasons = {}
    for place, table in enumerate(kept[1:], start=1):
        try:
            tests.append(compare_tables(kept[0], table)[0])
        except UndefinedMeasureError as error:
            tests.append(None)
            reasons[place] = error.message
    return SideBySide(
        evaluations=evaluations,
        tests=(None, *tests),
        reasons=reasons,
        shared=shared,
        left_out={new.detector: len(old.rows) - shared for new, old in zip(kept, tables, strict=True)},
        made=datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        hardware=hardware(),
    )


def write_comparison(found: SideBySide, folder: Path) -> Path:
    """Writes compare.html, compare.json and plots/ into a folder, and gives back the page's path.

    Raises:
        UnmaskError: The folder cannot be written.
    """
    drawn = [
        plot
        for plot in (
            plots.comparison_plot(found.evaluations),
            plots.curves_plot(found.evaluations),
            plots.risk_coverage_plot(found.evaluations),
        )
        if plot is not None
    ]
    page = folder / "compare.html"
    try:
        (folder / "plots").mkdir(parents=True, exist_ok=True)
        for plot in drawn:
            (folder / "plots" / f"{plot.name}.png").write_bytes(plot.png)
            (folder / "plots" / f"{plot.name}.svg").write_bytes(plot.svg)
        text = json.dumps(as_dict(found), indent=2, ensure_ascii=False, allow_nan=False)
        (folder / "compare.json").write_text(text + "\n", encoding="utf-8", errors="replace")
        page.write_text(as_html(found, drawn), encoding="utf-8", errors="replace")
    except OSError as error:
        raise UnmaskError(
            f"cannot write the comparison into {folder}: {error.strerror or error}",
            hint="Name a folder that you may write to.",
            code="bad-output",
        ) from None
    return page


def as_dict(found: SideBySide) -> dict[str, Any]:
    """The content of compare.json."""
    return {
        "unmask": __version__,
        "made": found.made,
        "hardware": found.hardware,
        "shared": found.shared,
        "left_out": found.left_out,
        "detectors": [
            {
                "name": one.table.detector,
                "policy": one.table.policy,
                "measures": {name: asdict(value) for name, value in one.measures.items()},
                "against_first": asdict(test) if test else None,
            }
            for one, test in zip(found.evaluations, found.tests, strict=True)
        ],
    }


def as_html(found: SideBySide, drawn: Sequence[Plot]) -> str:
    """One page that needs nothing but itself."""
    page: str = environment().get_template("compare.html").render(
        found=found,
        measures=[MEASURES[name] for name in SHOWN],
        plots={plot.name: plot for plot in drawn},
        version=__version__,
    )  # fmt: skip
    return page
