"""What mining found: the training pictures that were judged wrongly, as lists and as sheets to look at."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unmask.data.manifest import Row
from unmask.data.source import Source
from unmask.output.wording import score_text
from unmask.system.atomic import atomic_write
from unmask.train.contact_sheet import write_contact_sheet
from unmask.train.label_errors import MIN_AUC, probably_mislabelled, self_confidence
from unmask.verdict import probability

# A picture is hard if a model that did not learn from it gives its own label less than this, so if it is judged wrongly.
# A higher limit, for those that are only unsure, would depend on how sure of themselves models of that kind and length
# of training are, which says nothing of the pictures; calibrating a model moves every probability but this one.
HARD_BELOW = 0.5
# Pictures on a contact sheet.
SHEET = 60


@dataclass(frozen=True, slots=True)
class Example:
    """A training picture and how it was judged.

    Attributes:
        path: Relative to the dataset.
        label: 0 real, 1 fake.
        score: P(fake) by a model that had not learned from it, 0..1.
        self_confidence: What that model gives the picture's own label, 0..1; low is hard.
        known_score: P(fake) by the run's own model, which had learned from it.
        mislabelled: Whether its label is probably wrong.
        source, method, group: From the manifest.
    """

    path: str
    label: int
    score: float
    self_confidence: float
    known_score: float
    mislabelled: bool
    source: str
    method: str
    group: str


@dataclass(frozen=True, slots=True)
class Mined:
    """What mining found.

    Attributes:
        folder: Holds `hard.csv`, `mislabelled.csv`, `scores.csv`, `hard.png` and `mislabelled.png`.
        hard: Hard examples, worst first, at most `top`.
        mislabelled: Probably mislabelled ones, worst first.
        wrong: Pictures judged wrongly that are not probably mislabelled, of which `hard` has the worst.
        n: Pictures scored.
        auc: Area under the ROC curve of the scores: what the run is worth on pictures it did not learn from.
    """

    folder: Path
    hard: tuple[Example, ...]
    mislabelled: tuple[Example, ...]
    wrong: int
    n: int
    auc: float

    @property
    def can_judge_labels(self) -> bool:
        """Whether the models were good enough to call a label wrong."""
        return self.auc >= MIN_AUC


def judged_examples(
    entries: Sequence[Row], labels: NDArray[np.int64], logits: NDArray[np.float64], known: NDArray[np.float64]
) -> list[Example]:
    """All pictures of a split, the least confident first.

    Args:
        entries: Of the manifest, N of them.
        labels: (N,), 0 real, 1 fake.
        logits: (N,), by models that had not learned from the picture.
        known: (N,), logits by the run's own model.
    """
    scores, known_scores = probability(logits, 1.0), probability(known, 1.0)
    own = self_confidence(labels, scores)
    wrong = probably_mislabelled(labels, logits) & probably_mislabelled(labels, known)
    return [
        Example(
            path=entries[index].path,
            label=int(labels[index]),
            score=float(scores[index]),
            self_confidence=float(own[index]),
            known_score=float(known_scores[index]),
            mislabelled=bool(wrong[index]),
            source=entries[index].source,
            method=entries[index].method,
            group=entries[index].group,
        )
        # By the logit: of large ones, the confidence is exactly 0 or 1.
        for index in np.argsort(np.where(labels == 1, logits, -logits), kind="stable")
    ]


def write_examples(folder: Path, source: Source, examples: Sequence[Example], top: int, auc: float) -> Mined:
    """Writes the lists and the sheets.

    Args:
        folder: Where to.
        source: Where the pictures are.
        examples: All of them, the least confident first.
        top: How many hard ones to list, at most.
        auc: Area under the ROC curve, of their logits.
    """
    mislabelled = tuple(example for example in examples if example.mislabelled)
    wrong = [example for example in examples if not example.mislabelled and example.self_confidence < HARD_BELOW]
    hard = tuple(wrong[:top])
    columns = [field.name for field in fields(Example)]
    for name, chosen in (("hard", hard), ("mislabelled", mislabelled), ("scores", tuple(examples))):
        write_rows(folder / f"{name}.csv", columns, (_cells(example) for example in chosen))
    places = {path: index for index, path in enumerate(source.paths)}
    for name, title, chosen in (
        ("hard", "Hard: wrong when not learned from", hard),
        ("mislabelled", "Probably mislabelled", mislabelled),
    ):
        shown = chosen[:SHEET]
        write_contact_sheet(
            folder / f"{name}.png",
            [source.read(np.array([places[example.path]]))[0] for example in shown],
            [
                (f"{('real', 'fake')[example.label]}, P(fake) {score_text(example.score)}", example.path)
                for example in shown
            ],
            f"{title}: {len(chosen)}" + (f", the first {SHEET}" if len(chosen) > SHEET else ""),
        )
    return Mined(folder, hard, mislabelled, len(wrong), len(examples), auc)


def _cells(example: Example) -> list[object]:
    return [
        int(value) if isinstance(value, bool) else round(value, 6) if isinstance(value, float) else value
        for value in asdict(example).values()
    ]


def write_rows(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Writes a CSV file in one step; a path may hold bytes that are no text."""
    with atomic_write(path, "w", newline="", errors="surrogateescape") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)
