"""Blocks of pictures made side by side and given back in order.

On Linux the workers are processes, forked, that write their pixels into shared memory: half of the work on a small
picture is Python, which threads of one process cannot do at the same time. Elsewhere, and where a training framework
with threads of its own is loaded, which a fork does not go well with, they are threads.
"""

from __future__ import annotations

import ctypes
import mmap
import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.errors import UnmaskError

Task = TypeVar("Task")
Result = TypeVar("Result")
Pixels = NDArray[np.uint8]

# Frameworks whose threads hold locks that a forked process would wait for.
_NOT_TO_FORK = ("tensorflow", "jax", "torch")

# How many calls of `in_order` are under way, which may end in any order; and OpenCV's threads before the first of them.
_under_way = 0
_threads_before = 0

# In a worker process alone, what it was forked with: the work, and the memory for its results.
_inherited: tuple[Callable[[Any, Pixels], Any], Pixels]


def in_order(
    tasks: Sequence[Task], work: Callable[[Task, Pixels], Result], shape: tuple[int, ...], workers: int
) -> Iterator[tuple[Result, Pixels]]:
    """Does tasks side by side.

    Args:
        tasks: What to do; each must pickle.
        work: Called as `work(task, room)`; writes pixels into `room`, uint8 of `shape`.
        shape: Of the room of one task.
        workers: How many at a time.

    Yields:
        What `work` returned, and the task's room, in the order of the tasks. A room is used again when the next result
        is asked for.

    Raises:
        UnmaskError: A worker process died.
    """
    slots = max(1, min(2 * workers, len(tasks)))
    memory = mmap.mmap(-1, slots * int(np.prod(shape)))
    rooms = np.frombuffer(memory, np.uint8).reshape(slots, *shape)
    waiting: deque[Future[Result]] = deque()
    pool, call = _pool(work, rooms, workers)
    global _under_way, _threads_before
    if not _under_way:
        _threads_before = cv2.getNumThreads()
        cv2.setNumThreads(1)  # small pictures: one a worker beats several threads a picture
    _under_way += 1
    try:
        for number in range(len(tasks) + slots):
            slot = number % slots  # that of the oldest task, whose result is taken first
            if number >= slots:
                yield waiting.popleft().result(), rooms[slot]
            if number < len(tasks):
                waiting.append(pool.submit(call, tasks[number], slot))
    except BrokenProcessPool as error:
        raise UnmaskError(
            "A worker died, which a broken picture or too little memory can do.",
            hint="Give the same command again: it goes on where it stopped. With --workers 1 it needs the least memory.",
            code="worker-died",
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)
        _under_way -= 1
        if not _under_way:
            cv2.setNumThreads(_threads_before)


def _pool(
    work: Callable[[Any, Pixels], Any], rooms: Pixels, workers: int
) -> tuple[Executor, Callable[[Any, int], Any]]:
    if workers == 1 or sys.platform != "linux" or any(name in sys.modules for name in _NOT_TO_FORK):
        return ThreadPoolExecutor(workers, thread_name_prefix="pictures"), lambda task, slot: work(task, rooms[slot])
    fork = multiprocessing.get_context("fork")
    inherited = (os.getpid(), work, rooms)
    return ProcessPoolExecutor(workers, mp_context=fork, initializer=_start, initargs=inherited), _call


def _start(parent: int, work: Callable[[Any, Pixels], Any], rooms: Pixels) -> None:
    """In a new worker: Ctrl-C is the parent's business, and without the parent there is nothing left to do."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    set_parent_death_signal = 1
    ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)
    if os.getppid() != parent:  # it died before it could be asked for; a worker left alone would hold the folder's lock
        os._exit(1)
    global _inherited
    _inherited = (work, rooms)


def _call(task: Any, slot: int) -> Any:
    work, rooms = _inherited
    return work(task, rooms[slot])
