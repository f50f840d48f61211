"""Several detectors side by side on the pictures that all of them answered: bundles, and score tables of other tools."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from unmask import __version__
from unmask.errors import UnmaskError
from unmask.evaluate import plots
from unmask.evaluate.delong import Comparison
from unmask.evaluate.evaluation import Evaluation, compare_tables, evaluate_scores
from unmask.evaluate.figure import Plot
from unmask.evaluate.inputs import UndefinedMeasureError
from unmask.evaluate.metrics import MEASURES
from unmask.evaluate.report import environment
from unmask.evaluate.run import DEFAULT_PLAN, Plan, hardware, score_any
from unmask.evaluate.scores import ScoreTable

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

    shared = set.intersection(*({row.path for row in table.answered} for table in tables))
    if not shared:
        raise UnmaskError(
            "no picture was answered by all of them",
            hint="Use the same paths in every table, relative to the dataset: Test/Real/one.jpg.",
            code="no-shared-pictures",
        )
    for path, labels in _labels(tables).items():
        if len(labels) > 1:
            raise UnmaskError(
                f"{path} is real in one table and fake in another",
                hint="Labels are 0 for real and 1 for fake.",
                code="labels-differ",
            )
    kept = [_aligned(table, shared, _origins(tables)) for table in _named(tables)]
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
        shared=len(shared),
        left_out={new.detector: len(old.rows) - len(shared) for new, old in zip(kept, tables, strict=True)},
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


def _labels(tables: Sequence[ScoreTable]) -> dict[str, set[int]]:
    labels: dict[str, set[int]] = {}
    for table in tables:
        for row in table.rows:
            labels.setdefault(row.path, set()).add(row.label)
    return labels


def _origins(tables: Sequence[ScoreTable]) -> dict[str, tuple[str, str, str]]:
    """Source, method and group by path, from whichever table has them."""
    found: dict[str, tuple[str, str, str]] = {}
    for table in tables:
        for row in table.rows:
            if row.source or row.method or row.group:
                found.setdefault(row.path, (row.source, row.method, row.group))
    return found


def _aligned(table: ScoreTable, shared: set[str], origins: dict[str, tuple[str, str, str]]) -> ScoreTable:
    rows = []
    for row in sorted((row for row in table.rows if row.path in shared), key=lambda row: row.path):
        source, method, group = origins.get(row.path, ("", "", ""))
        rows.append(replace(row, source=source, method=method, group=group))
    return replace(table, rows=tuple(rows))


def _named(tables: Sequence[ScoreTable]) -> list[ScoreTable]:
    """Detectors of the same name get a number, so that a reader can tell them apart."""
    times = Counter(table.detector for table in tables)
    seen: Counter[str] = Counter()
    named = []
    for table in tables:
        seen[table.detector] += 1
        number = f" ({seen[table.detector]})" if times[table.detector] > 1 else ""
        named.append(replace(table, detector=table.detector + number))
    return named
