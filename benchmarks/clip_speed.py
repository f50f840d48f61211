"""How long does a clip take beside bare decoding and bare inference of the same frames, how much memory does it hold, and how
long does a picture take that is sent to a server which looks at clips?

    python benchmarks/clip_speed.py [--detector FOLDER] [--runs 3] [--write]

The clip is 30 s of 1280 x 720 H.264 at 25 frames a second: a drawn face that moves over noise. For memory it is shown again and
again, without packing it anew, and each length is checked in a program of its own. Prints a page;
`--write` writes it to `docs/measurements/clip_speed.md`. Needs the extra `video`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import av
import numpy as np

from machine import hardware, table, today, write
from serving import ask, unmask_serve
from unmask import Detector
from unmask.checking import examine_clip
from unmask.demo import draw_face
from unmask.image.encode import encode_jpeg
from unmask.image.resize import resize
from unmask.system.cores import available_cores
from unmask.video.limits import CLIP_LIMITS

SECONDS, RATE, WIDTH, HEIGHT = 30, 25, 1280, 720
CLIPS, PICTURES = 4, 20
LENGTHS = {"10 s": 1 / 3, "30 s": 1, "10 min": 20, "60 min": 120}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--detector", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--check", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.check:
        check(options.detector, options.check)
        return
    detector = Detector.load(options.detector)
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        make(clip)
        speed = [timed(detector, clip) for _ in range(options.runs + 1)][1:]  # the first one warms up
        alone, beside = beside_clips(clip.read_bytes())
        memory = []
        for name, times in LENGTHS.items():
            long = Path(folder) / f"{times}.mp4"
            repeat(clip, long, times)
            memory.append([name, *watched(options.detector, long)])
    best = min(speed, key=lambda run: run[3])
    rows = [
        [f"{seconds:.2f} s" for seconds in (*run[:2], run[0] + run[1], run[2])] + [f"{run[3]:.2f}"] for run in speed
    ]
    page = (
        "# Time and memory of a clip\n\n"
        f"{SECONDS} s of {WIDTH} x {HEIGHT} H.264, {RATE} frames a second; default sampling: "
        f"32 frames. Best ratio: {best[3]:.2f}.\n\n"
        f"{table(['bare decoding', 'bare inference', 'sum', 'unmask check', 'ratio'], rows)}\n"
        f"A picture sent to `unmask serve`: {np.median(alone):.2f} s ({max(alone):.2f} s at most of {len(alone)}); while it has "
        f"{CLIPS} of these clips to look at, {np.median(beside):.2f} s ({max(beside):.2f} s at most of {len(beside)}), "
        f"{np.median(beside) / np.median(alone):.2f} times.\n\n"
        "The same clip shown again and again, each time in a program of its own. The most that it held at a time: "
        "while the detector is made ready, while frames are looked at, and its decoder then.\n\n"
        f"{table(['Length', 'frames looked at', 'made ready', 'at work', 'its decoder', 'time'], memory)}\n"
        f"{detector.label}, {hardware()}, {today()}; written by `benchmarks/clip_speed.py`.\n"
    )
    if options.write:
        write("clip_speed.md", page)
    else:
        print(page)


def beside_clips(clip: bytes) -> tuple[list[float], list[float]]:
    """Seconds of pictures sent one after the other to a server: alone, and while it has clips to look at."""
    picture = encode_jpeg(draw_face(), 92)
    with unmask_serve() as server:

        def seconds() -> float:
            reply = ask(server.port, "/api/v1/check", picture, Content_Type="image/jpeg")
            assert reply.status == 200, reply.body
            return reply.seconds

        seconds()  # the first one warms up
        alone = [seconds() for _ in range(PICTURES)]
        sent = [ask(server.port, "/api/v1/clips", clip, Content_Type="video/mp4") for _ in range(CLIPS)]
        assert {reply.status for reply in sent} == {202}, sent
        last = sent[-1].headers["location"]
        beside: list[float] = []
        while len(beside) < PICTURES and b'"done"' not in ask(server.port, last, method="GET").body:
            beside.append(seconds())
            time.sleep(0.2)  # people send no picture the moment they have an answer
    return alone, beside


def make(path: Path) -> None:
    """Pack the clip."""
    face, noise = resize(draw_face(), 400), np.random.default_rng(0).integers(60, 160, (HEIGHT, WIDTH, 3), np.uint8)
    with av.open(path, "w") as output:
        stream = output.add_stream("libx264", rate=RATE, options={"preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(SECONDS * RATE):
            pixels = noise.copy()
            pixels[160:560, number : number + 400] = face
            output.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        output.mux(stream.encode())


def repeat(source: Path, path: Path, times: float) -> None:
    """Write a clip that shows another so many times, or a part of it once."""
    with av.open(path, "w") as output, av.open(source) as first:
        stream, shift = output.add_stream_from_template(first.streams.video[0]), 0
        for _ in range(max(1, round(times))):
            with av.open(source) as again:
                (video,) = again.streams.video
                for number, packet in enumerate(again.demux(video)):
                    if packet.dts is None or number > times * SECONDS * RATE:
                        continue
                    packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, stream
                    output.mux(packet)
                shift += int(SECONDS / video.time_base)


def timed(detector: Detector, clip: Path) -> tuple[float, float, float, float]:
    """Seconds of bare decoding, of bare inference of the frames that a check looks at, and of the check; its ratio to both."""
    begin = time.perf_counter()
    looked_at = set(examine_clip(detector, clip, heatmap=False).finding.looked_at)
    check = time.perf_counter() - begin
    begin = time.perf_counter()
    with av.open(clip) as container:
        (stream,) = container.streams.video
        stream.thread_type, stream.codec_context.thread_count = "AUTO", available_cores()
        for _ in container.decode(stream):
            pass
    decoding = time.perf_counter() - begin
    with av.open(clip) as container:
        frames = [f.to_ndarray(format="rgb24") for f in container.decode(video=0) if round(f.time, 6) in looked_at]
    assert len(frames) == len(looked_at)
    begin = time.perf_counter()
    for frame in frames:
        detector.check(frame, heatmap=False)
    inference = time.perf_counter() - begin
    return decoding, inference, check, check / (decoding + inference)


def watched(bundle: Path | None, clip: Path) -> list[str]:
    """Frames looked at, most memory of a program that checks a clip, until it is ready, at work, of its decoder, and seconds."""
    begin, decoder = time.perf_counter(), 0.0
    command = [sys.executable, __file__, "--check", clip, *(["--detector", bundle] if bundle else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        while program.poll() is None:
            others = [
                child for child in children_of(program.pid) if words(child) != words(program.pid)
            ]  # not just forked
            decoder = max([decoder, *map(resident, others)])
            time.sleep(0.02)
        seconds = time.perf_counter() - begin
        frames, ready, work = program.communicate()[0].strip().split(";")
    return [frames, ready, work, f"{decoder:.0f} MB", f"{seconds:.1f} s"]


def children_of(process: int) -> list[int]:
    """The processes that one has started; none once it has ended."""
    try:
        return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    except OSError:
        return []


def words(process: int) -> bytes:
    """The command that a process runs."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return b""


def check(bundle: Path | None, clip: Path) -> None:
    """Check a clip as the library does, longer than it usually may be; print the frames that were looked at and the memory."""
    detector = Detector.load(bundle)
    ready = most_resident()
    Path("/proc/self/clear_refs").write_text("5")  # from here on
    found = examine_clip(detector, clip, limits=replace(CLIP_LIMITS, max_seconds=1e6)).finding
    assert found.clip
    print(f"{len(found.looked_at)} of {found.clip.frames:,};{ready:.0f} MB;{most_resident():.0f} MB")


def most_resident() -> float:
    """The most memory that this process has had, MB."""
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) * 1024 / 1e6


def resident(process: int) -> float:
    """Memory of a process, MB; 0 once it has ended."""
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    except OSError:
        return 0.0


if __name__ == "__main__":
    main()
