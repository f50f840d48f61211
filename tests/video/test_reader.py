"""Odd clips, each answered or refused as it should be."""

import io
import os
import socket
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from tests.video import clips
from unmask.errors import UnmaskError
from unmask.video import reader
from unmask.video.limits import CLIP_LIMITS
from unmask.video.reader import read_clip

RED = np.array([255, 0, 0])
KEYS = {"g": "10", "crf": "5"}
WIDE = {"color_primaries": 9, "colorspace": 9}


def plain(number, width, height):
    return np.full((height, width, 3), 60 * number, np.uint8)


# What it is, and what it says: codec, size, frames, codes of its notes.
ODD = {
    "H.264": (lambda: clips.video(), "h264", (96, 80), 24, []),
    "no B-frames": (lambda: clips.video(options={"bf": "0"}), "h264", (96, 80), 24, []),
    "uneven times": (lambda: clips.video(times=[n * n / 100 for n in range(24)]), "h264", (96, 80), 24, []),
    "begins late": (lambda: clips.video(times=[100 + n / 25 for n in range(24)]), "h264", (96, 80), 24, []),
    "sound beside it": (lambda: clips.video(audio=1), "h264", (96, 80), 24, []),
    "sound that goes on": (lambda: clips.video(audio=9), "h264", (96, 80), 24, []),
    "sound that goes on, in Matroska": (lambda: clips.video("matroska", audio=5), "h264", (96, 80), 24, []),
    "sound that goes on, in ASF": (lambda: clips.video("asf", "wmv2", audio=9), "wmv2", (96, 80), 24, []),
    "begins late, in Matroska": (
        lambda: clips.video("matroska", times=[100 + n / 25 for n in range(24)]), "h264", (96, 80), 24, [],
    ),
    "subtitles": (lambda: clips.video("matroska", subtitles=True), "h264", (96, 80), 24, []),
    "two videos": (lambda: clips.video(streams=2), "h264", (96, 80), 24, ["several-streams"]),
    "one frame": (lambda: clips.video(frames=1), "h264", (96, 80), 1, []),
    "odd sides": (lambda: clips.video(size=(97, 67), pixel_format="yuv444p"), "h264", (97, 67), 24, []),
    "pixels not square": (lambda: clips.video(sample_aspect_ratio=Fraction(4, 3)), "h264", (96, 60), 24, []),
    "open groups of pictures": (
        lambda: clips.video("mpegts", frames=60, options={"x264-params": "open-gop=1:keyint=20:bframes=4:b-adapt=0"}),
        "h264", (96, 80), 60, [],
    ),
    "interlaced": (lambda: clips.video("matroska", options={"x264-params": "tff=1"}), "h264", (96, 80), 24, ["interlaced"]),
    "a million frames a second": (lambda: clips.video(rate=1_000_000, options={"bf": "0"}), "h264", (96, 80), 24, []),
    "a header that says years": (lambda: clips.with_duration(clips.video(), 0x7FFFFFFF), "h264", (96, 80), 24, []),
    "a clock that jumps": (
        lambda: clips.video("matroska", times=[n / 25 + 1e6 * (n > 11) for n in range(24)]),
        "h264", (96, 80), 24, ["odd-times"],
    ),
    "cut in half": (
        lambda: (data := clips.video("matroska", frames=100, options=KEYS))[: len(data) // 2],
        "h264", (96, 80), None, ["cut-off"],
    ),
    "cut in half, with sound": (
        lambda: (data := clips.video("matroska", frames=200, audio=8, options=KEYS))[: len(data) // 2],
        "h264", (96, 80), None, ["cut-off"],
    ),
    "cut in half, without a length": (
        lambda: (data := clips.video(frames=100, options=KEYS, muxer={"movflags": "frag_keyframe+empty_moov"}))[: len(data) // 2],
        "h264", (96, 80), None, ["damaged-frames"],
    ),
    "broken in the middle": (
        lambda: clips.damaged(clips.video(frames=80, options=KEYS), 0.4, 300), "h264", (96, 80), 80, ["damaged-frames"],
    ),
    "10 bits, HDR10": (
        lambda: clips.video(codec="libx265", pixel_format="yuv420p10le", color_trc=16, **WIDE),
        "hevc", (96, 80), 24, ["colour-uncertain"],
    ),
    "10 bits, HLG": (
        lambda: clips.video(codec="libx265", pixel_format="yuv420p10le", color_trc=18, **WIDE),
        "hevc", (96, 80), 24, ["colour-uncertain"],
    ),
    "8K": (
        lambda: clips.video(size=(7680, 4320), frames=1, options={"preset": "ultrafast"}, draw=plain),
        "h264", (7680, 4320), 1, [],
    ),
    "VP9": (lambda: clips.video("webm", "libvpx-vp9", options={"cpu-used": "8"}), "vp9", (96, 80), 24, []),
    "AV1": (lambda: clips.video("mp4", "libsvtav1", options={"preset": "12"}), "av1", (96, 80), 24, []),
    "ProRes": (lambda: clips.video("mov", "prores_ks", pixel_format="yuv422p10le"), "prores", (96, 80), 24, []),
    "MJPEG": (lambda: clips.video("avi", "mjpeg", pixel_format="yuvj420p"), "mjpeg", (96, 80), 24, []),
    "MPEG-4 with B-frames in AVI": (lambda: clips.video("avi", "mpeg4", options={"bf": "2"}), "mpeg4", (96, 80), 24, []),
    "MPEG-2, interlaced": (
        lambda: clips.video("mpegts", "mpeg2video", options={"flags": "+ilme+ildct"}),
        "mpeg2video", (96, 80), 24, ["interlaced"],
    ),
    "FFV1": (lambda: clips.video("matroska", "ffv1"), "ffv1", (96, 80), 24, []),
    "QuickTime animation": (lambda: clips.video("mov", "qtrle", pixel_format="rgb24"), "qtrle", (96, 80), 24, []),
    "of a camcorder": (lambda: clips.video("mpegts", muxer={"mpegts_m2ts_mode": "1"}), "h264", (96, 80), 24, []),
    "dropped frames in AVI": (
        lambda: clips.video("avi", "mpeg4", times=[(n + n // 3) / 25 for n in range(24)]), "mpeg4", (96, 80), 24, [],
    ),
    "Flash": (lambda: clips.video("flv", "flv"), "flv1", (96, 80), 24, []),
    "Windows Media": (lambda: clips.video("asf", "wmv2"), "wmv2", (96, 80), 24, []),
    "YUV4MPEG": (lambda: clips.video("yuv4mpegpipe", "wrapped_avframe"), "rawvideo", (96, 80), 24, []),
    "GIF": (lambda: clips.animation("GIF"), "gif", (96, 80), 6, []),
    "PNG": (lambda: clips.animation("PNG"), "png", (96, 80), 6, []),
    "WebP": (lambda: clips.animation("WEBP"), "webp", (96, 80), 6, []),
    "GIF, cut off": (lambda: (data := clips.animation("GIF", frames=9))[: len(data) // 2], "gif", (96, 80), None, ["cut-off"]),
}  # fmt: skip
REFUSED = {
    "sound only": (clips.sound, "no-video"),
    "sound with a cover": (lambda: clips.covered(), "no-video"),
    "no frame": (lambda: clips.video(frames=0, muxer={"movflags": "empty_moov"}), "no-frames"),
    "cut in half, the index at its end": (lambda: (data := clips.video())[: len(data) // 2], "cannot-open"),
    "nothing behind the first bytes": (lambda: b"\0\0\0\x20ftypmp42" + bytes(1000), "cannot-open"),
    "a rare codec": (lambda: clips.video("avi", "zmbv", pixel_format="bgr0"), "unsupported-codec"),
    "nothing at all": (lambda: b"", "empty-file"),
    "text": (lambda: b"no clip at all", "not-a-clip"),
    "a GIF that does not move": (lambda: clips.animation("GIF", frames=1), "not-a-clip"),
    "a playlist with a file": (lambda: b"#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n", "not-a-clip"),
}
ANIMATIONS = ("GIF", "PNG", "WebP", "GIF, cut off")


@pytest.mark.video
@pytest.mark.parametrize("name", ODD)
def test_an_odd_clip_is_read(name):
    make, codec, size, frames, notes = ODD[name]
    with read_clip(make(), frames=12) as clip:
        found = list(clip)
    facts = clip.facts
    assert (facts.codec, facts.width, facts.height) == (codec, *size)
    assert [note.code for note in clip.notes] == notes
    assert facts.frames == frames if frames else 0 < facts.frames < 100
    assert len(found) == min(12, frames) if frames and "damaged-frames" not in notes else 1 <= len(found) <= 12
    assert all(frame.pixels.shape == (size[1], size[0], 3) for frame in found)
    assert sorted({frame.number for frame in found}) == [frame.number for frame in found]
    if name != "8K":
        assert np.abs(found[0].pixels[4:10, 4:10].mean(axis=(0, 1)) - RED).max() < 25


@pytest.mark.video
@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_refused_with_a_hint(name):
    make, code = REFUSED[name]
    with pytest.raises(UnmaskError) as refused:
        list(read_clip(make(), frames=6))
    assert refused.value.code == code
    assert refused.value.hint


@pytest.mark.video
@pytest.mark.parametrize(("rotation", "corner"), [(90, "bottom left"), (180, "bottom right"), (-90, "top right")])
def test_a_clip_is_turned_as_its_metadata_say(rotation, corner):
    with read_clip(clips.video(rotation=rotation), frames=1) as clip:
        (frame,) = clip
    height, width = frame.pixels.shape[:2]
    assert (width, height) == ((96, 80) if rotation == 180 else (80, 96))
    row, column = corner.split()
    place = frame.pixels[height - 8 if row == "bottom" else 8, width - 8 if column == "right" else 8]
    assert np.abs(place - RED).max() < 30


@pytest.mark.video
@pytest.mark.parametrize(
    ("matrix", "corner"),
    [
        ((-1, 0, 0, 1), "top right"),
        ((1, 0, 0, -1), "bottom left"),
        ((0, 1, 1, 0), "top left"),
        ((0, -1, -1, 0), "bottom right"),
    ],
    ids=["left to right", "top to bottom", "mirrored and turned", "mirrored and turned back"],
)
def test_a_clip_is_mirrored_as_its_metadata_say(matrix, corner):
    with read_clip(clips.with_matrix(clips.video(), *matrix), frames=1) as clip:
        (frame,) = clip
    height, width = frame.pixels.shape[:2]
    assert (width, height) == ((96, 80) if matrix[0] else (80, 96))
    row, column = corner.split()
    place = frame.pixels[height - 8 if row == "bottom" else 8, width - 8 if column == "right" else 8]
    assert np.abs(place - RED).max() < 30
    assert not clip.notes


@pytest.mark.video
def test_a_larger_video_that_no_player_shows_is_not_looked_at():
    data = clips.video(streams=2)
    first, second = data.find(b"tkhd") + 7, data.rfind(b"tkhd") + 7  # the last byte of their flags
    swapped = bytearray(data)
    swapped[first], swapped[second] = 2, 3  # ISO/IEC 14496-12, 8.3.2: 1 is for a track that is enabled
    with read_clip(bytes(swapped), frames=1) as clip:
        (frame,) = clip
    assert frame.pixels.shape == (40, 48, 3)
    assert [note.code for note in clip.notes] == ["several-streams"]


@pytest.mark.video
def test_what_pyav_has_no_name_for_hides_no_frame():
    import av

    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    file = io.BytesIO()
    with av.open(file, "w", format="mov") as output:
        stream = output.add_stream("mjpeg", rate=clips.RATE)
        stream.width, stream.height, stream.pix_fmt = 96, 80, "yuvj420p"
        output.start_encoding()
        for number in range(3):
            one = io.BytesIO()
            Image.fromarray(clips.picture(number, 96, 80)).save(one, "JPEG", quality=95, exif=exif)
            packet = av.Packet(one.getvalue())
            packet.stream, packet.pts, packet.dts, packet.time_base = stream, number, number, Fraction(1, clips.RATE)
            output.mux(packet)
    with read_clip(file.getvalue(), frames=1) as clip:
        (frame,) = clip
    assert frame.pixels.shape[:2] in ((80, 96), (96, 80))  # FFmpeg follows the EXIF of such frames from version 8 on


@pytest.mark.video
def test_the_times_are_those_of_the_file():
    times = [n * n / 100 for n in range(24)]
    with read_clip(clips.video(times=times)) as clip:
        found = list(clip)
    assert [frame.number for frame in found] == list(range(24))
    assert np.allclose([frame.time for frame in found], times, atol=0.001)


@pytest.mark.video
def test_groups_of_pictures_without_a_wanted_frame_give_the_same_pixels():
    data = clips.video(frames=60, options={"g": "5"})
    with read_clip(data) as clip:
        every = {frame.number: frame for frame in clip}
    with read_clip(data, frames=3, start=0.5) as clip:
        for frame in clip:
            assert np.array_equal(frame.pixels, every[frame.number].pixels)
            assert frame.time == every[frame.number].time >= 0.5


@pytest.mark.video
@pytest.mark.videos
def test_a_frame_alone_is_the_same_as_behind_the_first(videos):
    # Of 4:4:4 pictures, H.264's decoder reads in the first packet alone which x264 made them, and how that was mistaken.
    for path in sorted(videos.glob("*.mp4")):
        with read_clip(path, every=1.0) as clip:
            last = list(clip)[-1]
        with read_clip(path, numbers=[last.number]) as clip:
            (alone,) = clip
        assert np.array_equal(alone.pixels, last.pixels)
        assert clip.notes == []


OPEN_GROUPS = {"x264-params": "open-gop=1:keyint=20:bframes=4:b-adapt=0"}


@pytest.mark.video
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    ("container", "codec", "options"),
    [
        ("mpegts", "libx264", OPEN_GROUPS),
        ("mpegts", "mpeg2video", {"bf": "2"}),
        ("mp4", "libx265", {"x265-params": "keyint=15:open-gop=1:log-level=none"}),
        ("avi", "mpeg4", {"bf": "2", "g": "12"}),
    ],
)
def test_frames_are_the_same_whichever_are_asked_for(container, codec, options, threads):
    data = clips.video(container, codec, frames=120, options=options)
    with read_clip(data, threads=threads) as clip:
        every = list(clip)
    assert len(every) == 120
    for numbers in ([47], [10, 21, 101], [2, 64, 65, 119]):
        with read_clip(data, numbers=numbers, threads=threads) as clip:
            found = list(clip)
        assert [frame.number for frame in found] == numbers
        assert all(np.array_equal(frame.pixels, every[frame.number].pixels) for frame in found)
        assert clip.notes == []


def cut_at_a_third(options):
    data = clips.video("mpegts", frames=90, options=options)
    return data[len(data) // 3 // 188 * 188 :]


@pytest.mark.video
@pytest.mark.parametrize("options", [OPEN_GROUPS, {"g": "20", "bf": "0"}])
def test_a_recording_that_begins_within_a_group_of_pictures_is_read_from_the_next(options):
    found = []
    for threads in (1, 2):
        with read_clip(cut_at_a_third(options), threads=threads) as clip:
            found.append([frame.number for frame in clip])
        assert [note.code for note in clip.notes] == ["damaged-frames"]
    assert found[0] == found[1]
    assert 40 <= len(found[0]) < clip.wanted


@pytest.mark.video
def test_of_two_frames_at_one_moment_one_is_looked_at():
    frames = clips.video("matroska", "mjpeg", pixel_format="yuvj420p")
    with read_clip(clips.joined(frames, times=[number - (number == 7) for number in range(24)])) as clip:
        found = [frame.number for frame in clip]
    assert found == [number for number in range(24) if number != 7]
    assert (clip.wanted, clip.facts.frames, clip.notes) == (23, 24, [])


@pytest.mark.video
@pytest.mark.parametrize("size", [(48, 40), (192, 160), (80, 96)])
def test_a_clip_has_one_size_though_that_of_its_pictures_changes(size):
    parts = [clips.video("webm", "libvpx", size=each) for each in ((96, 80), size)]
    with read_clip(clips.joined(*parts)) as clip:
        found = [frame.pixels for frame in clip]
    with read_clip(clips.joined(*parts), numbers=[40]) as alone:
        (frame,) = alone
    assert [pixels.shape for pixels in found] == [(80, 96, 3)] * 48
    assert np.array_equal(frame.pixels, found[40])
    left = 15 if size[0] < size[1] else 0  # it is not stretched
    assert np.abs(frame.pixels[8, left + 4 : left + 10].mean(axis=0) - RED).max() < 25
    assert frame.pixels[:, : max(0, left - 2)].max(initial=0) == 0


def test_what_a_png_shows_where_nothing_moves_is_no_frame():
    with read_clip(clips.animation("PNG", frames=4, default_image=True)) as clip:
        found = list(clip)
    assert clip.facts.frames == 3
    assert [(frame.number, frame.time) for frame in found] == [(0, 0.0), (1, 0.2), (2, 0.4)]
    assert np.array_equal(found[0].pixels, clips.picture(5, 96, 80))
    with read_clip(clips.animation("PNG", frames=4, default_image=True), numbers=[2]) as clip:
        assert np.array_equal(next(iter(clip)).pixels, clips.picture(15, 96, 80))


@pytest.mark.video
def test_content_decides_and_not_the_name(tmp_path):
    path = tmp_path / "face.jpg"
    path.write_bytes(clips.video())
    with read_clip(path, every=0.4) as clip:
        assert [round(frame.time, 2) for frame in clip] == [0.0, 0.4, 0.8]
    assert clip.facts.format == "mp4"


@pytest.mark.video
@pytest.mark.parametrize(
    "text", [b"#EXTM3U\n#EXTINF:1,\n{}\n", b"ffconcat version 1.0\nfile '{}'\n", b"[playlist]\nFile1={}\n"]
)
def test_the_decoder_follows_no_playlist_even_if_it_is_given_one(text, tmp_path, monkeypatch):
    (tmp_path / "target.ts").write_bytes(clips.video("mpegts"))
    monkeypatch.setattr(reader, "kind_of_file", lambda file: clips.VIDEO)
    with pytest.raises(UnmaskError) as refused:
        read_clip(text.replace(b"{}", os.fsencode(tmp_path / "target.ts")))
    assert refused.value.code == "cannot-open"


@pytest.mark.video
@pytest.mark.parametrize(
    "text", ["#EXTM3U\n#EXTINF:1,\nhttp://{}/a.ts\n", "ffconcat version 1.0\nfile 'http://{}/a.ts'\n"]
)
def test_the_decoder_asks_no_address_that_a_playlist_names(text, monkeypatch):
    monkeypatch.setattr(reader, "kind_of_file", lambda file: clips.VIDEO)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        with pytest.raises(UnmaskError) as refused:
            read_clip(text.format(f"127.0.0.1:{server.getsockname()[1]}").encode())
        with pytest.raises(BlockingIOError):  # nobody has come
            server.accept()
    assert refused.value.code == "cannot-open"


@pytest.mark.parametrize(
    ("limit", "value", "code"),
    [
        ("max_bytes", 100, "too-many-bytes"),
        ("max_pixels", 1000, "too-many-pixels"),
        ("max_frames", 3, "too-many-frames"),
        ("max_seconds", 0.5, "too-long"),
    ],
)
@pytest.mark.parametrize("kind", ["GIF", pytest.param("video", marks=pytest.mark.video)])
def test_every_limit_is_held(kind, limit, value, code):
    data = clips.animation("GIF") if kind == "GIF" else clips.video()
    with pytest.raises(UnmaskError) as refused:
        read_clip(data, limits=replace(CLIP_LIMITS, **{limit: value}))
    assert refused.value.code == code


def test_a_long_clip_is_read_in_parts():
    with read_clip(clips.animation("GIF"), start=0.3, end=0.7, limits=replace(CLIP_LIMITS, max_seconds=0.5)) as clip:
        assert [frame.number for frame in clip] == [2, 3]


@pytest.mark.parametrize("kind", ["GIF", pytest.param("video", marks=pytest.mark.video)])
def test_a_part_behind_the_end_is_refused_and_the_end_named(kind):
    data = clips.animation("GIF") if kind == "GIF" else clips.video()
    with pytest.raises(UnmaskError, match=r"1\.0 s" if kind == "GIF" else r"0\.9 s") as refused:
        read_clip(data, start=7.0)
    assert refused.value.code == "empty-part"


@pytest.mark.parametrize(
    "part", [{"frames": 0}, {"every": 0.0}, {"start": -1.0}, {"start": 2.0, "end": 1.0}, {"every": float("nan")}]
)
def test_a_part_that_makes_no_sense_is_refused(part):
    with pytest.raises(UnmaskError) as refused:
        read_clip(clips.animation("GIF"), **part)
    assert refused.value.code == "bad-part"


def test_without_the_extra_a_video_is_refused_and_an_animation_read(monkeypatch):
    monkeypatch.setattr(reader.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UnmaskError) as refused:
        read_clip(b"\0\0\0\x20ftypmp42" + bytes(1000))
    assert refused.value.code == "no-video-extra"
    assert "pip install 'unmask[video]'" in refused.value.hint
    with read_clip(clips.animation("GIF")) as clip:
        assert len(list(clip)) == 6


def test_a_clip_that_is_left_early_leaves_no_process_and_no_file():
    before = set(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").is_dir() else set()
    clip = read_clip(clips.animation("GIF", frames=40))
    process = clip._process
    next(iter(clip))
    clip.close()
    assert process.poll() is not None
    if before:
        assert set(os.listdir("/proc/self/fd")) == before
