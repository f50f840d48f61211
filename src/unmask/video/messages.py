"""What the decoder's process says to the one that started it, and how that is heard."""

from __future__ import annotations

import json
import struct
import sys
from typing import IO, TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


class RefusedError(Exception):
    """Why a clip is not decoded: a code that `unmask.video.reader` has words for, and a detail for them."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code)
        self.code, self.detail = code, detail


# What a message holds besides its type: whole numbers and others, from 0 on, and short words. Of a refusal nothing is presumed.
_WHOLE = {"facts": ("wanted", "width", "height", "frames"), "frame": ("number", "width", "height")}
_NUMBERS = {"facts": ("duration", "frame_rate"), "frame": ("time",)}
_WORDS = {"facts": ("format", "codec")}
LONGEST_WORD, LARGEST = 40, 2**53
MOST_MESSAGE = 65_536
"""Bytes of a message without pixels."""


def receive(stream: IO[bytes], max_pixels: int) -> tuple[dict[str, Any], bytearray | None]:
    """The next message of a process that may be in a stranger's hands, and the pixels of a frame.

    Args:
        stream: What it writes to; a message that has not come yet is waited for.
        max_pixels: Of the largest frame.

    Raises:
        ValueError: It is none that `send` writes, or the stream ends.
        RecursionError: It is nested without end.
    """
    length = struct.unpack(">I", _exactly(stream, 4))[0]
    message: Any = json.loads(bytes(_exactly(stream, length))) if length <= MOST_MESSAGE else None
    if not _is_told(message):
        raise ValueError("this is no message")
    if message["type"] != "frame":
        return message, None
    count = message["height"] * message["width"]
    if count > max_pixels:
        raise ValueError("this frame is too large")
    return message, _exactly(stream, 3 * count)


def _is_told(message: Any) -> bool:
    """Whether something is a message as `send` writes it, so that it can be used without a second look."""
    if not isinstance(message, dict) or message.get("type") not in ("facts", "frame", "refusal", "end"):
        return False
    kind = message["type"]
    if kind == "end":
        return isinstance(message.get("notes"), list) and all(isinstance(note, str) for note in message["notes"])

    def told(table: Mapping[str, tuple[str, ...]]) -> list[Any]:
        return [message.get(name) for name in table.get(kind, ())]

    whole = told(_WHOLE)
    return (
        all(type(number) is int for number in whole)
        and all(type(number) in (int, float) and 0 <= number < LARGEST for number in whole + told(_NUMBERS))
        and all(isinstance(word, str) and word.isprintable() and len(word) <= LONGEST_WORD for word in told(_WORDS))
        and (kind != "frame" or message["width"] * message["height"] > 0)
    )


def send(message: dict[str, Any], pixels: NDArray[np.uint8] | None = None) -> None:
    """Write a message, and the pixels of a frame behind it."""
    text = json.dumps(message).encode()
    sys.stdout.buffer.write(struct.pack(">I", len(text)) + text)
    if pixels is not None:
        sys.stdout.buffer.write(np.ascontiguousarray(pixels).data)
    sys.stdout.buffer.flush()


def _exactly(stream: IO[bytes], count: int) -> bytearray:
    """So many bytes; raises ValueError where the stream ends before."""
    data = bytearray(count)
    view, at = memoryview(data), 0
    while at < count:
        read = stream.readinto(view[at:])  # type: ignore[attr-defined]
        if not read:
            raise ValueError("the decoder has ended")
        at += read
    return data
