"""What a request asks about a clip: fields of its form, or parameters of its address beside a raw body."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from unmask.checking.clips import Sampling
from unmask.serve.clip_answering import ClipWanted
from unmask.serve.problem import Problem
from unmask.video.limits import CLIP_LIMITS

if TYPE_CHECKING:
    from flask import Request

NAMES = ("heatmap", "key_frames", "frames", "from", "to")
# No sign, no exponent, no other digits than these: what `int` and `float` would take besides is no number to most programs.
_NUMBER = re.compile(r"\d{1,9}(\.\d{1,9})?", re.ASCII)


def clip_wanted(request: Request) -> ClipWanted:
    """What is asked about the clip of a request.

    Raises:
        Problem: "bad-parameter".
    """
    given = [*request.args.items(multi=True), *request.form.items(multi=True)]
    values = dict(given)
    if not values.keys() <= set(NAMES):
        raise Problem("bad-parameter", "The request has a parameter or a field that is not known here.")
    if len(values) < len(given):
        raise Problem("bad-parameter", "A parameter is given more than once.")
    frames, start, end = (_number(values, name) for name in ("frames", "from", "to"))
    if frames is not None and (frames != int(frames) or not 1 <= frames <= CLIP_LIMITS.max_sampled):
        raise Problem("bad-parameter", f"The parameter frames takes a whole number, 1 to {CLIP_LIMITS.max_sampled}.")
    if end is not None and end <= (start or 0.0):
        raise Problem("bad-parameter", "The part to look at must end after it begins: to is no more than from.")
    return ClipWanted(
        Sampling.of(frames=None if frames is None else int(frames), start=start or 0.0, end=end),
        heatmaps=_choice(values, "heatmap", "png"),
        key_frames=_choice(values, "key_frames", "jpeg"),
    )


def _number(values: dict[str, str], name: str) -> float | None:
    if name not in values:
        return None
    if not _NUMBER.fullmatch(values[name]):
        raise Problem("bad-parameter", f"The parameter {name} takes a number, 0 or more, such as 12 or 1.5.")
    return float(values[name])


def _choice(values: dict[str, str], name: str, wanted: str) -> bool:
    given = values.get(name, "none")
    if given not in ("none", wanted):
        raise Problem("bad-parameter", f"The parameter {name} takes one of: none, {wanted}.")
    return given == wanted
