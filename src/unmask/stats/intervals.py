"""95 % intervals by resampling whole groups: frames of one clip are not independent pictures.

The bootstrap gives the standard error; the interval is symmetric on the logit scale, where rates and areas near 0
or 1 are close to normal (Pepe, The Statistical Evaluation of Medical Tests, 2003, section 5.2), with Student's t for
few groups. Where there is far less of one class than of the other, resampling the few shows too little of what others
like them would do, and intervals that assume how errors spread take over. `benchmarks/interval_coverage.py` shows how
often they hold the truth.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmask.errors import UnmaskError
from unmask.stats.inputs import UndefinedMeasureError
from unmask.stats.metrics import MEASURES, Judged, value_of
from unmask.stats.weighted import Floats, Labels, Statistic, ratio

LEVEL: Final = 0.95
REPLICATES: Final = 1000
# Weights are (replicates, rows); this keeps them at a few megabytes.
_CHUNK = 200
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
    value: float | None
    low: float | None
    high: float | None
    n: int
    reason: str | None = None


def group_index(groups: Sequence[str] | NDArray[Any] | None, rows: int) -> NDArray[np.intp]:
    """Number of the group of each row; an empty name, or no groups at all, makes a row its own group.

    Raises:
        UnmaskError: There is not one group name for each row.
    """
    if groups is None:
        return np.arange(rows)
    if len(groups) != rows:
        raise UnmaskError(
            f"{len(groups)} group names for {rows} rows",
            hint="Pass one group name for each picture, empty where it has none.",
            code="length-mismatch",
        )
    names = [f"g{name}" if str(name) else f"r{row}" for row, name in enumerate(groups)]
    return np.asarray(np.unique(names, return_inverse=True)[1])


def resamplings(index: NDArray[np.intp], replicates: int, seed: int) -> Iterator[Floats]:
    """Weights (up to 200, N) of bootstrap samples that draw whole groups with replacement."""
    count = int(index.max()) + 1
    random = np.random.default_rng(seed)
    for start in range(0, replicates, _CHUNK):
        size = min(_CHUNK, replicates - start)
        drawn = random.integers(count, size=(size, count)) + count * np.arange(size)[:, None]
        times = np.bincount(drawn.ravel(), minlength=size * count).reshape(size, count)
        yield times[:, index].astype(np.float64)


def replicate(
    statistics: Mapping[str, Statistic], index: NDArray[np.intp], *, replicates: int = REPLICATES, seed: int = 0
) -> dict[str, Floats]:
    """Bootstrap replicates of several statistics on the same resamplings, so that differences are paired."""
    collected: dict[str, list[Floats]] = {name: [] for name in statistics}
    for weights in resamplings(index, replicates, seed):
        for name, statistic in statistics.items():
            collected[name].append(statistic(weights))
    return {name: np.concatenate(parts) for name, parts in collected.items()}


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
    """The 95 % interval of a value between 0 and 1, or the reason why there is none.

    Args:
        value: The measure itself, 0..1.
        replicates: (B,), its bootstrap replicates, NaN where a resampling had nothing to measure.
        counted: (N,), the rows that the measure is about.
        index: (N,), group of each row.
        labels: (N,), truth of each row where the measure compares real with fake: then the class of which there is
            less says how much is known, however many there are of the other. None for all other measures.
        area: Whether the value is an area under the ROC curve.
        least_reals: Fewer groups of real pictures than this give no interval; counts only with `labels`.
    """
    from scipy.stats import t

    usable = replicates[np.isfinite(replicates)]
    parts = [counted] if labels is None else [counted & (labels == label) for label in (0, 1)]
    sizes = [effective_groups(index[part]) for part in parts]
    size = min(sizes)
    if size < 2 or (labels is not None and np.unique(index[parts[0]]).size < least_reals):
        return TOO_FEW
    if usable.size < _LEAST_USABLE * replicates.size:
        return TOO_FEW
    uneven = size < _ONE_SIDED_BELOW and max(sizes) > _ONE_SIDED * size
    if uneven and area:
        return area_interval(value, *sizes)
    if not 0 < value < 1:
        # No error was seen, so nothing varies; Wilson's interval still says how little that proves.
        bounds = wilson_interval(value, size)
        extreme = np.quantile(usable, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return (0.0, max(bounds[1], float(extreme[1]))) if value <= 0 else (min(bounds[0], float(extreme[0])), 1.0)
    # Resampling n groups gives (n - 1) / n of the variance (Efron and Tibshirani, An Introduction to the Bootstrap,
    # 1993, section 5.3), which matters for few.
    error = float(usable.std()) * np.sqrt(size / (size - 1))
    if error <= _NO_SPREAD:
        return NOTHING_VARIES
    reach = float(t.ppf((1 + LEVEL) / 2, df=size - 1)) * error / (value * (1 - value))
    centre = float(np.log(value / (1 - value)))
    low, high = (0.5 * (1 + np.tanh(0.5 * (centre + sign * reach))) for sign in (-1, 1))
    if uneven:
        bounds = wilson_interval(value, size)
        low, high = min(low, bounds[0]), max(high, bounds[1])
    return float(low), float(high)


def wilson_interval(value: float, size: float) -> tuple[float, float]:
    """Wilson's interval of a share (JASA 1927).

    Args:
        value: The share, 0..1.
        size: How many independent pictures or groups it is of.
    """
    from scipy.stats import norm

    square = float(norm.ppf((1 + LEVEL) / 2)) ** 2
    middle = (value + square / (2 * size)) / (1 + square / size)
    reach = float(np.sqrt(square * value * (1 - value) / size + (square / (2 * size)) ** 2)) / (1 + square / size)
    return max(0.0, middle - reach), min(1.0, middle + reach)


def area_interval(value: float, reals: float, fakes: float) -> tuple[float, float]:
    """Newcombe's interval of an area under the ROC curve, which holds for few pictures of a class too.

    The areas from which the one seen is no further than chance takes it, with the variance that Hanley and McNeil
    (Radiology 1982) give an area, evened out between the classes (Newcombe, Statistics in Medicine 2006, method 5).

    Args:
        value: The area, 0..1.
        reals: How many independent real pictures or groups of them.
        fakes: Likewise.
    """
    from scipy.optimize import brentq
    from scipy.stats import norm

    z = float(norm.ppf((1 + LEVEL) / 2))
    both = (reals + fakes) / 2 - 1

    def reach(area: float) -> float:
        spread = 1 + both * (1 - area) / (2 - area) + both * area / (1 + area)
        return z * float(np.sqrt(area * (1 - area) * spread / (reals * fakes)))

    # The variance is 0 at 0 and at 1, so a root is looked for between them.
    smallest, largest = 1e-12, 1 - 1e-12
    low = brentq(lambda area: value - area - reach(area), smallest, min(value, largest)) if value > 0 else 0.0
    high = brentq(lambda area: area - value - reach(area), max(value, smallest), largest) if value < 1 else 1.0
    return float(low), float(high)


def effective_groups(index: NDArray[np.intp]) -> float:
    """How many groups of equal size would weigh the same (Kish, Survey Sampling, 1965); 0 for no rows."""
    sizes = np.unique(index, return_counts=True)[1].astype(np.float64)
    return float(sizes.sum() ** 2 / (sizes**2).sum()) if sizes.size else 0.0


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
    """
    index = group_index(groups, judged.labels.size)
    values: dict[str, float] = {}
    missing: dict[str, str] = {}
    for name in names:
        try:
            values[name] = value_of(name, judged)
        except UndefinedMeasureError as error:
            missing[name] = error.message
    drawn = replicate(
        {name: MEASURES[name].statistic(judged) for name in values}, index, replicates=replicates, seed=seed
    )
    result = {}
    for name in names:
        counted = MEASURES[name].counted(judged)
        count = int(counted.sum())
        if name in missing:
            result[name] = Estimate(name, None, None, None, count, missing[name])
            continue
        measure = MEASURES[name]
        ends = interval(
            values[name],
            drawn[name],
            counted,
            index,
            labels=judged.labels if measure.compares else None,
            area=name == "roc_auc",
            least_reals=measure.least_reals,
        )
        if isinstance(ends, str):
            result[name] = Estimate(name, values[name], None, None, count, ends)
        else:
            result[name] = Estimate(name, values[name], *ends, count)
    return result


