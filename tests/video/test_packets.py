"""The clock of a file: times are those that a player shows."""

import io

import numpy as np
import pytest

from tests.video import clips
from unmask.video.reader import read_clip

LATE = [1 + number / 25 for number in range(24)]


@pytest.mark.video
@pytest.mark.parametrize("container", ["matroska", "mp4", "mpegts"])
def test_a_picture_that_comes_after_the_sound_has_the_times_of_a_player(container):
    data = clips.video(container, times=LATE, audio=2)
    with read_clip(data) as clip:
        found = list(clip)
    assert [frame.number for frame in found] == list(range(24))
    # MPEG-TS gives what the encoder of the sound puts before it its own time.
    assert [frame.time for frame in found] == pytest.approx(LATE, abs=0.07 if container == "mpegts" else 0.002)
    assert (clip.facts.duration, clip.facts.frame_rate) == pytest.approx((1.96, 25.0), abs=0.07)
    with read_clip(data, start=1.5, end=1.7) as clip:
        assert all(1.49 <= frame.time <= 1.71 for frame in clip)


@pytest.mark.video
@pytest.mark.parametrize("container", ["matroska", "mp4", "mpegts"])
def test_a_picture_alone_begins_at_0(container):
    with read_clip(clips.video(container, times=LATE), frames=1) as clip:
        list(clip)
    assert clip.facts.duration == pytest.approx(0.96, abs=0.01)


@pytest.mark.video
@pytest.mark.parametrize("container", ["mpegts", "matroska"])
def test_a_recording_whose_clock_begins_late_is_not_called_cut_off(container):
    data = clips.video(container, frames=100, times=[1000 + number / 25 for number in range(100)], audio=4)
    with read_clip(data) as clip:
        list(clip)
    assert "cut-off" not in [note.code for note in clip.notes]


@pytest.mark.video
def test_sound_from_before_0_moves_no_picture():
    with read_clip(clips.video("matroska", audio=1, sound_at=-0.5, muxer={"avoid_negative_ts": "disabled"})) as clip:
        assert next(iter(clip)).time == 0.0


@pytest.mark.video
def test_what_vp8_never_shows_is_no_frame():
    import av

    data = clips.video("webm", "libvpx")
    with av.open(io.BytesIO(data)) as container:
        packet = bytes([*container.demux(video=0)][12])
    with read_clip(data.replace(packet, bytes([packet[0] & ~16]) + packet[1:])) as clip:
        assert len(list(clip)) == clip.wanted == clip.facts.frames == 23
    assert clip.notes == []


@pytest.mark.video
def test_what_an_edit_list_leaves_out_is_no_frame():
    # The first half second is there only because the rest is predicted from it.
    with read_clip(clips.with_edit(clips.video(frames=50, options={"g": "50"}), begin=0.5, seconds=1.0)) as clip:
        found = list(clip)
    assert (clip.facts.frames, len(found)) == (25, 25)
    assert (found[0].time, found[-1].time) == pytest.approx((0.0, 0.96), abs=0.02)
    assert clip.notes == []


@pytest.mark.video
def test_whole_groups_of_pictures_that_an_edit_list_leaves_out_are_not_missing():
    with read_clip(clips.with_edit(clips.video(frames=100, options={"g": "10"}), begin=2.0, seconds=1.0)) as clip:
        assert len(list(clip)) == clip.facts.frames == 25
    assert clip.notes == []


@pytest.mark.video
def test_frames_of_xvid_that_repeat_the_one_before_are_no_damage():
    data = clips.repeating(clips.video("avi", "mpeg4"), {3, 4, 23})
    with read_clip(data) as clip:
        found = list(clip)
    assert (clip.facts.frames, clip.notes) == (21, [])
    assert [round(frame.time * 25) for frame in found] == [n for n in range(24) if n not in {3, 4, 23}]


@pytest.mark.video
def test_b_frames_of_xvid_that_share_a_packet_are_all_there_and_in_order():
    data = clips.video("avi", "mpeg4", options={"bf": "1", "g": "12"})
    with read_clip(data) as plain, read_clip(clips.packed(data)) as packed:
        both = list(zip(plain, packed, strict=True))
    assert len(both) == packed.facts.frames == 24
    assert packed.notes == []
    for one, other in both:
        assert (one.number, one.time) == (other.number, pytest.approx(other.time))
        assert np.array_equal(one.pixels, other.pixels)
