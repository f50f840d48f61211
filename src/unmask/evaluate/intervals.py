"""95 % intervals by resampling whole groups: frames of one clip are not independent pictures.

The bootstrap gives the standard error; the interval is symmetric on the logit scale, where rates and areas near 0
or 1 are close to normal (Pepe, The Statistical Evaluation of Medical Tests, 2003, section 5.2), with Student's t for
few groups. `benchmarks/interval_coverage.py` shows how often it holds the truth.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmask.errors import UnmaskError
from unmask.evaluate.inputs import UndefinedMeasureError
from unmask.evaluate.metrics import MEASURES, Judged, value_of
from unmask.evaluate.weighted import Floats, Statistic, ratio

LEVEL: Final = 0.95
REPLICATES: Final = 1000
# Weights are (replicates, rows); this keeps them at a few megabytes.
_CHUNK = 200
_LEAST_USABLE = 0.9
TOO_FEW: Final = "too few groups for an interval"


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
    value: float, replicates: Floats, counted: NDArray[np.bool_], index: NDArray[np.intp]
) -> tuple[float, float] | str:
    """The 95 % interval of a value between 0 and 1, or the reason why there is none.

    Args:
        value: The measure itself, 0..1.
        replicates: (B,), its bootstrap replicates, NaN where a resampling had nothing to measure.
        counted: (N,), the rows that the measure is about.
        index: (N,), group of each row.
    """
    from scipy.stats import norm, t

    usable = replicates[np.isfinite(replicates)]
    size = effective_groups(index[counted])
    if size < 2:
        return TOO_FEW
    if usable.size < _LEAST_USABLE * replicates.size:
        return TOO_FEW
    if not 0 < value < 1:
        # No error was seen, so nothing varies; Wilson's interval (JASA 1927) still says how little that proves.
        z = float(norm.ppf((1 + LEVEL) / 2))
        bound = z**2 / (size + z**2)
        extreme = np.quantile(usable, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return (0.0, max(bound, float(extreme[1]))) if value <= 0 else (min(1 - bound, float(extreme[0])), 1.0)
    reach = float(t.ppf((1 + LEVEL) / 2, df=size - 1)) * float(usable.std()) / (value * (1 - value))
    centre = float(np.log(value / (1 - value)))
    low, high = (0.5 * (1 + np.tanh(0.5 * (centre + sign * reach))) for sign in (-1, 1))
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
        ends = interval(values[name], drawn[name], counted, index)
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
    else:
        reach = float(t.ppf((1 + LEVEL) / 2, df=size - 1)) * float(drawn.std())
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
