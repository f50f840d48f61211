"""OpenCV and Pillow decode a JPEG to the same pixels, so that it does not matter which of them did."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as PillowImage

from unmask.errors import UnmaskError
from unmask.image import jpeg as image_jpeg
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
def test_a_turned_picture_is_turned_once(turn: int, monkeypatch: pytest.MonkeyPatch) -> None:
    exif = PillowImage.Exif()
    exif[0x0112] = turn
    data = jpeg(exif=exif)
    fast = read_image(data)
    monkeypatch.setattr("unmask.image.read.plain_jpeg", lambda picture, data: None)
    slow = read_image(data)
    np.testing.assert_array_equal(fast.pixels, slow.pixels)
    assert fast.facts == slow.facts
    assert fast.pixels.flags.c_contiguous


def test_cmyk_and_colour_profiles_are_left_to_pillow() -> None:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for data in (jpeg(mode="CMYK"), jpeg(icc_profile=profile)):
        with PillowImage.open(io.BytesIO(data)) as picture:
            assert image_jpeg.plain_jpeg(picture, data) is None
        assert read_image(data).pixels.shape == (131, 97, 3)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.99])
def test_a_cut_off_file_is_refused_as_before(share: float) -> None:
    data = jpeg()
    with pytest.raises(UnmaskError) as caught:
        read_image(data[: int(len(data) * share)])
    assert caught.value.code == "truncated"


@pytest.mark.parametrize("seed", range(40))
def test_damaged_bytes_give_the_same_answer_by_either_way(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(seed)
    damaged = bytearray(jpeg())
    for place in rng.integers(20, len(damaged), 3):
        damaged[place] = int(rng.integers(256))
    fast = outcome(bytes(damaged))
    monkeypatch.setattr("unmask.image.read.plain_jpeg", lambda picture, data: None)
    slow = outcome(bytes(damaged))
    assert type(fast) is type(slow)
    if isinstance(fast, str):
        assert fast == slow
    else:
        np.testing.assert_array_equal(fast, slow)


def outcome(data: bytes) -> str | NDArray[np.uint8]:
    try:
        return read_image(data).pixels
    except UnmaskError as error:
        return error.code
