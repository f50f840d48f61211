"""What became of each epoch: `history.csv`, the two plots and TensorBoard events, all renewed as training goes on."""

from __future__ import annotations

import csv
import io
import os
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

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
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Epoch)], lineterminator="\n")
    writer.writeheader()
    for epoch in history:
        writer.writerow({name: f"{value:.6g}" for name, value in asdict(epoch).items()})
    replace_bytes(folder / HISTORY, text.getvalue().encode())
    accuracy = _plot(history, "accuracy", "validation_accuracy", "Accuracy")
    replace_bytes(folder / "accuracy.png", accuracy)
    replace_bytes(folder / f"{model}_accuracy.png", accuracy)
    replace_bytes(folder / "loss.png", _plot(history, "loss", "validation_loss", "Loss (cross-entropy)"))


def replace_bytes(path: Path, content: bytes) -> None:
    """Writes a file in one step: a reader finds the old one or the new one, whole."""
    part = path.with_name(path.name + ".part")
    part.write_bytes(content)
    part.replace(path)


class Events:
    """Scalars for TensorBoard, written with TensorFlow's own record writer; the package tensorboard is not needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writer: Any = None

    def add(self, row: Epoch) -> None:
        """Adds the numbers of an epoch."""
        from tensorflow.core.framework import summary_pb2

        if self._writer is None:
            self._open()
        values = asdict(row)
        epoch = values.pop("epoch")
        scalars = [summary_pb2.Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()]
        self._write(step=epoch, summary=summary_pb2.Summary(value=scalars))

    def close(self) -> None:
        """Closes the file, if there is one."""
        if self._writer is not None:
            self._writer.close()

    def _open(self) -> None:
        import tensorflow as tf

        self._folder.mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{time.time_ns() // 1_000_000_000}.unmask.{os.getpid()}"
        self._writer = tf.io.TFRecordWriter(str(self._folder / name))
        self._write(file_version="brain.Event:2")

    def _write(self, **fields: Any) -> None:
        from tensorflow.core.util import event_pb2

        self._writer.write(event_pb2.Event(wall_time=time.time(), **fields).SerializeToString())
        self._writer.flush()


def _plot(history: list[Epoch], train: str, validation: str, title: str) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(6, 4), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    epochs = [epoch.epoch for epoch in history]
    for name, label, colour, marker in ((train, "Train", "#0072B2", "o"), (validation, "Validation", "#D55E00", "s")):
        values = [getattr(epoch, name) for epoch in history]
        axes.plot(epochs, values, label=label, color=colour, marker=marker, markersize=4)
    axes.set_xlabel("Epoch")
    axes.set_ylabel(title)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", metadata={"Software": None})
    return picture.getvalue()
