"""Colour: profiles put together by hand, so that the right answer is known without a colour engine."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image as PillowImage
from tests.bad_files import encode, png_chunk, tiff

from unmask.errors import UnmaskError
from unmask.image import colour as image_colour
from unmask.image.read import Image, read_image
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


@pytest.mark.parametrize(
    ("bits", "photometric", "kind"),
    [(16, 1, 2), (32, 0, 3), (32, 0, 1)],
    ids=["signed", "floating, from white", "large, from white"],
)
def test_numbers_that_would_come_out_too_dark_or_inverted_are_refused(bits: int, photometric: int, kind: int) -> None:
    with pytest.raises(UnmaskError) as caught:
        _grey_tiff(bits, photometric, b"\0" * (64 * 64 * bits // 8), kind=kind)
    assert caught.value.code == "unsupported-format"


def _grey_tiff(bits: int, photometric: int, rows: bytes, *, kind: int = 1) -> int:
    short, long, side = 3, 4, 64
    start = 8 + 2 + 12 * 10 + 4
    data = tiff(
        (256, long, 1, side), (257, long, 1, side), (258, short, 1, bits), (259, short, 1, 1),
        (262, short, 1, photometric), (273, long, 1, start), (277, short, 1, 1), (278, long, 1, side),
        (279, long, 1, len(rows)), (339, short, 1, kind), data=rows,
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


# Colours told by numbers.


def shades() -> np.ndarray:
    """Every grey and some colours, as sRGB."""
    pixels = np.zeros((80, 256, 3), np.uint8)
    pixels[:] = np.arange(256, dtype=np.uint8)[:, None]
    pixels[40:] = pixels[40:] * (1.0, 0.6, 0.3)
    return pixels


def linear_light(pixels: np.ndarray) -> np.ndarray:
    value = pixels / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def as_pq(pixels: np.ndarray) -> np.ndarray:
    light = (linear_light(pixels) * 203 / 10_000) ** 0.1593017578125
    return np.rint(255 * ((0.8359375 + 18.8515625 * light) / (1 + 18.6875 * light)) ** 78.84375).astype(np.uint8)


def png_with(pixels: np.ndarray, *chunks: bytes) -> bytes:
    data = encode(PillowImage.fromarray(pixels), "PNG")
    return data[:33] + b"".join(chunks) + data[33:]


def cicp(primaries: int, transfer: int) -> bytes:
    return png_chunk(b"cICP", bytes((primaries, transfer, 0, 1)))


def gama(value: float) -> bytes:
    return png_chunk(b"gAMA", struct.pack(">I", round(value * 100_000)))


def codes(image: Image) -> list[str]:
    return [note.code for note in image.notes if note.code != "small-file"]


@pytest.mark.parametrize("gamma_value", [1.0, 1 / 1.8, 0.3])
def test_gama_is_undone(gamma_value: float) -> None:
    stored = np.rint(255 * linear_light(shades()) ** gamma_value).astype(np.uint8)
    bright = shades() > 60  # 8 bits of linear light say little of the dark
    image = read_image(png_with(stored, gama(gamma_value)))
    assert np.abs(image.pixels.astype(int) - shades())[bright].max() <= 4
    assert codes(image) == []


@pytest.mark.parametrize(
    "chunks",
    [
        [gama(0.45455)],
        [gama(0.46)],
        [png_chunk(b"sRGB", b"\0"), gama(1.0)],
        [cicp(1, 13), gama(1.0)],
        [gama(0.45455), png_chunk(b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000))],
    ],
)
def test_numbers_that_tell_srgb_change_nothing(chunks: list[bytes]) -> None:
    image = read_image(png_with(shades(), *chunks))
    np.testing.assert_array_equal(image.pixels, shades())
    assert codes(image) == []


def test_pq_is_converted_and_noted() -> None:
    image = read_image(png_with(as_pq(shades()), cicp(1, 16)))
    assert np.abs(image.pixels.astype(int) - shades())[shades() > 40].max() <= 4
    assert codes(image) == ["colour-uncertain"]


def test_hlg_is_converted_and_noted() -> None:
    image = read_image(png_with(np.full((80, 80, 3), 191, np.uint8), cicp(9, 18)))  # 75 %: a white sheet
    assert image.pixels.min() > 245
    assert codes(image) == ["colour-uncertain"]


def chrm(*numbers: int) -> bytes:
    return png_chunk(b"cHRM", struct.pack(f">{len(numbers)}I", *numbers))


@pytest.mark.parametrize(
    "told",
    [
        cicp(1, 9),
        cicp(200, 13),
        png_chunk(b"cICP", b"\1\15\1\1"),
        gama(50),
        chrm(31270, 32900, 64000, 33000, 30000, 60000, 30001, 60001),  # nearly a line
        chrm(90000, 90000, 64000, 33000, 30000, 60000, 15000, 6000),  # white outside of the triangle
        chrm(*[0] * 8),
        chrm(1, 2),
    ],
)
def test_colours_that_nobody_can_follow_are_noted(told: bytes) -> None:
    assert codes(read_image(png_with(shades(), told))) == ["colour-uncertain"]


def test_other_primaries_are_converted() -> None:
    wide = png_chunk(b"cHRM", struct.pack(">8I", 31270, 32900, 70800, 29200, 17000, 79700, 13100, 4600))
    told = read_image(png_with(shades(), wide)).pixels
    coded = read_image(png_with(shades(), cicp(9, 13))).pixels
    assert np.abs(told.astype(int) - coded).max() <= 1
    assert told[60, 200, 0] > shades()[60, 200, 0]
    assert np.abs(told[:40].astype(int) - shades()[:40]).max() <= 1  # grey stays grey


@pytest.mark.parametrize("transfer", [16, 18])
def test_an_avif_of_high_range_is_converted_as_a_png_is(transfer: int) -> None:
    data = encode(PillowImage.fromarray(as_pq(shades())), "AVIF", quality=100, subsampling="4:4:4", range="full")
    at = data.index(b"nclx") + 4
    data = data[:at] + struct.pack(">HH", 1, transfer) + data[at + 4 :]
    image = read_image(data)
    expected = read_image(png_with(as_pq(shades()), cicp(1, transfer))).pixels
    assert codes(image) == ["colour-uncertain"]
    assert np.abs(image.pixels.astype(int) - expected).mean() < 3


def test_a_profile_goes_by_what_it_does_and_not_by_its_name() -> None:
    named = rgb_profile().replace(b"by hand\0", b"sRGB by\0")
    assert len(named) == len(rgb_profile())
    told = read_image(encode(PillowImage.fromarray(shades()), "PNG", icc_profile=named)).pixels
    plain = read_image(encode(PillowImage.fromarray(shades()), "PNG", icc_profile=rgb_profile())).pixels
    np.testing.assert_array_equal(told, plain)
    assert np.abs(told.astype(int) - shades()).max() > 40


# Kinds of TIFF and BMP.


def rgb_tiff(bits: int, rows: bytes, *, planes: int = 1, kind: int = 1, big: bool = False, colours: int = 2) -> bytes:
    """64 x 64 pixels of three channels, uncompressed, in either byte order; BigTIFF where it is big-endian."""
    side, short, long = 64, 3, 4
    letters = ">" if big else "<"
    entries = {256: (long, (side,)), 257: (long, (side,)), 258: (short, (bits,) * 3), 259: (short, (1,)),
               262: (short, (colours,)), 277: (short, (3,)), 278: (long, (side,)), 284: (short, (planes,)),
               339: (short, (kind,) * 3)}  # fmt: skip
    strips = 3 if planes == 2 else 1
    start = 16 + 8 + 20 * 11 + 8
    entries[273] = (long, tuple(start + n * len(rows) // strips for n in range(strips)))
    entries[279] = (long, (len(rows) // strips,) * strips)
    size, inline = (20, 8)
    directory, more = struct.pack(letters + "Q", len(entries)), b""
    for tag, (type_, values) in sorted(entries.items()):
        raw = struct.pack(f"{letters}{len(values)}{'H' if type_ == short else 'I'}", *values)
        if len(raw) > inline:
            place = start + len(rows) + len(more)
            more += raw
            raw = struct.pack(letters + "Q", place)
        directory += struct.pack(letters + "HHQ", tag, type_, len(values)) + raw.ljust(inline, b"\0")
    header = (b"MM\0+" if big else b"II+\0") + struct.pack(letters + "HHQ", 8, 0, 16)
    whole = header + directory + bytes(8)
    assert len(whole) == start
    assert size == 20
    return whole + rows + more


@pytest.mark.parametrize("big", [False, True])
def test_a_bigtiff_of_either_byte_order_is_read(big: bool) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    np.testing.assert_array_equal(read_image(rgb_tiff(8, pixels.tobytes(), big=big)).pixels, pixels)
    planes = np.moveaxis(pixels, 2, 0).tobytes()
    np.testing.assert_array_equal(read_image(rgb_tiff(8, planes, planes=2, big=big)).pixels, pixels)


@pytest.mark.parametrize("big", [False, True])
def test_sixteen_bits_keep_their_high_byte(big: bool) -> None:
    pixels = np.random.default_rng(0).integers(0, 65536, (64, 64, 3)).astype(">u2" if big else "<u2")
    image = read_image(rgb_tiff(16, pixels.tobytes(), big=big))
    assert np.abs(image.pixels.astype(int) - (pixels >> 8)).max() <= 1


@pytest.mark.parametrize(
    ("bits", "planes", "kind"), [(16, 2, 1), (32, 1, 3), (32, 1, 1), (10, 1, 1), (12, 1, 1), (8, 1, 2), (64, 1, 3), (16, 1, 3)]
)  # fmt: skip
def test_a_tiff_of_a_kind_that_cannot_be_read_rightly_is_refused_for_that(bits: int, planes: int, kind: int) -> None:
    with pytest.raises(UnmaskError) as caught:
        read_image(rgb_tiff(bits, bytes(64 * 64 * 3 * bits // 8 + 1), planes=planes, kind=kind))
    assert caught.value.code == "unsupported-format"
    assert "save it as PNG" in caught.value.hint


def test_an_uncompressed_tiff_of_subsampled_colours_is_not_called_cut_off() -> None:
    with pytest.raises(UnmaskError) as caught:
        read_image(rgb_tiff(8, bytes(64 * 64 * 3 // 2), colours=6))
    assert caught.value.code == "unsupported-format"
    read_image(rgb_tiff(8, bytes(64 * 64 * 3), colours=6))  # all of them are there, whatever is said


@pytest.mark.parametrize("scale", [1, 257])
def test_a_palette_counts_to_255_or_to_65535(scale: int) -> None:
    side, short, long = 64, 3, 4
    colours = np.concatenate([np.arange(256), 255 - np.arange(256), np.full(256, 40)]).astype("<u2") * scale
    rows = np.arange(side * side, dtype=np.uint8).reshape(side, side)
    start = 8 + 2 + 12 * 10 + 4
    data = tiff(
        (256, long, 1, side), (257, long, 1, side), (258, short, 1, 8), (259, short, 1, 1), (262, short, 1, 3),
        (273, long, 1, start), (277, short, 1, 1), (278, long, 1, side), (279, long, 1, side * side),
        (320, short, 768, start + side * side), data=rows.tobytes() + colours.tobytes(),
    )  # fmt: skip
    pixels = read_image(data).pixels
    np.testing.assert_array_equal(pixels[..., 0], rows)
    np.testing.assert_array_equal(pixels[..., 1], 255 - rows)


@pytest.mark.parametrize("marker", [0xC3, 0xC5, 0xCB, 0xCF])
def test_a_jpeg_of_a_rare_kind_is_refused_for_that(marker: int) -> None:
    data = encode(PillowImage.new("RGB", (80, 80), "red"), "JPEG")
    with pytest.raises(UnmaskError) as caught:
        read_image(data.replace(b"\xff\xc0", bytes((0xFF, marker)), 1))
    assert caught.value.code == "unsupported-format"


def test_a_jpeg_that_tells_its_height_behind_its_pixels_is_not_called_too_small() -> None:
    data = bytearray(encode(PillowImage.new("RGB", (80, 80), "red"), "JPEG"))
    at = data.find(b"\xff\xc0") + 5
    data[at : at + 2] = b"\0\0"
    with pytest.raises(UnmaskError) as caught:
        read_image(bytes(data))
    assert caught.value.code == "unsupported-format"


@pytest.mark.parametrize(("alpha", "seen"), [(0, (10, 20, 30)), (255, (10, 20, 30)), (128, (132, 137, 142))])
def test_a_bmp_whose_alpha_is_zero_throughout_is_opaque(alpha: int, seen: tuple[int, int, int]) -> None:
    header = struct.pack("<IiiHHIIiiII", 108, 64, 64, 1, 32, 3, 64 * 64 * 4, 2835, 2835, 0, 0)
    header = (header + struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)).ljust(108, b"\0")
    pixels = bytes((30, 20, 10, alpha)) * (64 * 64)
    image = read_image(b"BM" + struct.pack("<IHHI", 122 + len(pixels), 0, 0, 122) + header + pixels)
    assert np.abs(image.pixels.astype(int) - seen).max() <= 1
    assert [note.code for note in image.notes] == ["transparent"] * (alpha == 128)


def test_grey_that_pillow_has_multiplied_by_its_alpha_is_laid_on_white() -> None:
    picture = PillowImage.new("LA", (64, 64), (100, 128))
    assert np.array_equal(read_image(picture.convert("La")).pixels, read_image(picture).pixels)


@pytest.mark.parametrize("masks", [(0x3FC00000, 0xFF000, 0x3FC), (0xF0000000, 0xF00000, 0xF0)])
def test_a_bmp_with_odd_masks_is_refused_for_that(masks: tuple[int, int, int]) -> None:
    header = struct.pack("<IiiHHIIiiII", 40, 64, 64, 1, 32, 3, 64 * 64 * 4, 2835, 2835, 0, 0) + struct.pack(
        "<III", *masks
    )
    start = 14 + len(header)
    data = b"BM" + struct.pack("<IHHI", start + 64 * 64 * 4, 0, 0, start) + header + bytes(64 * 64 * 4)
    with pytest.raises(UnmaskError) as caught:
        read_image(data)
    assert caught.value.code == "unsupported-format"
