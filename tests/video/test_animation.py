"""GIFs, PNGs and WebPs that move are read as those that do not: what is beside their pixels, their colours, what is missing."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from tests.video import clips
from unmask.errors import UnmaskError
from unmask.image import webp
from unmask.image.read import read_image
from unmask.video.reader import read_clip

TURNED = b"II*\0" + struct.pack("<IHHHII", 8, 1, 0x0112, 3, 1, 6) + bytes(4)


def chunk(name: bytes, body: bytes, *, sound: bool = True) -> bytes:
    return struct.pack(">I", len(body)) + name + body + (zlib.crc32(name + body) ^ (not sound)).to_bytes(4, "big")


def with_chunk(piece: bytes, *, frames: int = 3) -> bytes:
    data = clips.animation("PNG", frames=frames)
    return data[:33] + piece + data[33:]


TROUBLE = {
    "a text with a wrong sum": chunk(b"tEXt", b"Comment\0words", sound=False),
    "a text that unpacks to much": chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(2_500_000))),
    "a size of pixels that is cut": chunk(b"pHYs", b"\0"),
}
COLOURS = {
    "gAMA": chunk(b"gAMA", struct.pack(">I", 100_000)),
    "cICP": chunk(b"cICP", bytes((9, 16, 0, 1))),
}


@pytest.mark.parametrize("piece", TROUBLE.values(), ids=TROUBLE.keys())
def test_trouble_beside_the_pixels_of_a_png_that_moves_changes_none(piece: bytes) -> None:
    with read_clip(with_chunk(piece)) as clip:
        found = [frame.pixels for frame in clip]
    assert not clip.notes
    assert all(np.array_equal(pixels, clips.picture(5 * number, 96, 80)) for number, pixels in enumerate(found))
    assert len(found) == 3


@pytest.mark.parametrize("name", COLOURS)
def test_colours_told_by_numbers_are_converted_as_in_a_picture(name: str) -> None:
    data = with_chunk(COLOURS[name])
    still = read_image(data)
    with read_clip(data, frames=1, end=0.1) as clip:
        (frame,) = clip
    assert np.array_equal(frame.pixels, still.pixels)
    uncertain = {"colour-uncertain"}
    assert {note.code for note in clip.notes} & uncertain == {note.code for note in still.notes} & uncertain


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_what_moves_is_turned_by_its_exif(kind: str) -> None:
    with read_clip(clips.animation(kind, frames=3, exif=TURNED)) as clip:
        frames = list(clip)
        assert (clip.facts.width, clip.facts.height) == (80, 96)
    for number, frame in enumerate(frames):
        assert np.array_equal(frame.pixels, np.rot90(clips.picture(5 * number, 96, 80), -1))


def test_a_colour_that_is_told_to_be_transparent_shows_white() -> None:
    with read_clip(with_chunk(chunk(b"tRNS", struct.pack(">HHH", 255, 0, 0)))) as clip:
        assert all((frame.pixels[5, 5] == 255).all() for frame in clip)
    assert [note.code for note in clip.notes] == ["transparent"]


def test_what_stands_between_a_palette_and_its_transparency_is_no_matter() -> None:
    moving = Image.fromarray(clips.picture(0, 96, 80)).quantize(16)
    file = io.BytesIO()
    moving.save(file, "PNG", save_all=True, append_images=[moving.rotate(180)], transparency=bytes(16))
    data = file.getvalue()
    at, behind = data.index(b"acTL") - 4, data.index(b"acTL") + 16
    before = data.index(b"tRNS") - 4
    assert before < at
    with read_clip(data[:before] + data[at:behind] + data[before:at] + data[behind:]) as clip:
        assert all((frame.pixels == 255).all() for frame in clip)
    assert [note.code for note in clip.notes] == ["transparent"]


@pytest.mark.parametrize("lost", [20, 200])
def test_a_png_that_is_cut_shows_no_half_frame(lost: int) -> None:
    whole = clips.animation("PNG", frames=4)
    with read_clip(whole[: len(whole) - lost]) as clip:
        found = [frame.pixels for frame in clip]
    assert len(found) >= 3
    assert all(np.array_equal(pixels, clips.picture(5 * number, 96, 80)) for number, pixels in enumerate(found))


def test_pixels_with_a_wrong_sum_are_damage() -> None:
    data = bytearray(clips.animation("PNG", frames=3))
    at = data.find(b"IDAT")
    data[at + 4 + int.from_bytes(data[at - 4 : at], "big")] ^= 1
    with pytest.raises(UnmaskError) as refused:
        list(read_clip(bytes(data)))
    assert refused.value.code == "damaged"


def test_no_frame_of_a_webp_behind_an_overwritten_part_is_shown() -> None:
    data = bytearray(clips.animation("WEBP", frames=4, size=(320, 240), lossless=False, quality=90))
    start, end = webp.take_apart(bytes(data)).coded[2]
    data[(start + end) // 2 : end] = bytes(end - (start + end) // 2)
    with read_clip(bytes(data)) as clip:
        assert [frame.number for frame in clip] == [0, 1]
    assert [note.code for note in clip.notes] == ["cut-off"]
