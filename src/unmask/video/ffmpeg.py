"""Frames out of a video, with FFmpeg's libraries (PyAV). Runs in the decoder's own process only.

Two passes. The first reads packets and decodes nothing: it gives the time of every frame, whatever the header says. The
second decodes from the last key frame before each frame that is wanted, and leaves out groups of pictures in which none is. The
first packet is decoded in any case: some encoders say there, and only there, how to read all that follows. No seeking is needed,
so an index that is broken or missing does no harm.
"""

from __future__ import annotations

import contextlib
import importlib
import pkgutil
import sys
from collections import deque
from typing import TYPE_CHECKING, Any

import av
import numpy as np
from av.error import FFmpegError
from av.video.reformatter import ColorRange, Colorspace, Interpolation

from unmask.image.transfer import PQ, Colour, converter
from unmask.video.limits import CODECS, FORMATS
from unmask.video.messages import RefusedError, send
from unmask.video.packets import read_packets, stamp_of
from unmask.video.sampling import choose, chosen, frame_times, usual_step
from unmask.video.turning import upright

if TYPE_CHECKING:
    from collections.abc import Iterator
    from fractions import Fraction

    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream
    from numpy.typing import NDArray

MOST_WAITING = 64_000_000
"""Bytes of packets that are kept back in the hope of a key frame behind them."""
STANDARD_HEIGHT = 576
"""Frames of more lines are HD: their colours are BT.709 where the file does not say, as players take it."""
ROWS_AT_ONCE = 1_000_000
"""Pixels whose colours are converted at a time: a conversion holds a few copies, each 4 bytes a channel."""
SAME = 1e-7
"""Seconds that two times may differ by and be the same; a ten-millionth of a second is no frame."""
SQUARE = 0.02
"""Pixels are square up to this."""


def decode(request: dict[str, Any]) -> Iterator[None]:
    """Send the facts of the clip on standard input, then the frames that are asked for."""
    av.logging.set_level(None)
    with _opened() as container:
        stream, several = _stream(container)
        format_name = _format(container)
        packets = read_packets(container, stream, request["limits"]["max_frames"])
        if not len(packets.stamps):
            raise RefusedError("no-frames")
        rate = float(stream.average_rate or 0)
        times, odd = frame_times(packets.stamps, packets.start)
        facts = _facts(stream, format_name, times, rate)
    numbers = chosen(request, times)
    stamps = np.sort(packets.stamps)
    # Of frames at one moment, the first is looked at.
    numbers = numbers[np.diff(stamps[numbers], prepend=-np.inf) > SAME]
    notes = ["several-streams"] * several + ["odd-times"] * odd + ["cut-off"] * packets.cut_off
    yield from _Pictures(request, stamps, packets.keyless).send(numbers, times, notes, facts)


def _opened() -> InputContainer:
    def refuse(*_: object) -> None:
        raise PermissionError("a clip names another file")

    sys.stdin.buffer.seek(0)
    whole = sys.stdin.buffer
    options = {"format_whitelist": FORMATS, "protocol_whitelist": "none", "enable_drefs": "0"}
    try:
        return av.open(whole, "r", container_options=options, metadata_errors="replace", io_open=refuse)
    except (FFmpegError, ValueError, OSError) as error:
        raise RefusedError("cannot-open", type(error).__name__) from error


def _stream(container: InputContainer) -> tuple[VideoStream, bool]:
    """The largest moving one of those that a player shows, and whether there are others."""
    moving = [stream for stream in container.streams.video if not stream.disposition & stream.disposition.attached_pic]
    moving = [stream for stream in moving if stream.codec_context is not None]
    if not moving:
        raise RefusedError("no-video")
    shown = [stream for stream in moving if stream.disposition & stream.disposition.default] or moving
    stream = max(shown, key=lambda each: (each.width or 0) * (each.height or 0))
    if stream.codec_context.name not in CODECS:
        raise RefusedError("unsupported-codec", stream.codec_context.name)
    return stream, len(moving) > 1


def _format(container: InputContainer) -> str:
    name = container.format.name.split(",")[0]
    return "mp4" if name == "mov" and container.metadata.get("major_brand", "qt").strip() != "qt" else name


