"""Pixels that are not in the file are noticed, wherever they are missing; those that are there are still used."""

from __future__ import annotations

import re
import struct
import time
import zlib
from collections.abc import Callable
from contextlib import suppress

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as PillowImage
from tests.bad_files import encode, png_chunk, tiff

from unmask.errors import UnmaskError
from unmask.finding import Box
from unmask.image.heif import boxes
from unmask.image.jpeg import SOS, segments
from unmask.image.read import Image, read_image, read_whole_image
from unmask.image.tiff import take_apart

WIDTH, HEIGHT = 160, 192


def drawn() -> NDArray[np.uint8]:
    rng = np.random.default_rng(3)
    smooth = cv2.resize(rng.integers(0, 256, (12, 10, 3)).astype(np.uint8), (WIDTH, HEIGHT)).astype(np.float32)
    return np.clip(smooth + rng.normal(0, 8, smooth.shape), 0, 255).astype(np.uint8)


def photo(format_name: str = "JPEG", mode: str = "RGB", **options: object) -> bytes:
    return encode(PillowImage.fromarray(drawn()).convert(mode), format_name, **options)


def scans(data: bytes) -> list[tuple[int, int]]:
    return [(segment.end, segment.scan_end) for segment in segments(data) if segment.marker == SOS]


def cut(data: bytes, share: float) -> bytes:
    """The first part of the first scan, and an end marker."""
    start, end = scans(data)[0]
    return data[: start + int((end - start) * share)] + b"\xff\xd9"


def overwritten(data: bytes, first: float, last: float, fill: Callable[[int], bytes] = bytes) -> bytes:
    """A part of the first scan, or of the file where it is no JPEG, in other bytes."""
    start, end = scans(data)[0] if data[:2] == b"\xff\xd8" else (0, len(data))
    start, end = start + int((end - start) * first), start + int((end - start) * last)
    return data[:start] + fill(end - start) + data[end:]


def note_codes(image: Image) -> set[str]:
    return {note.code for note in image.notes} - {"small-file"}


def first_missing_row(image: Image) -> int:
    return min(hole.top for hole in image.missing)


WAYS = (
    {"subsampling": 0},
    {"subsampling": 1},
    {"subsampling": 2},
    {"optimize": True},
    {"mode": "L"},
    {"mode": "CMYK"},
    {"restart_marker_rows": 1},
    {"keep_rgb": True},
)


@pytest.mark.parametrize("options", WAYS, ids=str)
@pytest.mark.parametrize("share", [0.25, 0.52, 0.8])  # not between two blocks, as if a part were lost before
def test_a_cut_scan_lacks_the_rows_below_the_cut(options: dict[str, object], share: float) -> None:
    image = read_image(cut(photo(**options), share))
    assert note_codes(image) == {"damaged"}
    assert abs(first_missing_row(image) - share * HEIGHT) <= 24
    assert max(hole.top + hole.height for hole in image.missing) == HEIGHT


@pytest.mark.parametrize("options", WAYS, ids=str)
def test_the_rows_above_a_cut_are_those_of_the_whole_picture(options: dict[str, object]) -> None:
    data = photo(**options)
    image = read_image(cut(data, 0.6))
    sure = first_missing_row(image) - 1
    np.testing.assert_array_equal(image.pixels[:sure], read_image(data).pixels[:sure])


@pytest.mark.parametrize("first", [0.1, 0.4, 0.7])
@pytest.mark.parametrize("options", [{"subsampling": 0}, {"subsampling": 2}, {"mode": "L"}], ids=str)
def test_a_zeroed_middle_lacks_all_rows_from_there(options: dict[str, object], first: float) -> None:
    image = read_image(overwritten(photo(**options), first, first + 0.2))
    assert note_codes(image) == {"damaged"}
    assert first_missing_row(image) <= first * HEIGHT + 16


@pytest.mark.parametrize("seed", range(4))
def test_a_middle_of_other_bytes_is_noticed(seed: int) -> None:
    noise = np.random.default_rng(seed)
    data = overwritten(photo(), 0.3, 0.5, lambda count: noise.bytes(count).replace(b"\xff", b"\xfe"))
    image = read_image(data)
    assert "damaged" in note_codes(image)
    assert first_missing_row(image) <= 0.3 * HEIGHT + 16


