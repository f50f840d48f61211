import pytest

from tests.video import clips
from unmask.image.encode import encode_png
from unmask.image.sniff import sniff
from unmask.video.kinds import is_clip


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_what_moves_is_a_clip_and_its_still_is_not(kind, tmp_path):
    for frames, moves in ((3, True), (1, False)):
        data = clips.animation(kind, frames=frames)
        path = tmp_path / f"{frames}.bin"
        path.write_bytes(data)
        assert is_clip(data) is is_clip(path) is moves


@pytest.mark.parametrize(
    "start",
    [
        b"\0\0\0\x20ftypmp42\0\0\0\0mp42isom",
        b"\x1aE\xdf\xa3",
        b"RIFF\0\0\0\0AVI LIST",
        (b"\x47" + bytes(187)) * 4,
        b"DKIF\0\0\x20\0",
        b"YUV4MPEG2 W96 H80",
        b"\0\0\0\x08wide\0\0\0\0mdat",
    ],
)
def test_a_video_is_a_clip_by_its_first_bytes(start):
    assert sniff(start).is_clip
    assert is_clip(start)


def test_pictures_text_and_what_is_no_file_are_no_clips(drawn_face, tmp_path):
    picture = encode_png(drawn_face)
    for source in (picture, b"", b"text", drawn_face, None, 5, tmp_path, tmp_path / "missing.mp4", "a\0b"):
        assert not is_clip(source)


def test_a_broken_animation_does_not_stop_the_search():
    data = clips.animation("GIF")
    assert [is_clip(data[:end]) for end in (6, 11, 20, 200)] == [False] * 4
