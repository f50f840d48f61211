"""A PNG's one transparent colour, and chunks in the wrong place: as libpng has them."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from PIL import Image as PillowImage
from tests.bad_files import encode, png, png_chunk
from tests.image.test_colour import chrm, cicp, codes, gama, png_with, rgb_profile, shades

from unmask.image.read import read_image


def png_of(values: np.ndarray, bits: int, *before: bytes, after: bytes = b"") -> bytes:
    """A grey or RGB PNG of 80 x 80 samples of so many bits."""
    samples = values.reshape(80, -1)
    if bits == 16:
        rows = samples.astype(">u2").view(np.uint8)
    else:
        spread = samples.astype(np.uint8)[..., None] >> np.arange(bits - 1, -1, -1, dtype=np.uint8) & 1
        rows = np.packbits(spread.reshape(80, -1), axis=1)
    whole = png(80, 80, bits, 2 if values.ndim == 3 else 0, np.insert(rows, 0, 0, axis=1).tobytes(), b"".join(before))
    return whole[:-12] + after + whole[-12:]


def one_colour(*values: int) -> bytes:
    return png_chunk(b"tRNS", struct.pack(f">{len(values)}H", *values))


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("channels", [1, 3])
def test_one_transparent_colour_is_compared_in_all_its_bits(bits: int, channels: int) -> None:
    if channels == 3 and bits < 8:
        return
    values = np.random.default_rng(bits).integers(0, 1 << bits, (80, 80, channels) if channels == 3 else (80, 80))
    near = values[40, 40] ^ 1  # differs in the last bit only
    values[:20], values[20:40] = values[40, 40], near
    image = read_image(png_of(values, bits, one_colour(*np.atleast_1d(values[40, 40]))))
    hidden = (values == values[40, 40]).reshape(80, 80, -1).all(axis=2)
    shown = np.rint(values.reshape(80, 80, -1) * (255 / ((1 << bits) - 1)) - (0.49 if bits == 16 else 0))
    expected = np.where(hidden[..., None], 255, shown)
    assert np.abs(image.pixels.astype(int) - expected).max() <= (1 if bits == 16 else 0)
    assert codes(image) == ["transparent"]


WRONG_TRANSPARENCY = {
    "after the pixels": ((), one_colour(30)),
    "a second": ((one_colour(7), one_colour(30)), b""),
    "short": ((png_chunk(b"tRNS", b"\0"),), b""),
    "for RGB": ((one_colour(30, 30, 30),), b""),
    "with a wrong sum": ((one_colour(30)[:-1] + b"\0",), b""),
}


@pytest.mark.parametrize("chunks", WRONG_TRANSPARENCY.values(), ids=WRONG_TRANSPARENCY.keys())
def test_transparency_that_libpng_does_not_follow_changes_nothing(chunks: tuple[tuple[bytes, ...], bytes]) -> None:
    values = np.full((80, 80), 30)
    image = read_image(png_of(values, 8, *chunks[0], after=chunks[1]))
    assert (image.pixels == 30).all()
    assert codes(image) == []


COLOUR_CHUNKS = {
    "gAMA": gama(1.0),
    "cHRM": chrm(31270, 32900, 70800, 29200, 17000, 79700, 13100, 4600),
    "cICP": cicp(9, 16),
    "iCCP": png_chunk(b"iCCP", b"one\0\0" + zlib.compress(rgb_profile())),
}


@pytest.mark.parametrize("chunk", COLOUR_CHUNKS.values(), ids=COLOUR_CHUNKS.keys())
def test_colour_told_too_late_or_with_a_wrong_sum_is_not_followed(chunk: bytes) -> None:
    data, wrong = encode(PillowImage.fromarray(shades()), "PNG"), chunk[:-1] + bytes((chunk[-1] ^ 1,))
    assert (read_image(png_with(shades(), chunk)).pixels != shades()).any()
    for other in (data[:-12] + chunk + data[-12:], png_with(shades(), wrong)):
        image = read_image(other)
        np.testing.assert_array_equal(image.pixels, shades())
        assert codes(image) == []


@pytest.mark.parametrize("told", [0, 1, 1_000, 10_000, 19_000, 310_000, 1_000_000, 0xFFFFFFFF])
def test_a_gama_of_no_screen_is_noted_and_not_followed(told: int) -> None:
    image = read_image(png_with(shades(), png_chunk(b"gAMA", struct.pack(">I", told))))
    np.testing.assert_array_equal(image.pixels, shades())
    assert codes(image) == ["colour-uncertain"]


def test_colour_told_behind_the_palette_is_not_followed() -> None:
    data = encode(PillowImage.fromarray(shades()).quantize(64), "PNG")
    at = data.index(b"IDAT") - 4
    told = read_image(data[:at] + gama(1.0) + data[at:])
    np.testing.assert_array_equal(told.pixels, read_image(data).pixels)
    assert (read_image(data[:33] + gama(1.0) + data[33:]).pixels != told.pixels).any()
