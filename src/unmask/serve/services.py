"""What the views share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import current_app, request

from unmask.serve.problem import Problem

if TYPE_CHECKING:
    from unmask.detector import Detector
    from unmask.serve.allowance import Allowance
    from unmask.serve.answering import Answering
    from unmask.serve.metrics import Metrics
    from unmask.serve.pool import Pool
    from unmask.serve.settings import Settings


@dataclass(slots=True)
class Services:
    """What the views use.

    Attributes:
        settings: As started.
        detector: Loaded once, shared by all threads.
        pool: Where pictures are decoded and judged.
        metrics: The server's numbers.
        allowance: Pictures a client may send.
        answering: Pictures to answers.
        is_ending: Set when the server was told to end.
    """

    settings: Settings
    detector: Detector
    pool: Pool
    metrics: Metrics
    allowance: Allowance
    answering: Answering
    is_ending: bool = False


def services() -> Services:
    """Those of the app that answers this request."""
    found: Services = current_app.extensions["unmask"]
    return found


def charge(count: int) -> None:
    """Takes the request's pictures from its client's allowance.

    Raises:
        Problem: "too-often".
    """
    wait = services().allowance.take(request.remote_addr or "", count)
    if wait:
        raise Problem("too-often", f"This address may send more pictures in {wait} s.", retry_after=wait)
