"""An evaluation or a comparison as files: a page, the same numbers as JSON, the scores and the plots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from unmask import __version__
from unmask.evaluate import pages, plots
from unmask.evaluate.clips import Clips
from unmask.evaluate.compare import SideBySide
from unmask.evaluate.evaluation import Evaluation
from unmask.evaluate.explanation import ExplanationTests
from unmask.evaluate.gallery import Shown
from unmask.evaluate.plot_style import Plot
from unmask.evaluate.robustness import REPLICATES as ROBUSTNESS_REPLICATES
from unmask.evaluate.robustness import Robust, overall, worst
from unmask.evaluate.scores import write_scores
from unmask.evaluate.statements import counted, how_chosen, not_known, on_validation, summary
from unmask.stats.curves import averages
from unmask.stats.intervals import Estimate
from unmask.stats.measures import MEASURES
from unmask.stats.resampling import REPLICATES

_FAILED_SHOWN: Final = 50
# Of a comparison, in the order of its table.
SHOWN: Final = (
    "false_accusation_rate", "missed_fake_rate", "share_unsure", "accuracy", "roc_auc", "equal_error_rate",
    "tpr_at_fpr_1", "calibration_error",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Against:
    """The other detector of `--against`.

    Attributes:
        detector: Its name.
        both: The two on the pictures that both answered, the detector judged first; None where there are none.
        reason: Why they could not be tested against each other; None where they were.
    """

    detector: str
    both: SideBySide | None
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
        seconds: Wall time of scoring; None where the scores were read.
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
    made: str = field(default_factory=pages.today)
    hardware: str = field(default_factory=pages.hardware)
    seconds: float | None = None
    robustness: tuple[Robust, ...] = ()
    explanations: ExplanationTests | None = None
    against: Against | None = None
    gallery: tuple[Shown, ...] = ()
    split: str | None = None
    chosen_by: str | None = None
    replicates: int = REPLICATES


def write_report(report: Report, folder: Path) -> Path:
    """Writes report.html, report.json, scores.csv and plots/ into a folder, made if it is not there; gives the page's path.

    Raises:
        UnmaskError: The folder cannot be written.
    """
    drawn = draw(report)
    page = pages.write_page(folder, "report", as_dict(report), as_html(report, drawn), drawn)
    write_scores(report.evaluation.table, folder / "scores.csv")
    return page


def draw(report: Report) -> tuple[Plot, ...]:
    """All plots for which there are numbers."""
    evaluation = report.evaluation
    both = report.against.both.evaluations if report.against and report.against.both else ()
    removal = report.explanations.removal if report.explanations else None
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
        plots.explanation_plot(removal) if removal else None,
    ]
    return tuple(plot for plot in drawn if plot is not None)


def as_dict(report: Report) -> dict[str, Any]:
    """The content of report.json: plain values; what does not exist is null, with its reason beside it."""
    evaluation, counts = report.evaluation, report.evaluation.counts
    together, hardest = overall(report.robustness), worst(report.robustness)
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
        "intervals_count": counted(evaluation),
        "summary": summary(evaluation, report.robustness, report.split),
        "not_known": not_known(evaluation, report.robustness, report.detector),
        "measures": _estimates(evaluation.measures),
        "clips": _clips(evaluation.clips) if evaluation.clips else None,
        "classification_report": [asdict(row) for row in (*evaluation.classes, *averages(evaluation.classes))]
        if evaluation.classes
        else None,
        "confusion_matrix": evaluation.confusion,
        "answers": evaluation.answers,
        "reliability": asdict(evaluation.reliability) if evaluation.reliability else None,
        "slices": [{**asdict(part), "measures": _estimates(part.measures)} for part in evaluation.slices],
        "worst_slice": evaluation.worst.name if evaluation.worst else None,
        "robustness": [
            {
                **{name: getattr(delivery, name) for name in ("family", "level", "n", "failed")},
                "measures": _estimates(delivery.measures),
            }
            for delivery in report.robustness
        ],
        "robustness_overall": asdict(together) if together else None,
        "worst_degradation": hardest.name if hardest else None,
        "explanations": asdict(report.explanations) if report.explanations else None,
        "against": _against(report.against) if report.against else None,
        "missing": evaluation.missing,
        "failed": [
            {"path": row.path, "failure": row.failure.code if row.failure else row.status.value}
            for row in evaluation.table.failed
        ],
    }


def _clips(clips: Clips) -> dict[str, Any]:
    return {**asdict(clips), "measures": _estimates(clips.measures), "by_frame": _estimates(clips.by_frame)}


def _against(against: Against) -> dict[str, Any]:
    both = against.both
    if both is None:
        return {"detector": against.detector, "pictures": 0, "reason": against.reason}
    ours, other = both.evaluations
    return {
        "detector": against.detector,
        "measures": _estimates(other.measures),
        "ours": _estimates(ours.measures),
        "delong": asdict(both.tests[1]) if both.tests[1] else None,
        "pictures": both.shared,
        "rows": list(both.given),
        "unanswered": list(both.unanswered),
        "reason": against.reason,
    }


def _estimates(measures: dict[str, Estimate]) -> dict[str, Any]:
    return {
        name: {key: value for key, value in asdict(estimate).items() if key != "name"}
        for name, estimate in measures.items()
    }


def as_html(report: Report, drawn: Sequence[Plot]) -> str:
    """One page that needs nothing but itself."""
    from unmask.explain.heatmap import WHAT_IT_IS

    evaluation = report.evaluation
    return pages.render(
        "report.html",
        drawn,
        report=report,
        evaluation=evaluation,
        table=evaluation.table,
        counts=evaluation.counts,
        counted=counted(evaluation),
        summary=summary(evaluation, report.robustness, report.split),
        not_known=not_known(evaluation, report.robustness, report.detector),
        averages=averages(evaluation.classes) if evaluation.classes else (),
        how_chosen=how_chosen(report.split, report.chosen_by),
        on_validation=on_validation(report.chosen_by),
        robustness_replicates=ROBUSTNESS_REPLICATES,
        by_clip=[(MEASURES[name], found) for name, found in evaluation.clips.measures.items()]
        if evaluation.clips
        else [],
        measures=[(MEASURES[name], estimate) for name, estimate in evaluation.measures.items()],
        worst_degradation=worst(report.robustness),
        together=overall(report.robustness),
        failed=evaluation.table.failed[:_FAILED_SHOWN],
        failed_left_out=max(0, len(evaluation.table.failed) - _FAILED_SHOWN),
        what_it_is=WHAT_IT_IS,
    )


def write_comparison(found: SideBySide, folder: Path) -> Path:
    """Writes compare.html, compare.json and plots/ into a folder, made if it is not there; gives the page's path.

    Raises:
        UnmaskError: The folder cannot be written.
    """
    made_of = (plots.comparison_plot, plots.curves_plot, plots.risk_coverage_plot)
    drawn = [plot for plot in (draw_plot(found.evaluations) for draw_plot in made_of) if plot is not None]
    content = {
        "unmask": __version__,
        "made": pages.today(),
        "hardware": pages.hardware(),
        "shared": found.shared,
        "left_out": found.left_out,
        "intervals_count": counted(found.evaluations[0]),
        "detectors": [
            {
                "name": evaluation.table.detector,
                "policy": evaluation.table.policy,
                "measures": {name: asdict(estimate) for name, estimate in evaluation.measures.items()},
                "against_first": asdict(test) if test else None,
            }
            for evaluation, test in zip(found.evaluations, found.tests, strict=True)
        ],
    }
    measures = [MEASURES[name] for name in SHOWN]
    page = pages.render("compare.html", drawn, found=found, measures=measures, content=content)
    return pages.write_page(folder, "compare", content, page, drawn)
