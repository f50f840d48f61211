"""The bootstrap over whole groups: frames of one clip are drawn together, since they are not independent pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from unmask.errors import UnmaskError
from unmask.stats.weighted import Floats, Statistic

REPLICATES: Final = 1000
# Weights are (replicates, rows): at most so many replicates, and so many numbers of 8 bytes, at once.
_CHUNK, _NUMBERS = 200, 4_000_000


def group_index(groups: Sequence[str] | NDArray[Any] | None, rows: int) -> NDArray[np.intp]:
    """Number of the group of each row; an empty name, or no groups at all, makes a row its own group.

    Args:
        groups: (N,), names of what belongs together; None where every row stands alone.
        rows: N.

    Returns:
        (N,), from 0 on without a gap.

    Raises:
        UnmaskError: There is not one group name for each row.

    >>> group_index(["clip", "clip", "", ""], 4).tolist()
    [0, 0, 1, 2]
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
    """Bootstrap samples that draw whole groups with replacement (Davison and Hinkley, Bootstrap Methods, 1997, 3.8).

    Args:
        index: (N,), group of each row, from `group_index`.
        replicates: How many samples, at least 1.
        seed: Of the draws.

    Yields:
        Weights (up to 200, N), fewer where there are very many rows: how often each row was drawn.
    """
    count = int(index.max()) + 1
    random = np.random.default_rng(seed)
    chunk = max(1, min(_CHUNK, _NUMBERS // len(index)))
    for start in range(0, replicates, chunk):
        size = min(chunk, replicates - start)
        drawn = random.integers(count, size=(size, count)) + count * np.arange(size)[:, None]
        times = np.bincount(drawn.ravel(), minlength=size * count).reshape(size, count)
        yield times[:, index].astype(np.float64)


def replicate(
    statistics: Mapping[str, Statistic], index: NDArray[np.intp], *, replicates: int = REPLICATES, seed: int = 0
) -> dict[str, Floats]:
    """Bootstrap replicates of several statistics on the same resamplings, so that differences are paired.

    Args:
        statistics: By name.
        index: (N,), group of each row, from `group_index`.
        replicates: How many, B.
        seed: Of the draws.

    Returns:
        By name, (B,); NaN where a resampling left nothing to measure.
    """
    collected: dict[str, list[Floats]] = {name: [] for name in statistics}
    for weights in resamplings(index, replicates, seed):
        for name, statistic in statistics.items():
            collected[name].append(statistic(weights))
    return {name: np.concatenate(parts) for name, parts in collected.items()}


def effective_groups(index: NDArray[np.intp]) -> float:
    """How many groups of equal size would weigh the same (Kish, Survey Sampling, 1965, section 11.7).

    Args:
        index: (N,), group of each row.

    Returns:
        From 1 to N; 0 for no rows.

    >>> effective_groups(np.array([0, 0, 0, 1]))
    1.6
    """
    sizes = np.unique(index, return_counts=True)[1].astype(np.float64)
    return float(sizes.sum() ** 2 / (sizes**2).sum()) if sizes.size else 0.0