@pytest.mark.parametrize("lost", [(2,), (5, 6), (3, 4, 5, 6, 7), (0,), (11,)])
def test_lost_restart_intervals_lack_their_own_rows(lost: tuple[int, ...]) -> None:
    data = photo(restart_marker_rows=1, subsampling=2)  # rows of 16 pixels, 12 intervals
    start, end = scans(data)[0]
    edges = [start, *(start + match.end() for match in re.finditer(rb"\xff[\xd0-\xd7]", data[start:end])), end + 2]
    kept = b"".join(data[edges[n] : edges[n + 1]] for n in range(12) if n not in lost)
    image = read_image(data[:start] + kept.removesuffix(b"\xff\xd9") + b"\xff\xd9")
    assert note_codes(image) == {"damaged"}
    behind = (
        12 if len(lost) > 2 else lost[-1] + 2
    )  # the numbers fit either end of the gap; libjpeg follows a small one only
    for number in range(12):
        assert image.lacks(Box(0, number * 16, WIDTH, 16)) is (lost[0] <= number < behind), number


@pytest.mark.parametrize("options", [{}, {"subsampling": 0, "optimize": True}, {"quality": 30}], ids=str)
@pytest.mark.parametrize("restarts", [{}, {"restart_marker_blocks": 3}, {"restart_marker_rows": 1}], ids=str)
def test_no_row_that_a_lost_part_has_displaced_counts_as_there(
    options: dict[str, object], restarts: dict[str, int]
) -> None:
    data = photo(**options, **restarts)
    whole = read_image(data).pixels
    start, end = scans(data)[0]
    for first, share in ((0.25, 0.1), (0.3, 0.3), (0.5, 0.05), (0.6, 0.2)):
        at, behind = (start + int((end - start) * place) for place in (first, first + share))
        try:
            image = read_image(data[:at] + data[behind:])
        except UnmaskError:
            continue
        wrong = (np.abs(image.pixels.astype(int) - whole) > 40).any(axis=(1, 2))
        wrong[max(0, first_missing_row(image) - 1) :] = False  # into the row above, colours are blended
        assert not wrong.any(), (first, share)


@pytest.mark.parametrize("kept", [1, 2, 5, 9])
def test_a_progressive_picture_without_its_last_scans_lacks_something_everywhere(kept: int) -> None:
    data = photo(progressive=True)
    assert len(scans(data)) == 10
    image = read_image(data[: scans(data)[kept - 1][1]] + b"\xff\xd9")
    assert image.missing == (Box(0, 0, WIDTH, HEIGHT),)
    assert note_codes(image) == {"damaged"}


def test_what_the_decoder_did_not_write_is_grey_and_nothing_from_memory() -> None:
    data = photo(progressive=True)
    end = scans(data)[0][1]
    grey = 0
    for place in range(end - 64, end, 4):  # over the end of a scan, and some of the table behind it
        with suppress(UnmaskError):
            damaged = data[:place] + bytes(64) + data[place + 64 :]
            first, again = (read_image(damaged).pixels for _ in range(2))
            np.testing.assert_array_equal(first, again)
            grey += bool((first == 128).all())
    assert grey, "no damage here ends the decoder before it has written anything"


@pytest.mark.parametrize("share", [0.2, 0.6])
def test_a_progressive_picture_whose_scan_is_cut_lacks_something_everywhere(share: float) -> None:
    data = photo(progressive=True)
    start, end = scans(data)[-1]
    image = read_image(data[: start + int((end - start) * share)] + b"\xff\xd9")
    assert image.missing == (Box(0, 0, WIDTH, HEIGHT),)


@pytest.mark.parametrize(
    ("format_name", "options"), [("AVIF", {"speed": 10}), ("WEBP", {"quality": 90}), ("WEBP", {"lossless": True})]
)
def test_a_zeroed_half_of_other_formats_is_noticed_or_refused(format_name: str, options: dict[str, object]) -> None:
    data = overwritten(photo(format_name, **options), 0.5, 1)
    with pytest.raises(UnmaskError) as caught:
        read_whole_image(data)
    assert caught.value.code in ("damaged", "truncated")


def test_a_zeroed_part_of_a_jpeg_in_a_tiff_is_noticed() -> None:
    data = photo("TIFF", compression="jpeg")
    assert read_image(data).missing == ()
    at = data.index(b"\xff\xda") + 400
    assert read_image(data[:at] + bytes(300) + data[at + 300 :]).missing == (Box(0, 0, WIDTH, HEIGHT),)


@pytest.mark.parametrize("lost", [1, 20, 150, 5000])
def test_a_tiff_whose_pixels_are_cut_is_refused(lost: int) -> None:
    whole = tiff_that_ends_in_pixels(drawn())
    np.testing.assert_array_equal(read_image(whole).pixels, drawn())
    with pytest.raises(UnmaskError) as caught:
        read_image(whole[:-lost])
    assert caught.value.code == "truncated"