def _facts(stream: VideoStream, format_name: str, times: NDArray[np.float64], rate: float) -> dict[str, Any]:
    length = float(times[-1] - times[0] + usual_step(times)) if len(times) > 1 else 1 / rate if rate else 0.0
    return {
        "format": format_name,
        "codec": stream.codec_context.codec.canonical_name,
        "frames": len(times),
        "duration": float(times[0]) + length,
        "frame_rate": len(times) / length if length > 0 else 0.0,
    }


class _AgainError(Exception):
    """What went wrong may come of packets that were left out, or of several threads."""


class _Pictures:
    """The second pass."""

    def __init__(self, request: dict[str, Any], stamps: NDArray[np.float64], keyless: bool) -> None:
        self.stamps, self.keyless = stamps, keyless  # sorted, as the file gives them
        self.most_pixels, self.threads = request["limits"]["max_pixels"], request["threads"]
        self.waited: deque[float] = deque()  # times of the frames that are yet to be sent
        self.damaged = False  # whether a frame that was wanted is

    def _use(self, container: InputContainer) -> None:
        """Begins at the beginning of a file."""
        self.container, self.stream = container, _stream(container)[0]
        self.seen, self.blind, self.skipped = 0, False, False
        context = self.stream.codec_context
        context.thread_type, context.thread_count = "AUTO", self.threads
        # What is damaged shall be told, not painted over; and no header makes the decoder take more memory than 8K needs.
        context.options = {"err_detect": "explode", "max_pixels": str(2 * self.most_pixels)}
        if context.width * context.height > self.most_pixels:
            raise RefusedError("too-many-pixels", f"{context.width:,} x {context.height:,}")
        # Of a call the size may change on the way; this one is the same whichever frames are asked for.
        self.size = context.width, context.height

    def send(
        self, numbers: NDArray[np.int64], times: NDArray[np.float64], notes: list[str], facts: dict[str, Any]
    ) -> Iterator[None]:
        """Send the facts, the frames that are asked for, and what to keep in mind."""
        self.waited = deque(float(self.stamps[number]) for number in numbers)
        sent = 0
        for frame in self._frames():
            stamp = self._time(frame)
            if stamp < self._wanted() - SAME:
                continue
            while self._wanted() <= stamp + SAME:
                self.waited.popleft()
            pixels, remarks = _upright_srgb(frame, self.stream.sample_aspect_ratio, self.most_pixels, self.size)
            notes += [remark for remark in remarks if remark not in notes]
            size = {"height": pixels.shape[0], "width": pixels.shape[1]}
            if not sent:
                send({"type": "facts", "wanted": len(numbers), **size, **facts})
            number = min(int(np.searchsorted(self.stamps, stamp - SAME)), len(times) - 1)
            send({"type": "frame", "number": number, "time": float(times[number]), **size}, pixels)
            sent += 1
            yield
            if not self.waited:
                break
        if not sent:
            raise RefusedError("no-frames")
        damaged = self.damaged or (sent < len(numbers) and "cut-off" not in notes)
        send({"type": "end", "notes": notes + ["damaged-frames"] * damaged})

    def _wanted(self) -> float:
        return self.waited[0] if self.waited else float("inf")

    def _frames(self) -> Iterator[VideoFrame]:
        """Frames in the order of their showing, at least all whole ones from that which is wanted next."""
        skips = not self.keyless
        while True:
            with _opened() as container, contextlib.suppress(_AgainError):
                self._use(container)
                yield from self._decoded(skips)
                return
            # An open group of pictures may refer to the one before it; then none is left out. Some of FFmpeg's decoders do not
            # get over an error with several threads: then there is one.
            if self.skipped:
                skips = False
            else:
                self.threads = 1

    def _decoded(self, skips: bool) -> Iterator[VideoFrame]:
        waiting: list[Packet[Any]] = []
        size, fed = 0, False
        try:
            for packet in self.container.demux(self.stream):
                if not packet.size:
                    continue
                seconds = float(stamp_of(packet) or 0) * float(self.stream.time_base or 1)
                if packet.is_keyframe and skips and seconds <= self._wanted() + SAME:
                    if waiting:
                        self.stream.codec_context.flush_buffers()
                        self.skipped = True
                    waiting, size, self.blind = [], 0, False
                waiting.append(packet)
                size += packet.size
                if not (skips and fed) or seconds >= self._wanted() - SAME or size > MOST_WAITING:
                    for each in waiting:
                        yield from self._whole(each)
                    waiting, size, fed = [], 0, True
        except FFmpegError:
            pass  # the end is missing; the first pass has noted that
        for last in [*waiting, None]:
            yield from self._whole(last)

    def _whole(self, packet: Packet[Any] | None) -> Iterator[VideoFrame]:
        """The frames that come out of the decoder for a packet, without those that are damaged."""
        try:
            frames = self.stream.codec_context.decode(packet)
        except EOFError:
            return
        except FFmpegError:
            if self.skipped or self.threads > 1:
                raise _AgainError from None
            # What follows is predicted from what is missing, up to the next key frame.
            self.blind = True
            return
        for frame in frames:
            if frame.is_corrupt and self.skipped:
                raise _AgainError
            self.blind = bool(frame.is_corrupt) or (self.blind and not frame.key_frame)
            if not self.blind:
                yield frame
            elif self._time(frame) >= self._wanted() - SAME:
                self.damaged = True
            self.seen += 1

    def _time(self, frame: VideoFrame) -> float:
        stamp = frame.pts if frame.pts is not None else frame.dts
        if self.keyless or stamp is None:
            return float(self.stamps[min(self.seen, len(self.stamps) - 1)])
        return float(stamp * (frame.time_base or self.stream.time_base or 1))


