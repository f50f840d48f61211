"""From a table of scores to everything a report says. Arithmetic only: no detector, no files."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Final

from unmask.evaluate.clips import Clips, judge_clips
from unmask.evaluate.scores import ScoreTable
from unmask.stats import curves
from unmask.stats.curves import ClassRow, Curve, ReliabilityBin
from unmask.stats.inputs import UndefinedMeasureError, require_both_classes
from unmask.stats.intervals import Estimate, estimate
from unmask.stats.measures import MEASURES, value_of
from unmask.stats.metrics import Judged
from unmask.stats.resampling import REPLICATES, effective_groups, group_index
from unmask.verdict import Thresholds, probability

SLICE_MEASURES: Final = ("false_accusation_rate", "missed_fake_rate", "share_unsure", "accuracy", "roc_auc")
# A slice of fewer pictures of a class says too little to be called the worst.
_ENOUGH: Final = 20
# What compares the two classes.
_OF_BOTH: Final = ("roc", "precision_recall", "reliability")


@dataclass(frozen=True, slots=True)
class Slice:
    """The pictures of one source, or the fakes of one method beside the reals of the same sources.

    Where those sources have no reals, as where fakes come from generators and reals from a camera, the fakes stand
    beside all reals.

    Attributes:
        kind: ``source`` or ``method``.
        name: As in the manifest.
        reals: Answered real pictures.
        fakes: Answered fake pictures.
        measures: `SLICE_MEASURES`.
        beside_all: Whether the reals are those of all sources, for want of its own.
    """

    kind: str
    name: str
    reals: int
    fakes: int
    measures: dict[str, Estimate]
    beside_all: bool = False


@dataclass(frozen=True, slots=True)
class Independent:
    """What the pictures of one source count as: each by itself, or as groups such as clips or look-alike photos.

    Attributes:
        source: As in the manifest; empty where it names none.
        pictures: Answered pictures.
        groups: How many groups they fall into; `pictures` where each stands alone.
    """

    source: str
    pictures: int
    groups: int


@dataclass(frozen=True, slots=True)
class Counts:
    """What was there to judge, and what became of it.

    Attributes:
        pictures: All.
        reals: The real ones.
        fakes: The fake ones.
        answered: Those with a score.
        failed: Reason -> how many have none.
        groups: Of the answered pictures, the frames of a clip among them; None where each stands alone.
        effective_groups: How many groups of equal size would weigh the same; likewise.
        outside_training: Answered pictures that are unlike those that the detector learned from.
        independent: By source, what an interval counts.
    """

    pictures: int
    reals: int
    fakes: int
    answered: int
    failed: dict[str, int]
    groups: int | None
    effective_groups: float | None
    outside_training: int = 0
    independent: tuple[Independent, ...] = ()


@dataclass(frozen=True, slots=True)
class Reliability:
    """Scores against truth, as they are and as they would be without the temperature."""

    after: tuple[ReliabilityBin, ...]
    error_after: float
    before: tuple[ReliabilityBin, ...] | None
    error_before: float | None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All numbers of a report; None where a thing does not exist, with the reason in `missing`.

    Attributes:
        table: The scores.
        counts: Pictures.
        measures: `MEASURES` with intervals.
        classes: Classification report at 0.5.
        confusion: 2 x 2 counts at 0.5, truth by answer.
        answers: 2 x 3 counts of the three answers.
        roc: Receiver operating characteristic.
        precision_recall: Precision against recall.
        risk_coverage: Error among the answered against the share answered.
        reliability: Calibration.
        slices: By source and by method.
        worst: The slice with the lowest AUC among those with enough pictures.
        missing: What does not exist -> why.
        clips: Whole clips beside their frames; None where there are none.
    """

    table: ScoreTable
    counts: Counts
    measures: dict[str, Estimate]
    classes: tuple[ClassRow, ClassRow] | None = None
    confusion: list[list[int]] | None = None
    answers: list[list[int]] | None = None
    roc: Curve | None = None
    precision_recall: Curve | None = None
    risk_coverage: Curve | None = None
    reliability: Reliability | None = None
    slices: tuple[Slice, ...] = ()
    worst: Slice | None = None
    missing: dict[str, str] = field(default_factory=dict)
    clips: Clips | None = None