def tiff_that_ends_in_pixels(pixels: NDArray[np.uint8]) -> bytes:
    short, long, (height, width) = 3, 4, pixels.shape[:2]
    start = 8 + 2 + 12 * 10 + 4 + 6
    return tiff(
        (256, long, 1, width), (257, long, 1, height), (258, short, 3, start - 6), (259, short, 1, 1), (262, short, 1, 2),
        (273, long, 1, start), (277, short, 1, 3), (278, long, 1, height), (279, long, 1, pixels.size), (284, short, 1, 1),
        data=b"\x08\0" * 3 + pixels.tobytes(),
    )  # fmt: skip


def test_a_zeroed_half_of_a_heic_is_noticed_or_refused() -> None:
    import io

    import pillow_heif

    stream = io.BytesIO()
    pillow_heif.from_pillow(PillowImage.fromarray(drawn())).save(stream, quality=90)
    assert read_image(stream.getvalue()).missing == ()
    with pytest.raises(UnmaskError) as caught:
        read_whole_image(overwritten(stream.getvalue(), 0.5, 1))
    assert caught.value.code in ("damaged", "truncated")


@pytest.mark.parametrize("format_name", ["PNG", "TIFF", "GIF"])
def test_a_zeroed_half_of_packed_formats_is_refused(format_name: str) -> None:
    options = {"compression": "tiff_lzw"} if format_name == "TIFF" else {}
    with pytest.raises(UnmaskError) as caught:
        read_image(overwritten(photo(format_name, **options), 0.5, 0.9))
    assert caught.value.code in ("damaged", "truncated")


@pytest.mark.parametrize(("turn", "expected"), [
    (1, Box(0, 96, 160, 96)), (2, Box(0, 96, 160, 96)), (3, Box(0, 0, 160, 96)), (4, Box(0, 0, 160, 96)),
    (5, Box(96, 0, 96, 160)), (6, Box(0, 0, 96, 160)), (7, Box(0, 0, 96, 160)), (8, Box(96, 0, 96, 160)),
])  # fmt: skip
def test_missing_rows_turn_with_the_picture(turn: int, expected: Box) -> None:
    exif = PillowImage.Exif()
    exif[0x0112] = turn
    data = photo(exif=exif, restart_marker_rows=1, subsampling=2)
    start, end = scans(data)[0]
    sixth = [start + match.start() for match in re.finditer(rb"\xff[\xd0-\xd7]", data[start:end])][5]
    holes = read_image(data[:sixth] + b"\xff\xd9").missing
    assert min(hole.left for hole in holes) == expected.left
    assert min(hole.top for hole in holes) == expected.top
    assert max(hole.left + hole.width for hole in holes) == expected.left + expected.width
    assert max(hole.top + hole.height for hole in holes) == expected.top + expected.height


# What is whole stays so.


@pytest.mark.parametrize("options", [*WAYS, {"progressive": True}], ids=str)
def test_a_picture_that_lacks_only_its_end_marker_is_read_with_a_note(options: dict[str, object]) -> None:
    data = photo(**options)
    image = read_image(data[:-2])
    assert note_codes(image) == {"no-end-marker"}
    np.testing.assert_array_equal(image.pixels, read_image(data).pixels)


@pytest.mark.parametrize("lost", [1, 3])
def test_a_png_that_lacks_only_the_checksum_of_its_end_is_read(lost: int) -> None:
    np.testing.assert_array_equal(read_image(photo("PNG")[:-lost]).pixels, drawn())


def test_a_png_that_lacks_only_its_end_is_read_with_a_note() -> None:
    image = read_image(photo("PNG")[:-12])
    assert note_codes(image) == {"no-end-marker"}
    np.testing.assert_array_equal(image.pixels, drawn())


@pytest.mark.parametrize("colour", ["white", "black", (128, 128, 128), "red"])
@pytest.mark.parametrize("options", [{}, {"optimize": True}, {"progressive": True}, {"quality": 100}], ids=str)
def test_flat_areas_are_not_taken_for_holes(colour: object, options: dict[str, object]) -> None:
    pixels = np.asarray(PillowImage.new("RGB", (600, 600), colour)).copy()  # type: ignore[arg-type]
    pixels[200:300, 200:300] = drawn()[:100, :100]
    assert read_image(encode(PillowImage.fromarray(pixels), "JPEG", **options)).missing == ()


