"""A table of everything that was tried: one row a finished run, added by `unmask train --trials`."""

from __future__ import annotations

import csv
import datetime
import json
from pathlib import Path

from unmask.train.config import CONFIG_FILE, TrainConfig, read_config
from unmask.train.run_state import Outcome

# `best_epoch` is the epoch whose model was kept: the best one, or with `keep` = "last" the last one.
COLUMNS = (
    "date", "run", "model", "size", "seed", "settings", "epochs", "best_epoch", "minutes", "images_per_second",
    "validation_accuracy", "validation_auc", "validation_loss",
)  # fmt: skip

# These have their own columns, or say nothing of the result.
_LEFT_OUT = {"data", "model", "size", "seed", "epochs", "workers", "checkpoint_every"}


def add_trial(path: Path, outcome: Outcome) -> None:
    """Adds a row, unless the run has one already; settings are those that differ from the defaults.

    Args:
        path: The CSV file; made with a header if it is not there.
        outcome: A finished run.
    """
    config, kept = read_config(outcome.folder / CONFIG_FILE), outcome.kept
    assert kept is not None
    seconds = sum(row.seconds for row in outcome.history)
    row: dict[str, object] = {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "run": outcome.folder.name,
        "model": config.model,
        "size": config.size,
        "seed": config.seed,
        "settings": json.dumps(changed_settings(config)),
        "epochs": config.epochs,
        "best_epoch": kept.epoch,
        "minutes": f"{seconds / 60:.1f}",
        "images_per_second": f"{sum(r.images_per_second * r.seconds for r in outcome.history) / seconds:.0f}",
        "validation_accuracy": f"{kept.validation_accuracy:.4f}",
        "validation_auc": f"{kept.validation_auc:.4f}",
        "validation_loss": f"{kept.validation_loss:.4f}",
    }
    new = not path.exists()
    if not new and _is_listed(path, row):
        return
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(row)


def _is_listed(path: Path, row: dict[str, object]) -> bool:
    """Whether a run that was named again is in the table: everything but the day it was added is the same."""
    with path.open(newline="", encoding="utf-8") as file:
        return any(
            all(known.get(name) == str(value) for name, value in row.items() if name != "date")
            for known in csv.DictReader(file)
        )


def changed_settings(config: TrainConfig) -> dict[str, object]:
    """Settings that differ from the defaults and say something of the result; without the folders of this machine."""
    fields = TrainConfig.model_fields
    changed = {
        name: value
        for name, value in config.model_dump().items()
        if name not in _LEFT_OUT and value != fields[name].default
    }
    # A path of this machine means nothing on another one.
    for name in ("backbone_weights", "hard", "start"):
        if name in changed:
            changed[name] = Path(str(changed[name])).name
    return changed
