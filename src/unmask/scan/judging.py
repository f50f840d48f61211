"""Items -> rows, in processes with a loaded detector each; one machine's part of a scan, and one worker's of a cluster.

A picture is judged by itself, exactly as `unmask check` does it. Several pictures' faces in one run of the network are no
faster on a processor, as `unmask.checking.looking` found, and the last digits of a score would depend on who else was in the run.
Processes, because a file that brings a decoder down must cost its own row and nothing else.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import signal
import threading
from collections import deque
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unmask.checking import Sampling, examine_clip, examine_image, unreadable
from unmask.checking.clips import SAMPLING, unreadable_clip
from unmask.errors import UnmaskError
from unmask.image.file import printable_name
from unmask.scan.rows import Row, row_of
from unmask.scan.storage import read
from unmask.video.kinds import is_clip

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from unmask.detector import Detector
    from unmask.finding import ClipFinding, Finding
    from unmask.scan.place import Item

# Files that are read ahead; a store answers each late, and many at once as fast as one.
READERS = 16
# Errors that are the detector's or the caller's, and end the scan.
_OF_THE_RUN = frozenset({"no-score", "bad-part", "bad-max-faces"})


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of the detector, the same for every picture; pickles.

    Attributes:
        detector: That judges; load it with `threads=1`.
        face_search: False to take each whole picture as the face.
        max_faces: Judge only so many of the largest faces in each.
        sampling: What is looked at in clips.
    """

    detector: Detector
    face_search: bool = True
    max_faces: int | None = None
    sampling: Sampling = SAMPLING


@dataclass(frozen=True, slots=True)
class _Read:
    name: str
    sha256: str = ""
    source: bytes | str = b""  # a path for clips on this machine, which are too large to hand on
    failure: UnmaskError | None = None


class Judges(AbstractContextManager["Judges"]):
    """Processes that judge. They start with the first item that needs one.

    Args:
        asked: Of the detector, whose own memory is freed: each process loads its own.
        workers: How many, 1 or more.
    """

    def __init__(self, asked: Asked, workers: int) -> None:
        self._asked, self._workers = asked, workers
        asked.detector.release()
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="read")
        self._pool = self._start()

    def _start(self) -> ProcessPoolExecutor:
        spawn = multiprocessing.get_context("spawn")  # ONNX Runtime does not survive a fork
        return ProcessPoolExecutor(self._workers, spawn, initializer=_begin, initargs=(self._asked,))

    def __exit__(self, *ended: object) -> None:
        self._readers.shutdown(cancel_futures=True)
        self._pool.shutdown(cancel_futures=True)

    def rows(self, items: Iterable[Item], known: Callable[[str], Row | None] = lambda sha256: None) -> Iterator[Row]:
        """A row for every item, each as soon as it is known; the same bytes are judged once.

        Args:
            items: What to judge. So many are held in memory as are read ahead, however many there are.
            known: The row of bytes with this sha256 from earlier on, or None.

        Raises:
            UnmaskError: The detector itself is unfit, or an argument makes no sense. Never for a picture or clip.
        """
        under_way: dict[Future[Row], _Read] = {}
        same: dict[str, list[str]] = {}  # by the sha256 of what is being judged: further names of the same bytes

        def finished() -> Iterator[Row]:
            done, _ = wait(under_way, return_when=FIRST_COMPLETED)
            try:
                results = [(under_way[future], future.result()) for future in done]
            except BrokenProcessPool:
                # Any of those under way can have done it; each by itself tells.
                self._restart()
                results = [(one, self._alone(one)) for one in under_way.values()]
                done = set(under_way)
            for future in done:
                del under_way[future]
            for one, row in results:
                yield row
                yield from (row | {"path": name, "seconds": 0.0} for name in same.pop(one.sha256))

        for one in self._read_ahead(items):
            if one.failure:
                yield self._failed(one, one.failure)
            elif earlier := known(one.sha256):
                yield earlier | {"path": one.name, "seconds": 0.0}
            elif one.sha256 in same:
                same[one.sha256].append(one.name)
            else:
                same[one.sha256] = []
                under_way[self._submit(one)] = one
                if len(under_way) >= 3 * self._workers:
                    yield from finished()
        while under_way:
            yield from finished()

    def _submit(self, one: _Read) -> Future[Row]:
        try:
            return self._pool.submit(_judge, one)
        except BrokenProcessPool as error:  # noticed before a result could tell
            broken: Future[Row] = Future()
            broken.set_exception(error)
            return broken

    def _alone(self, one: _Read) -> Row:
        try:
            return self._pool.submit(_judge, one).result()
        except BrokenProcessPool:
            self._restart()
            return self._failed(one, _crash())

    def _restart(self) -> None:
        self._pool.shutdown(cancel_futures=True)
        self._pool = self._start()
        try:
            self._pool.submit(os.getpid).result()
        except BrokenProcessPool:  # without any file
            raise UnmaskError(
                "the processes that judge end as soon as they start",
                hint="Give the program more memory or fewer --workers; a script of yours needs `if __name__ == '__main__':`.",
                code="no-workers",
            ) from None

    def _failed(self, one: _Read, failure: UnmaskError) -> Row:
        return row_of(_refused(self._asked.detector, one, failure), one.name, one.sha256 or None)

    def _read_ahead(self, items: Iterable[Item]) -> Iterator[_Read]:
        reading: deque[Future[_Read]] = deque()
        for item in items:
            reading.append(self._readers.submit(_read, item))
            if len(reading) > READERS:
                yield reading.popleft().result()
        while reading:
            yield reading.popleft().result()


