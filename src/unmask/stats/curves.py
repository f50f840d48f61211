"""The tables and curves behind the single numbers: per class, confusion, ROC, PR, reliability, risk-coverage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unmask.stats import weighted
from unmask.stats.inputs import require_both_classes
from unmask.stats.metrics import CALIBRATION_BINS, Judged
from unmask.stats.weighted import Floats


@dataclass(frozen=True, slots=True)
class ClassRow:
    """One line of the classification report; None where nothing was called or is of this class."""

    name: str
    precision: float | None
    recall: float | None
    f1: float | None
    support: int


@dataclass(frozen=True, slots=True)
class Curve:
    """Points of a curve, x never falling.

    Attributes:
        x: (K,).
        y: (K,).
    """

    x: Floats
    y: Floats


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Pictures of similar score: how many, what they were given, and how many really are fake."""

    count: int
    mean_score: float
    share_fake: float


def classification_report(judged: Judged) -> tuple[ClassRow, ClassRow]:
    """Precision, recall, F1 and support at 0.5 of real, then of fake, as in scikit-learn's report of that name.

    >>> [row.recall for row in classification_report(Judged.of([0, 0, 1], [0.2, 0.9, 0.8]))]
    [0.5, 1.0]
    """
    from sklearn.metrics import precision_recall_fscore_support

    called = judged.above_half.astype(np.int64)
    found = precision_recall_fscore_support(judged.labels, called, labels=(0, 1), zero_division=np.nan)
    real, fake = np.transpose(found).tolist()
    return _row("real", real), _row("fake", fake)


def averages(rows: Sequence[ClassRow]) -> tuple[ClassRow, ClassRow]:
    """The mean of `classification_report`'s rows, then that weighted by support: scikit-learn's macro and weighted average.

    scikit-learn counts what does not exist as 0; here such a mean does not exist either.

    >>> [row.recall for row in averages(classification_report(Judged.of([0, 0, 1], [0.2, 0.9, 0.8])))]
    [0.75, 0.6666666666666666]
    """
    support = [row.support for row in rows]
    values = np.array([(row.precision, row.recall, row.f1) for row in rows], dtype=np.float64)
    plain, by_support = values.mean(axis=0).tolist(), np.average(values, axis=0, weights=support).tolist()
    return _row("macro average", [*plain, sum(support)]), _row("weighted average", [*by_support, sum(support)])


def _row(name: str, values: Sequence[float]) -> ClassRow:
    precision, recall, f1 = (None if np.isnan(value) else value for value in values[:3])
    return ClassRow(name, precision, recall, f1, int(values[3]))


def confusion_matrix(judged: Judged) -> NDArray[np.int64]:
    """Counts at 0.5, int64 (2, 2): rows are the truth, columns the answer, real before fake.

    >>> confusion_matrix(Judged.of([0, 0, 1], [0.2, 0.9, 0.8])).tolist()
    [[1, 1], [0, 1]]
    """
    return np.bincount(2 * judged.labels + judged.above_half, minlength=4).reshape(2, 2)


def answer_matrix(judged: Judged) -> NDArray[np.int64]:
    """Counts of the three answers, int64 (2, 3): rows are the truth, columns real, unsure, fake.

    >>> answer_matrix(Judged.of([0, 0, 1], [0.2, 0.5, 0.8])).tolist()
    [[1, 1, 0], [0, 0, 1]]
    """
    answer = 1 + judged.called_fake.astype(np.int64) - judged.called_real
    return np.bincount(3 * judged.labels + answer, minlength=6).reshape(2, 3)


def _ranking(judged: Judged) -> weighted.Ranking:
    require_both_classes(judged.labels)
    return weighted.ranker(judged.labels, judged.scores)(np.ones((1, judged.labels.size)))


def roc_curve(judged: Judged) -> Curve:
    """False positive rate (x) and true positive rate (y) at every distinct score, from (0, 0) to (1, 1).

    Raises:
        UndefinedMeasureError: One class only.

    >>> roc_curve(Judged.of([0, 1, 1], [0.5, 0.3, 0.9])).y.tolist()
    [0.0, 0.5, 0.5, 1.0]
    """
    ranking = _ranking(judged)
    return Curve(ranking.false_positive_rate[0], ranking.true_positive_rate[0])


def precision_recall_curve(judged: Judged) -> Curve:
    """Recall (x) and precision (y) at every distinct score, from recall 0, where precision is 1 by convention.

    Raises:
        UndefinedMeasureError: One class only.
    """
    ranking = _ranking(judged)
    precision = weighted.divided(ranking.fakes, ranking.fakes + ranking.reals)[0]
    precision[0] = 1.0
    return Curve(ranking.true_positive_rate[0], precision)


def reliability(judged: Judged) -> tuple[ReliabilityBin, ...]:
    """The bins of the expected calibration error, the lowest scores first; empty bins are left out."""
    index = weighted.equal_mass_bins(judged.scores, np.ones((1, judged.labels.size)), CALIBRATION_BINS)[0]
    bins = [(judged.scores[index == number], judged.labels[index == number]) for number in np.unique(index)]
    return tuple(ReliabilityBin(scores.size, float(scores.mean()), float(labels.mean())) for scores, labels in bins)


def risk_coverage_curve(judged: Judged) -> Curve:
    """Share of pictures answered (x, up to 1) against the share of wrong answers among them (y), most confident first.

    Confidence is the distance of the score from 0.5; pictures of equal confidence are answered together (El-Yaniv
    and Wiener, On the Foundations of Noise-free Selective Classification, JMLR 2010, section 2).

    >>> risk_coverage_curve(Judged.of([0, 1, 0], [0.0, 0.9, 0.6])).y.tolist()
    [0.0, 0.0, 0.3333333333333333]
    """
    confidence = np.abs(judged.scores - 0.5)
    order = np.argsort(-confidence, kind="stable")
    wrong = np.cumsum((judged.above_half != judged.fake)[order])
    answered = np.arange(1, order.size + 1)
    last_of_ties = np.flatnonzero(np.append(np.diff(confidence[order]) != 0, True))
    return Curve(answered[last_of_ties] / order.size, wrong[last_of_ties] / answered[last_of_ties])
