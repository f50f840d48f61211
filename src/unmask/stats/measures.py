"""What a report says of a detector: every measure with its name, its arithmetic, and the pictures that it is about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from unmask.stats import weighted
from unmask.stats.inputs import UndefinedMeasureError, require_both_classes
from unmask.stats.metrics import CALIBRATION_BINS, Judged
from unmask.stats.weighted import Floats, Labels, Statistic

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
        least_reals: With fewer real pictures it does not exist, with fewer groups of them it has no interval.
    """

    name: str
    title: str
    statistic: Callable[[Judged], Statistic]
    counted: Rows = _everything
    nothing: str = "there are no rows"
    both_classes: bool = False
    compares: bool = False
    least_reals: int = 0


def _share(name: str, title: str, hits: Rows, of: Rows, nothing: str) -> Measure:
    return Measure(name, title, lambda judged: weighted.ratio(hits(judged) & of(judged), of(judged)), of, nothing)


def _compared(name: str, title: str, statistic: Callable[[Judged], Statistic], *, least_reals: int = 0) -> Measure:
    return Measure(name, title, statistic, both_classes=True, compares=True, least_reals=least_reals)


def _ranked(name: str, title: str, of: Callable[[Labels, Floats], Statistic], *, least_reals: int = 0) -> Measure:
    return _compared(name, title, lambda judged: of(judged.labels, judged.scores), least_reals=least_reals)


def _found_at(percent: int) -> Measure:
    return _ranked(
        f"tpr_at_fpr_{percent}",
        f"fakes found at {percent} % false alarms",
        lambda labels, scores: weighted.true_positive_rate_at(labels, scores, percent / 100),
        # A share of 1 % cannot be told from none at all among fewer than 100.
        least_reals=100 // percent,
    )


def _correct(judged: Judged) -> NDArray[np.bool_]:
    return np.asarray(judged.above_half == judged.fake)


def _balanced(judged: Judged) -> Statistic:
    recalls = [weighted.ratio(_correct(judged) & rows, rows) for rows in (judged.real, judged.fake)]
    return lambda weights: np.mean([recall(weights) for recall in recalls], axis=0)


_LIST: Final = (
    _share(
        "false_accusation_rate",
        "real pictures called fake",
        attrgetter("called_fake"),
        attrgetter("real"),
        "there is no real picture",
    ),
    _share(
        "missed_fake_rate",
        "fake pictures called real",
        attrgetter("called_real"),
        attrgetter("fake"),
        "there is no fake picture",
    ),
    _share("share_unsure", "answered unsure", lambda judged: ~judged.answered, _everything, "no rows"),
    _share(
        "accuracy_answered",
        "accuracy where answered",
        lambda judged: judged.called_fake == judged.fake,
        attrgetter("answered"),
        "every picture was answered unsure",
    ),
    _share("accuracy", "accuracy at 0.5", _correct, _everything, "no rows"),
    _compared("balanced_accuracy", "balanced accuracy at 0.5", _balanced),
    _ranked("roc_auc", "area under the ROC curve (AUC)", weighted.roc_auc),
    _ranked("average_precision", "average precision (AP)", weighted.average_precision),
    _ranked("equal_error_rate", "equal error rate (EER)", weighted.equal_error_rate),
    _found_at(1),
    _found_at(5),
    Measure(
        "brier",
        "Brier score",
        lambda judged: weighted.ratio((judged.scores - judged.labels) ** 2, np.ones(judged.labels.shape)),
    ),
    Measure(
        "calibration_error",
        f"expected calibration error (ECE, {CALIBRATION_BINS} equal-mass bins)",
        lambda judged: weighted.calibration_error(judged.labels, judged.scores, CALIBRATION_BINS),
        # Among reals only every score above 0 would count as an error.
        both_classes=True,
    ),
)

MEASURES: Final = MappingProxyType({measure.name: measure for measure in _LIST})
"""Every measure of the summary, in the order of the report: false accusations first."""


def value_of(name: str, judged: Judged) -> float:
    """The value, 0..1, of one of `MEASURES`.

    Raises:
        UndefinedMeasureError: It does not exist for these pictures.

    >>> value_of("false_accusation_rate", Judged.of([0, 0, 1], [0.2, 0.9, 0.8]))
    0.5
    """
    measure = MEASURES[name]
    if measure.both_classes:
        require_both_classes(judged.labels)
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
