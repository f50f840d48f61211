"""So much of something at a time, however many threads want some: what keeps memory from growing with the cores."""

from __future__ import annotations

import os
import threading
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Budget:
    """An amount that threads of one process share; a forked one begins with the whole of it.

    Whoever asks first gets first, so that a large part is not kept waiting by small ones.

    Args:
        total: Most that is taken at a time. A part that is larger is taken alone.

    Example:
        >>> pixels = Budget(50_000_000)
        >>> with pixels.take(4032 * 3024):
        ...     pass
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self._begin()
        if hasattr(os, "register_at_fork"):
            # What threads of the parent hold at that moment, and its lock, are nobody's in the child.
            os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        self._taken = 0
        self._waiting: deque[object] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def take(self, amount: int) -> Iterator[None]:
        """Hold an amount for the length of the block; waits until there is room for it."""
        ticket = object()
        with self._changed:
            self._waiting.append(ticket)
            try:
                self._changed.wait_for(lambda: self._waiting[0] is ticket and self._has_room(amount))
                self._taken += amount
            finally:
                self._waiting.remove(ticket)
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._taken -= amount
                self._changed.notify_all()

    def _has_room(self, amount: int) -> bool:
        return self._taken == 0 or self._taken + amount <= self.total
