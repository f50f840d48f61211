"""What became of each epoch: `history.csv` and two plots, renewed as training goes on."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from unmask.system.atomic import atomic_write
from unmask.system.private import keep_matplotlib_out_of_home

HISTORY = "history.csv"


@dataclass(frozen=True, slots=True)
class Epoch:
    """One line of `history.csv`.

    Attributes:
        epoch: Counted from 1.
        loss: Mean over the epoch's steps, with Dropout on.
        accuracy: Likewise, 0..1.
        validation_loss: Cross-entropy after the epoch.
        validation_accuracy: At a probability of 0.5, 0..1.
        validation_auc: Area under the ROC curve, 0..1.
        learning_rate: Of the last step.
        seconds: Wall time of the epoch's steps, without Validation.
        images_per_second: Pictures learned from, over `seconds`.
    """

    epoch: int
    loss: float
    accuracy: float
    validation_loss: float
    validation_accuracy: float
    validation_auc: float
    learning_rate: float
    seconds: float
    images_per_second: float


def write_history(folder: Path, model: str, history: list[Epoch]) -> None:
    """Renews `history.csv`, `accuracy.png`, `loss.png` and `<model>_accuracy.png`, the report's name for it."""
    with atomic_write(folder / HISTORY, "w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Epoch)], lineterminator="\n")
        writer.writeheader()
        for row in history:
            writer.writerow({name: f"{value:.6g}" for name, value in asdict(row).items()})
    accuracy = _plot(history, "accuracy", "validation_accuracy", "Accuracy")
    loss = _plot(history, "loss", "validation_loss", "Loss (cross-entropy)")
    for name, png in (("accuracy", accuracy), (f"{model}_accuracy", accuracy), ("loss", loss)):
        with atomic_write(folder / f"{name}.png") as file:
            file.write(png)


def _plot(history: list[Epoch], train: str, validation: str, title: str) -> bytes:
    keep_matplotlib_out_of_home()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(6, 4), dpi=120)
    FigureCanvasAgg(figure)
    axes = figure.subplots(gridspec_kw={"left": 0.13, "right": 0.97, "bottom": 0.13, "top": 0.97})
    epochs = [row.epoch for row in history]
    for name, label, colour, marker in ((train, "Train", "#0072B2", "o"), (validation, "Validation", "#D55E00", "s")):
        values = [getattr(row, name) for row in history]
        axes.plot(epochs, values, label=label, color=colour, marker=marker, markersize=4)
    axes.set_xlabel("Epoch")
    axes.set_ylabel(title)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    png = io.BytesIO()
    figure.savefig(png, format="png", metadata={"Software": None})
    return png.getvalue()
