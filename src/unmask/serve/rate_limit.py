"""How many pictures or wrong tokens one client may send: a bucket an address (Turner, "New directions in communications",
1986).

Kept in the process: no package and no store is needed for one number an address.
"""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# Addresses remembered at once; the one heard of longest ago is forgotten first. 10,000 take some 2 MB.
MAX_CLIENTS = 10_000


class Allowance:
    """Fills up by `a_minute` tokens a minute and holds as many; a picture costs one.

    Args:
        a_minute: 0 for no limit.
        clock: Seconds, for tests.
    """

    def __init__(self, a_minute: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._full = float(a_minute)
        self._rate = a_minute / 60.0
        self._clock = clock
        self._lock = threading.Lock()
        self._clients: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str, count: int) -> int:
        """Takes tokens.

        Args:
            client: Its address.
            count: How many.

        Returns:
            0 if they were there; else, with none taken, the whole seconds until they will be. More than the bucket
            holds are given when it is full, and leave a debt, so that no request is too large for ever.
        """
        if not self._rate:
            return 0
        with self._lock:
            now = self._clock()
            tokens = self._tokens(client, now)
            missing = min(float(count), self._full) - tokens
            self._clients.pop(client, None)
            self._clients[client] = (tokens - count if missing <= 0 else tokens, now)
            while len(self._clients) > MAX_CLIENTS:
                self._clients.popitem(last=False)
        return self._wait(missing)

    def wait(self, client: str) -> int:
        """Seconds until there is a token, 0 if there is one now; takes none."""
        if not self._rate:
            return 0
        with self._lock:
            return self._wait(1.0 - self._tokens(client, self._clock()))

    def _tokens(self, client: str, now: float) -> float:
        tokens, since = self._clients.get(client, (self._full, now))
        return min(self._full, tokens + (now - since) * self._rate)

    def _wait(self, missing: float) -> int:
        return 0 if missing <= 0 else math.ceil(missing / self._rate)