def _square(width: int, height: int, ratio: Fraction | None) -> tuple[int, int]:
    """The size of a picture whose pixels have this ratio, made square by shrinking: no pixels are made up."""
    wide = float(ratio or 1)
    if 0.1 <= wide <= 10 and abs(wide - 1) > SQUARE:
        width, height = (round(width * wide), height) if wide < 1 else (width, round(height / wide))
    return max(1, width), max(1, height)


def _upright_srgb(
    frame: VideoFrame, ratio: Fraction | None, most_pixels: int, size: tuple[int, int]
) -> tuple[NDArray[np.uint8], list[str]]:
    """A frame as a player shows it: 8-bit sRGB, square pixels, this size, upright; and what to keep in mind."""
    if frame.width * frame.height > most_pixels:
        raise RefusedError("too-many-pixels", f"{frame.width:,} x {frame.height:,}")
    width, height = _square(frame.width, frame.height, ratio)
    whole_width, whole_height = _square(*size, ratio) if all(size) else (width, height)
    scale = min(whole_width / width, whole_height / height)
    width, height = max(1, round(width * scale)), max(1, round(height * scale))
    matrix = {2: Colorspace.ITU709 if frame.height > STANDARD_HEIGHT else Colorspace.ITU601}.get(frame.colorspace)
    rgb: NDArray[Any] = frame.reformat(
        width=width,
        height=height,
        format="rgb24",
        src_colorspace=matrix,
        dst_color_range=ColorRange.JPEG,
        interpolation=Interpolation.BICUBIC,
        threads=1,
    ).to_ndarray()
    colour = Colour(transfer=int(frame.color_trc), primaries=int(frame.color_primaries))
    convert = converter(colour)
    if convert is not None:
        rows = max(1, ROWS_AT_ONCE // rgb.shape[1])
        for top in range(0, len(rgb), rows):
            rgb[top : top + rows] = convert(rgb[top : top + rows])
    if (width, height) != (whole_width, whole_height):
        down, right = (whole_height - height) // 2, (whole_width - width) // 2
        room = (down, whole_height - height - down), (right, whole_width - width - right), (0, 0)
        rgb = np.pad(rgb, room)
    rgb, is_odd = upright(rgb, frame)
    notes = ["colour-uncertain"] * (colour.uncertain or convert is not None)
    notes += ["turned-oddly"] * is_odd + ["interlaced"] * frame.interlaced_frame
    return rgb, notes


def _load_all() -> None:
    """Loads what would be loaded later, before the process may open no further file: modules, and what a frame needs."""
    for module in pkgutil.walk_packages(av.__path__, "av."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    frame = av.VideoFrame(64, 64, "yuv420p10le")
    frame.color_trc, frame.color_primaries = PQ, 9
    _upright_srgb(frame, None, 64 * 64, (64, 64))
    choose(frame_times(np.arange(4.0))[0], frames=2)


_load_all()
