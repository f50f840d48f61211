"""The measures' arithmetic, for one weighting of the rows or for thousands at once.

A *statistic* takes weights (B, N), one row of non-negative weights per resampling, and gives (B,) values, NaN
where a weighting leaves nothing to measure. With ones it is the measure itself; with bootstrap counts it is its
replicates. So a number in a report and its interval come from the same lines.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]
Statistic = Callable[[Floats], Floats]

# Undoes the binary rounding of limits such as 0.01 x 300 false alarms.
_ROUNDING = 1e-9


def divided(numerator: Floats, denominator: Floats) -> Floats:
    """Element-wise quotient of arrays of shapes that go together, NaN where the denominator is zero.

    >>> divided(np.array([1.0, 1.0]), np.array([2.0, 0.0])).tolist()
    [0.5, nan]
    """
    empty = np.full(np.broadcast(numerator, denominator).shape, np.nan)
    np.divide(numerator, denominator, out=empty, where=denominator > 0)
    return empty


def ratio(numerator: NDArray[Any], denominator: NDArray[Any]) -> Statistic:
    """Sum of `numerator` over sum of `denominator`, both (N,): shares, means, precision, recall, F1.

    >>> ratio(np.array([1, 0, 1]), np.array([1, 1, 1]))(np.array([[1.0, 1.0, 0.0]])).tolist()
    [0.5]
    """
    above, below = numerator.astype(np.float64), denominator.astype(np.float64)
    return lambda weights: divided(weights @ above, weights @ below)


@dataclass(frozen=True, slots=True)
class Ranking:
    """How many fakes and reals score at or above each distinct score, from none to all of them.

    Attributes:
        fakes: (B, K + 1), weight of the fakes at or above the k-th highest distinct score; starts with 0.
        reals: (B, K + 1), the same for the reals.
    """

    fakes: Floats
    reals: Floats

    @property
    def both(self) -> NDArray[np.bool_]:
        """Whether there are fakes and reals at all, (B,)."""
        return (self.fakes[:, -1] > 0) & (self.reals[:, -1] > 0)

    @property
    def true_positive_rate(self) -> Floats:
        """Share of the fakes at or above each score, (B, K + 1)."""
        return divided(self.fakes, self.fakes[:, -1:])

    @property
    def false_positive_rate(self) -> Floats:
        """Share of the reals at or above each score, (B, K + 1)."""
        return divided(self.reals, self.reals[:, -1:])


def ranker(labels: Labels, scores: Floats) -> Callable[[Floats], Ranking]:
    """Sorts once, and then ranks for any weights.

    Args:
        labels: (N,), 0 or 1.
        scores: (N,), scores or logits.

    Returns:
        Weights (B, N) -> their `Ranking`.
    """
    order = np.argsort(-scores, kind="stable")
    fake = labels[order].astype(np.float64)
    last_of_ties = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))

    def rank(weights: Floats) -> Ranking:
        sorted_weights = weights[:, order]
        counts = [np.cumsum(sorted_weights * of_class, axis=1)[:, last_of_ties] for of_class in (fake, 1 - fake)]
        return Ranking(*(np.pad(count, ((0, 0), (1, 0))) for count in counts))

    return rank


def _of_ranking(measure: Callable[[Ranking], Floats]) -> Callable[[Labels, Floats], Statistic]:
    """Turns a measure of a ranking into the statistic of labels (N,), 0 or 1, and scores or logits (N,)."""

    @wraps(measure)
    def statistic_of(labels: Labels, scores: Floats) -> Statistic:
        rank = ranker(labels, scores)
        return lambda weights: measure(rank(weights))

    return statistic_of


@_of_ranking
def roc_auc(ranking: Ranking) -> Floats:
    """Area under the ROC curve, ties counted half (Hanley and McNeil, Radiology 1982).

    >>> area = roc_auc(np.array([0, 0, 1]), np.array([0.1, 0.5, 0.3]))
    >>> area(np.array([[1.0, 1.0, 1.0], [1.0, 0.0, 1.0]])).tolist()
    [0.5, 1.0]
    """
    # Of the counts, which are whole numbers, so that a perfect ranking gives exactly 1.
    under = np.trapezoid(ranking.fakes, ranking.reals, axis=1)
    return divided(np.asarray(under), ranking.fakes[:, -1] * ranking.reals[:, -1])


@_of_ranking
def average_precision(ranking: Ranking) -> Floats:
    """Sum over the distinct scores of precision x gain in recall, without interpolation."""
    precision = divided(ranking.fakes, ranking.fakes + ranking.reals)
    gain = np.diff(ranking.fakes, axis=1)
    found = divided(np.nansum(precision[:, 1:] * gain, axis=1), ranking.fakes[:, -1])
    return np.where(ranking.both, found, np.nan)


@_of_ranking
def equal_error_rate(ranking: Ranking) -> Floats:
    """The rate at which, on the straight-line ROC curve, false positives and false negatives are equal."""
    false_positive, true_positive = ranking.false_positive_rate, ranking.true_positive_rate
    lead = false_positive + true_positive - 1  # from -1 to 1, never falling
    after = np.argmax(lead >= 0, axis=1)
    rows, before = np.arange(len(lead)), np.maximum(after - 1, 0)
    rise = lead[rows, after] - lead[rows, before]
    part = np.nan_to_num(divided(-lead[rows, before], rise))
    start = false_positive[rows, before]
    found = start + part * (false_positive[rows, after] - start)
    return np.where(ranking.both, found, np.nan)


def true_positive_rate_at(labels: Labels, scores: Floats, limit: float) -> Statistic:
    """The largest share of fakes found by any threshold that at most a share `limit` (0..1) of the reals reach."""

    @_of_ranking
    def found(ranking: Ranking) -> Floats:
        allowed = ranking.reals <= limit * ranking.reals[:, -1:] + _ROUNDING
        best = np.max(np.where(allowed, ranking.true_positive_rate, 0.0), axis=1)
        return np.where(ranking.reals[:, -1] > 0, best, np.nan)

    return found(labels, scores)


def equal_mass_bins(scores: Floats, weights: Floats, bins: int) -> NDArray[np.intp]:
    """Which of `bins` bins of equal weight each row is in; rows with the same score share a bin.

    Args:
        scores: (N,).
        weights: (B, N).
        bins: How many, at least 1.

    Returns:
        (B, N), 0 for the lowest scores up to `bins` - 1.
    """
    distinct, group = np.unique(scores, return_inverse=True)
    mass = np.zeros((len(weights), distinct.size))
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(distinct.size))
    np.add.reduceat(weights[:, order], starts, axis=1, out=mass)
    below = np.cumsum(mass, axis=1) - mass
    total = np.maximum(mass.sum(axis=1, keepdims=True), 1)
    index = np.minimum(np.floor(bins * below / total).astype(np.intp), bins - 1)
    return np.asarray(index[:, group])


def calibration_error(labels: Labels, scores: Floats, bins: int) -> Statistic:
    """Mean over the rows of |mean score - share of fakes| of the row's equal-mass bin.

    Args:
        labels: (N,), 0 or 1.
        scores: (N,), P(fake), 0..1.
        bins: How many, at least 1.

    Returns:
        The statistic.
    """

    def statistic(weights: Floats) -> Floats:
        index = equal_mass_bins(scores, weights, bins)
        flat = (index + bins * np.arange(len(weights))[:, None]).ravel()
        surplus = np.bincount(flat, (weights * (scores - labels)).ravel(), minlength=bins * len(weights))
        gaps = np.abs(surplus.reshape(len(weights), bins)).sum(axis=1)
        return divided(gaps, weights.sum(axis=1))

    return statistic
