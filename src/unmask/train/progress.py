"""Training in a terminal: one bar for the epoch, the numbers so far, pictures a second and the time left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from unmask.train.history import Epoch
from unmask.train.loop import Watcher
from unmask.train.run_state import Position


class _Bar:
    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID | None = None

    def on_step(self, position: Position, steps: int) -> None:
        if self._task is None:
            self._task = self._progress.add_task("", total=steps, completed=position.step - 1, numbers="")
        self._progress.update(
            self._task,
            description=f"Epoch {position.epoch + 1}",
            total=steps,
            completed=position.step,
            numbers=f"loss {position.loss / position.seen:.4f}  accuracy {position.right / position.seen:.2%}  "
            f"{position.seen / position.seconds:.0f} pictures/s",
        )

    def on_epoch(self, row: Epoch) -> None:
        if self._task is not None:
            self._progress.remove_task(self._task)
            self._task = None
        self._progress.console.print(
            f"Epoch {row.epoch}: loss {row.loss:.4f}, accuracy {row.accuracy:.2%}; Validation: "
            f"loss {row.validation_loss:.4f}, accuracy {row.validation_accuracy:.2%}, AUC {row.validation_auc:.4f}; "
            f"{row.images_per_second:.0f} pictures/s",
            highlight=False,
        )


@contextmanager
def shown(console: Console | None = None) -> Iterator[Watcher]:
    """A display for a run, on standard error; where that is no terminal, one line an epoch."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[numbers]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console or Console(stderr=True), transient=True) as progress:
        yield _Bar(progress)


@contextmanager
def counted(console: Console | None = None) -> Iterator[Callable[[str, int, int], None]]:
    """A bar for one thing after the other, on standard error: told what is done, and how much of how much."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console or Console(stderr=True), transient=True) as progress:
        tasks = dict[str, TaskID]()

        def tell(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=of)
            progress.update(tasks[what], completed=done)

        yield tell
