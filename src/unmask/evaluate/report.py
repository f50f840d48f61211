"""An evaluation as files: report.html, report.json, scores.csv and the plots."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from unmask import __version__
from unmask.errors import UnmaskError
from unmask.evaluate import plots
from unmask.evaluate.evaluation import Evaluation
from unmask.evaluate.explanation import ExplanationTests
from unmask.evaluate.gallery import Shown
from unmask.evaluate.plot_style import Plot
from unmask.evaluate.robustness import REPLICATES as ROBUSTNESS_REPLICATES
from unmask.evaluate.robustness import Robust, overall, worst
from unmask.evaluate.scores import write_scores
from unmask.evaluate.statements import how_chosen, not_known, on_validation, summary
from unmask.stats.curves import averages
from unmask.stats.delong import Comparison
from unmask.stats.intervals import Estimate
from unmask.stats.measures import MEASURES
from unmask.stats.resampling import REPLICATES

# Everything else is a share and shown in per cent.
_PLAIN: Final = frozenset({"roc_auc", "average_precision", "brier", "calibration_error"})
_FAILED_SHOWN: Final = 50


@dataclass(frozen=True, slots=True)
class Against:
    """The other detector of `--against`, on the pictures that both answered, and the test between the two.

    Attributes:
        detector: Name of the other.
        ours: Of the detector judged, on the shared pictures; None where there are none.
        other: Of the other, likewise.
        comparison: DeLong's test; None where there is none.
        pictures: How many pictures both answered.
        rows: How many pictures each of the two was given, ours first.
        unanswered: To how many of them each gave no answer.
        reason: Why comparison or both evaluations are missing.
    """

    detector: str
    ours: Evaluation | None
    other: Evaluation | None
    comparison: Comparison | None
    pictures: int
    rows: tuple[int, int]
    unanswered: tuple[int, int]
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that a report shows.

    Attributes:
        evaluation: The numbers.
        data: Name of the pictures.
        detector: Facts of the detector, as `unmask.output.documents.detector_facts`; None for a table of another tool.
        notes: What to know of the pictures.
        made: ISO date.
        hardware: Of the machine, in words.
        seconds: Wall time of scoring.
        robustness: Clean and degraded; empty if not measured.
        explanations: Tests of the heatmaps; None if not made.
        against: Another detector on the same pictures.
        gallery: Pictures; empty if left out.
        split: `Train`, `Validation` or `Test`; None where it is not known.
        chosen_by: How the thresholds were chosen, as the bundle says; None for a table of another tool.
        replicates: Resamplings behind each interval, those of the deliveries aside.
    """

    evaluation: Evaluation
    data: str
    detector: dict[str, Any] | None
    notes: tuple[str, ...]
    made: str
    hardware: str
    seconds: float | None
    robustness: tuple[Robust, ...] = ()
    explanations: ExplanationTests | None = None
    against: Against | None = None
    gallery: tuple[Shown, ...] = ()
    split: str | None = None
    chosen_by: str | None = None
    replicates: int = REPLICATES


def write_report(report: Report, folder: Path) -> Path:
    """Writes report.html, report.json, scores.csv and plots/ into a folder, and gives back the page's path.

    Raises:
        UnmaskError: The folder cannot be written.
    """
    try:
        (folder / "plots").mkdir(parents=True, exist_ok=True)
        drawn = draw(report)
        for plot in drawn:
            (folder / "plots" / f"{plot.name}.png").write_bytes(plot.png)
            (folder / "plots" / f"{plot.name}.svg").write_bytes(plot.svg)
        text = json.dumps(as_dict(report), indent=2, ensure_ascii=False, allow_nan=False)
        (folder / "report.json").write_text(text + "\n", encoding="utf-8", errors="replace")
        page = folder / "report.html"
        page.write_text(as_html(report, drawn), encoding="utf-8", errors="replace")
    except OSError as error:
        raise UnmaskError(
            f"cannot write the report into {folder}: {error.strerror or error}",
            hint="Name a folder that you may write to.",
            code="bad-output",
        ) from None
    write_scores(report.evaluation.table, folder / "scores.csv")
    return page


def draw(report: Report) -> tuple[Plot, ...]:
    """All plots for which there are numbers."""
    evaluation = report.evaluation
    against = report.against
    both = [against.ours, against.other] if against and against.ours and against.other else []
    drawn = [
        plots.scores_plot(evaluation.table) if evaluation.counts.answered else None,
        plots.confusion_plot(evaluation),
        plots.curves_plot([evaluation]),
        plots.reliability_plot(evaluation),
        plots.risk_coverage_plot([evaluation]),
        plots.slices_plot(evaluation.slices),
        plots.robustness_plot(report.robustness),
        plots.curves_plot(both, name="against_curves"),
        plots.risk_coverage_plot(both, name="against_risk_coverage"),
    ]
    if report.explanations and report.explanations.removal:
        removal = report.explanations.removal
        drawn.append(
            plots.explanation_plot(removal.steps, {"deletion": removal.deletion, "insertion": removal.insertion})
        )
    return tuple(plot for plot in drawn if plot is not None)


