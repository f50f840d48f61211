"""What a report says of a detector: one function a measure, of labels (0 real, 1 fake) and calibrated scores.

Every function checks its input first. What does not exist for the rows given (an AUC of one class, a precision
without positives) raises `UndefinedMeasureError` with the reason; `intervals.estimate` turns that into an empty
value with the reason beside it, which is what a report prints.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmask.stats import weighted
from unmask.stats.inputs import UndefinedMeasureError, checked_pair
from unmask.stats.weighted import Floats, Labels, Statistic
from unmask.verdict import Thresholds

CALIBRATION_BINS: Final = 15
EVEN: Final = Thresholds(real_below=0.5, fake_above=0.5)


@dataclass(frozen=True, slots=True)
class Judged:
    """Pictures with their truth and their score, checked.

    Attributes:
        labels: int64 (N,), 0 or 1.
        scores: float64 (N,), calibrated P(fake), 0..1.
        thresholds: Where *unsure* begins and ends.
        outside: bool (N,), unlike the training pictures, so never called fake; None where no detector says so.
    """

    labels: Labels
    scores: Floats
    thresholds: Thresholds = EVEN
    outside: NDArray[np.bool_] | None = None

    @classmethod
    def of(
        cls,
        labels: ArrayLike,
        probabilities: ArrayLike,
        thresholds: Thresholds = EVEN,
        *,
        outside: ArrayLike | None = None,
    ) -> Judged:
        """Checks the arrays; raises what `inputs.checked_pair` raises."""
        pair = checked_pair(labels, probabilities, probabilities=True)
        return cls(*pair, thresholds, None if outside is None else np.asarray(outside, bool))

    @property
    def real(self) -> NDArray[np.bool_]:
        return np.asarray(self.labels == 0)

    @property
    def fake(self) -> NDArray[np.bool_]:
        return np.asarray(self.labels == 1)

    @property
    def called_real(self) -> NDArray[np.bool_]:
        return self.scores < self.thresholds.real_below

    @property
    def called_fake(self) -> NDArray[np.bool_]:
        above = self.scores > self.thresholds.fake_above
        return above if self.outside is None else above & ~self.outside

    @property
    def answered(self) -> NDArray[np.bool_]:
        return self.called_real | self.called_fake

    @property
    def above_half(self) -> NDArray[np.bool_]:
        """The forced choice without *unsure*: fake above 0.5. An exact 0.5 accuses nobody."""
        return self.scores > 0.5


Rows = Callable[[Judged], NDArray[np.bool_]]


def _everything(judged: Judged) -> NDArray[np.bool_]:
    return np.ones(judged.labels.shape, dtype=bool)


@dataclass(frozen=True, slots=True)
class Measure:
    """One number of a report.

    Attributes:
        name: Stable snake_case name, as in report.json and bundle.json.
        title: What a reader sees.
        statistic: Makes the arithmetic for the pictures given.
        counted: The rows that the measure is about; their number is its n.
        nothing: Why there may be no value, in words.
        both_classes: Whether it does not exist for one class.
        compares: Whether it compares real with fake, so that the rarer class says how sure it is.
        lower_is_better: For colours and for naming the worst.
        least_reals: With fewer real pictures it does not exist, with fewer groups of them it has no interval.
    """

    name: str
    title: str
    statistic: Callable[[Judged], Statistic]
    counted: Rows = _everything
    nothing: str = "there are no rows"
    both_classes: bool = False
    compares: bool = False
    lower_is_better: bool = False
    least_reals: int = 0


def _share(name: str, title: str, hits: Rows, of: Rows, nothing: str, *, lower_is_better: bool = False) -> Measure:
    def statistic(judged: Judged) -> Statistic:
        return weighted.ratio(hits(judged) & of(judged), of(judged))

    return Measure(name, title, statistic, of, nothing, lower_is_better=lower_is_better)


def _ranked(
    name: str, title: str, of: Callable[[Labels, Floats], Statistic], *, lower_is_better: bool = False
) -> Measure:
    return Measure(
        name,
        title,
        lambda judged: of(judged.labels, judged.scores),
        both_classes=True,
        compares=True,
        lower_is_better=lower_is_better,
    )


def _found_at(percent: int) -> Measure:
    return Measure(
        f"tpr_at_fpr_{percent}",
        f"fakes found at {percent} % false alarms",
        lambda judged: weighted.true_positive_rate_at(judged.labels, judged.scores, percent / 100),
        both_classes=True,
        compares=True,
        # A share of 1 % cannot be told from none at all among fewer than 100.
        least_reals=100 // percent,
    )


def _correct(judged: Judged) -> NDArray[np.bool_]:
    return np.asarray(judged.above_half == judged.fake)


def _balanced(judged: Judged) -> Statistic:
    return weighted.mean_of(*(weighted.ratio(_correct(judged) & rows, rows) for rows in (judged.real, judged.fake)))


_LIST: Final = (
    _share(
        "false_accusation_rate",
        "real pictures called fake",
        lambda j: j.called_fake,
        lambda j: j.real,
        "there is no real picture",
        lower_is_better=True,
    ),
    _share(
        "missed_fake_rate",
        "fake pictures called real",
        lambda j: j.called_real,
        lambda j: j.fake,
        "there is no fake picture",
        lower_is_better=True,
    ),
    _share("share_unsure", "answered unsure", lambda j: ~j.answered, _everything, "no rows", lower_is_better=True),
    _share(
        "accuracy_answered",
        "accuracy where answered",
        lambda j: j.called_fake == j.fake,
        lambda j: j.answered,
        "every picture was answered unsure",
    ),
    _share("accuracy", "accuracy at 0.5", _correct, _everything, "no rows"),
    Measure("balanced_accuracy", "balanced accuracy at 0.5", _balanced, both_classes=True, compares=True),
    _ranked("roc_auc", "area under the ROC curve (AUC)", weighted.roc_auc),
    _ranked("average_precision", "average precision (AP)", weighted.average_precision),
    _ranked("equal_error_rate", "equal error rate (EER)", weighted.equal_error_rate, lower_is_better=True),
    _found_at(1),
    _found_at(5),
    Measure(
        "brier",
        "Brier score",
        lambda j: weighted.ratio((j.scores - j.labels) ** 2, np.ones(j.labels.shape)),
        lower_is_better=True,
    ),
    Measure(
        "calibration_error",
        f"expected calibration error (ECE, {CALIBRATION_BINS} equal-mass bins)",
        lambda j: weighted.calibration_error(j.labels, j.scores, CALIBRATION_BINS),
        # Among reals only every score above 0 would count as an error.
        both_classes=True,
        lower_is_better=True,
    ),
)

MEASURES: Final = MappingProxyType({measure.name: measure for measure in _LIST})
"""Every measure of the summary, in the order of the report: false accusations first."""


def value_of(name: str, judged: Judged) -> float:
    """The value of one of `MEASURES`.

    Raises:
        UndefinedMeasureError: It does not exist for these pictures.
    """
    measure = MEASURES[name]
    if measure.both_classes:
        checked_pair(judged.labels, judged.scores, both_classes=True)
    reals = int(judged.real.sum())
    if reals < measure.least_reals:
        raise UndefinedMeasureError(
            f"it needs {measure.least_reals} real pictures, and there are {reals}",
            hint="Add real pictures.",
            code="too-few-reals",
        )
    if not measure.counted(judged).any():
        raise UndefinedMeasureError(
            measure.nothing, hint=f"Add pictures that {name} can be measured on.", code="nothing-to-measure"
        )
    return float(measure.statistic(judged)(np.ones((1, judged.labels.size)))[0])


def accuracy(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """Share of right answers when fake is whatever scores above 0.5."""
    return value_of("accuracy", Judged.of(labels, probabilities))


def balanced_accuracy(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """Mean of the two classes' recall at 0.5."""
    return value_of("balanced_accuracy", Judged.of(labels, probabilities))