def evaluate_scores(
    table: ScoreTable, *, clip_thresholds: Thresholds | None = None, replicates: int = REPLICATES
) -> Evaluation:
    """Judges a table of scores.

    Args:
        table: Any table, also with one class, one row or no answers at all.
        clip_thresholds: Of the detector for clips; None for those of the table.
        replicates: Resamplings for the intervals.

    Returns:
        Every number, with None and a reason for what does not exist.
    """
    counts = _counts(table)
    try:
        judged = table.judged()
    except UndefinedMeasureError:
        reason = "not one picture was answered"
        measures = {name: Estimate(name, reason=reason) for name in MEASURES}
        return Evaluation(
            table, counts, measures, missing=dict.fromkeys(("classes", "risk_coverage", *_OF_BOTH), reason)
        )
    slices = _slices(table, replicates)
    evaluation = Evaluation(
        table,
        counts,
        measures=estimate(judged, groups=table.groups(), replicates=replicates),
        classes=curves.classification_report(judged),
        confusion=curves.confusion_matrix(judged).tolist(),
        answers=curves.answer_matrix(judged).tolist(),
        risk_coverage=curves.risk_coverage_curve(judged),
        slices=slices,
        worst=_worst(slices),
        clips=judge_clips(table, clip_thresholds, replicates=replicates),
    )
    try:
        require_both_classes(judged.labels)
    except UndefinedMeasureError as error:
        return replace(evaluation, missing=dict.fromkeys(_OF_BOTH, error.message))
    return replace(
        evaluation,
        roc=curves.roc_curve(judged),
        precision_recall=curves.precision_recall_curve(judged),
        reliability=_reliability(table, judged),
    )


def _counts(table: ScoreTable) -> Counts:
    reals = sum(row.label == 0 for row in table.rows)
    groups = table.groups()
    index = group_index(groups, len(groups)) if groups else None
    return Counts(
        pictures=len(table.rows),
        reals=reals,
        fakes=len(table.rows) - reals,
        answered=len(table.answered),
        failed=dict(Counter(row.failure.code if row.failure else row.status.value for row in table.failed)),
        groups=None if index is None else int(index.max()) + 1,
        effective_groups=None if index is None else effective_groups(index),
        outside_training=sum(row.outside_training for row in table.answered),
        independent=_independent(table),
    )


def _independent(table: ScoreTable) -> tuple[Independent, ...]:
    units: dict[str, list[str]] = {}
    for row in table.answered:
        units.setdefault(row.source, []).append(f"g{row.together}" if row.together else f"p{row.path}")
    return tuple(Independent(source, len(names), len(set(names))) for source, names in sorted(units.items()))


def _reliability(table: ScoreTable, judged: Judged) -> Reliability:
    logits = table.logits()
    after = curves.reliability(judged), value_of("calibration_error", judged)
    if logits is None:
        return Reliability(*after, None, None)
    before = Judged.of(judged.labels, probability(logits, 1.0))
    return Reliability(*after, curves.reliability(before), value_of("calibration_error", before))


def _slices(table: ScoreTable, replicates: int) -> tuple[Slice, ...]:
    sources = sorted({row.source for row in table.answered if row.source})
    wanted = [("source", source, {source}) for source in sources]
    fakes = [row for row in table.answered if row.method and row.label == 1]
    for method in sorted({row.method for row in fakes}):
        wanted.append(("method", method, {row.source for row in fakes if row.method == method}))
    with_reals = {row.source for row in table.answered if row.label == 0}
    found = []
    for kind, name, beside in wanted:
        beside_all = bool(with_reals) and not beside & with_reals
        keep = [
            getattr(row, kind) == name if row.label == 1 else beside_all or row.source in beside for row in table.rows
        ]
        part = table.subset(keep)
        judged = part.judged()
        measures = estimate(judged, groups=part.groups(), names=SLICE_MEASURES, replicates=replicates)
        found.append(Slice(kind, name, int(judged.real.sum()), int(judged.fake.sum()), measures, beside_all))
    return tuple(found)


def _worst(slices: tuple[Slice, ...]) -> Slice | None:
    enough = [
        part for part in slices if min(part.reals, part.fakes) >= _ENOUGH and part.measures["roc_auc"].value is not None
    ]
    return min(enough, key=lambda part: part.measures["roc_auc"].value or 0.0, default=None)
