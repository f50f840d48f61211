"""A few workers, a short queue, and a time limit: over the limit a request is refused at once, never kept waiting."""

from __future__ import annotations

import threading
import time
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TYPE_CHECKING, TypeVar

from unmask.serve.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")


class Deadline:
    """A moment, so many seconds from now, by which work has to be done."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds left, 0 or more."""
        return max(0.0, self._end - time.monotonic())

    def check(self) -> None:
        """Raises `Problem` "too-slow" once the moment is past."""
        if self.left <= 0.0:
            raise Problem("too-slow", "The time for this request is over.", retry_after=5)


class Pool:
    """Runs so many jobs at the same time, on threads, while so many wait; each has its seconds from being handed in."""

    def __init__(self, workers: int, waiting: int, seconds: float) -> None:
        self.workers = workers
        self.waiting = waiting
        self.seconds = seconds
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="check")
        self._lock = threading.Lock()
        self._under_way = 0

    @property
    def under_way(self) -> int:
        """Jobs that are running or waiting."""
        return self._under_way

    @property
    def is_full(self) -> bool:
        """Whether the next job would be refused."""
        return self._under_way >= self.workers + self.waiting

    def refuse_if_full(self) -> None:
        """Refuses what would be one job too many.

        Raises:
            Problem: "busy".
        """
        if self.is_full:
            raise Problem("busy", "All workers are busy and the queue is full.", retry_after=1)

    def run(self, job: Callable[[Deadline], Result]) -> Result:
        """Runs a job on a worker and waits for its result.

        Args:
            job: Called with the deadline, which it should look at between its steps: Python cannot stop a thread, so
                a job that is late keeps its worker until it ends or looks.

        Raises:
            Problem: "busy" if all places are taken, "too-slow" past the deadline, "ending" once the pool is closed.
        """
        with self._lock:
            self.refuse_if_full()
            self._under_way += 1
        deadline = Deadline(self.seconds)
        try:
            future: Future[Result] = self._executor.submit(self._start, job, deadline)
        except RuntimeError:
            # Closed. What takes the place back for every other job would never be called.
            self._done()
            raise _ending() from None
        future.add_done_callback(self._done)
        try:
            return future.result(deadline.left)
        except FutureTimeoutError:
            future.cancel()
            raise Problem("too-slow", "The time for this request is over.", retry_after=5) from None
        except CancelledError:
            raise _ending() from None

    def close(self) -> None:
        """Ends the workers; jobs that wait are dropped."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    @staticmethod
    def _start(job: Callable[[Deadline], Result], deadline: Deadline) -> Result:
        deadline.check()
        return job(deadline)

    def _done(self, _: Future[Result] | None = None) -> None:
        with self._lock:
            self._under_way -= 1


def _ending() -> Problem:
    return Problem("ending", "The server is finishing its last requests.", retry_after=5)
