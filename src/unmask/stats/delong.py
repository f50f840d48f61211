"""Is one detector better than another on the same pictures, or is it luck? A test of two areas under the ROC curve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmask.stats.inputs import UndefinedMeasureError, checked_pair
from unmask.stats.resampling import group_index
from unmask.stats.weighted import Floats

# Below this a spread is rounding.
_NO_SPREAD = 1e-12


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two areas under the ROC curve on the same pictures.

    Attributes:
        first: AUC of the first detector.
        second: AUC of the second.
        difference: first - second.
        standard_error: Of the difference.
        low: Lower end of the difference's 95 % interval, within -1..1.
        high: Upper end.
        z: difference / standard_error; 0 where neither varies.
        p_value: Two-sided; how often luck alone would differ as much.
        clustered: Whether groups of pictures were taken as one observation.
    """

    first: float
    second: float
    difference: float
    standard_error: float
    low: float
    high: float
    z: float
    p_value: float
    clustered: bool


def compare_auc(
    labels: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    *,
    groups: Sequence[str] | None = None,
) -> Comparison:
    """DeLong's test for two correlated ROC curves (DeLong, DeLong and Clarke-Pearson, Biometrics 1988).

    The placements are found through mid-ranks (Sun and Xu, IEEE Signal Processing Letters 2014). With groups, each
    group counts as one observation (Obuchowski, Biometrics 1997); single pictures as groups give DeLong's test.

    Args:
        labels: (N,), 0 or 1, both present, at least two of each.
        first: (N,), scores or logits of the first detector.
        second: (N,), those of the second, for the same pictures in the same order.
        groups: (N,), names of what belongs together; empty where a picture stands alone.

    Returns:
        Both areas, their difference with its interval, and the test.

    Raises:
        UndefinedMeasureError: One class only, fewer than two groups of a class, scores that are no numbers, or a
            difference beside no variance at all.
        UnmaskError: Lengths that differ.

    >>> found = compare_auc([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.8], [0.1, 0.9, 0.4, 0.8])
    >>> found.first, found.second
    (0.75, 0.5)
    """
    from scipy.stats import norm

    checked, ours = checked_pair(labels, first, both_classes=True)
    _, theirs = checked_pair(labels, second)
    index = group_index(groups, checked.size)
    fake, real = checked == 1, checked == 0
    if min(np.unique(index[fake]).size, np.unique(index[real]).size) < 2:
        raise UndefinedMeasureError(
            "one class has fewer than two independent pictures",
            hint="Add pictures of more people or clips to compare two detectors.",
            code="too-few-groups",
        )
    of_fakes, of_reals = zip(*(_placements(scores[fake], scores[real]) for scores in (ours, theirs)), strict=True)
    areas = np.array([placement.mean() for placement in of_fakes])
    # What each group adds to each area beyond its expectation, (2, groups).
    from_fakes = _by_group(np.array(of_fakes) - areas[:, None], index[fake], index) / fake.sum()
    from_reals = _by_group(np.array(of_reals) - areas[:, None], index[real], index) / real.sum()
    covariance = (
        _scaled(index[fake]) * from_fakes @ from_fakes.T
        + _scaled(index[real]) * from_reals @ from_reals.T
        + _scaled(index) * (from_fakes @ from_reals.T + from_reals @ from_fakes.T)
    )
    contrast = np.array([1.0, -1.0])
    difference = float(areas @ contrast)
    error = float(np.sqrt(max(0.0, contrast @ covariance @ contrast)))
    if error <= _NO_SPREAD < abs(difference):
        # Such as no error by one of them: a test would divide by a spread that nothing here shows.
        raise UndefinedMeasureError(
            "their AUCs differ, but do not vary between these pictures, so there is nothing to test the difference by",
            hint="Add pictures that the better of the two gets wrong as well.",
            code="nothing-varies",
        )
    z = difference / error if error > _NO_SPREAD else 0.0
    reach = float(norm.ppf(0.975)) * error
    return Comparison(
        first=float(areas[0]),
        second=float(areas[1]),
        difference=difference,
        standard_error=error,
        low=max(-1.0, difference - reach),
        high=min(1.0, difference + reach),
        z=z,
        p_value=float(2 * norm.sf(abs(z))),
        clustered=groups is not None,
    )


def _placements(fakes: Floats, reals: Floats) -> tuple[Floats, Floats]:
    """For each fake the share of reals under it, for each real the share of fakes above it; ties count half."""
    from scipy.stats import rankdata

    together = rankdata(np.concatenate([fakes, reals]))
    of_fakes = (together[: fakes.size] - rankdata(fakes)) / reals.size
    of_reals = 1 - (together[fakes.size :] - rankdata(reals)) / fakes.size
    return of_fakes, of_reals


def _by_group(values: Floats, members: NDArray[np.intp], index: NDArray[np.intp]) -> Floats:
    count = int(index.max()) + 1
    return np.array([np.bincount(members, row, minlength=count) for row in values])


def _scaled(members: NDArray[np.intp]) -> float:
    count = np.unique(members).size
    return count / (count - 1)
