"""Which way up a player shows a decoded frame. Runs in the decoder's own process only."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from av.video.frame import VideoFrame
    from numpy.typing import NDArray


def upright(pixels: NDArray[Any], frame: VideoFrame) -> tuple[NDArray[Any], bool]:
    """Turns a picture, and mirrors it, as its clip asks for.

    Args:
        pixels: (height, width, 3), as decoded.
        frame: What it was decoded from.

    Returns:
        The picture; and whether the clip asks for an odd angle, of which the nearest right one was taken.
    """
    turned = frame.rotation % 360
    if _is_mirrored(frame):  # the angle is then told as if of a picture that was mirrored top to bottom
        pixels, turned = pixels[:, ::-1], turned + 180
    return np.rot90(pixels, round(turned / 90)), turned % 90 != 0


def _is_mirrored(frame: VideoFrame) -> bool:
    """Whether the matrix of a frame (ISO/IEC 14496-12, 8.3.2) mirrors it, as some phones do with the camera in front."""
    # There is none; or beside it is something that PyAV has no name for, such as EXIF.
    with suppress(KeyError, ValueError):
        beside: Any = frame.side_data
        a, b, _, c, d = np.frombuffer(beside["DISPLAYMATRIX"], np.int32, 5).tolist()
        return bool(a * d < b * c)
    return False
