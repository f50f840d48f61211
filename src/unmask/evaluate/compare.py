"""Several detectors side by side on the pictures that all of them answered. Arithmetic only: no detector, no files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from unmask.errors import UnmaskError
from unmask.evaluate.evaluation import Evaluation, evaluate_scores
from unmask.evaluate.scores import ScoreTable
from unmask.stats.delong import Comparison, compare_auc
from unmask.stats.inputs import UndefinedMeasureError
from unmask.stats.resampling import REPLICATES
from unmask.stats.weighted import Floats


@dataclass(frozen=True, slots=True)
class SideBySide:
    """Detectors on the same pictures.

    Attributes:
        evaluations: One a detector, on the shared pictures only.
        tests: DeLong's test of the first against each other one; None with the reason in `reasons`.
        reasons: Why a test is missing, by place.
        shared: Pictures that all answered.
        given: How many pictures each detector was given.
        unanswered: To how many of them each gave no answer.
    """

    evaluations: tuple[Evaluation, ...]
    tests: tuple[Comparison | None, ...]
    reasons: dict[int, str]
    shared: int
    given: tuple[int, ...]
    unanswered: tuple[int, ...]

    @property
    def left_out(self) -> dict[str, int]:
        """By detector, how many of its pictures are not among the shared ones."""
        names = [evaluation.table.detector for evaluation in self.evaluations]
        return {name: rows - self.shared for name, rows in zip(names, self.given, strict=True)}


def compare_scores(tables: Sequence[ScoreTable], *, replicates: int = REPLICATES) -> SideBySide:
    """Judges two or more tables of scores on the pictures that all of them answered; `replicates` are an interval's resamplings.

    Raises:
        UnmaskError: No shared pictures, or labels that contradict each other.
    """
    aligned = align(tables)
    tests: list[Comparison | None] = [None]
    reasons = {}
    for place, table in enumerate(aligned[1:], start=1):
        try:
            tests.append(compare_aligned(aligned[0], table))
        except UndefinedMeasureError as error:
            tests.append(None)
            reasons[place] = error.message
    return SideBySide(
        evaluations=tuple(evaluate_scores(table, replicates=replicates) for table in aligned),
        tests=tuple(tests),
        reasons=reasons,
        shared=len(aligned[0].rows),
        given=tuple(len(table.rows) for table in tables),
        unanswered=tuple(len(table.failed) for table in tables),
    )


def compare_aligned(first: ScoreTable, second: ScoreTable) -> Comparison:
    """DeLong's test of two detectors, given as `align` gives them; over groups of pictures where there are groups.

    Raises:
        UndefinedMeasureError: The pictures are of one class, or too few.
    """
    labels = [row.label for row in first.rows]
    return compare_auc(labels, _ranks(first), _ranks(second), groups=first.groups())


def _ranks(table: ScoreTable) -> Floats:
    # Logits where all have one: probabilities of sure answers round to the same 1.0. Never some of both.
    logits = table.logits()
    return table.judged().scores if logits is None else logits


def align(tables: Sequence[ScoreTable]) -> list[ScoreTable]:
    """The rows of the pictures that all tables answered, in the same order.

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
    labels: dict[str, int] = {}
    origins: dict[str, tuple[str, str, str]] = {}
    for row in (row for table in tables for row in table.rows):
        if labels.setdefault(row.path, row.label) != row.label:
            raise UnmaskError(
                f"{row.path} is real in one table and fake in another",
                hint="Labels are 0 for real and 1 for fake.",
                code="labels-differ",
            )
        source, method, group = origins.get(row.path, ("", "", ""))
        origins[row.path] = (source or row.source, method or row.method, group or row.group)
    aligned = []
    for table, name in zip(tables, _names(tables), strict=True):
        rows = []
        for row in sorted((row for row in table.rows if row.path in shared), key=lambda row: row.path):
            source, method, group = origins[row.path]
            rows.append(replace(row, source=source, method=method, group=group))
        aligned.append(replace(table, detector=name, rows=tuple(rows)))
    return aligned


def _names(tables: Sequence[ScoreTable]) -> list[str]:
    """Detectors of the same name get a number, so that a reader can tell them apart."""
    names = [table.detector for table in tables]
    numbers = [names[: place + 1].count(name) for place, name in enumerate(names)]
    return [
        f"{name} ({number})" if names.count(name) > 1 else name for name, number in zip(names, numbers, strict=True)
    ]