@pytest.mark.parametrize("padding", [bytes(3000), b"\xff" * 3000, b"\0", b"\xaa" * 50])
def test_padding_behind_the_last_pixel_is_no_damage(padding: bytes) -> None:
    data = photo()
    image = read_image(data[:-2] + padding + b"\xff\xd9")
    assert image.missing == ()
    np.testing.assert_array_equal(image.pixels, read_image(data).pixels)


@pytest.mark.parametrize(
    ("format_name", "options"),
    [("AVIF", {"speed": 10}), ("WEBP", {"quality": 80, "method": 0}), ("WEBP", {"quality": 80}),
     ("WEBP", {"lossless": True, "method": 0})],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("colour", ["white", "black"])
def test_a_picture_before_a_flat_wall_is_whole(format_name: str, options: dict[str, object], colour: str) -> None:
    wall = PillowImage.new("RGB", (1600, 1200), colour)
    assert read_image(encode(wall, format_name, **options)).missing == ()
    wall.paste(PillowImage.fromarray(drawn()), (100, 100))
    assert read_image(encode(wall, format_name, **options)).missing == ()


@pytest.mark.parametrize(("format_name", "options"), [("AVIF", {"speed": 10}), ("WEBP", {"quality": 90})])
def test_an_erased_part_of_other_formats_is_noticed(format_name: str, options: dict[str, object]) -> None:
    data = photo(format_name, **options)
    with pytest.raises(UnmaskError):
        read_whole_image(overwritten(data, 0.5, 0.9, lambda count: b"\xff" * count))


def test_the_rest_of_a_damaged_picture_can_be_asked_for() -> None:
    image = read_image(cut(photo(), 0.5))
    assert not image.lacks(Box(0, 0, WIDTH, 64))
    assert image.lacks(Box(0, 64, WIDTH, 64))
    assert image.lacks(Box(-20, 150, 30, 80))


def tiff_of(pixels: NDArray[np.uint8], compression: str, **options: object) -> bytes:
    return encode(PillowImage.fromarray(pixels), "TIFF", compression=compression, **options)


@pytest.mark.parametrize("compression", ["jpeg", "tiff_adobe_deflate", "tiff_deflate"])
@pytest.mark.parametrize("seed", range(6))
def test_other_bytes_in_a_tiff_are_noticed_or_refused(compression: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    data = tiff_of(cv2.resize(drawn(), (400, 300)), compression)
    assert read_image(data).missing == ()
    at = int(rng.integers(len(data) // 3, len(data) // 2))
    for block in (bytes(3000), rng.bytes(3000), rng.bytes(3000).replace(b"\xff", b"\xfe")):
        with pytest.raises(UnmaskError) as caught:
            read_whole_image(data[:at] + block + data[at + 3000 :])
        assert caught.value.code in ("damaged", "truncated")


def test_a_wrong_checksum_alone_is_noticed_in_a_deflated_tiff() -> None:
    data = bytearray(tiff_of(drawn(), "tiff_adobe_deflate"))
    end = take_apart(bytes(data)).coded[0][1]
    data[end - 1] ^= 1
    with pytest.raises(UnmaskError):
        read_whole_image(bytes(data))


@pytest.mark.parametrize("compression", ["jpeg", "tiff_adobe_deflate", "tiff_lzw", "packbits"])
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("rows", [None, 8, 48, 1000])
def test_a_whole_tiff_lacks_nothing(compression: str, mode: str, rows: int | None) -> None:
    picture = PillowImage.fromarray(drawn()).convert(mode)
    options = {} if rows is None else {"tiffinfo": {278: rows}}
    assert read_image(encode(picture, "TIFF", compression=compression, **options)).missing == ()
    padded = encode(picture, "TIFF", compression=compression, **options) + bytes(9000)
    assert read_image(padded).missing == ()


def test_the_strips_of_a_tiff_are_looked_at_once_however_often_they_are_named() -> None:
    rows = drawn()
    packed = zlib.compress(rows.tobytes())
    short, long, (height, width) = 3, 4, rows.shape[:2]
    names = 100_000
    start = 8 + 2 + 12 * 9 + 4
    data = tiff(
        (256, long, 1, width), (257, long, 1, height), (258, short, 3, start), (259, short, 1, 8), (262, short, 1, 2),
        (273, long, names, start + 6), (277, short, 1, 3), (278, long, 1, height), (279, long, names, start + 6 + 4 * names),
        data=b"\x08\0" * 3 + struct.pack("<I", start + 6 + 8 * names) * names + struct.pack("<I", len(packed)) * names + packed,
    )  # fmt: skip
    began = time.process_time()
    np.testing.assert_array_equal(read_image(data).pixels, rows)
    assert time.process_time() - began < 5


def hole_behind_tables(count: int) -> bytes:
    """A JPEG whose scan must be walked, and so many Huffman tables of more codes than there can be, which no scan uses."""
    data = overwritten(photo(), 0.5, 0.6)
    segment = bytes([3, 255, *bytes(15)]) + bytes(255)
    return data[:2] + (b"\xff\xc4" + struct.pack(">H", 2 + 60 * len(segment)) + segment * 60) * (count // 60) + data[2:]


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body) + 8) + kind + body


def avif_of_extents(extents: int, length: int, items: int = 1, told: int = 0x44) -> bytes:
    """An AVIF with further items of so many extents, each of them nearly the whole file."""
    data = photo("AVIF", speed=10)
    at = data.index(b"meta") + 8
    boxes_in = {found.kind: data[found.start : found.end] for found in boxes(data, at, len(data))}
    coded = data[data.index(b"mdat") + 4 :]
    kept = boxes_in[b"iprp"]
    properties = {found.kind: kept[found.start : found.end] for found in boxes(kept, 0, len(kept))}
    own = properties[b"ipma"][8:]
    more = range(2, 2 + items)
    shared = struct.pack(">II", 0, 1 + items) + own + b"".join(struct.pack(">H", item) + own[2:] for item in more)
    kinds = b"".join(box(b"infe", b"\2\0\0\0" + struct.pack(">HH", item, 0) + b"av01Color\0") for item in (1, *more))

    def meta(begin: int) -> bytes:
        place = struct.pack(">II", 32, length) if told else b""
        first = struct.pack(">HHHII", 1, 0, 1, begin, len(coded)) if told else struct.pack(">HHH", 1, 0, 1)
        others = b"".join(struct.pack(">HHH", item, 0, extents) + place * extents for item in more)
        places = box(b"iloc", struct.pack(">IBBH", 0, told, 0, 1 + items) + first + others)
        body = b"".join(box(kind, boxes_in[kind]) for kind in (b"hdlr", b"pitm"))
        body += places + box(b"iinf", struct.pack(">IH", 0, 1 + items) + kinds)
        return box(b"meta", bytes(4) + body + box(b"iprp", box(b"ipco", properties[b"ipco"]) + box(b"ipma", shared)))

    start = data[: data.index(b"meta") - 4]
    rest = np.random.default_rng(0).bytes(length)
    return start + meta(len(start) + len(meta(0)) + 8) + box(b"mdat", coded) + box(b"free", rest)


def tiff_of_strips(strip: bytes, compression: int, rows: int, count: int) -> bytes:
    """A TIFF of so many strips, each told to be the same and 20 MB long."""
    short, long, start = 3, 4, 8 + 2 + 12 * 9 + 4
    long_strip = strip.ljust(20_000_000, b"\0")
    places = start + 6 + len(long_strip)
    return tiff(
        (256, long, 1, 64), (257, long, 1, rows * count), (258, short, 3, start), (259, short, 1, compression),
        (262, short, 1, 2), (273, long, count, places), (277, short, 1, 3), (278, long, 1, rows),
        (279, long, count, places + 4 * count),
        data=b"\x08\0" * 3 + long_strip + struct.pack("<I", start + 6) * count + struct.pack("<I", len(long_strip)) * count,
    )  # fmt: skip


RAW_PROFILE = png_chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(b"x " * 499_000, 9))
HOSTILE = {
    "tables that no scan uses": lambda: hole_behind_tables(240),
    "extents of the whole file": lambda: avif_of_extents(9_000, 10_000_000),
    "extents that take no room": lambda: avif_of_extents(65_535, 0, items=200, told=0),
    "raw profiles": lambda: photo("PNG")[:33] + RAW_PROFILE * 200 + photo("PNG")[33:],
    "deflated strips of 20 MB": lambda: tiff_of_strips(zlib.compress(bytes(64 * 3)), 8, 1, 1_000),
    "JPEG strips of 20 MB": lambda: tiff_of_strips(
        photo_of(64, 8)[:-2] + b"\xff\xfe\0\2" * 100_000 + b"\xff\xd9", 7, 8, 60
    ),
}


def photo_of(width: int, height: int) -> bytes:
    return encode(PillowImage.fromarray(drawn()[:height, :width]), "JPEG", keep_rgb=True)


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_small_file_that_names_much_is_answered_soon(make: Callable[[], bytes]) -> None:
    data = make()
    began = time.process_time()
    with suppress(UnmaskError):
        read_image(data)
    assert time.process_time() - began < 5
