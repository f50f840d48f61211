"""Giving memory back to the system.

The C library keeps what was freed for the next time, in a heap a thread. After a few pictures of 50 megapixels that is
hundreds of megabytes, which a server would hold for as long as it runs.
"""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from typing import Any


def give_back() -> None:
    """Gives freed memory back to the system: some milliseconds, and nothing where the C library is not glibc."""
    trim = _trim()
    if trim is not None:
        trim(0)


@cache
def _trim() -> Any:
    if sys.platform != "linux":
        return None
    return getattr(ctypes.CDLL(None), "malloc_trim", None)
