"""Small clips of every kind, made by PyAV and Pillow: a moving gradient with a red square in its upper left corner."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from unmask.image.sniff import sniff

VIDEO = sniff(b"\0\0\0\x20ftypmp42" + bytes(100))
RATE = 25
X265_QUIET = {"x265-params": "log-level=none"}


def picture(number: int, width: int, height: int) -> NDArray[np.uint8]:
    """One frame, uint8 (height, width, 3), RGB; no two of a clip are equal."""
    y, x = np.mgrid[:height, :width]
    pixels = np.stack([x * 255 // width, y * 255 // height, np.full_like(x, number * 7 % 256)], axis=-1).astype(
        np.uint8
    )
    pixels[: height // 4, : width // 4] = (255, 0, 0)
    return pixels


@contextmanager
def usual_priority() -> Iterator[None]:
    """SVT-AV1 raises whoever starts it, where that is root, above all other programs, and whatever is started later with it."""
    if not hasattr(os, "sched_setscheduler"):
        yield
        return
    policy, parameter = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, parameter)


def video(
    container: str = "mp4",
    codec: str = "libx264",
    *,
    frames: int = 24,
    size: tuple[int, int] = (96, 80),
    pixel_format: str = "yuv420p",
    times: list[float] | None = None,
    rate: int = RATE,
    rotation: int | None = None,
    options: dict[str, str] | None = None,
    muxer: dict[str, str] | None = None,
    tags: dict[str, str] | None = None,
    audio: int = 0,
    sound_at: float = 0.0,
    subtitles: bool = False,
    streams: int = 1,
    draw: Any = picture,
    **context: Any,
) -> bytes:
    """The bytes of a video file.

    Args:
        container: As FFmpeg calls it.
        codec: The encoder.
        frames: How many.
        size: Width and height.
        pixel_format: Of the encoded frames.
        times: Of each frame in seconds; None for even steps.
        rate: Frames a second.
        rotation: By which a player turns it, in degrees.
        options: For the encoder.
        muxer: For the container.
        tags: What the file says of itself.
        audio: Seconds of silence beside it.
        sound_at: When they begin.
        subtitles: Whether there is a stream of text.
        streams: Of video; each further one is half as large.
        draw: From a frame's number, width and height to its pixels.
        **context: Attributes of the encoder.
    """
    import av

    file = io.BytesIO()
    with usual_priority(), av.open(file, "w", format=container, options=muxer or {}) as output:
        output.metadata.update(tags or {})
        clock = Fraction(1, max(1000, rate))
        made = []
        for number in range(streams):
            stream = output.add_stream(
                codec, rate=rate, options={**(X265_QUIET if codec == "libx265" else {}), **(options or {})}
            )
            stream.width, stream.height = (side >> number for side in size)
            stream.pix_fmt = pixel_format
            if times is not None or rate > 1000:
                stream.codec_context.time_base = clock
            if rotation is not None:
                stream.set_display_rotation(rotation)
            for name, value in context.items():
                setattr(stream.codec_context, name, value)
            made.append(stream)
        sound = output.add_stream("aac", rate=16000, layout="mono") if audio else None
        text = output.add_stream("srt") if subtitles else None
        if text:
            text.codec_context.subtitle_header = b"[Script Info]\nScriptType: v4.00+\n"
        output.start_encoding()
        for number in range(frames):
            for stream in made:
                frame = av.VideoFrame.from_ndarray(draw(number, stream.width, stream.height), format="rgb24")
                frame.time_base = clock
                frame.pts = round((times[number] if times is not None else number / rate) / clock)
                output.mux(stream.encode(frame))
        if sound:
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 16000 * audio), np.float32), format="fltp", layout="mono")
            silence.sample_rate, silence.pts = 16000, round(16000 * sound_at)
            output.mux(sound.encode(silence))
            output.mux(sound.encode())
        if text:
            packet = av.Packet(b"a line of text")
            packet.stream, packet.pts, packet.dts, packet.duration, packet.time_base = (
                text,
                0,
                0,
                500,
                Fraction(1, 1000),
            )
            output.mux(packet)
        for stream in made:
            output.mux(stream.encode())
    return file.getvalue()


def animation(
    kind: str,
    *,
    frames: int = 6,
    milliseconds: int = 200,
    size: tuple[int, int] = (96, 80),
    pictures: list[Image.Image] | None = None,
    **options: Any,
) -> bytes:
    """The bytes of a GIF, PNG or WebP that moves; of `pictures` where there are any."""
    pictures = pictures or [Image.fromarray(picture(number * 5, *size)) for number in range(frames)]
    file = io.BytesIO()
    options = {"lossless": True, **options} if kind == "WEBP" else options
    pictures[0].save(file, kind, save_all=True, append_images=pictures[1:], duration=milliseconds, loop=0, **options)
    return file.getvalue()


def joined(*videos: bytes, times: list[int] | None = None) -> bytes:
    """A Matroska file with the frames of several, which says of itself what the first one does; `times` count in frames."""
    import av

    file, packets = io.BytesIO(), []
    with av.open(file, "w", format="matroska") as output:
        inputs = [av.open(io.BytesIO(video)) for video in videos]
        stream = output.add_stream_from_template(inputs[0].streams.video[0])
        for each in inputs:
            packets += [packet for packet in each.demux(video=0) if packet.size]
        for number, packet in enumerate(packets):
            packet.stream, packet.time_base = stream, Fraction(1, RATE)
            packet.duration = 1
            packet.pts = packet.dts = times[number] if times else number
            output.mux(packet)
    return file.getvalue()


def repeating(avi: bytes, numbers: set[int]) -> bytes:
    """An AVI of MPEG-4 some of whose frames, none of them key frames, say only that the one before is shown on."""
    return _with_packets(avi, lambda packets: [_empty(p) if n in numbers else p for n, p in enumerate(packets)])


def packed(avi: bytes) -> bytes:
    """An AVI of MPEG-4 with lone B-frames, as DivX and Xvid put them: together with the frame that is shown behind them."""

    def pack(packets: list[bytes]) -> list[bytes]:
        found: list[bytes] = []
        for packet in packets:
            if packet[packet.index(_VOP) + 4] >> 6 == 2:
                found[-1:] = [found[-1] + packet, _empty(found[-1])]
            else:  # the decoder is told by a name in the headers of key frames
                at = min(place for place in (packet.find(b"\0\0\1\xb3"), packet.index(_VOP)) if place >= 0)
                found.append(packet[:at] + b"\0\0\1\xb2DivX503b1393p" * (at > 0) + packet[at:])
        return found

    return _with_packets(avi, pack)


_VOP = b"\0\0\1\xb6"


def _empty(packet: bytes) -> bytes:
    """A frame with the header of another one, and vop_coded 0 (ISO/IEC 14496-2, 6.2.5); at 25 frames a second."""
    at = packet.index(_VOP) + 4
    bits = "".join(f"{byte:08b}" for byte in packet[at : at + 4])
    header = bits[: bits.index("0", 2) + 8] + "00"
    header += "1" * (-len(header) % 8)
    return _VOP + int(header, 2).to_bytes(len(header) // 8)


def _with_packets(avi: bytes, change: Any) -> bytes:
    import av

    file = io.BytesIO()
    with av.open(io.BytesIO(avi)) as source, av.open(file, "w", format="avi") as output:
        stream = output.add_stream_from_template(source.streams.video[0])
        packets = [packet for packet in source.demux(video=0) if packet.size]
        for number, data in enumerate(change([bytes(packet) for packet in packets])):
            packet = av.Packet(data)
            packet.stream, packet.time_base, packet.is_keyframe = stream, Fraction(1, RATE), packets[number].is_keyframe
            packet.pts = packet.dts = number
            output.mux(packet)
    return file.getvalue()


def sound() -> bytes:
    """An MP4 with sound only."""
    import av

    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as output:
        stream = output.add_stream("aac", rate=16000, layout="mono")
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.float32), format="fltp", layout="mono")
        silence.sample_rate, silence.pts = 16000, 0
        output.mux(stream.encode(silence))
        output.mux(stream.encode())
    return file.getvalue()


def damaged(data: bytes, start: float, count: int) -> bytes:
    """A file with random bytes from a share of its length on."""
    at = int(start * len(data))
    noise = np.random.default_rng(0).integers(0, 256, count, np.uint8).tobytes()
    return data[:at] + noise + data[at + count :]


def with_duration(mp4: bytes, units: int) -> bytes:
    """An MP4 whose headers tell of another length, in units of their clocks (ISO/IEC 14496-12, 8.2.2 and 8.4.2)."""
    data = bytearray(mp4)
    for name, place in ((b"mvhd", 20), (b"mdhd", 20), (b"tkhd", 24)):
        at = data.find(name)
        data[at + place : at + place + 4] = units.to_bytes(4, "big")
    return bytes(data)


def with_matrix(mp4: bytes, a: int, b: int, c: int, d: int) -> bytes:
    """An MP4 that a player turns or mirrors by the upper left corner of this matrix (ISO/IEC 14496-12, 8.3.2)."""
    data = bytearray(mp4)
    at = data.find(b"tkhd") + 44
    data[at : at + 20] = b"".join((number << 16).to_bytes(4, "big", signed=True) for number in (a, b, 0, c, d))
    return bytes(data)


def with_edit(mp4: bytes, begin: float, seconds: float) -> bytes:
    """An MP4 of `video` that shows only a part of what it holds (ISO/IEC 14496-12, 8.6.6)."""
    data = bytearray(mp4)
    at = data.find(b"elst") + 12
    clock = int.from_bytes(data[data.find(b"mdhd") + 16 :][:4], "big")
    delay = int.from_bytes(data[at + 4 : at + 8], "big")
    data[at : at + 4] = round(1000 * seconds).to_bytes(4, "big")
    data[at + 4 : at + 8] = (delay + round(begin * clock)).to_bytes(4, "big")
    return bytes(data)


def covered() -> bytes:
    """An MP4 with sound and the picture of a cover, which is stored as a video of one frame."""
    import av

    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as output:
        sound_stream = output.add_stream("aac", rate=16000, layout="mono")
        cover = output.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 96, 80, "yuvj420p"
        cover.disposition = cover.disposition.attached_pic
        output.start_encoding()
        frame = av.VideoFrame.from_ndarray(picture(0, 96, 80), format="rgb24").reformat(format="yuvj420p")
        frame.pts = 0
        output.mux(cover.encode(frame))
        output.mux(cover.encode())
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.float32), format="fltp", layout="mono")
        silence.sample_rate, silence.pts = 16000, 0
        output.mux(sound_stream.encode(silence))
        output.mux(sound_stream.encode())
    return file.getvalue()
