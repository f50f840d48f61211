"""Labels (0 real, 1 fake) and calibrated scores, P(fake), checked and together, and the measure that is wanted most.

All measures, by their names in a report, are in `measures`; with intervals, in `intervals`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmask.errors import UnmaskError
from unmask.stats import weighted
from unmask.stats.inputs import checked_pair
from unmask.stats.weighted import Floats, Labels
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
        """Checks the arrays, each (N,), and puts them together as arrays of fixed types.

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


def roc_auc(labels: ArrayLike, scores: ArrayLike) -> float:
    """Area under the ROC curve: the probability that a random fake scores above a random real, ties counted half.

    Hanley and McNeil, "The Meaning and Use of the Area under a ROC Curve", Radiology 1982.

    Args:
        labels: (N,), 0 or 1, both present.
        scores: (N,), any finite numbers. Rather logits than probabilities, which are all 1 above a logit of 37.

    Returns:
        0..1; 0.5 is chance, 1 a perfect ranking.

    Raises:
        UndefinedMeasureError: One class only, or no rows.
        UnmaskError: See `inputs.checked_pair`.

    >>> roc_auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.75
    """
    pair = checked_pair(labels, scores, both_classes=True)
    return float(weighted.roc_auc(*pair)(np.ones((1, pair[0].size)))[0])
