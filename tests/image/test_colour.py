"""Colour: profiles put together by hand, so that the right answer is known without a colour engine."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image as PillowImage
from tests.bad_files import encode, tiff

from unmask.errors import UnmaskError
from unmask.image import colour as image_colour
from unmask.image.read import read_image
from unmask.image.transfer import Colour

# Colorants of sRGB, adapted to D50 (ICC.1:2010, annex E; IEC 61966-2-1).
COLORANTS = {b"rXYZ": (0.4361, 0.2225, 0.0139), b"gXYZ": (0.3851, 0.7169, 0.0971), b"bXYZ": (0.1431, 0.0606, 0.7141)}
WHITE = (0.9642, 1.0, 0.8249)


def fixed(*values: float) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))


def profile(space: bytes, tags: dict[bytes, bytes], kind: bytes = b"mntr", connection: bytes = b"XYZ ") -> bytes:
    """An ICC version 2 profile of the given tags."""
    name = b"by hand\0"
    described = b"desc\0\0\0\0" + struct.pack(">I", len(name)) + name + bytes(78)
    tags = {b"desc": described, b"wtpt": b"XYZ \0\0\0\0" + fixed(*WHITE), **tags}
    table, body = struct.pack(">I", len(tags)), b""
    for tag, data in tags.items():
        data += bytes(-len(data) % 4)
        table += tag + struct.pack(">II", 132 + 12 * len(tags) + len(body), len(data))
        body += data
    header = bytes(4) + b"lcms" + b"\2\x10\0\0" + kind + space + connection
    header += bytes(12) + b"acsp" + bytes(28) + fixed(*WHITE) + bytes(48)
    whole = header + table + body
    return struct.pack(">I", len(whole)) + whole[4:]


def gamma(value: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(value * 256))


def rgb_profile(order: tuple[bytes, ...] = (b"rXYZ", b"gXYZ", b"bXYZ"), exponent: float = 1.0) -> bytes:
    tags = {b"rTRC": gamma(exponent), b"gTRC": gamma(exponent), b"bTRC": gamma(exponent)}
    for tag, source in zip((b"rXYZ", b"gXYZ", b"bXYZ"), order, strict=True):
        tags[tag] = b"XYZ \0\0\0\0" + fixed(*COLORANTS[source])
    return profile(b"RGB ", tags)


def cmyk_profile() -> bytes:
    """Every ink gives the same neutral grey: lightness 100 without ink, 0 with any full one (lut8Type)."""
    steps = bytes(range(256))
    corners = b"".join(bytes([0 if corner else 255, 128, 128]) for corner in range(16))
    identity = fixed(1, 0, 0, 0, 1, 0, 0, 0, 1)
    table = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + identity + steps * 4 + corners + steps * 3
    return profile(b"CMYK", {b"A2B0": table}, kind=b"prtr", connection=b"Lab ")


def flat(mode: str, colour: tuple[int, ...] | int, icc_profile: bytes, format_name: str = "PNG") -> np.ndarray:
    """The middle pixel of a flat picture with a profile."""
    data = encode(PillowImage.new(mode, (80, 80), colour), format_name, icc_profile=icc_profile)
    image = read_image(data)
    assert image.notes == () or [note.code for note in image.notes] == ["small-file"]
    return image.pixels[40, 40].astype(int)


def srgb(linear: float) -> float:
    """The sRGB transfer function, 0..255 for light of 0..1."""
    return 255 * (12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("format_name", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_a_linear_profile_is_brought_to_srgb(format_name: str) -> None:
    assert flat("RGB", (55, 55, 55), rgb_profile(), format_name) == pytest.approx([srgb(55 / 255)] * 3, abs=2)


def test_swapped_primaries_are_swapped_back() -> None:
    swapped = rgb_profile(order=(b"bXYZ", b"gXYZ", b"rXYZ"), exponent=2.2)
    assert flat("RGB", (255, 0, 0), swapped) == pytest.approx([0, 0, 255], abs=3)


def test_the_profile_of_a_palette_is_applied_to_its_colours() -> None:
    picture = PillowImage.new("RGB", (80, 80), (55, 55, 55)).convert("P", palette=PillowImage.Palette.ADAPTIVE)
    image = read_image(encode(picture, "PNG", icc_profile=rgb_profile()))
    assert image.pixels[40, 40] == pytest.approx([srgb(55 / 255)] * 3, abs=2)


def test_a_grey_profile_is_applied_to_a_grey_picture() -> None:
    linear = profile(b"GRAY", {b"kTRC": gamma(1.0)})
    assert flat("L", 55, linear) == pytest.approx([srgb(55 / 255)] * 3, abs=2)


def test_a_cmyk_profile_is_applied_to_a_cmyk_jpeg() -> None:
    assert flat("CMYK", (0, 0, 0, 0), cmyk_profile(), "JPEG") == pytest.approx([255] * 3, abs=3)
    assert flat("CMYK", (255, 0, 0, 0), cmyk_profile(), "JPEG") == pytest.approx([0] * 3, abs=3)  # black, not cyan
    assert flat("CMYK", (128, 0, 0, 0), cmyk_profile(), "TIFF") == pytest.approx([119] * 3, abs=4)  # L* = 50


def test_cmyk_without_a_profile_is_plain_ink() -> None:
    image = read_image(encode(PillowImage.new("CMYK", (80, 80), (255, 0, 0, 0)), "JPEG", quality=95))
    assert image.pixels[40, 40] == pytest.approx([0, 255, 255], abs=3)


def test_the_srgb_profile_changes_no_pixel() -> None:
    from PIL import ImageCms

    pixels = np.random.default_rng(0).integers(0, 256, (80, 80, 3), dtype=np.uint8)
    own = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = read_image(encode(PillowImage.fromarray(pixels), "PNG", icc_profile=own))
    assert np.array_equal(image.pixels, pixels)


@pytest.mark.parametrize(
    ("mode", "icc_profile"),
    [("RGB", b"nonsense" * 30), ("RGB", cmyk_profile()), ("CMYK", rgb_profile()), ("RGB", rgb_profile()[:200])],
)
def test_a_profile_that_cannot_be_used_is_left_out_with_a_note(mode: str, icc_profile: bytes) -> None:
    picture = PillowImage.new("RGB", (80, 80), (200, 100, 50)).convert(mode)
    image = read_image(encode(picture, "TIFF", icc_profile=icc_profile))
    assert "colour-profile" in [note.code for note in image.notes]
    assert image.pixels[40, 40] == pytest.approx([200, 100, 50], abs=3)


def test_an_rgb_profile_on_a_grey_picture_is_passed_over() -> None:
    assert list(flat("L", 90, rgb_profile())) == [90, 90, 90]


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "CMYK", "L", "LA", "P", "1", "LAB", "YCbCr", "I;16", "F", "I"])
def test_strips_change_nothing(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    grey = np.add.outer(np.arange(90), np.arange(70)).astype(np.uint8)
    source = PillowImage.fromarray(np.dstack([grey, 255 - grey, grey // 2]))
    if mode == "LAB":
        picture = PillowImage.merge("LAB", source.split())
    elif mode == "I;16":
        picture = PillowImage.fromarray(grey.astype(np.uint16) * 256)
    else:
        picture = source.convert(mode)
    if mode in ("RGBA", "LA"):
        picture.putalpha(PillowImage.fromarray(grey))
    whole, notes = image_colour.to_srgb(picture, Colour())
    monkeypatch.setattr(image_colour, "STRIP_PIXELS", 500)
    strips, strip_notes = image_colour.to_srgb(picture, Colour())
    assert np.array_equal(whole, strips)
    assert notes == strip_notes


def test_palette_transparency_is_laid_on_white() -> None:
    picture = PillowImage.new("P", (80, 80), 0)
    picture.putpalette([10, 20, 30, 200, 100, 50])
    picture.paste(1, (0, 0, 80, 40))
    stream = io.BytesIO()
    picture.save(stream, "PNG", transparency=0)
    pixels = read_image(stream.getvalue()).pixels
    assert pixels[60, 40].tolist() == [255, 255, 255]
    assert pixels[20, 40].tolist() == [200, 100, 50]


@pytest.mark.parametrize(("photometric", "expected"), [(1, 0x40), (0, 0xBF)])
def test_a_16_bit_tiff_may_count_from_white(photometric: int, expected: int) -> None:
    assert _grey_tiff(16, photometric, b"\x34\x40" * (64 * 64)) == expected


def test_a_12_bit_tiff_uses_the_whole_range() -> None:
    assert _grey_tiff(12, 1, b"\xff\xff\xff" * (64 * 32)) == 255


def _grey_tiff(bits: int, photometric: int, rows: bytes) -> int:
    short, long, side = 3, 4, 64
    start = 8 + 2 + 12 * 9 + 4
    data = tiff(
        (256, long, 1, side), (257, long, 1, side), (258, short, 1, bits), (259, short, 1, 1),
        (262, short, 1, photometric), (273, long, 1, start), (277, short, 1, 1), (278, long, 1, side),
        (279, long, 1, len(rows)), data=rows,
    )  # fmt: skip
    pixels = read_image(data).pixels
    assert len(np.unique(pixels)) == 1
    return int(pixels[0, 0, 0])


@pytest.mark.parametrize(
    ("value", "dtype", "expected"),
    [(0.5, np.float32, 128), (100.4, np.float32, 100), (200, np.int32, 200), (0x8012, np.int32, 0x80)],
)
def test_numbers_in_an_agreed_range_are_read(value: float, dtype: type, expected: int) -> None:
    array = np.full((80, 80), value, dtype)
    array[0, 0] = 0
    pixels = read_image(encode(PillowImage.fromarray(array), "TIFF")).pixels
    assert pixels[40, 40].tolist() == [expected] * 3


@pytest.mark.parametrize(
    ("value", "dtype"), [(300.0, np.float32), (-1.0, np.float32), (70_000, np.int32), (np.nan, np.float32)]
)
def test_numbers_in_no_agreed_range_are_refused(value: float, dtype: type) -> None:
    with pytest.raises(UnmaskError) as caught:
        read_image(encode(PillowImage.fromarray(np.full((80, 80), value, dtype)), "TIFF"))
    assert caught.value.code == "unsupported-format"
