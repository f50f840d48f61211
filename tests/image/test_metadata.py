"""Nothing beside the pixels decides whether they may be read, or turns them the wrong way."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image as PillowImage
from tests.bad_files import encode, png_chunk, quarters, tiff
from tests.image.test_colour import rgb_profile

from unmask.errors import UnmaskError
from unmask.image.exif import read_exif
from unmask.image.read import read_image

TALL = (96, 128)


def upright() -> PillowImage.Image:
    return quarters().resize(TALL)


def segment(marker: int, payload: bytes, length: int | None = None) -> bytes:
    """A JPEG segment, whose length may lie."""
    return bytes((0xFF, marker)) + struct.pack(">H", len(payload) + 2 if length is None else length) + payload


def png_text(name: bytes, body: bytes) -> bytes:
    return png_chunk(name, body)


def wrong_sum(chunk: bytes) -> bytes:
    return chunk[:-1] + bytes((chunk[-1] ^ 1,))


def entry(order: str, tag: int, kind: int, count: int, value: int) -> bytes:
    packed = struct.pack(order + "HH", value, 0) if kind == 3 and count == 1 else struct.pack(order + "I", value)
    return struct.pack(order + "HHI", tag, kind, count) + packed


def exif_block(*entries: bytes, order: str = "<", count: int | None = None) -> bytes:
    start = b"II*\0" if order == "<" else b"MM\0*"
    return start + struct.pack(order + "IH", 8, len(entries) if count is None else count) + b"".join(entries)


def turned_right(order: str = "<", kind: int = 3) -> bytes:
    return entry(order, 0x0112, kind, 1, 6)


BROKEN_EXIF = {
    "a description beyond the block": exif_block(entry("<", 0x010E, 2, 100, 50_000), turned_right()),
    "a huge count": exif_block(entry("<", 0x010E, 2, 0xFFFFFFFF, 8), turned_right()),
    "a type that is none": exif_block(entry("<", 0x010E, 99, 5, 5), turned_right()),
    "a part that points beyond": exif_block(turned_right(), entry("<", 0x8769, 4, 1, 999_999)),
    "more entries told than there": exif_block(turned_right(), count=500),
    "fewer bytes than the last entry needs": exif_block(turned_right(), entry("<", 0x0131, 2, 9, 40))[:-5],
    "no end of the directory": exif_block(turned_right()),
    "big-endian": exif_block(entry(">", 0x010F, 2, 500, 70_000), turned_right(">"), order=">"),
    "a long instead of a short": exif_block(turned_right(kind=4)),
    "tags in disorder": exif_block(entry("<", 0x9003, 2, 20, 9_000), turned_right(), entry("<", 0x0100, 4, 1, 5)),
    "a directory of itself": exif_block(turned_right()) + struct.pack("<I", 8),
    "the name twice": b"Exif\0\0" + exif_block(turned_right()),
}


@pytest.mark.parametrize("block", BROKEN_EXIF.values(), ids=BROKEN_EXIF.keys())
@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP"])
def test_orientation_is_read_beside_broken_entries(format_name: str, block: bytes) -> None:
    stored = upright().transpose(PillowImage.Transpose.ROTATE_90)
    if format_name == "JPEG":
        whole = encode(stored, "JPEG", quality=95)
        data = whole[:2] + segment(0xE1, b"Exif\0\0" + block) + whole[2:]
    elif format_name == "PNG":
        whole = encode(stored, "PNG")
        data = whole[:33] + png_chunk(b"eXIf", block) + whole[33:]
    else:
        data = encode(stored, "WEBP", lossless=True, exif=block)
    image = read_image(data)
    assert (image.facts.width, image.facts.height) == TALL
    assert np.abs(image.pixels.astype(int) - np.asarray(upright())).mean() < 8


SIZES = {1: "B", 2: "B", 3: "H", 4: "I", 5: "II", 6: "b", 7: "B", 8: "h", 9: "i", 10: "ii", 11: "f", 12: "d"}
FRACTIONS = (5, 10)


def numbers(order: str, kind: int, values: list[int]) -> bytes:
    return b"".join(struct.pack(order + SIZES[kind], value, *[1] * (kind in FRACTIONS)) for value in values)


def exif_of_type(order: str, kind: int, values: list[int], count: int | None = None) -> bytes:
    """An EXIF block with nothing but an orientation."""
    raw, start = numbers(order, kind, values), 8 + 2 + 12 + 4
    told = raw.ljust(4, b"\0") if len(raw) <= 4 else struct.pack(order + "I", start)
    head = struct.pack(order + "HHI", 0x0112, kind, len(values) if count is None else count)
    return exif_block(head + told, order=order) + bytes(4) + raw


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("values", [[6], [6, 1], [6, 1, 1]])
@pytest.mark.parametrize("kind", SIZES)
def test_the_first_of_any_whole_numbers_turns_as_in_imagemagick(kind: int, values: list[int], order: str) -> None:
    """`convert -auto-orient` turns all of these but texts and floats; Firefox and Chrome turn by one SHORT only."""
    assert read_exif(exif_of_type(order, kind, values)).orientation == (1 if kind in (2, 11, 12) else 6)


@pytest.mark.parametrize(
    ("kind", "values", "count"),
    [
        (3, [1, 6], None),
        (3, [6], 0),
        (3, [6], 100),  # said to lie where there is nothing
        (5, [12], None),
        (8, [-6], None),
        (10, [-6], None),
        (4, [65536 + 6], None),
    ],
)
def test_an_orientation_that_imagemagick_does_not_follow_turns_nothing(
    kind: int, values: list[int], count: int | None
) -> None:
    assert read_exif(exif_of_type("<", kind, values, count)).orientation == 1


@pytest.mark.parametrize(("first", "second", "expected"), [(6, 3, 6), (3, 6, 3), (1, 6, 1), (99, 6, 1)])
def test_of_two_orientations_the_first_counts(first: int, second: int, expected: int) -> None:
    block = exif_block(*(entry("<", 0x0112, 3, 1, value) for value in (first, second)))
    assert read_exif(block).orientation == expected


@pytest.mark.parametrize("first", [b"", b"nothing of use"])
def test_a_block_without_exif_hides_no_later_one(first: bytes) -> None:
    whole = encode(upright(), "JPEG")
    blocks = segment(0xE1, b"Exif\0\0" + first) + segment(0xE1, b"Exif\0\0" + exif_block(turned_right()))
    assert read_image(whole[:2] + blocks + whole[2:]).pixels.shape == (96, 128, 3)


@pytest.mark.parametrize("length", range(0, 60, 7))
def test_a_block_cut_anywhere_raises_nothing(length: int) -> None:
    read_exif(exif_block(turned_right(), entry("<", 0x010F, 2, 9, 38))[:length])


XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
)


@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
def test_xmp_never_turns_a_picture(format_name: str) -> None:
    if format_name == "PNG":
        whole = encode(upright(), "PNG")
        data = whole[:33] + png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP) + whole[33:]
    elif format_name == "TIFF":
        data = encode(upright(), "TIFF", tiffinfo={700: XMP})
    else:
        data = encode(upright(), format_name, xmp=XMP)
    assert b"Orientation" in data
    assert read_image(data).pixels.shape == (128, 96, 3)
    with PillowImage.open(io.BytesIO(data)) as picture:
        assert read_image(picture).pixels.shape == (128, 96, 3)
        assert XMP in [bytes(text, "utf-8") if isinstance(text, str) else text for text in picture.info.values()]


JPEG_TROUBLE = {
    "short APP0": segment(0xE0, b"JFIF\0\1"),
    "APP0 of another kind": segment(0xE0, b"odd"),
    "empty APP0": segment(0xE0, b""),
    "short APP14": segment(0xEE, b"Adobe\0"),
    "empty APP14": segment(0xEE, b""),
    "odd APP13": segment(0xED, b"Photoshop 3.0\x008BIM\x04\x04\xff\xff\xff\xff\xff\xff"),
    "cut APP13": segment(0xED, b"Photoshop 3.0\x008BI"),
    "odd APP2": segment(0xE2, b"ICC_PROFILE\0\1"),
    "MPF of nonsense": segment(0xE2, b"MPF\0" + b"\xff" * 50),
    "APP1 of nonsense": segment(0xE1, b"Exif\0\0" + b"\xff" * 90),
    "a lying length": segment(0xE4, b"\0" * 40, 10),
    "a length of zero": segment(0xE4, b"\0\0\0", 0),
    "garbage between segments": segment(0xFE, b"") + b"garbage",
    "a large comment": segment(0xFE, b"c" * 65_000) * 40,
}


@pytest.mark.parametrize("trouble", JPEG_TROUBLE.values(), ids=JPEG_TROUBLE.keys())
@pytest.mark.parametrize("behind_jfif", [False, True])
def test_trouble_in_segments_changes_no_pixel_of_a_jpeg(trouble: bytes, behind_jfif: bool) -> None:
    whole = encode(upright(), "JPEG", quality=95)
    after = 20 if behind_jfif else 2
    image = read_image(whole[:after] + trouble + whole[20 if behind_jfif else 2 :])
    np.testing.assert_array_equal(image.pixels, read_image(whole).pixels)


TEXT = b"Comment\0"
PNG_TROUBLE = {
    "a long text": png_text(b"tEXt", TEXT + b"x" * 3_000_000),
    "a long packed text": png_text(b"zTXt", TEXT + b"\0" + zlib.compress(bytes(3_000_000))),
    "a long international text": png_text(b"iTXt", TEXT + b"\0\0\0\0" + b"x" * 3_000_000),
    "a text that is not packed": png_text(b"zTXt", TEXT + b"\0nonsense"),
    "a text without a keyword": png_text(b"tEXt", b""),
    "a wrong sum of a text": wrong_sum(png_text(b"tEXt", TEXT)),
    "a wrong sum of EXIF": wrong_sum(png_chunk(b"eXIf", exif_block(entry("<", 0x0112, 3, 1, 1)))),
    "a wrong sum of pHYs": wrong_sum(png_chunk(b"pHYs", bytes(9))),
    "a short pHYs": png_chunk(b"pHYs", b"\0"),
    "a short tIME": png_chunk(b"tIME", b"\0"),
    "a short gAMA": png_chunk(b"gAMA", b"\0"),
    "a short cHRM": png_chunk(b"cHRM", b"\0" * 5),
    "a gAMA of zero": png_chunk(b"gAMA", bytes(4)),
    "a broken animation": png_chunk(b"acTL", b"\xff"),
    "unknown chunks": png_chunk(b"teSt", b"x" * 2_000_000),
}


@pytest.mark.parametrize("trouble", PNG_TROUBLE.values(), ids=PNG_TROUBLE.keys())
def test_trouble_in_chunks_changes_no_pixel_of_a_png(trouble: bytes) -> None:
    whole = encode(upright(), "PNG")
    for at in (33, len(whole) - 12):
        image = read_image(whole[:at] + trouble + whole[at:])
        np.testing.assert_array_equal(image.pixels, np.asarray(upright()))


@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_profile_over_a_megabyte_is_used(format_name: str) -> None:
    profile = rgb_profile()
    large = struct.pack(">I", len(profile) + 1_500_000) + profile[4:] + np.random.default_rng(0).bytes(1_500_000)
    options = {"lossless": True} if format_name == "WEBP" else {}
    small = read_image(encode(upright(), format_name, icc_profile=profile, **options))
    image = read_image(encode(upright(), format_name, icc_profile=large, **options))
    np.testing.assert_array_equal(image.pixels, small.pixels)


def test_a_wrong_sum_of_pixels_is_damage() -> None:
    whole = encode(upright(), "PNG")
    with pytest.raises(UnmaskError) as caught:
        read_image(whole[:-13] + bytes((whole[-13] ^ 1,)) + whole[-12:])
    assert caught.value.code == "damaged"


def plain_tiff(*more: tuple[int, int, int, int]) -> bytes:
    rows = np.asarray(quarters().convert("L")).tobytes()
    short, long = 3, 4
    entries = [
        (256, long, 1, 128), (257, long, 1, 128), (258, short, 1, 8), (259, short, 1, 1), (262, short, 1, 1),
        (277, short, 1, 1), (278, long, 1, 128), (279, long, 1, len(rows)), *more,
    ]  # fmt: skip
    start = 8 + 2 + 12 * (len(entries) + 1) + 4
    return tiff(*entries, (273, long, 1, start), data=rows)


ODD_ENTRIES = (
    (270, 2, 5_000_000, 90),
    (305, 2, 10, 9_999_999),
    (34665, 4, 1, 9_999_999),
    (700, 1, 99_999_999, 8),
    (40000, 77, 3, 3),
)


@pytest.mark.parametrize("extra", ODD_ENTRIES)
def test_trouble_in_entries_changes_no_pixel_of_a_tiff(extra: tuple[int, int, int, int]) -> None:
    image = read_image(plain_tiff(extra))
    np.testing.assert_array_equal(image.pixels[..., 0], np.asarray(quarters().convert("L")))


@pytest.mark.parametrize("turn", range(1, 9))
def test_a_tiff_is_turned_once(turn: int) -> None:
    from PIL import ImageOps

    exif = PillowImage.Exif()
    exif[0x0112] = turn
    plain = upright()
    plain.getexif()[0x0112] = turn
    expected = ImageOps.exif_transpose(plain)
    np.testing.assert_array_equal(read_image(encode(upright(), "TIFF", exif=exif)).pixels, np.asarray(expected))


@pytest.mark.parametrize("kind", [1, 3, 4, 6, 7, 8, 9, 11])
def test_a_tiff_is_turned_by_one_whole_number_as_in_libtiff(kind: int) -> None:
    told = int.from_bytes(numbers("<", kind, [6]), "little")
    turned = read_image(plain_tiff((0x0112, kind, 1, told))).pixels
    grey = np.asarray(quarters().convert("L"))
    expected = grey if kind in (7, 11) else np.rot90(grey, -1)
    np.testing.assert_array_equal(turned[..., 0], expected)


def test_a_tiff_with_two_orientations_in_one_entry_is_not_turned() -> None:
    image = read_image(plain_tiff((0x0112, 3, 2, 6 | 1 << 16)))
    np.testing.assert_array_equal(image.pixels[..., 0], np.asarray(quarters().convert("L")))


def raw_profile(name: bytes, block: bytes) -> bytes:
    """A block as ImageMagick keeps it in a text."""
    words = b"\n%s\n%8d\n%s\n" % (name, len(block), block.hex().encode())
    return png_chunk(b"zTXt", b"Raw profile type " + name + b"\0\0" + zlib.compress(words))


@pytest.mark.parametrize(
    "first",
    [png_chunk(b"eXIf", b"nothing of use"), raw_profile(b"APP1", b"http://ns.adobe.com/xap/1.0/\0<x/>")],
    ids=["eXIf", "XMP kept as APP1"],
)
@pytest.mark.parametrize("kept", [True, False], ids=["as text", "as eXIf"])
def test_a_block_without_exif_hides_no_later_one_in_a_png(first: bytes, kept: bool) -> None:
    block = exif_block(turned_right())
    whole = encode(upright(), "PNG")
    later = raw_profile(b"exif", b"Exif\0\0" + block) if kept else png_chunk(b"eXIf", block)
    assert read_image(whole[:33] + first + later + whole[33:]).pixels.shape == (96, 128, 3)


def test_a_block_without_exif_hides_no_later_one_in_a_webp() -> None:
    data = encode(upright(), "WEBP", lossless=True, exif=exif_block(turned_right()))
    at = data.find(b"EXIF")
    both = data[8:at] + b"EXIF\x06\0\0\0Exif\0\0" + data[at:]
    assert read_image(b"RIFF" + struct.pack("<I", len(both)) + both).pixels.shape == (96, 128, 3)


@pytest.mark.parametrize(
    ("kind", "maker", "shown"),
    [
        (129, "Kön".encode(), "Kön"),
        (2, "Kön".encode("latin-1"), "Kön"),
        (2, "Kön".encode(), "Kön"),
        (2, "相机".encode()[:-1], "相\ufffd"),
        (2, "Café".encode("latin-1"), "Café"),
    ],
    ids=["UTF-8 as in EXIF 3.0", "Latin-1", "UTF-8 told as ASCII", "UTF-8 that is cut", "Latin-1 at the end"],
)
def test_the_camera_is_read_in_the_letters_it_is_written_in(kind: int, maker: bytes, shown: str) -> None:
    raw = maker.ljust(8, b"\0")
    block = exif_block(struct.pack("<HHII", 0x010F, kind, len(raw), 26)) + bytes(4) + raw
    assert read_exif(block).camera == shown


def test_a_mark_in_a_text_as_of_exif_3_is_found() -> None:
    raw = b"Midjourney v7\0"
    block = exif_block(struct.pack("<HHII", 0x0131, 129, len(raw), 26)) + bytes(4) + raw
    (mark,) = read_image(encode(upright(), "WEBP", exif=block)).facts.marks
    assert mark.generator == "Midjourney"
