"""What a detector is worth once pictures have travelled: every degradation on the same pictures, with intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from unmask.detector import Detector
from unmask.evaluate.degradations import DEGRADATIONS, Degradation
from unmask.evaluate.pictures import Pictures
from unmask.evaluate.scores import Score, ScoreTable
from unmask.evaluate.scoring import score_some
from unmask.stats.inputs import UndefinedMeasureError
from unmask.stats.intervals import Estimate, estimate, mean_estimate

MEASURES: Final = ("accuracy", "roc_auc", "false_accusation_rate", "missed_fake_rate")
# Fewer than for the rest of a report: there are more than twenty deliveries.
REPLICATES: Final = 500
CLEAN: Final = "clean"
NOTHING_READ: Final = "no picture could be read any more"


@dataclass(frozen=True, slots=True)
class Robust:
    """What a degradation does to a detector.

    Attributes:
        family: As in `Degradation`; ``clean`` for the untouched pictures.
        level: Likewise.
        n: Pictures answered both clean and degraded.
        failed: Pictures that got no answer once degraded.
        measures: accuracy, roc_auc, false_accusation_rate, missed_fake_rate, and flip_rate, the share of pictures
            whose verdict went from real to fake or from fake to real.
        flipped: (n,), whether the verdict of each of them did.
        groups: (n,), what each of them belongs together with; its own path where it stands alone.
    """

    family: str
    level: str
    n: int
    failed: int
    measures: dict[str, Estimate]
    flipped: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=bool), repr=False, compare=False)
    groups: tuple[str, ...] = field(default=(), repr=False, compare=False)

    @property
    def name(self) -> str:
        """Both together."""
        return f"{self.family} {self.level}".strip()


def choose_some(table: ScoreTable, limit: int | None) -> list[int]:
    """Rising indexes of answered rows, at most `limit` where one is given, real and fake in equal number where possible."""
    answered = np.array([row.score is not None for row in table.rows])
    labels = np.array([row.label for row in table.rows])
    if limit is None or answered.sum() <= limit:
        return np.flatnonzero(answered).tolist()
    random = np.random.default_rng(0)
    by_class = [random.permutation(np.flatnonzero(answered & (labels == label))) for label in (0, 1)]
    reals = by_class[0][: max(limit // 2, limit - len(by_class[1]))]
    fakes = by_class[1][: limit - len(reals)]
    return sorted(np.concatenate([reals, fakes]).tolist())


def measure_robustness(
    detector: Detector,
    pictures: Pictures,
    table: ScoreTable,
    *,
    limit: int | None = 1000,
    degradations: tuple[Degradation, ...] = DEGRADATIONS,
    replicates: int = REPLICATES,
    on_step: Callable[..., None] = lambda *_: None,
) -> tuple[Robust, ...]:
    """Scores the same pictures under every degradation.

    Args:
        detector: Loaded with one thread.
        pictures: Those that `table` has the clean scores of, row by row.
        limit: At most so many pictures; None for all.
        replicates: Resamplings for the intervals.
        on_step: Told, before each degradation, what is being done, how many are done, of how many, and its name.

    Returns:
        The clean pictures first, then one entry a degradation.

    Raises:
        UndefinedMeasureError: No picture was answered.
    """
    chosen = choose_some(table, limit)
    if not chosen:
        raise UndefinedMeasureError(
            "not one picture was answered", hint="See the failed rows of scores.csv.", code="no-rows"
        )
    clean = [table.rows[index] for index in chosen]

    def measured(family: str, level: str, delivered: Sequence[Score]) -> Robust:
        both = [(row, found) for row, found in zip(clean, delivered, strict=True) if found.score is not None]
        failed = len(clean) - len(both)
        if not both:
            measures = {name: Estimate(name, reason=NOTHING_READ) for name in (*MEASURES, "flip_rate")}
            return Robust(family, level, 0, failed, measures)
        groups = [row.together for row, _ in both]
        before, now = (replace(table, rows=rows).judged() for rows in zip(*both, strict=True))
        flipped = (before.called_real & now.called_fake) | (before.called_fake & now.called_real)
        measures = estimate(now, groups=groups, names=MEASURES, replicates=replicates)
        measures["flip_rate"] = mean_estimate("flip_rate", flipped, groups, replicates=replicates)
        together = tuple(row.together or row.path for row, _ in both)
        return Robust(family, level, len(both), failed, measures, flipped, together)

    results = [measured(CLEAN, "", clean)]
    for done, degradation in enumerate(degradations):
        on_step("degraded pictures", done, len(degradations), degradation.name)
        delivered = score_some(detector, pictures, chosen, change=degradation.change)
        results.append(measured(degradation.family, degradation.level, delivered))
    return tuple(results)


@dataclass(frozen=True, slots=True)
class Overall:
    """All deliveries together.

    Attributes:
        flip_rate: Share of all deliveries of all pictures whose verdict went from real to fake or back; the deliveries
            of one picture, and those of one group, count as belonging together.
        lowest: The delivery with the lowest accuracy at 0.5; None where there is none.
        accuracy: Its accuracy.
        share_of_clean: Its accuracy as a share of that of the untouched pictures.
    """

    flip_rate: Estimate
    lowest: str | None
    accuracy: Estimate | None
    share_of_clean: float | None


def overall(results: Sequence[Robust]) -> Overall | None:
    """What all deliveries of `measure_robustness` together do; None where there were none."""
    clean, degraded = _parts(results)
    if clean is None or not degraded:
        return None
    flipped = np.concatenate([delivery.flipped for delivery in degraded])
    groups = [group for delivery in degraded for group in delivery.groups]
    rate = Estimate("flip_rate", reason=NOTHING_READ)
    if flipped.size:
        rate = mean_estimate("flip_rate", flipped, groups, replicates=REPLICATES)
    known = [delivery for delivery in degraded if delivery.measures["accuracy"].value is not None]
    lowest = min(known, key=lambda delivery: delivery.measures["accuracy"].value or 0.0, default=None)
    if lowest is None:
        return Overall(rate, None, None, None)
    before, after = clean.measures["accuracy"].value, lowest.measures["accuracy"].value
    share = after / before if after is not None and before else None
    return Overall(rate, lowest.name, lowest.measures["accuracy"], share)


def worst(results: Sequence[Robust]) -> Robust | None:
    """The delivery that lowers the AUC most, or the accuracy where there is no AUC; None where none lowers it."""
    clean, degraded = _parts(results)
    if clean is None:
        return None
    measure = ranked_by(clean)
    before = clean.measures[measure].value
    lower = [
        (value, delivery)
        for delivery in degraded
        if (value := delivery.measures[measure].value) is not None and before is not None and value < before
    ]
    return min(lower, key=lambda found: found[0])[1] if lower else None


def ranked_by(clean: Robust) -> str:
    """The measure by which deliveries are told apart: AUC where it exists."""
    return "accuracy" if clean.measures["roc_auc"].value is None else "roc_auc"


def _parts(results: Sequence[Robust]) -> tuple[Robust | None, list[Robust]]:
    clean = next((found for found in results if found.family == CLEAN), None)
    return clean, [found for found in results if found.family != CLEAN]
