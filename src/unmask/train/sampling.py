"""Which pictures an epoch has, where that is not all of them once: sources in balance, or hard examples with rehearsal.

Where one source outnumbers the others and is the easiest, an epoch of everything is mostly pictures from which nothing
is learned any more. Showing all sources equally often repeats the smallest most; half way, each source counts by the
square root of its size.

Hard examples alone would make a model forget the rest, so an epoch of them also has as many other pictures, drawn anew
(rehearsal). A list of pictures drawn by chance, of the same length, is the control: the same number of steps.
"""

from __future__ import annotations

import numpy as np

from unmask.data.batches import Choose
from unmask.data.source import Indexes, Source
from unmask.errors import UnmaskError


def balanced(source: Source, amount: float) -> Choose:
    """An epoch as long as the set, in which a source of n pictures counts by n to the power of 1 - `amount`.

    Args:
        source: With `origins`; the classes of a source keep their shares.
        amount: 0 for sources as they come, 1 for all equally often; beyond, the smallest has most.

    Returns:
        (epoch, generator) -> indexes in shuffled order. Nothing is repeated before everything of its source and class
        was taken once.

    Raises:
        UnmaskError: The set does not say where its pictures come from.
    """
    if not source.origins.any():
        raise UnmaskError(
            "The pictures cannot be balanced by source: the data does not say where they come from.",
            hint="Put a manifest.csv with a column `source` beside Train/, and prepare again; or leave out `balance`.",
            code="no-sources",
        )
    names = np.unique(source.origins)
    sizes = np.array([(source.origins == name).sum() for name in names])
    weights = sizes ** (1.0 - amount)
    shares = weights / weights.sum()
    quotas: list[tuple[Indexes, int]] = []
    for name, size, share in zip(names, sizes, shares, strict=True):
        for label in (0, 1):
            members = np.flatnonzero((source.origins == name) & (source.labels == label))
            quotas.append((members, round(len(source) * share * len(members) / size)))

    def choose(_: int, generator: np.random.Generator) -> Indexes:
        parts = [_take(members, quota, generator) for members, quota in quotas]
        return generator.permutation(np.concatenate(parts))

    return choose


def with_rehearsal(hard: Indexes, count: int) -> Choose:
    """Epochs of the hard examples and as many of the other pictures, drawn anew for each, shuffled.

    Args:
        hard: Places of the hard examples, int64 (n,).
        count: Pictures in the split.

    Returns:
        (epoch, generator) -> places in shuffled order, at most 2 n.
    """
    others = np.setdiff1d(np.arange(count), hard)

    def choose(_: int, generator: np.random.Generator) -> Indexes:
        drawn = generator.choice(others, size=min(len(hard), len(others)), replace=False)
        return generator.permutation(np.concatenate([hard, drawn]))

    return choose


def _take(members: Indexes, quota: int, generator: np.random.Generator) -> Indexes:
    """`quota` of the members; all of them as often as they fit in, and a part of them once more."""
    if not len(members):
        return members
    whole, rest = divmod(quota, len(members))
    return np.concatenate([np.tile(members, whole), generator.permutation(members)[:rest]])
