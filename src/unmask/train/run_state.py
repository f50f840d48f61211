"""Where a run is, and what it came to."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from unmask.train.history import Epoch


@dataclass
class Position:
    """Where a run is: what comes next, and what it has to show so far."""

    stage: int = 0
    epoch: int = 0
    step: int = 0
    # Of the epoch under way, over its steps so far: wall time, pictures, sum of their losses, how many were right.
    seconds: float = 0.0
    seen: int = 0
    loss: float = 0.0
    right: float = 0.0
    best: float = -math.inf
    history: list[Epoch] = field(default_factory=list)
    # Names the data; empty in checkpoints of before it was noted.
    data: str = ""

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "best": None if self.best == -math.inf else self.best}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Position:
        history = [Epoch(**row) for row in values["history"]]
        best = -math.inf if values["best"] is None else values["best"]
        return cls(**{**values, "history": history, "best": best})


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
