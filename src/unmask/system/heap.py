"""glibc keeps freed memory for the next time; here it is told to give it back. Nothing where the C library is another."""

from __future__ import annotations

import ctypes
import sys
from typing import Any

# Of glibc's <malloc.h>.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
MEGABYTE = 1_000_000


def give_back_memory() -> None:
    """Gives back what is free now (malloc_trim(3)): after a network was made ready, nearly half of what a process holds."""
    if trim := _glibc("malloc_trim"):
        trim(0)


def keep_no_freed_memory() -> None:
    """Gives back from now on what is freed (mallopt(3)); for a program of its own, since it holds for the whole process.

    Otherwise a heap a thread is kept: hundreds of megabytes after a few large pictures.
    """
    if mallopt := _glibc("mallopt"):
        mallopt(M_MMAP_THRESHOLD, MEGABYTE)
        mallopt(M_TRIM_THRESHOLD, MEGABYTE)
        mallopt(M_ARENA_MAX, 2)


def _glibc(name: str) -> Any:
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
