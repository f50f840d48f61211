"""How tests wait: for a state, never for so many seconds."""

import threading
import time
from collections.abc import Callable

PATIENCE = 120.0
"""Seconds after which a test gives up. Far more than a quiet machine takes, so that a slow one is slow and nothing else."""


def until(condition: Callable[[], object]) -> None:
    """Waits for what another thread or process is about to do."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        threading.Event().wait(0.005)
