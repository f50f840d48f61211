"""What the decoder's process says to the one that started it."""

from __future__ import annotations

import json
import struct
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class RefusedError(Exception):
    """Why a clip is not decoded: a code that `unmask.video.reader` has words for, and a detail for them."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code)
        self.code, self.detail = code, detail


def refuse_long(seconds: float, limits: dict[str, Any]) -> None:
    """Refuses a part that is longer than what is looked at."""
    if seconds > limits["max_seconds"]:
        raise RefusedError("too-long", f"{seconds / 60:.0f} of at most {limits['max_seconds'] / 60:g} minutes")


def send(message: dict[str, Any], pixels: NDArray[np.uint8] | None = None) -> None:
    """Write a message, and the pixels of a frame behind it."""
    text = json.dumps(message).encode()
    sys.stdout.buffer.write(struct.pack(">I", len(text)) + text)
    if pixels is not None:
        sys.stdout.buffer.write(np.ascontiguousarray(pixels).data)
    sys.stdout.buffer.flush()
