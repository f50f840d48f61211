"""Moments of a clip as people write them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from unmask.errors import UnmaskError
from unmask.output.wording import printable

if TYPE_CHECKING:
    _Type = click.ParamType[float]
else:  # Click 8.1 does not tell of what kind a value is
    _Type = click.ParamType

_SECONDS = re.compile(r"\d{1,9}(?:\.\d+)?|\.\d+", re.ASCII)
_CLOCK = re.compile(r"(?:(\d{1,4}):(?=\d\d:))?(\d{1,4}):(\d\d(?:\.\d+)?)", re.ASCII)


class MomentType(_Type):
    """Seconds, or a time as the card prints it: m:ss, m:ss.d or h:mm:ss."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The moment in seconds; an `UnmaskError` that names the option where it is none."""
        text = str(value).strip()
        if _SECONDS.fullmatch(text):
            return float(text)
        if clock := _CLOCK.fullmatch(text):
            hours, minutes, rest = (float(part or 0) for part in clock.groups())
            if rest < 60 and (clock[1] is None or minutes < 60):
                return 3600 * hours + 60 * minutes + rest
        raise UnmaskError(
            f"{param.opts[0] if param else 'a time'}: {printable(str(value))} is no moment of a clip",
            hint="Give seconds, such as 62.5, or minutes and seconds, such as 1:02.5.",
            code="bad-part",
        )


MOMENT = MomentType()
