"""How many pictures of which kind a split holds, for bundle and model card."""

from __future__ import annotations

from collections import Counter

from unmask.data.layout import LABELS
from unmask.data.source import Source


def count_methods(source: Source | None) -> dict[str, int]:
    """Ways of making the fakes of a split, the most frequent first."""
    if source is None or source.methods is None:
        return {}
    return dict(Counter(name for name in source.methods[source.labels == 1].tolist() if name).most_common())


def count_families(*sources: Source | None) -> dict[str, dict[str, int]]:
    """How many fakes of each family there are, by split; those of the first split come first."""
    found: dict[str, dict[str, int]] = {}
    for source in sources:
        if source is not None and source.families is not None:
            for name, count in Counter(source.families[source.labels == 1].tolist()).most_common():
                if name:
                    found.setdefault(name, {})[source.split] = count
    return found


def count_classes(source: Source | None) -> dict[str, int]:
    """Pictures of each class, such as {"Train real": 7486}; empty where there is no split."""
    if source is None:
        return {}
    return {f"{source.split} {name}": int((source.labels == label).sum()) for name, label in LABELS.items()}
