"""A JPEG is decoded to the pixels that Pillow gives, and what it says of its tables."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as PillowImage

from unmask.errors import UnmaskError
from unmask.image.jpeg import segments
from unmask.image.jpeg_tables import jpeg_tables
from unmask.image.read import read_image


def drawn(width: int, height: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng(width * height)
    blobs = rng.integers(0, 256, (9, 9, 3)).astype(np.uint8)
    smooth = cv2.resize(blobs, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    return np.clip(smooth + rng.normal(0, 10, smooth.shape), 0, 255).astype(np.uint8)


def jpeg(width: int = 97, height: int = 131, mode: str = "RGB", **options: object) -> bytes:
    stream = io.BytesIO()
    PillowImage.fromarray(drawn(width, height)).convert(mode).save(stream, "JPEG", **options)
    return stream.getvalue()


def by_pillow(data: bytes) -> NDArray[np.uint8]:
    with PillowImage.open(io.BytesIO(data)) as picture:
        return np.asarray(picture.convert("RGB"))


@pytest.mark.parametrize("quality", [10, 50, 75, 90, 100])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize(("width", "height"), [(64, 64), (97, 131), (256, 65)])
def test_pixels_are_the_same(quality: int, subsampling: int, progressive: bool, width: int, height: int) -> None:
    data = jpeg(width, height, quality=quality, subsampling=subsampling, progressive=progressive)
    np.testing.assert_array_equal(read_image(data).pixels, by_pillow(data))


@pytest.mark.parametrize(
    "options", [{"restart_marker_rows": 1}, {"optimize": True}, {"keep_rgb": True, "subsampling": 0}]
)
def test_rarer_ways_of_coding_give_the_same_pixels(options: dict[str, object]) -> None:
    data = jpeg(**options)
    np.testing.assert_array_equal(read_image(data).pixels, by_pillow(data))


def test_grey_pictures_are_the_same() -> None:
    data = jpeg(mode="L")
    np.testing.assert_array_equal(read_image(data).pixels, by_pillow(data))


@pytest.mark.parametrize("turn", range(1, 9))
def test_a_turned_picture_is_turned_once(turn: int) -> None:
    from PIL import ImageOps

    exif = PillowImage.Exif()
    exif[0x0112] = turn
    data = jpeg(exif=exif)
    image = read_image(data)
    with PillowImage.open(io.BytesIO(data)) as picture:
        np.testing.assert_array_equal(image.pixels, np.asarray(ImageOps.exif_transpose(picture)))
    assert image.pixels.flags.c_contiguous


@pytest.mark.parametrize("quality", [30, 95])
def test_inks_are_the_same(quality: int) -> None:
    data = jpeg(mode="CMYK", quality=quality)
    np.testing.assert_array_equal(read_image(data).pixels, by_pillow(data))


@pytest.mark.parametrize("share", [0.3, 0.6, 0.99])
def test_a_cut_off_file_is_refused_as_before(share: float) -> None:
    data = jpeg()
    with pytest.raises(UnmaskError) as caught:
        read_image(data[: int(len(data) * share)])
    assert caught.value.code == "truncated"


# The markers that stand alone, and fill bytes before them and before others (T.81, B.1.1.2 and B.1.1.3).
@pytest.mark.parametrize("alone", [b"\xff\x01", b"\xff\xff\xff", b"\xff\xff\xff\x01", b"\xff\xd0", b"\xff\xd8"])
def test_markers_without_a_length_and_fill_bytes_swallow_nothing(alone: bytes) -> None:
    data = jpeg(restart_marker_rows=1)
    markers = [segment.marker for segment in segments(data)]
    places = [2, *(segment.scan_end for segment in segments(data))]
    for at in places[:-1]:
        changed = data[:at] + alone + data[at:]
        assert [segment.marker for segment in segments(changed)] == markers
        np.testing.assert_array_equal(read_image(changed).pixels, read_image(data).pixels)


def test_equal_settings_give_equal_names_whatever_the_picture() -> None:
    assert jpeg_tables(jpeg(quality=80)) == jpeg_tables(jpeg(50, 50, quality=80))


def test_another_quality_gives_another_name() -> None:
    assert jpeg_tables(jpeg(quality=80)) != jpeg_tables(jpeg(quality=81))


@pytest.mark.parametrize(("option", "name"), [(0, "4:4:4"), (1, "4:2:2"), (2, "4:2:0")])
def test_the_subsampling_is_named(option: int, name: str) -> None:
    assert jpeg_tables(jpeg(subsampling=option)).endswith(name)


def test_grey_and_progressive_files_are_read() -> None:
    assert jpeg_tables(jpeg(mode="L")).endswith("grey")
    assert jpeg_tables(jpeg(progressive=True)) == jpeg_tables(jpeg())


def test_metadata_changes_nothing() -> None:
    assert jpeg_tables(jpeg(comment=b"x" * 9000)) == jpeg_tables(jpeg())


def test_anything_else_has_no_name() -> None:
    data = jpeg()
    assert jpeg_tables(b"") == jpeg_tables(b"GIF89a") == jpeg_tables(b"\xff\xd8nonsense") == ""
    assert all(jpeg_tables(data[:length]) in ("", jpeg_tables(data)) for length in range(700))
