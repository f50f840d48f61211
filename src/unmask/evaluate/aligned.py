"""Tables of several detectors on the same pictures: those that all of them answered, in the same order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from unmask.errors import UnmaskError
from unmask.evaluate.scores import ScoreTable


def align(tables: Sequence[ScoreTable]) -> list[ScoreTable]:
    """The rows of the pictures that all tables answered.

    What one table knows of a picture (source, method, group) serves all of them, and detectors of one name get numbers.

    Raises:
        UnmaskError: There is no such picture, or one that is real in one table and fake in another.
    """
    shared = set.intersection(*({row.path for row in table.answered} for table in tables))
    if not shared:
        raise UnmaskError(
            "no picture was answered by all of them",
            hint="Use the same paths in every table, relative to the dataset: Test/Real/one.jpg.",
            code="no-shared-pictures",
        )
    for path, labels in _labels(tables).items():
        if len(labels) > 1:
            raise UnmaskError(
                f"{path} is real in one table and fake in another",
                hint="Labels are 0 for real and 1 for fake.",
                code="labels-differ",
            )
    origins = _origins(tables)
    return [_aligned(table, shared, origins) for table in _named(tables)]


def _labels(tables: Sequence[ScoreTable]) -> dict[str, set[int]]:
    labels: dict[str, set[int]] = {}
    for table in tables:
        for row in table.rows:
            labels.setdefault(row.path, set()).add(row.label)
    return labels


def _origins(tables: Sequence[ScoreTable]) -> dict[str, tuple[str, str, str]]:
    """Source, method and group by path, each from the first table that has it."""
    found: dict[str, tuple[str, str, str]] = {}
    for table in tables:
        for row in table.rows:
            source, method, group = found.get(row.path, ("", "", ""))
            found[row.path] = (source or row.source, method or row.method, group or row.group)
    return found


def _aligned(table: ScoreTable, shared: set[str], origins: dict[str, tuple[str, str, str]]) -> ScoreTable:
    rows = []
    for row in sorted((row for row in table.rows if row.path in shared), key=lambda row: row.path):
        source, method, group = origins[row.path]
        rows.append(replace(row, source=source, method=method, group=group))
    return replace(table, rows=tuple(rows))


def _named(tables: Sequence[ScoreTable]) -> list[ScoreTable]:
    """Detectors of the same name get a number, so that a reader can tell them apart."""
    times = Counter(table.detector for table in tables)
    seen: Counter[str] = Counter()
    named = []
    for table in tables:
        seen[table.detector] += 1
        number = f" ({seen[table.detector]})" if times[table.detector] > 1 else ""
        named.append(replace(table, detector=table.detector + number))
    return named
