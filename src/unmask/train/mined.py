"""Training on, on hard examples: a second run that starts from a first one's weights.

Hard examples alone would make a model forget the rest, so each epoch also has as many other pictures, drawn anew
(rehearsal). A list of pictures drawn by chance, of the same length, is the control: the same number of steps.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmask.errors import UnmaskError
from unmask.train.config import TrainConfig, make_config, read_run
from unmask.train.sampling import Choose
from unmask.train.source import Source


def continued(run: Path, hard: Path, **overrides: Any) -> TrainConfig:
    """The settings of the second run: the first one's, one epoch, its lower learning rate, and the hard examples.

    Args:
        run: The run to go on from.
        hard: A CSV file with the column `path`, as `unmask mine` writes it.
        overrides: Settings that shall differ.
    """
    first = read_run(run)
    lower = {
        "epochs": 1,
        "learning_rate": first.fine_tune_learning_rate,
        "tune": "all" if first.tune != "frozen" else "frozen",
        # Hard examples and rehearsal make the epoch; there is nothing left to balance.
        "balance": 0.0,
    }
    settings = {**first.model_dump(), **lower, "start": str(run.resolve()), "hard": str(hard.resolve()), **overrides}
    return make_config(**settings)


def hard_indexes(path: Path, source: Source) -> NDArray[np.int64]:
    """Where the pictures of a list are in a split, in the list's order.

    Raises:
        UnmaskError: No such file, no column `path`, an empty list, or none of its pictures is in the split.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UnmaskError(
            f"The list of hard examples {path} cannot be read: {error}.",
            hint="Make one with: unmask mine RUN --data prepared/ --top 500",
            code="no-hard-list",
        ) from None
    if not rows:
        raise UnmaskError(
            f"{path} lists no pictures: there is nothing hard to train on.",
            hint="Leave the run as it is, or name another list.",
            code="bad-hard-list",
        )
    if "path" not in rows[0]:
        raise UnmaskError(
            f"{path} has no column path.", hint="Use the hard.csv that `unmask mine` writes.", code="bad-hard-list"
        )
    places = {name: index for index, name in enumerate(source.paths)}
    found = [places[row["path"]] for row in rows if row["path"] in places]
    if not found:
        raise UnmaskError(
            f"None of the {len(rows)} pictures of {path} is in {source.split}.",
            hint="Mine the same data that the run learned from.",
            code="bad-hard-list",
        )
    return np.array(found, np.int64)


def with_rehearsal(hard: NDArray[np.int64], count: int) -> Choose:
    """Epochs of the hard examples and as many of the other pictures, drawn anew for each, shuffled.

    Args:
        hard: Indexes of the hard examples.
        count: Pictures in the split.
    """
    others = np.setdiff1d(np.arange(count), hard)

    def choose(epoch: int, generator: np.random.Generator) -> NDArray[np.int64]:
        del epoch
        drawn = generator.choice(others, size=min(len(hard), len(others)), replace=False)
        return generator.permutation(np.concatenate([hard, drawn]))

    return choose
