"""How many pictures or wrong tokens a client may send: a bucket for each (Turner, "New directions in communications",
1986).

A client is an IPv4 address or the first half of an IPv6 address: whoever has one IPv6 address has its whole /64 (RFC 6177).
Kept in the process: no package and no store is needed for one number a client.
"""

from __future__ import annotations

import ipaddress
import math
import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

from unmask.serve.proxy import parsed_address

if TYPE_CHECKING:
    from collections.abc import Callable

# Addresses remembered at once; the one heard of longest ago is forgotten first. 10,000 take some 2 MB.
MAX_CLIENTS = 10_000


class RateLimit:
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

    def take(self, address: str, count: int) -> int:
        """Takes tokens.

        Args:
            address: Of the client.
            count: How many.

        Returns:
            0 if they were there; else, with none taken, the whole seconds until they will be. More than the bucket
            holds are given when it is full, and leave a debt, so that no request is too large for ever.
        """
        if not self._rate:
            return 0
        client = client_of(address)
        with self._lock:
            now = self._clock()
            tokens = self._tokens(client, now)
            missing = min(float(count), self._full) - tokens
            self._clients.pop(client, None)
            self._clients[client] = (tokens - count if missing <= 0 else tokens, now)
            while len(self._clients) > MAX_CLIENTS:
                self._clients.popitem(last=False)
        return self._wait(missing)

    def wait(self, address: str) -> int:
        """Seconds until there is a token, 0 if there is one now; takes none."""
        if not self._rate:
            return 0
        with self._lock:
            return self._wait(1.0 - self._tokens(client_of(address), self._clock()))

    def _tokens(self, client: str, now: float) -> float:
        tokens, since = self._clients.get(client, (self._full, now))
        return min(self._full, tokens + (now - since) * self._rate)

    def _wait(self, missing: float) -> int:
        return 0 if missing <= 0 else math.ceil(missing / self._rate)


def client_of(address: str) -> str:
    """Whom an address stands for: itself, or its network where that is what a client is given."""
    parsed = parsed_address(address)
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed or address)
