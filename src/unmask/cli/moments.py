"""Moments of a clip as people write them."""

from __future__ import annotations

import math
import re
from typing import Any

import click

from unmask.errors import UnmaskError
from unmask.output.wording import printable

_CLOCK = re.compile(r"(?:(\d{1,4}):(?=\d\d:))?(\d{1,4}):(\d\d(?:\.\d*)?)", re.ASCII)


class MomentType(click.ParamType[float]):
    """Seconds, or a time as the card prints it: m:ss, m:ss.d or h:mm:ss."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The moment in seconds.

        Args:
            value: What was written.
            param: The option, which the error names.
            ctx: Not used.

        Raises:
            UnmaskError: It is no moment.
        """
        seconds = _seconds(str(value))
        if seconds is None:
            option = param.opts[0] if param else "a time"
            raise UnmaskError(
                f"{option}: {printable(str(value))} is no moment of a clip",
                hint="Give seconds, such as 62.5, or minutes and seconds, such as 1:02.5.",
                code="bad-part",
            )
        return seconds


def _seconds(text: str) -> float | None:
    """None for what is no moment."""
    clock = _CLOCK.fullmatch(text.strip())
    try:
        hours, minutes, rest = (float(part or 0) for part in clock.groups()) if clock else (0.0, 0.0, float(text))
    except ValueError:
        return None
    seconds = 3600 * hours + 60 * minutes + rest
    wraps = clock is not None and (rest >= 60 or (clock[1] is not None and minutes >= 60))
    return None if wraps or not 0 <= seconds < math.inf else seconds


MOMENT = MomentType()
