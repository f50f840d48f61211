"""95 % intervals by resampling whole groups: frames of one clip are not independent pictures.

The bootstrap gives the standard error; the interval is symmetric on the logit scale, where rates and areas near 0
or 1 are close to normal (Pepe, The Statistical Evaluation of Medical Tests, 2003, section 5.2), with Student's t for
few groups. Where there is far less of one class than of the other, resampling the few shows too little of what others
like them would do, and intervals that assume how errors spread take over. `benchmarks/interval_coverage.py` shows how
often they hold the truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmask.stats.closed_form import LEVEL, area_interval, wilson_interval
from unmask.stats.inputs import UndefinedMeasureError
from unmask.stats.measures import MEASURES, value_of
from unmask.stats.metrics import Judged
from unmask.stats.resampling import REPLICATES, effective_groups, group_index, replicate
from unmask.stats.weighted import Floats, Labels, ratio

_LEAST_USABLE = 0.9
# Below this a spread is rounding.
_NO_SPREAD = 1e-12
# With fewer groups of one class than this, and more than so many times as many of the other, the bootstrap's intervals
# of AUC hold the truth in 80 to 92 of 100 sets only (`benchmarks/interval_coverage.py`).
_ONE_SIDED_BELOW = 200
_ONE_SIDED = 2
TOO_FEW: Final = "too few groups for an interval"
NOTHING_VARIES: Final = "no resampling changes it, so there is no interval"


@dataclass(frozen=True, slots=True)
class Estimate:
    """One number as it may be printed.

    Attributes:
        name: Name of the measure.
        value: None where it does not exist.
        low: Lower end of the 95 % interval; None where there is none.
        high: Upper end.
        n: Number of pictures that the measure is about.
        reason: Why value or interval are missing; None if nothing is.
    """

    name: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    reason: str | None = None

    @classmethod
    def of(cls, name: str, value: float, ends: tuple[float, float] | str, n: int) -> Estimate:
        """A value with the two ends of its interval, or with the reason why it has none.

        >>> Estimate.of("roc_auc", 0.9, "too few groups for an interval", 4).low is None
        True
        """
        return cls(name, value, n=n, reason=ends) if isinstance(ends, str) else cls(name, value, *ends, n)


def interval(
    value: float,
    replicates: Floats,
    counted: NDArray[np.bool_],
    index: NDArray[np.intp],
    *,
    labels: Labels | None = None,
    area: bool = False,
    least_reals: int = 0,
) -> tuple[float, float] | str:
    """The 95 % interval of a value between 0 and 1, or the reason why there is none; the head of this module says how.

    Args:
        value: The measure itself, 0..1.
        replicates: (B,), its bootstrap replicates, NaN where a resampling had nothing to measure.
        counted: (N,), the rows that the measure is about.
        index: (N,), group of each row.
        labels: (N,), truth of each row where the measure compares real with fake: then the class of which there is
            less says how much is known, however many there are of the other. None for all other measures.
        area: Whether the value is an area under the ROC curve.
        least_reals: Fewer groups of real pictures than this give no interval; counts only with `labels`.

    Returns:
        Lower and upper end, 0..1, or the reason.
    """
    usable = replicates[np.isfinite(replicates)]
    parts = [counted] if labels is None else [counted & (labels == label) for label in (0, 1)]
    sizes = [effective_groups(index[part]) for part in parts]
    size = min(sizes)
    few_reals = labels is not None and np.unique(index[parts[0]]).size < least_reals
    if size < 2 or few_reals or usable.size < _LEAST_USABLE * replicates.size:
        return TOO_FEW
    uneven = size < _ONE_SIDED_BELOW and max(sizes) > _ONE_SIDED * size
    if uneven and area:
        return area_interval(value, *sizes)
    if not 0 < value < 1:
        # No error was seen, so nothing varies; Wilson's interval still says how little that proves.
        bounds = wilson_interval(value, size)
        extreme = np.quantile(usable, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return (0.0, max(bounds[1], float(extreme[1]))) if value <= 0 else (min(bounds[0], float(extreme[0])), 1.0)
    reach = _reach(usable, size) / (value * (1 - value))
    if not reach:
        return NOTHING_VARIES
    centre = float(np.log(value / (1 - value)))
    low, high = (0.5 * (1 + np.tanh(0.5 * (centre + sign * reach))) for sign in (-1, 1))
    if uneven:
        bounds = wilson_interval(value, size)
        low, high = min(low, bounds[0]), max(high, bounds[1])
    return float(low), float(high)


def _reach(replicates: Floats, size: float) -> float:
    """How far an interval reaches to both sides, from the bootstrap of so many groups; 0 where nothing varies."""
    from scipy.stats import t

    # Resampling n groups gives (n - 1) / n of the variance (Efron and Tibshirani, An Introduction to the Bootstrap,
    # 1993, section 5.3), which matters for few.
    error = float(replicates.std()) * np.sqrt(size / (size - 1))
    return float(t.ppf((1 + LEVEL) / 2, df=size - 1)) * error if error > _NO_SPREAD else 0.0


def estimate(
    judged: Judged,
    *,
    groups: Sequence[str] | NDArray[Any] | None = None,
    names: Sequence[str] = tuple(MEASURES),
    replicates: int = REPLICATES,
    seed: int = 0,
) -> dict[str, Estimate]:
    """Measures with their intervals; what does not exist has its reason instead.

    Args:
        judged: The pictures.
        groups: (N,), names of what belongs together (a clip, a person); None where every picture stands alone.
        names: Which of `MEASURES`.
        replicates: Number of resamplings.
        seed: Of the resamplings.

    Returns:
        By name, in the order of `names`.

    Raises:
        UnmaskError: There is not one group name for each picture.

    >>> found = estimate(Judged.of([0, 0, 1], [0.2, 0.3, 0.9]), names=("accuracy",))["accuracy"]
    >>> found.value, found.n
    (1.0, 3)
    """
    index = group_index(groups, judged.labels.size)
    result = {name: Estimate(name, n=int(MEASURES[name].counted(judged).sum())) for name in names}
    values: dict[str, float] = {}
    for name in names:
        try:
            values[name] = value_of(name, judged)
        except UndefinedMeasureError as error:
            result[name] = replace(result[name], reason=error.message)
    statistics = {name: MEASURES[name].statistic(judged) for name in values}
    drawn = replicate(statistics, index, replicates=replicates, seed=seed)
    for name, value in values.items():
        measure = MEASURES[name]
        ends = interval(
            value,
            drawn[name],
            measure.counted(judged),
            index,
            labels=judged.labels if measure.compares else None,
            area=name == "roc_auc",
            least_reals=measure.least_reals,
        )
        result[name] = Estimate.of(name, value, ends, result[name].n)
    return result


def mean_estimate(
    name: str, values: ArrayLike, groups: Sequence[str] | None = None, *, replicates: int = REPLICATES
) -> Estimate:
    """The mean of one value a picture, or the share of true ones, with its interval.

    Args:
        name: For the result.
        values: (N,), finite numbers of any range, or booleans.
        groups: (N,), names of what belongs together; None where every picture stands alone.
        replicates: Number of resamplings.

    Returns:
        The mean; without a value where there are no rows, without an interval where nothing varies.

    Raises:
        UnmaskError: There is not one group name for each value.

    >>> mean_estimate("gain", [0.25, 0.75]).value
    0.5
    """
    array: NDArray[Any] = np.asarray(values)
    if not array.size:
        return Estimate(name, reason="there are no rows")
    index = group_index(groups, array.size)
    # Sums of whole groups are enough, so that many rows cost no more than their groups.
    sums, sizes = np.bincount(index, array), np.bincount(index)
    drawn = replicate({name: ratio(sums, sizes)}, np.arange(sizes.size), replicates=replicates)[name]
    value = float(array.mean())
    ends: tuple[float, float] | str
    if array.dtype == bool:
        ends = interval(value, drawn, np.ones(array.size, dtype=bool), index)
    elif (size := effective_groups(index)) < 2:
        ends = TOO_FEW
    else:
        reach = _reach(drawn, size)
        ends = (value - reach, value + reach) if reach else NOTHING_VARIES
    return Estimate.of(name, value, ends, array.size)
