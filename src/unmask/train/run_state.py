"""Where a run is, and what it came to."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from unmask.stats.metrics import roc_auc
from unmask.train.history import Epoch


@dataclass
class RunState:
    """Where a run is: what comes next, and what it has to show so far.

    Attributes:
        stage: The one under way, counted from 0.
        epoch: Likewise, over all stages.
        step: The next one of the epoch.
        seconds: Of the epoch under way, over its steps so far: wall time.
        seen: Likewise: pictures.
        loss: Likewise: sum of their losses.
        right: Likewise: how many were judged rightly.
        best: The highest AUC on Validation.
        history: Finished epochs.
        data: Names the data (see `unmask.data.source.digest`); empty in checkpoints of before it was noted.
    """

    stage: int = 0
    epoch: int = 0
    step: int = 0
    seconds: float = 0.0
    seen: int = 0
    loss: float = 0.0
    right: float = 0.0
    best: float = -math.inf
    history: list[Epoch] = field(default_factory=list)
    data: str = ""

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {**asdict(self), "best": None if self.best == -math.inf else self.best}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> RunState:
        """What `to_json` gave."""
        history = [Epoch(**row) for row in values["history"]]
        best = -math.inf if values["best"] is None else values["best"]
        return cls(**{**values, "history": history, "best": best})

    def end_step(self, count: int, loss: float, accuracy: float) -> None:
        """Counts a step on `count` pictures, with their mean loss and accuracy."""
        self.step += 1
        self.seen += count
        self.loss += loss * count
        self.right += accuracy * count

    def judged(self, labels: NDArray[np.int64], logits: NDArray[np.float64], learning_rate: float) -> Epoch:
        """What became of the epoch under way.

        Args:
            labels: Of Validation, (N,), 0 real, 1 fake.
            logits: Likewise, (N,), after the epoch's last step.
            learning_rate: Of that step.
        """
        return Epoch(
            epoch=self.epoch + 1,
            loss=self.loss / self.seen,
            accuracy=self.right / self.seen,
            validation_loss=float((np.logaddexp(0.0, logits) - labels * logits).mean()),
            validation_accuracy=float(((logits > 0) == labels).mean()),
            validation_auc=roc_auc(labels, logits),
            learning_rate=learning_rate,
            seconds=self.seconds,
            images_per_second=self.seen / max(self.seconds, 1e-9),
        )

    def end_epoch(self, row: Epoch) -> None:
        """Moves on to the next epoch."""
        self.history.append(row)
        self.best = max(self.best, row.validation_auc)
        self.epoch, self.step, self.seen = self.epoch + 1, 0, 0
        self.seconds = self.loss = self.right = 0.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to.

    Attributes:
        folder: The run folder.
        history: One entry a finished epoch.
        finished: False if it was interrupted; `resume` goes on.
        keep: Which epoch's model is kept, as in the run's settings.
    """

    folder: Path
    history: tuple[Epoch, ...]
    finished: bool
    keep: Literal["best", "last"] = "best"

    @property
    def kept(self) -> Epoch | None:
        """The epoch that `model.keras` comes from."""
        if self.keep == "last":
            return self.history[-1] if self.history else None
        return max(self.history, key=lambda row: row.validation_auc, default=None)
