"""Which frames of a clip to look at, by their times alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from unmask.video.messages import RefusedError

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A clip whose times span this many times what its usual step and number of frames make up has lost its clock somewhere.
ODD_SPAN = 10.0
# A picture that comes later than the sound by more seconds is on another clock.
MOST_LATE = 3_600.0
# Frames this close behind a moment that is asked for, and at most a quarter of a step, are taken to be at it: times are rounded
# to 1/1000 s in many files.
NEAR = 0.002
# See `choose`.
MOST_TIMES = 4


def frame_times(stamps: NDArray[np.float64], start: float = math.inf) -> tuple[NDArray[np.float64], bool]:
    """The times of a clip's frames as a player shows them.

    Args:
        stamps: float64 (N,), in seconds, in any order.
        start: The stamp at which a player's clock is at 0. It counts where it is before the first frame, by at most
            `MOST_LATE`; else that is at 0.

    Returns:
        Sorted times, and whether they are made up of equal steps because the file's own make no sense.
    """
    first = float(stamps.min()) if len(stamps) else 0.0
    late = first - start if 0.0 <= first - start <= MOST_LATE else 0.0
    times = np.sort(stamps) - first
    step = usual_step(times)
    if len(times) > 2 and times[-1] > ODD_SPAN * max(step, 1e-6) * len(times):
        return late + np.arange(len(times), dtype=np.float64) * (step or 1 / 25), True
    return late + np.asarray(times, np.float64), False


def part_seconds(times: NDArray[np.float64], start: float, end: float | None) -> float:
    """How much of a clip with frames at these times lies between two moments, in seconds."""
    if not len(times):
        return 0.0
    first, last = float(times[0]), float(times[-1])
    return max(0.0, (last if end is None else min(end, last)) - max(start, first))


def usual_step(times: NDArray[np.float64]) -> float:
    """The median time from one frame to the next, in seconds; 0 where there is one frame."""
    return float(np.sort(np.diff(times))[(len(times) - 1) // 2]) if len(times) > 1 else 0.0


def chosen(request: dict[str, Any], times: NDArray[np.float64]) -> NDArray[np.int64]:
    """The numbers of the frames that a request to the decoder asks for, at least one.

    Raises:
        RefusedError: No frame lies in the part that is asked for, or it is too long.
    """
    if request["numbers"] is None:
        seconds, most = part_seconds(times, request["start"], request["end"]), request["limits"]["max_seconds"]
        if seconds > most:
            raise RefusedError("too-long", f"{seconds / 60:.0f} of at most {most / 60:g} minutes")
    found = choose(times, **{name: request[name] for name in ("start", "end", "every", "frames", "numbers")})
    if not len(found):
        raise RefusedError("empty-part", f"{times[0]:.1f} and {times[-1]:.1f}")
    return found


def choose(
    times: NDArray[np.float64],
    *,
    start: float = 0.0,
    end: float | None = None,
    every: float | None = None,
    frames: int | None = None,
    numbers: list[int] | None = None,
) -> NDArray[np.int64]:
    """The numbers of the frames to look at.

    Args:
        times: Sorted, in seconds.
        start: First moment of the part to look at.
        end: Last moment of it; None for the end of the clip.
        every: Seconds from one frame that is looked at to the next; None for as many as `frames` says.
        frames: So many, spread evenly over the part, each in the middle of its share; None, without `every`, for all. With
            both, as many as `every` makes, but at least `frames` and at most `MOST_TIMES` that.
        numbers: Of the frames themselves, in place of all the rest.

    Returns:
        int64, rising, each once; empty where the part ends before the first frame or begins behind the last.
    """
    if numbers is not None:
        return np.unique([number for number in numbers if 0 <= number < len(times)]).astype(np.int64)
    last, near = np.inf if end is None else end, min(NEAR, usual_step(times) / 4)
    inside = np.flatnonzero((times >= start - near) & (times <= last + near))
    if not len(inside) and len(times) and times[0] <= start < times[-1] + usual_step(times):
        # Between two frames the earlier one is shown.
        return (np.searchsorted(times, [start], side="right") - 1).astype(np.int64)
    if not len(inside) or (every is None and (frames is None or frames >= len(inside))):
        return inside
    begin = max(start, times[inside[0]])
    until = times[inside[-1]] + usual_step(times)
    until = until if end is None else min(until, end)
    if every is not None and frames is not None:
        frames, every = min(max(frames, math.ceil((until - begin) / every)), MOST_TIMES * frames), None
        if frames >= len(inside):
            return inside
    if every is not None:
        wanted = np.arange(begin, times[inside[-1]] + near, every)
    else:
        assert frames is not None
        wanted = begin + (np.arange(frames) + 0.5) * max(until - begin, 0.0) / frames
    shown = np.searchsorted(times, wanted + near, side="right") - 1
    return np.unique(np.clip(shown, inside[0], inside[-1])).astype(np.int64)