def _read(item: Item) -> _Read:
    place, failure = item.place, item.failure
    if failure:
        return _Read(item.name, failure=failure)
    try:
        if place is None:
            data = item.data or b""
        elif not place.root and is_clip(place.path):
            with open(place.path, "rb") as file:
                return _Read(item.name, hashlib.file_digest(file, "sha256").hexdigest(), place.path)
        else:
            data = read(place)
        return _Read(item.name, hashlib.sha256(data).hexdigest(), data)
    except OSError as error:  # a clip that went away at this moment
        failure = UnmaskError(f"it could not be read: {error.strerror}", hint="Check the disk.", code="read-error")
    except MemoryError:
        failure = _no_memory()
    except UnmaskError as error:
        failure = error
    return _Read(item.name, failure=failure)


# In a process that judges.
_asked: Asked | None = None


def _begin(asked: Asked) -> None:
    global _asked
    _asked = asked
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A parent that was killed can tell nobody; without it there is nothing left to do."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _judge(one: _Read) -> Row:
    assert _asked is not None
    asked, moves = _asked, is_clip(one.source)
    how = {"face_search": asked.face_search, "max_faces": asked.max_faces, "heatmap": False}
    try:
        found: Finding | ClipFinding
        if moves:
            found = examine_clip(asked.detector, one.source, asked.sampling, **how).finding  # type: ignore[arg-type]
        else:
            found = examine_image(asked.detector, one.source, credentials=False, **how).finding  # type: ignore[arg-type]
        return row_of(found, one.name, one.sha256)
    except UnmaskError as error:
        if error.code in _OF_THE_RUN:
            raise
        failure = error
    except MemoryError:
        failure = _no_memory()
    except Exception as error:  # such as ONNX Runtime's, which has none of its own for lack of memory
        failure = _crash(f": {type(error).__name__}")
    row = row_of(_refused(asked.detector, one, failure), one.name, one.sha256)
    if isinstance(one.source, str):  # the same bytes under other names share this row
        message = failure.message.replace(printable_name(one.source), "the clip")
        row["message"] = message[:1].upper() + message[1:]
    return row


def _refused(detector: Detector, one: _Read, failure: UnmaskError) -> Finding | ClipFinding:
    moves = isinstance(one.source, str) or is_clip(one.source)  # what a path is of may be gone by now
    return (unreadable_clip if moves else unreadable)(detector, None, failure)


def _crash(what: str = "") -> UnmaskError:
    message = f"the program that decodes and judges broke down over this file{what}"
    hint = "Open it in a picture editor and save it anew; or give the program more memory."
    return UnmaskError(message, hint=hint, code="crash")


def _no_memory() -> UnmaskError:
    hint = "Give the program more memory or fewer --workers, and give the same command again."
    return UnmaskError("there is not enough memory for this file", hint=hint, code="out-of-memory")