def as_dict(report: Report) -> dict[str, Any]:
    """The content of report.json: plain values; what does not exist is null, with its reason beside it."""
    evaluation, counts = report.evaluation, report.evaluation.counts
    return {
        "unmask": __version__,
        "made": report.made,
        "hardware": report.hardware,
        "seconds": report.seconds,
        "data": {"name": report.data, "split": report.split, **asdict(counts), "notes": list(report.notes)},
        "detector": report.detector or {"name": evaluation.table.detector},
        "policy": {"name": evaluation.table.policy, **asdict(evaluation.table.thresholds)},
        "how_chosen": how_chosen(report.split, report.chosen_by),
        "resamplings": report.replicates,
        "summary": summary(report.evaluation, report.robustness, report.split),
        "not_known": not_known(report.evaluation, report.robustness, report.detector),
        "measures": _estimates(evaluation.measures),
        "classification_report": [asdict(row) for row in (*evaluation.classes, *averages(evaluation.classes))]
        if evaluation.classes
        else None,
        "confusion_matrix": evaluation.confusion,
        "answers": evaluation.answers,
        "reliability": asdict(evaluation.reliability) if evaluation.reliability else None,
        "slices": [{**asdict(one), "measures": _estimates(one.measures)} for one in evaluation.slices],
        "worst_slice": _name(evaluation.worst),
        "robustness": [
            {
                "family": one.family,
                "level": one.level,
                "n": one.n,
                "failed": one.failed,
                "measures": _estimates(one.measures),
            }
            for one in report.robustness
        ],
        "robustness_overall": asdict(together) if (together := overall(report.robustness)) else None,
        "worst_degradation": _name(worst(report.robustness)),
        "explanations": asdict(report.explanations) if report.explanations else None,
        "against": _against(report.against),
        "missing": evaluation.missing,
        "failed": [
            {"path": row.path, "failure": row.failure.code if row.failure else row.status.value}
            for row in evaluation.table.failed
        ],
    }


def _against(against: Against | None) -> dict[str, Any] | None:
    if against is None:
        return None
    return {
        "detector": against.detector,
        "measures": _estimates(against.other.measures) if against.other else None,
        "ours": _estimates(against.ours.measures) if against.ours else None,
        "delong": asdict(against.comparison) if against.comparison else None,
        "pictures": against.pictures,
        "rows": list(against.rows),
        "unanswered": list(against.unanswered),
        "reason": against.reason,
    }


def _estimates(measures: dict[str, Estimate]) -> dict[str, Any]:
    return {name: {key: value for key, value in asdict(one).items() if key != "name"} for name, one in measures.items()}


def _name(one: Any) -> str | None:
    return one.name if one is not None else None


def as_html(report: Report, drawn: Sequence[Plot]) -> str:
    """One page that needs nothing but itself."""
    from unmask.explain.heatmap import WHAT_IT_IS

    evaluation = report.evaluation
    page: str = environment().get_template("report.html").render(
        report=report,
        evaluation=evaluation,
        table=evaluation.table,
        counts=evaluation.counts,
        summary=summary(evaluation, report.robustness, report.split),
        not_known=not_known(evaluation, report.robustness, report.detector),
        averages=averages(evaluation.classes) if evaluation.classes else (),
        how_chosen=how_chosen(report.split, report.chosen_by),
        on_validation=on_validation(report.chosen_by),
        robustness_replicates=ROBUSTNESS_REPLICATES,
        measures=[(MEASURES[name], one) for name, one in evaluation.measures.items()],
        plots={plot.name: plot for plot in drawn},
        worst_degradation=worst(report.robustness),
        together=overall(report.robustness),
        failed=evaluation.table.failed[:_FAILED_SHOWN],
        failed_left_out=max(0, len(evaluation.table.failed) - _FAILED_SHOWN),
        what_it_is=WHAT_IT_IS,
        version=__version__,
    )  # fmt: skip
    return page


def environment() -> Any:
    """Jinja with this package's templates and the filters that print numbers."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("unmask.evaluate"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(percent=percent, number=number, estimate=estimate_text, data_url=_data_url)
    return made


def percent(value: float | None) -> str:
    """A share as people read it; small ones keep a digit."""
    if value is None:
        return "–"
    return f"{100 * value:.1f} %"


def number(value: float | None, digits: int = 3) -> str:
    """A plain number, a dash where there is none."""
    return "–" if value is None or not math.isfinite(value) else f"{value:.{digits}f}"


def estimate_text(one: Estimate, name: str | None = None) -> str:
    """Value and interval, such as ``2.1 % (1.4 to 3.0)``."""
    if one.value is None:
        return f"– ({one.reason})"
    if (name or one.name) in _PLAIN:
        text, scale, digits = number(one.value), 1, 3
    else:
        text, scale, digits = percent(one.value), 100, 1
    if one.low is None or one.high is None:
        return f"{text} ({one.reason})" if one.reason else text
    return f"{text} ({scale * one.low:.{digits}f} to {scale * one.high:.{digits}f})"


def _data_url(plot: Plot) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(plot.svg).decode("ascii")