def roc_auc(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """Probability that a random fake scores above a random real; ties count half (Hanley and McNeil 1982)."""
    return value_of("roc_auc", Judged.of(labels, probabilities))


def average_precision(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """Area under the precision-recall curve as a sum of steps, not interpolated."""
    return value_of("average_precision", Judged.of(labels, probabilities))


def equal_error_rate(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """Where the straight-line ROC curve meets false positive rate = false negative rate."""
    return value_of("equal_error_rate", Judged.of(labels, probabilities))


def true_positive_rate_at(labels: ArrayLike, probabilities: ArrayLike, limit: float) -> float:
    """Share of fakes found by the best threshold with a false positive rate of at most `limit`.

    Args:
        labels: (N,), 0 or 1, both present.
        probabilities: (N,), 0..1.
        limit: 0..1, such as 0.01.
    """
    checked, scores = checked_pair(labels, probabilities, both_classes=True, probabilities=True)
    return float(weighted.true_positive_rate_at(checked, scores, limit)(np.ones((1, checked.size)))[0])


def brier_score(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """Mean squared distance of score and label (Brier, Monthly Weather Review 1950, for two classes)."""
    return value_of("brier", Judged.of(labels, probabilities))


def expected_calibration_error(labels: ArrayLike, probabilities: ArrayLike, *, bins: int = CALIBRATION_BINS) -> float:
    """Mean |score - share of fakes| over bins that hold equally many pictures; equal scores share a bin.

    Equal-mass rather than equal-width bins: a sharp detector leaves most equal-width bins nearly empty (Nixon et
    al., Measuring Calibration in Deep Learning, CVPR Workshops 2019).
    """
    checked, scores = checked_pair(labels, probabilities, probabilities=True)
    return float(weighted.calibration_error(checked, scores, bins)(np.ones((1, checked.size)))[0])


def false_accusation_rate(labels: ArrayLike, probabilities: ArrayLike, thresholds: Thresholds) -> float:
    """Share of the real pictures that are called fake."""
    return value_of("false_accusation_rate", Judged.of(labels, probabilities, thresholds))


def missed_fake_rate(labels: ArrayLike, probabilities: ArrayLike, thresholds: Thresholds) -> float:
    """Share of the fake pictures that are called real."""
    return value_of("missed_fake_rate", Judged.of(labels, probabilities, thresholds))


def share_unsure(labels: ArrayLike, probabilities: ArrayLike, thresholds: Thresholds) -> float:
    """Share of all pictures that are answered *unsure*."""
    return value_of("share_unsure", Judged.of(labels, probabilities, thresholds))


def accuracy_answered(labels: ArrayLike, probabilities: ArrayLike, thresholds: Thresholds) -> float:
    """Accuracy among the pictures that are answered real or fake."""
    return value_of("accuracy_answered", Judged.of(labels, probabilities, thresholds))