def mean_estimate(
    name: str,
    values: ArrayLike,
    groups: Sequence[str] | None = None,
    *,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Estimate:
    """The mean of one value a picture, or the share of true ones, with its interval.

    Args:
        name: For the result.
        values: (N,), finite numbers of any range, or booleans.
        groups: (N,), names of what belongs together; None where every picture stands alone.
        replicates: Number of resamplings.
        seed: Of the resamplings.
    """
    from scipy.stats import t

    array: NDArray[Any] = np.asarray(values)
    everything = np.ones(array.shape, dtype=bool)
    if not array.size:
        return Estimate(name, None, None, None, 0, "there are no rows")
    index = group_index(groups, array.size)
    drawn = replicate({name: ratio(array, everything)}, index, replicates=replicates, seed=seed)[name]
    value = float(array.mean())
    ends: tuple[float, float] | str
    if array.dtype == bool:
        ends = interval(value, drawn, everything, index)
    elif (size := effective_groups(index)) < 2:
        ends = TOO_FEW
    elif drawn.std() <= _NO_SPREAD:
        ends = NOTHING_VARIES
    else:
        reach = float(t.ppf((1 + LEVEL) / 2, df=size - 1)) * float(drawn.std()) * np.sqrt(size / (size - 1))
        ends = value - reach, value + reach
    if isinstance(ends, str):
        return Estimate(name, value, None, None, array.size, ends)
    return Estimate(name, value, *ends, array.size)


def estimate_one(
    name: str,
    labels: ArrayLike,
    probabilities: ArrayLike,
    *,
    groups: Sequence[str] | None = None,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Estimate:
    """One of `MEASURES` with its interval, from plain arrays."""
    judged = Judged.of(labels, probabilities)
    return estimate(judged, groups=groups, names=(name,), replicates=replicates, seed=seed)[name]
