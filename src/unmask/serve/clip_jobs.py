"""Clips that wait, are looked at one at a time, or were: in memory only, so many of them, each for some minutes.

The clip that is looked at has a thread of its own beside the pool's, so that it takes no picture's place. It looks at no further
frame while a picture is being answered, for a short time. On Linux that thread and the decoder that it starts are also nicer than
the rest: where both want a core, the picture gets it.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import secrets
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from unmask.serve.problem import Problem
from unmask.serve.rate_limit import client_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from unmask.serve.clip_answering import ClipAnswer, ClipWanted
    from unmask.serve.metrics import Metrics
    from unmask.serve.settings import Settings
    from unmask.serve.uploads import Upload

log = logging.getLogger("unmask.serve")

# Of a job's id: nobody guesses 24 bytes.
ID_BYTES = 24
# Of the thread that looks at clips, of 19: with 10, a picture gets nine parts of a core's time and the clip one (sched(7)).
NICE = 10
# A clip waits for pictures before each of its frames, so long at most: where pictures never end, it goes on, slowly.
PATIENCE_SECONDS, GLANCE_SECONDS = 2.0, 0.02
# From one search for forgotten clips to the next.
SWEEP_SECONDS = 1.0


class EndedError(Exception):
    """The clip that is looked at was deleted, or its time is over."""


@dataclass(slots=True, eq=False)
class ClipJob:
    """One clip on its way to an answer.

    Attributes:
        id: Its address.
        client: Who may ask for it, as the rate limit counts clients.
        request_id: Of the request that brought it.
        name: The clip's, for showing only; None for a raw body.
        wanted: What is looked at, and what comes along with the answer.
        born: When it came.
        asked: When it, or another one of the same request, was last asked for.
        upload: The clip, until it is looked at.
        state: "failed" if something went wrong in the server.
        progress: Share of the frames to look at that were, 0..1.
        answer: What was found.
        is_ended: Whether nobody wants the answer any more.
        kill: Ends its decoder, if there is one.
        let_pass: Waits for pictures.
    """

    id: str
    client: str
    request_id: str
    name: str | None
    wanted: ClipWanted
    born: float
    asked: float
    upload: Upload | None
    state: Literal["waiting", "working", "done", "failed"] = "waiting"
    progress: float = 0.0
    answer: ClipAnswer | None = None
    is_ended: bool = False
    kill: Callable[[], None] | None = None
    let_pass: Callable[[], None] = lambda: None

    @property
    def is_under_way(self) -> bool:
        """Whether it has yet to be answered."""
        return self.state in ("waiting", "working")

    def started(self, kill: Callable[[], None]) -> None:
        """A decoder of its runs, and this ends it.

        Raises:
            EndedError: If nobody wants to know.
        """
        self.kill = kill
        if self.is_ended:
            raise EndedError

    def looked(self, done: int, wanted: int) -> None:
        """So many of the frames to look at were.

        Raises:
            EndedError: If nobody wants to know.
        """
        self.progress = round(done / max(1, wanted), 4)
        self.let_pass()
        if self.is_ended:
            raise EndedError

    def end(self) -> None:
        """Nobody wants the answer any more."""
        self.is_ended, self.upload = True, None
        # `started` looks at what is set here after it has set what is looked at here: one of the two ends the decoder.
        if self.kill:
            self.kill()


class ClipJobs:
    """Keeps the jobs and works on them. Its threads live as long as there are any.

    Args:
        judge: From a job and its clip to an answer; calls the job's `started` and `looked`.
        has_pictures: Whether pictures are being answered, or wait for it.
        clock: Seconds, for tests.
    """

    def __init__(
        self,
        judge: Callable[[ClipJob, Upload], ClipAnswer],
        settings: Settings,
        metrics: Metrics,
        *,
        has_pictures: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._judge, self._settings, self._metrics, self._clock = judge, settings, metrics, clock
        self._has_pictures = has_pictures
        self._changed = threading.Condition()
        self._jobs: dict[str, ClipJob] = {}
        self._queue: deque[ClipJob] = deque()
        self._threads: set[str] = set()
        self._is_closed = False
        metrics.watch_clips(lambda: self._count("working"), lambda: self._count("waiting"))

    def refuse_if_full(self) -> None:
        """Refuses what would be one clip too many.

        Raises:
            Problem: "busy", "ending".
        """
        with self._changed:
            self._sweep()
            if self._is_closed:
                raise Problem("ending", "The server is finishing its last requests.", retry_after=5)
            if sum(job.is_under_way for job in self._jobs.values()) >= self._settings.clips_under_way:
                raise Problem("busy", "The server holds as many clips as it may at the same time.", retry_after=10)
            if len(self._jobs) >= self._settings.clips_kept:
                wait = max(1, self.seconds_left(next(iter(self._jobs.values()))))
                raise Problem("busy", "The server keeps as many answers as it may.", retry_after=wait)

    def add(self, upload: Upload, address: str, request_id: str, wanted: ClipWanted) -> ClipJob:
        """Takes in a clip.

        Raises:
            Problem: "busy", "ending".
        """
        with self._changed:
            self.refuse_if_full()
            now = self._clock()
            name = secrets.token_urlsafe(ID_BYTES)
            job = ClipJob(name, client_of(address), request_id, upload.name, wanted, now, now, upload)
            job.let_pass = self._let_pass
            self._jobs[job.id] = job
            self._queue.append(job)
            try:
                self._run("clips", self._work)
                self._run("clips-time", self._watch)
            except Exception:  # there may be no room for one more thread now
                self._forget(job)
                raise
        return job

    def find(self, name: str, address: str) -> ClipJob:
        """The job of this id that this client sent.

        Raises:
            Problem: "no-such-clip".
        """
        with self._changed:
            self._sweep()
            job = self._jobs.get(name)
            if job is None or job.client != client_of(address):
                raise Problem("no-such-clip", "No clip that this address sent has this id, or it is forgotten by now.")
            # One form brings several clips, and without script one of them is asked for at a time.
            for other in self._jobs.values():
                if (other.client, other.request_id) == (job.client, job.request_id):
                    other.asked = self._clock()
        return job

    def end(self, name: str, address: str) -> None:
        """Ends and forgets a job.

        Raises:
            Problem: "no-such-clip".
        """
        with self._changed:
            self._forget(self.find(name, address))

    def seconds_left(self, job: ClipJob) -> int:
        """Until a job is forgotten."""
        return max(0, math.ceil(job.born + 60 * self._settings.clip_minutes - self._clock()))

    def close(self) -> None:
        """Ends all; nothing is taken in any more."""
        with self._changed:
            self._is_closed = True
            for job in list(self._jobs.values()):
                self._forget(job)
            self._changed.notify_all()

    def _count(self, state: str) -> int:
        with self._changed:
            return sum(job.state == state for job in self._jobs.values())

    def _forget(self, job: ClipJob) -> None:
        if job.is_under_way:
            self._metrics.clip_without_answer("ended")
        job.end()
        del self._jobs[job.id]
        if job in self._queue:
            self._queue.remove(job)

    def _sweep(self) -> None:
        now = self._clock()
        for job in list(self._jobs.values()):
            is_alone = job.is_under_way and now - job.asked >= self._settings.clip_unasked_seconds
            if is_alone or now - job.born >= 60 * self._settings.clip_minutes:
                self._forget(job)

    def _run(self, name: str, target: Callable[[], None]) -> None:
        if name not in self._threads:
            threading.Thread(target=target, name=name, daemon=True).start()
            self._threads.add(name)

    def _watch(self) -> None:
        with self._changed:
            while self._jobs:
                self._changed.wait(SWEEP_SECONDS)
                self._sweep()
            self._threads.discard("clips-time")

    def _let_pass(self) -> None:
        end = self._clock() + PATIENCE_SECONDS
        while self._has_pictures() and self._clock() < end:
            time.sleep(GLANCE_SECONDS)

    def _work(self) -> None:
        if sys.platform == "linux":
            own = threading.get_native_id()
            with contextlib.suppress(OSError):  # some sandboxes refuse it
                os.setpriority(os.PRIO_PROCESS, own, max(NICE, os.getpriority(os.PRIO_PROCESS, own)))
        while True:
            with self._changed:
                if not self._queue:
                    self._threads.discard("clips")
                    return
                job = self._queue.popleft()
                job.state = "working"
                # Taken here: whoever ends the job from now on has nothing to take away.
                upload, job.upload = job.upload, None
            if upload is not None:
                self._answer(job, upload)

    def _answer(self, job: ClipJob, upload: Upload) -> None:
        try:
            answer = self._judge(job, upload)
        except EndedError:
            return
        except Exception as error:
            log.error("failed clip request=%s", job.request_id, exc_info=error)
            with self._changed:
                if not job.is_ended:
                    job.state = "failed"
                    self._metrics.clip_without_answer("failed")
            return
        with self._changed:
            job.answer, job.state, job.progress, job.kill = answer, "done", 1.0, None
