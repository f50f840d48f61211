"""Measures of labels (0 real, 1 fake) and calibrated scores, P(fake): arrays in, one number out.

Every function checks its input first. What does not exist for the rows given, such as an AUC of one class, raises
`UndefinedMeasureError` with the reason. What a report shows, with intervals, is in `measures` and `intervals`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmask.errors import UnmaskError
from unmask.stats import weighted
from unmask.stats.inputs import checked_pair
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
        """Checks the arrays and puts them together.

        Args:
            labels: (N,), 0 real or 1 fake.
            probabilities: (N,), P(fake), 0..1.
            thresholds: Where *unsure* begins and ends.
            outside: (N,), whether each picture is unlike the training pictures; None where that is not known.

        Returns:
            The same as arrays of fixed types.

        Raises:
            UnmaskError: What `inputs.checked_pair` raises, or not one value of `outside` for each label.

        >>> Judged.of([0, 1], [0.2, 0.9], outside=[False, True]).called_fake
        array([False, False])
        """
        checked, scores = checked_pair(labels, probabilities, probabilities=True)
        if outside is None:
            return cls(checked, scores, thresholds)
        flags = np.asarray(outside, dtype=bool)
        if flags.shape != checked.shape:
            raise UnmaskError(
                f"{checked.size} labels but `outside` of shape {flags.shape}",
                hint="Pass one truth value for each label.",
                code="length-mismatch",
            )
        return cls(checked, scores, thresholds, flags)

    @property
    def real(self) -> NDArray[np.bool_]:
        """Which pictures are real, (N,)."""
        return np.asarray(self.labels == 0)

    @property
    def fake(self) -> NDArray[np.bool_]:
        """Which are fake, (N,)."""
        return np.asarray(self.labels == 1)

    @property
    def called_real(self) -> NDArray[np.bool_]:
        """Which are answered *real*, (N,)."""
        return self.scores < self.thresholds.real_below

    @property
    def called_fake(self) -> NDArray[np.bool_]:
        """Which are answered *fake*, (N,): never one that is unlike the training pictures."""
        above = self.scores > self.thresholds.fake_above
        return above if self.outside is None else above & ~self.outside

    @property
    def answered(self) -> NDArray[np.bool_]:
        """Which are answered real or fake, (N,)."""
        return self.called_real | self.called_fake

    @property
    def above_half(self) -> NDArray[np.bool_]:
        """The forced choice without *unsure*, (N,): fake above 0.5. An exact 0.5 accuses nobody."""
        return self.scores > 0.5


def accuracy(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """Share of right answers when fake is whatever scores above 0.5.

    Args:
        labels: (N,), 0 or 1.
        probabilities: (N,), P(fake), 0..1.

    Returns:
        0..1.

    Raises:
        UnmaskError: See `inputs.checked_pair`.

    >>> accuracy([0, 0, 1, 1], [0.1, 0.6, 0.7, 0.8])
    0.75
    """
    judged = Judged.of(labels, probabilities)
    return float((judged.above_half == judged.fake).mean())


def roc_auc(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """Area under the ROC curve: the probability that a random fake scores above a random real, ties counted half.

    Hanley and McNeil, "The Meaning and Use of the Area under a ROC Curve", Radiology 1982.

    Args:
        labels: (N,), 0 or 1, both present.
        probabilities: (N,), P(fake), 0..1.

    Returns:
        0..1; 0.5 is chance, 1 a perfect ranking.

    Raises:
        UndefinedMeasureError: One class only, or no rows.
        UnmaskError: See `inputs.checked_pair`.

    >>> roc_auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.75
    """
    pair = checked_pair(labels, probabilities, both_classes=True, probabilities=True)
    return _of_all(weighted.roc_auc(*pair), pair[0].size)


def average_precision(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """Area under the precision-recall curve as a sum of steps, not interpolated, as scikit-learn's of that name.

    Args:
        labels: (N,), 0 or 1, both present.
        probabilities: (N,), P(fake), 0..1.

    Returns:
        0..1; chance is the share of fakes.

    Raises:
        UndefinedMeasureError: One class only, or no rows.
        UnmaskError: See `inputs.checked_pair`.

    >>> round(average_precision([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]), 3)
    0.833
    """
    pair = checked_pair(labels, probabilities, both_classes=True, probabilities=True)
    return _of_all(weighted.average_precision(*pair), pair[0].size)


def equal_error_rate(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """EER: where the straight-line ROC curve meets false positive rate = false negative rate.

    Args:
        labels: (N,), 0 or 1, both present.
        probabilities: (N,), P(fake), 0..1.

    Returns:
        0..1; 0 is a perfect ranking, 0.5 chance.

    Raises:
        UndefinedMeasureError: One class only, or no rows.
        UnmaskError: See `inputs.checked_pair`.

    >>> equal_error_rate([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.5
    """
    pair = checked_pair(labels, probabilities, both_classes=True, probabilities=True)
    return _of_all(weighted.equal_error_rate(*pair), pair[0].size)


def true_positive_rate_at(labels: ArrayLike, probabilities: ArrayLike, limit: float) -> float:
    """TPR@FPR: share of fakes found by the best threshold with a false positive rate of at most `limit`.

    Args:
        labels: (N,), 0 or 1, both present.
        probabilities: (N,), P(fake), 0..1.
        limit: 0..1, such as 0.01.

    Returns:
        0..1.

    Raises:
        UndefinedMeasureError: One class only, or no rows.
        UnmaskError: See `inputs.checked_pair`.

    >>> true_positive_rate_at([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], 0.01)
    0.5
    """
    pair = checked_pair(labels, probabilities, both_classes=True, probabilities=True)
    return _of_all(weighted.true_positive_rate_at(*pair, limit), pair[0].size)


def brier_score(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """Mean squared distance of score and label (Brier, Monthly Weather Review 1950, for two classes).

    Args:
        labels: (N,), 0 or 1.
        probabilities: (N,), P(fake), 0..1.

    Returns:
        0..1; lower is better.

    Raises:
        UnmaskError: See `inputs.checked_pair`.

    >>> brier_score([0, 1], [0.5, 1.0])
    0.125
    """
    checked, scores = checked_pair(labels, probabilities, probabilities=True)
    return float(((scores - checked) ** 2).mean())


def expected_calibration_error(labels: ArrayLike, probabilities: ArrayLike, *, bins: int = CALIBRATION_BINS) -> float:
    """ECE: mean |score - share of fakes| over bins that hold equally many pictures; equal scores share a bin.

    Equal-mass rather than equal-width bins: a sharp detector leaves most equal-width bins nearly empty (Nixon et
    al., "Measuring Calibration in Deep Learning", CVPR Workshops 2019, section 4).

    Args:
        labels: (N,), 0 or 1.
        probabilities: (N,), P(fake), 0..1.
        bins: How many, at least 1.

    Returns:
        0..1; lower is better.

    Raises:
        UnmaskError: See `inputs.checked_pair`.

    >>> expected_calibration_error([0, 1, 1, 1], [0.5, 0.5, 0.5, 0.5])
    0.25
    """
    checked, scores = checked_pair(labels, probabilities, probabilities=True)
    return _of_all(weighted.calibration_error(checked, scores, bins), checked.size)


def _of_all(statistic: Statistic, rows: int) -> float:
    return float(statistic(np.ones((1, rows)))[0])
