"""What a video's packets say before any is decoded: when each frame is shown, and whether all of them are there.

Runs in the decoder's own process only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import av
import numpy as np
from av.error import FFmpegError

from unmask.video.messages import RefusedError
from unmask.video.sampling import usual_step

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream
    from numpy.typing import NDArray

MOST_RATE = 1000
"""Frames a second that are believed where frames have no times of their own."""
PACKETS_A_FRAME = 20
"""Packets of all streams that are looked through, for each frame that a clip may have."""
_VOP = b"\0\0\1\xb6"
_NOT_CODED = 4
"""Bytes behind `_VOP` of a frame of MPEG-4 that repeats the one before (ISO/IEC 14496-2, vop_coded); one that is coded has a bit
for each 16 x 16 pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class Packets:
    """The first pass over a file.

    Attributes:
        stamps: float64 (N,), of each frame that is shown, in seconds on the file's clock, in the order of the file.
        keyless: Whether they are made up, because the file has none of use.
        start: Where a player's clock is at 0, in seconds on the file's clock; infinite where only the frames tell.
        cut_off: Whether the file holds less than it says.
    """

    stamps: NDArray[np.float64]
    keyless: bool
    start: float
    cut_off: bool


def read_packets(container: InputContainer, stream: VideoStream, most: int) -> Packets:
    """Read a file to its end.

    Args:
        container: At its beginning.
        stream: The one whose frames are looked at.
        most: Frames that are accepted.

    Raises:
        RefusedError: There are more, or far more packets of any kind.
    """
    stamps: list[int | None] = []
    repeats: list[int | None] = []  # of frames of MPEG-4 for which no decoder gives anything
    is_mpeg4, packed = stream.codec_context.name == "mpeg4", False
    clocks = [float(other.time_base or 1) for other in container.streams]
    count, begin, end, broken = 0, math.inf, -math.inf, False
    try:
        for number, packet in enumerate(container.demux()):
            if count > most or number > PACKETS_A_FRAME * most:
                raise RefusedError("too-many-frames")
            if not packet.size:
                continue
            stamp = stamp_of(packet)
            if stamp is not None:
                begin = min(begin, stamp * clocks[packet.stream_index])
                end = max(end, (stamp + (packet.duration or 0)) * clocks[packet.stream_index])
            if packet.stream_index == stream.index:
                count += 1
                # An edit list may leave out what later frames are predicted from; VP8 has frames for that alone (RFC 6386, 9.1).
                is_hidden = stream.codec_context.name == "vp8" and not memoryview(packet)[0] & 16
                _, *coded = bytes(packet).split(_VOP) if is_mpeg4 else (b"",)
                packed |= len(coded) > 1
                if not packet.is_discard and not is_hidden:
                    (repeats if coded and len(coded[-1]) <= _NOT_CODED else stamps).append(stamp)
        if count > most:
            raise RefusedError("too-many-frames")
    except FFmpegError:
        broken = True
    if packed:  # two frames in one packet, then an empty one; neither has the time at which it is shown
        stamps += repeats
    keyless = packed or any(stamp is None for stamp in stamps) or len(set(stamps)) < 0.9 * len(stamps)
    if keyless:
        rate = float(stream.average_rate or 0)
        seconds = np.arange(len(stamps)) / (rate if 1 <= rate <= MOST_RATE else 25)
    else:
        seconds = np.array(stamps, np.float64) * float(stream.time_base or 1)
    if container.format.name == "avi" and len(seconds) and not keyless:
        # Its header counts dropped frames, too, and its clock ticks once for each; the last frames may be among them.
        ticks = np.sort(seconds) / float(stream.time_base or 1)
        count = max(count, round(float(ticks[-1]) + usual_step(ticks)) + 1)
    length = float(np.ptp(seconds)) if len(seconds) else 0.0
    if begin > end:  # no packet has a time
        begin = end = 0.0
    cut_off = broken or _is_short(container, stream, count, length, begin, end)
    return Packets(seconds, keyless, math.inf if keyless else _start(container, stream), cut_off)


def _start(container: InputContainer, stream: VideoStream) -> float:
    """Where the sound and other videos begin. As in browsers, nothing that is before 0 moves the picture."""
    others = [other for other in (*container.streams.audio, *container.streams.video) if other.index != stream.index]
    starts = [
        float(other.start_time * (other.time_base or 1))
        for other in others
        if other.start_time is not None and not other.disposition & other.disposition.attached_pic
    ]
    return max(0.0, min(starts, default=math.inf))


def _is_short(
    container: InputContainer, stream: VideoStream, count: int, length: float, begin: float, end: float
) -> bool:
    """Whether the file says that it holds more than it does.

    Args:
        count: Of the frames that were read, and in AVI of those that were dropped.
        length: From the first to the last, in seconds.
        begin, end: Of the packets of all streams, in seconds on the file's clock: the sound may well be longer, and some files
            tell nothing but the length of the whole.
    """
    own = float(stream.duration * (stream.time_base or 1)) if stream.duration else math.inf
    frames = stream.frames
    if "mov" in container.format.name:  # its index is whole from the beginning, and holds what an edit list leaves
        frames = min(frames, len(stream.index_entries))
    whole = (container.duration or 0) / av.time_base
    reach = end - begin if begin > whole else end  # a recording from a live stream begins late on its clock
    return count < 0.98 * frames or (length < 0.9 * (own - 1.0) and reach < 0.9 * (whole - 1.0))


def stamp_of(packet: Packet[Any]) -> int | None:
    """When a packet's frame is shown, or, where that is not told, decoded; in units of its stream's clock."""
    return packet.pts if packet.pts is not None else packet.dts
