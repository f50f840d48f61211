"""A clip -> its frames with their times. The decoder runs in a process of its own (`unmask.video.decoder`).

A stranger's clip is the most dangerous file there is: FFmpeg has hundreds of decoders, written for speed. So none of it is loaded
here. The decoder's process may use so much time and memory, opens no further file, learns no secrets from the environment,
and what it answers is checked before it is believed. If it crashes or hangs, that is a refusal of the clip.

PyAV and not OpenCV, which decodes with the same libraries: it gives packets without decoding them, goes on behind those that are
damaged, opens the containers of a list only, and gives 10-bit and HDR frames with their colours as the file has them.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import numpy as np

from unmask.errors import UnmaskError
from unmask.finding import ClipFacts, Note
from unmask.image.file import open_file, printable_name, too_many_bytes
from unmask.system.cores import available_cores
from unmask.video.kinds import kind_of_file
from unmask.video.limits import CLIP_LIMITS, ClipLimits
from unmask.video.marks import read_clip_marks
from unmask.video.messages import receive
from unmask.video.refusals import NO_EXTRA, NOTES, PART, died, refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from unmask.origin import Mark

AHEAD = 2
"""Frames that the decoder is ahead of whoever looks at them."""
MOST_THREADS = 8
"""Threads of a decoder; each holds a frame of its own."""
ENDING_SECONDS = 5.0
"""How long the end of a decoder that says nothing more is waited for, to tell why it ended."""
ENVIRONMENT = {
    "PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH", "SYSTEMROOT", "WINDIR", "TMPDIR", "LANG",
    "PYTHONHOME", "PYTHONPLATLIBDIR", "PYTHONUTF8", "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX",
}  # fmt: skip
"""Where programs and libraries lie, which language the system speaks, and how Python starts; Windows needs SYSTEMROOT."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One frame of a clip.

    Attributes:
        number: From 0, in the order of showing.
        time: In seconds from the start of the file, as in a player: where its sound or its picture begins.
        pixels: uint8 (height, width, 3), sRGB, upright.
    """

    number: int
    time: float
    pixels: NDArray[np.uint8]


class Clip(contextlib.AbstractContextManager["Clip"]):
    """A clip that is being read: iterate over it once, or close it.

    Attributes:
        facts: What is known of the file.
        wanted: How many frames were chosen; some of them may turn out damaged.
        notes: What to keep in mind; complete once all frames were given.
    """

    def __init__(
        self,
        file: BinaryIO,
        name: str,
        request: dict[str, Any],
        limits: ClipLimits,
        on_start: Callable[[Callable[[], None]], None] | None = None,
        marks: tuple[Mark, ...] = (),
    ) -> None:
        self.notes: list[Note] = []
        self._limits, self._name = limits, name
        self._messages: queue.Queue[tuple[dict[str, Any], bytearray | None] | None] = queue.Queue(AHEAD)
        size = os.fstat(file.fileno()).st_size
        sha256 = hashlib.file_digest(cast("Any", file), "sha256").hexdigest()
        file.seek(0)
        self._closed = threading.Event()
        self._process = _started(file, name, request)
        self._listener = threading.Thread(target=self._listen, name="clip", daemon=True)
        self._listener.start()
        try:
            if on_start:
                on_start(self._process.kill)
            facts = self._next("facts")
            self.wanted = facts["wanted"]
            self.facts = ClipFacts(
                **{name: facts[name] for name in ("format", "codec", "width", "height", "frames")},
                duration=round(facts["duration"], 3),
                frame_rate=round(facts["frame_rate"], 3),
                file_bytes=size,
                sha256=sha256,
                marks=marks,
            )
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Frame]:
        """The chosen frames, in the order of time.

        Raises:
            UnmaskError: If decoding fails, or takes more than the limits allow.
        """
        try:
            while (message := self._next("frame", "end"))["type"] == "frame":
                yield Frame(message["number"], round(message["time"], 6), message["pixels"])
            self.notes += [NOTES[code] for code in message["notes"] if code in NOTES]
        finally:
            self.close()

    def close(self) -> None:
        """End the decoder, if it has not ended; nothing is left of it."""
        self._closed.set()
        self._process.kill()
        with contextlib.suppress(queue.Empty):  # a listener that waits for room in the queue
            while True:
                self._messages.get_nowait()
        self._listener.join()
        if self._process.stdout:
            self._process.stdout.close()
        self._process.wait()

    def _next(self, *types: str) -> dict[str, Any]:
        try:
            found = self._messages.get(timeout=self._limits.stalled_seconds)
        except queue.Empty:
            raise refusal("decoder-hung", self._name, f"{self._limits.stalled_seconds:.0f}") from None
        if found is None:
            try:
                status = self._process.wait(ENDING_SECONDS)
            except subprocess.TimeoutExpired:  # it wrote nonsense, and waits to write more
                raise refusal("decoder-died", self._name) from None
            raise died(self._name, status, self._limits)
        message, pixels = found
        if message["type"] == "refusal":
            code = str(message.get("code"))  # a decoder that lacks the extra is never started
            raise refusal("decoder-died" if code == NO_EXTRA else code, self._name, str(message.get("detail", "")))
        if message["type"] not in types:
            raise refusal("decoder-died", self._name)
        if pixels is not None:
            message["pixels"] = np.frombuffer(pixels, np.uint8).reshape(message["height"], message["width"], 3)
        return message

    def _listen(self) -> None:
        """Takes messages from the decoder, a few ahead; None says that there will be no more."""
        assert self._process.stdout is not None
        stream = self._process.stdout
        with contextlib.suppress(OSError, ValueError, RecursionError, MemoryError):
            while not self._closed.is_set():
                self._put(receive(stream, self._limits.max_pixels))
        self._put(None)

    def _put(self, item: tuple[dict[str, Any], bytearray | None] | None) -> None:
        while not self._closed.is_set():
            with contextlib.suppress(queue.Full):
                self._messages.put(item, timeout=0.1)
                return


def _started(file: BinaryIO, name: str, request: dict[str, Any]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            [*COMMAND, json.dumps(request)],
            stdin=file,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C in a terminal is for the program, which then ends its decoder
            env=_environment(),
        )
    except OSError as error:
        raise refusal("decoder-start", name, error.strerror or "") from error


def _environment() -> dict[str, str]:
    """What a decoder needs to start, and none of the secrets that variables often hold."""
    kept = {name: value for name, value in os.environ.items() if name.upper() in ENVIRONMENT or name.startswith("LC_")}
    return {**kept, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OPENBLAS_NUM_THREADS": "1"}


COMMAND = [sys.executable, "-P", "-m", "unmask.video.decoder"]


def read_clip(
    source: str | Path | bytes,
    *,
    frames: int | None = None,
    every: float | None = None,
    start: float = 0.0,
    end: float | None = None,
    numbers: Sequence[int] | None = None,
    threads: int | None = None,
    limits: ClipLimits = CLIP_LIMITS,
    on_start: Callable[[Callable[[], None]], None] | None = None,
) -> Clip:
    """Read a clip's frames with their times: a video, or a GIF, PNG or WebP that moves.

    Frames are turned upright as the file says, have square pixels and 8-bit sRGB colours. Frames that are damaged are left
    out. Bytes go to the decoder through memory, or, where the system has no such files, through one without a name.

    Args:
        source: A path, or the bytes of a file.
        frames: So many, spread evenly over the part that is looked at; None, without `every`, for all.
        every: Seconds from one to the next, in place of `frames`; with both, `frames` is the least, and four times it the most.
        start: First moment of the part, in seconds from the start of the file, as in a player.
        end: Last moment of it; None for the end of the clip.
        numbers: Of the frames, in place of all that.
        threads: Of the decoder; None for one a core, at most 8.
        limits: What is accepted.
        on_start: Called with what ends the decoder, from any thread and at any time; the clip is then refused.

    Returns:
        The clip: its facts, and its frames by iterating over it. Close it, use it in a `with` block, or iterate to its end.

    Raises:
        UnmaskError: If it is no clip, cannot be decoded, goes beyond the limits, or videos need the extra `video`.

    Example:
        >>> for frame in read_clip("clip.mp4", every=1.0):  # doctest: +SKIP
        ...     print(frame.time, frame.pixels.shape)
    """
    for name, value, least in (("frames", frames, 1), ("every", every, 1e-3), ("start", start, 0.0)):
        if value is not None and not least <= value < float("inf"):
            raise UnmaskError(f"{name} of {value} makes no sense", hint=f"Give {least:g} or more.", code="bad-part")
    if end is not None and not end > start:
        raise UnmaskError(
            f"a part from {start:g} s to {end:g} s holds nothing", hint="Let it end after its start.", code="bad-part"
        )
    name = printable_name(source) if isinstance(source, str | os.PathLike) else "The file"
    with _opened(source, limits.max_bytes) as file:
        kind = kind_of_file(file)
        if kind is None:
            raise refusal("not-a-clip" if file.read(1) else "empty-file", name)
        if kind.format is None and importlib.util.find_spec("av") is None:
            raise refusal(NO_EXTRA, name)
        request = {
            "kind": kind.format,
            "start": start,
            "end": end,
            "every": every,
            "frames": frames,
            "numbers": None if numbers is None else [int(number) for number in numbers],
            "threads": threads or min(MOST_THREADS, available_cores()),
            "limits": asdict(limits),
        }
        marks = read_clip_marks(file, kind)
        file.seek(0)
        return Clip(file, name, request, limits, on_start, marks)


def _opened(source: str | Path | bytes, max_bytes: int) -> BinaryIO:
    try:
        if isinstance(source, str | os.PathLike):
            return open_file(source, max_bytes)
        if len(source) > max_bytes:
            raise too_many_bytes("The file", len(source), max_bytes)
    except UnmaskError as error:
        if error.code == "too-many-bytes":
            error.hint = PART
        raise
    memory = hasattr(os, "memfd_create")
    file = os.fdopen(os.memfd_create("clip"), "w+b") if memory else tempfile.TemporaryFile()  # noqa: SIM115
    file.write(source)
    file.seek(0)
    return cast("BinaryIO", file)
