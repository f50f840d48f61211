"""The one display of how far a job is: what is being done, a bar, how many of how many, how fast, the time left."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from unmask.output.wording import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bar


class Progress(AbstractContextManager["Progress"]):
    """Shows a job on a terminal and goes away with it; shows nothing where the output is a file or a pipe.

    Args:
        console: Where lines are printed while the job runs, if to a terminal: a bar on another one would be drawn into
            them. None for standard error.
        hidden: Whether to show nothing at all.

    Example:
        >>> with Progress(hidden=True) as show:
        ...     for number in range(3):
        ...         show("reading", number + 1, 3)
    """

    def __init__(self, console: Console | None = None, *, hidden: bool = False) -> None:
        from rich.console import Console

        own = console is None or not console.is_terminal
        self._console = Console(stderr=True) if own or console is None else console
        self._bar: Bar | None = None
        # Whether anything can be seen of it.
        self.shown = self._console.is_terminal and not hidden
        self._what: str | None = None
        self._began = 0.0
        self._first = 0

    def __enter__(self) -> Progress:
        if self.shown:
            from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            text = TextColumn("{task.description}  {task.fields[numbers]}", markup=False)
            self._bar = Bar(BarColumn(), text, TimeRemainingColumn(), console=self._console, transient=True)
            self._bar.start()
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, what: str, done: int = 0, total: int | None = None, numbers: str = "") -> None:
        """Show how far the job is.

        Args:
            what: What is being done; another text than last time begins a new bar in the place of the last.
            done: How many are done of it.
            total: Of how many; None where that is not known.
            numbers: What else is known, in place of how many a second.
        """
        if self._bar is None:
            return
        if what != self._what:
            for task in self._bar.task_ids:
                self._bar.remove_task(task)
            self._what, self._began, self._first = what, time.perf_counter(), done
            self._bar.add_task(printable(what), numbers="")
        seconds = time.perf_counter() - self._began
        rate = f"{(done - self._first) / seconds:.1f}/s" if done > self._first and seconds > 0 else ""
        count = f"{done:,} of {total:,}" if total is not None else f"{done:,}" if done else ""
        shown = "  ".join(part for part in (count, numbers or rate) if part)
        self._bar.update(self._bar.task_ids[0], completed=done, total=total, numbers=shown)

    def print(self, line: str) -> None:
        """Print a line that stays, above the bar; on standard error where there is no terminal."""
        self._console.print(printable(line), markup=False, highlight=False, soft_wrap=True)
