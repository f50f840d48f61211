"""The decoder: what it reads, what it says of a file, and how it refuses. Hostile files are in test_limits.py."""

from __future__ import annotations

import hashlib
import io
import os
import sys
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import ExifTags, ImageFile
from PIL import Image as PillowImage
from tests.bad_files import COLOURS, SIDE, BadFile, encode, make_bad_files, quarters

from unmask.errors import UnmaskError
from unmask.image import file as image_file
from unmask.image import formats as image_formats
from unmask.image.encode import encode_jpeg, encode_png
from unmask.image.limits import LIMITS, Limits
from unmask.image.read import Image, read_image
from unmask.image.resize import resize, shrink

GREYS = tuple((round(0.299 * red + 0.587 * green + 0.114 * blue),) * 3 for red, green, blue in COLOURS)
FORMATS = {
    "JPEG": {"quality": 90},
    "PNG": {},
    "WEBP": {"quality": 90},
    "BMP": {},
    "TIFF": {"compression": "tiff_lzw"},
    "GIF": {},
    "AVIF": {"speed": 10},
}


@pytest.fixture(scope="module")
def bad_files(tmp_path_factory: pytest.TempPathFactory) -> list[BadFile]:
    return make_bad_files(tmp_path_factory.mktemp("bad"))


@pytest.fixture(autouse=True)
def warnings_are_errors() -> Iterator[None]:
    """Pillow's warnings must never come through."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def photo(width: int = 160, height: int = 120) -> PillowImage.Image:
    """Something with edges, slopes and noise."""
    down, right = np.mgrid[:height, :width]
    pixels = np.dstack([right * 180 // width, down * 180 // height, 0 * right + 60])
    pixels += ((right // 9 + down // 7) % 2 * 60)[..., None]
    noise = np.random.default_rng(1).integers(-15, 16, (height, width, 1))
    return PillowImage.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8))


def corners(pixels: np.ndarray) -> np.ndarray:
    quarter = SIDE // 4
    places = [(quarter, quarter), (quarter, -quarter), (-quarter, quarter), (-quarter, -quarter)]
    return np.array([pixels[place] for place in places], int)


def note_codes(image: Image) -> list[str]:
    return [note.code for note in image.notes]


# Every bad file.


def test_every_bad_file_is_read_rightly_or_refused_with_the_right_code(bad_files: list[BadFile]) -> None:
    assert len(bad_files) > 100
    wrong = {}
    for file in bad_files:
        try:
            pixels = read_image(file.path).pixels
        except UnmaskError as refusal:
            outcome: object = refusal.code
        else:
            expected = np.array(COLOURS if file.shows == "colours" else GREYS)
            upright = pixels.shape == (SIDE, SIDE, 3) and np.abs(corners(pixels) - expected).max() <= 24
            outcome = None if upright else corners(pixels).tolist()
        if outcome != file.code:
            wrong[file.path.name] = outcome
    assert not wrong


def test_every_refusal_names_the_file_and_ends_with_what_to_do(bad_files: list[BadFile]) -> None:
    for file in bad_files:
        if file.code is None:
            continue
        with pytest.raises(UnmaskError) as caught:
            read_image(file.path)
        assert str(file.path) in caught.value.message or file.path.name == "infinite.tif"
        assert caught.value.hint.endswith(".")
        assert "\n" not in caught.value.message + caught.value.hint


def test_bytes_get_the_same_answer_as_the_file(bad_files: list[BadFile]) -> None:
    of_files = {"is-a-folder", "broken-link", "not-a-file", "missing", "no-permission", "too-many-bytes"}
    for file in bad_files:
        if file.code in of_files:
            continue
        data = file.path.read_bytes()
        if file.code is None:
            assert np.array_equal(read_image(data).pixels, read_image(file.path).pixels)
        else:
            with pytest.raises(UnmaskError) as caught:
                read_image(data)
            assert caught.value.code == file.code


@pytest.mark.parametrize("format_name", FORMATS)
def test_a_file_cut_at_any_of_30_places_is_refused_or_loses_nothing(format_name: str) -> None:
    data = encode(photo(), format_name, **FORMATS[format_name])
    whole = read_image(data).pixels
    codes = set()
    for length in [len(data) * place // 30 for place in range(1, 30)] + [len(data) - 1]:
        try:
            assert np.array_equal(read_image(data[:length]).pixels, whole)
        except UnmaskError as refusal:
            codes.add(refusal.code)
    assert codes <= {"truncated", "damaged", "not-a-picture", "too-small"}
    assert "truncated" in codes


def test_a_place_beyond_all_numbers_is_a_refusal() -> None:
    with pytest.raises(UnmaskError) as caught:
        read_image(b"II+\0\x08\0\0\0" + b"\xff" * 100)
    assert caught.value.code == "truncated"


# What is read.


@pytest.mark.parametrize("format_name", FORMATS)
def test_pixels_are_upright_contiguous_uint8_rgb(format_name: str) -> None:
    image = read_image(encode(photo(), format_name, **FORMATS[format_name]))
    assert (image.pixels.dtype, image.pixels.shape) == (np.uint8, (120, 160, 3))
    assert image.pixels.flags.c_contiguous
    assert (image.facts.format, image.facts.width, image.facts.height) == (format_name, 160, 120)
    assert np.abs(image.pixels.astype(int) - np.asarray(photo())).mean() < 12


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_exif_orientation_is_applied_as_pillow_does(format_name: str, orientation: int) -> None:
    from PIL import ImageOps

    exif = PillowImage.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    data = encode(photo(), format_name, exif=exif)
    upright = ImageOps.exif_transpose(PillowImage.open(io.BytesIO(data))).convert("RGB")
    image = read_image(data)
    assert np.array_equal(image.pixels, np.asarray(upright))
    assert image.pixels.flags.c_contiguous
    assert (image.facts.width, image.facts.height) == upright.size


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_out_of_range_changes_nothing(orientation: int) -> None:
    exif = PillowImage.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    assert read_image(encode(photo(), "PNG", exif=exif)).pixels.shape == (120, 160, 3)


def test_a_heic_picture_is_read_where_the_package_for_it_is_installed() -> None:
    import pillow_heif

    stream = io.BytesIO()
    pillow_heif.from_pillow(quarters()).save(stream, quality=95)
    image = read_image(stream.getvalue())
    assert image.facts.format == "HEIC"
    assert np.abs(corners(image.pixels) - np.array(COLOURS)).max() < 24


@pytest.mark.parametrize(
    ("module", "start", "install"),
    [
        ("pillow_heif", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "pip install pillow-heif"),
        ("PIL._avif", b"\0\0\0\x18ftypavif\0\0\0\0mif1avif", "pip install --upgrade pillow"),
    ],
)
def test_a_format_that_this_installation_lacks_is_refused_with_what_to_install(
    module: str, start: bytes, install: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    image_formats._reader.cache_clear()
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UnmaskError) as caught:
        read_image(start + bytes(100))
    image_formats._reader.cache_clear()
    assert caught.value.code == "unsupported-format"
    assert install in caught.value.hint


def test_a_half_transparent_picture_is_mixed_with_white() -> None:
    pixels = np.zeros((80, 80, 4), np.uint8)
    pixels[..., 3] = 128
    image = read_image(encode(PillowImage.fromarray(pixels), "PNG"))
    assert set(np.unique(image.pixels)) == {127}
    assert "transparent" in note_codes(image)


def test_an_opaque_alpha_channel_gets_no_note() -> None:
    picture = photo()
    picture.putalpha(255)
    assert note_codes(read_image(encode(picture, "PNG"))) == []


# What is said of it.


@pytest.mark.parametrize("quality", [1, 10, 25, 49, 50, 75, 90, 95, 100])
def test_jpeg_quality_is_estimated_from_the_quantisation_table(quality: int) -> None:
    assert read_image(encode(photo(), "JPEG", quality=quality)).facts.jpeg_quality == quality


def test_another_scale_of_quality_gets_the_nearest() -> None:
    flat = encode(photo(), "JPEG", qtables=[[20] * 64, [20] * 64])
    assert 70 <= (read_image(flat).facts.jpeg_quality or 0) <= 90


def test_only_a_jpeg_has_a_jpeg_quality() -> None:
    assert read_image(encode(photo(), "TIFF", compression="jpeg")).facts.jpeg_quality is None


@pytest.mark.parametrize(("quality", "noted"), [(49, True), (50, False)])
def test_heavy_compression_is_noted(quality: int, noted: bool) -> None:
    image = read_image(encode(photo(400, 400), "JPEG", quality=quality))
    assert ("heavy-compression" in note_codes(image)) is noted


@pytest.mark.parametrize(("length", "noted"), [(2_499, True), (2_500, False)])
def test_a_small_file_is_noted_and_read(length: int, noted: bool) -> None:
    data = encode(quarters(), "PNG")
    image = read_image(data + bytes(length - len(data)))
    assert ("small-file" in note_codes(image)) is noted
    assert image.facts.file_bytes == length


def test_the_hash_is_that_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(encode(photo(), "PNG"))
    expected = hashlib.sha256(path.read_bytes()).hexdigest()
    assert read_image(path).facts.sha256 == read_image(str(path)).facts.sha256 == expected


@pytest.mark.parametrize(
    ("make", "model", "camera"),
    [
        ("Maker", "One", "Maker One"),
        ("Canon", "Canon EOS 5D", "Canon EOS 5D"),
        ("Maker", "", "Maker"),
        ("", "One", "One"),
        ("", "", None),
        ("  Ma\0ker\x1b[31m \n", "One\t ", "Ma ker [31m One"),
        ("M" * 300, "x", "M" * 80),
    ],
)
def test_the_camera_is_one_clean_line(make: str, model: str, camera: str | None) -> None:
    exif = PillowImage.Exif()
    exif[ExifTags.Base.Make] = make
    exif[ExifTags.Base.Model] = model
    assert read_image(encode(photo(), "JPEG", exif=exif)).facts.camera == camera


def test_software_comes_from_exif_or_from_the_text_of_a_png() -> None:
    from PIL.PngImagePlugin import PngInfo

    exif = PillowImage.Exif()
    exif[ExifTags.Base.Software] = "Editor 1.0\0"
    text = PngInfo()
    text.add_text("Software", "Painter")
    assert read_image(encode(photo(), "WEBP", exif=exif)).facts.software == "Editor 1.0"
    assert read_image(encode(photo(), "PNG", pnginfo=text)).facts.software == "Painter"
    assert read_image(encode(photo(), "PNG")).facts.software is None


# Pixels in memory.


@pytest.mark.parametrize("shape", [(80, 90), (80, 90, 3), (80, 90, 4)])
def test_an_array_is_taken_as_grey_rgb_or_rgba(shape: tuple[int, ...]) -> None:
    array = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    if shape[2:] == (4,):
        array[..., 3] = 255
    expected = np.dstack([array] * 3) if len(shape) == 2 else array[..., :3]
    image = read_image(array)
    assert np.array_equal(image.pixels, expected)
    assert not np.shares_memory(image.pixels, array)
    assert image.facts.format == "array"
    assert image.facts.sha256 == hashlib.sha256(array.tobytes()).hexdigest()


def test_a_strided_array_is_read_like_its_copy() -> None:
    array = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)[::2, ::-2]
    assert np.array_equal(read_image(array).pixels, array)


@pytest.mark.parametrize(
    "source",
    [
        np.zeros((80, 80, 3)),
        np.zeros((80, 80, 2), np.uint8),
        np.zeros((80, 80, 3, 1), np.uint8),
        np.zeros(80, np.uint8),
        np.zeros((80, 80), bool),
        None,
        7,
        [b"list"],
    ],
)
def test_anything_else_is_a_wrong_source(source: object) -> None:
    with pytest.raises(UnmaskError) as caught:
        read_image(source)  # type: ignore[arg-type]
    assert caught.value.code == "wrong-source"


@pytest.mark.parametrize(("shape", "code"), [((63, 80, 3), "too-small"), ((80, 0, 3), "too-small")])
def test_arrays_have_the_same_limits(shape: tuple[int, ...], code: str) -> None:
    with pytest.raises(UnmaskError) as caught:
        read_image(np.zeros(shape, np.uint8))
    assert caught.value.code == code


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_other_bytes_are_bytes(kind: type) -> None:
    assert read_image(kind(encode(photo(), "PNG"))).facts.format == "PNG"


# Names and files.


@pytest.mark.parametrize("name", ["", "no\0name", "x" * 5000, "folder/\udcff.png"])
def test_a_name_that_cannot_be_is_missing_and_can_be_printed(name: str) -> None:
    with pytest.raises(UnmaskError) as caught:
        read_image(name)
    assert caught.value.code == "missing"
    assert caught.value.message.isprintable()
    caught.value.message.encode()


def test_a_file_that_may_not_be_read_says_so(tmp_path: Path) -> None:
    path = tmp_path / "secret.png"
    path.write_bytes(encode(photo(), "PNG"))
    path.chmod(0)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    try:
        with pytest.raises(UnmaskError) as caught:
            read_image(path)
    finally:
        if is_root:
            os.seteuid(0)
    assert caught.value.code == "no-permission"


def test_a_folder_that_may_not_be_listed_is_told_from_one_that_was_named_by_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = []
    for allowed in (True, False):
        monkeypatch.setattr(os, "access", lambda path, mode, allowed=allowed: allowed)
        with pytest.raises(UnmaskError) as caught:
            read_image(tmp_path)
        codes.append(caught.value.code)
    assert codes == ["is-a-folder", "no-permission"]


def test_a_failing_disk_is_a_read_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(encode(photo(), "PNG"))

    def fail(*_: object) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(image_file, "_open_without_waiting", fail)
    with pytest.raises(UnmaskError, match="Input/output error") as caught:
        read_image(path)
    assert caught.value.code == "read-error"


def test_a_file_swapped_for_a_pipe_after_the_first_look_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "photo.png"
    os.mkfifo(path)
    looks = iter([lambda *_: None, image_file._refuse_unless_regular])
    monkeypatch.setattr(image_file, "_refuse_unless_regular", lambda *look: next(looks)(*look))
    with pytest.raises(UnmaskError) as caught:
        read_image(path)
    assert caught.value.code == "not-a-file"


def test_a_file_without_a_size_is_read_to_its_limit() -> None:
    if not Path("/proc/self/maps").exists():
        pytest.skip("needs /proc")
    with pytest.raises(UnmaskError) as caught:
        read_image("/proc/self/maps")
    assert caught.value.code == "not-a-picture"
    with pytest.raises(UnmaskError) as caught:
        read_image("/proc/self/maps", limits=Limits(max_bytes=10))
    assert caught.value.code == "too-many-bytes"


# Whatever the program around it does.


@pytest.mark.parametrize("setting", [10, None])
def test_pillows_own_pixel_limit_plays_no_part(setting: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PillowImage, "MAX_IMAGE_PIXELS", setting)
    for format_name, options in FORMATS.items():
        if format_name in ("TIFF", "WEBP") and setting:
            continue  # Pillow looks again inside these two
        assert read_image(encode(photo(), format_name, **options)).pixels.shape == (120, 160, 3)


@pytest.mark.parametrize("format_name", ["TIFF", "WEBP"])
def test_a_program_that_lowers_pillows_limit_is_told_so(format_name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise PillowImage.DecompressionBombError

    plugin = image_formats._reader(format_name)
    monkeypatch.setattr(plugin, "load", fail)
    with pytest.raises(UnmaskError) as caught:
        read_image(encode(photo(), format_name))
    assert caught.value.code == "too-many-pixels"
    assert "MAX_IMAGE_PIXELS" in caught.value.hint


def test_running_out_of_memory_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(image_formats, "to_srgb", fail)
    with pytest.raises(UnmaskError) as caught:
        read_image(encode(photo(), "PNG"))
    assert caught.value.code == "out-of-memory"


def test_truncated_files_are_refused_even_where_pillow_was_told_to_accept_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    for format_name in ("JPEG", "PNG", "WEBP", "BMP", "GIF", "AVIF"):
        data = encode(photo(), format_name, **FORMATS[format_name])
        assert read_image(data).facts.format == format_name
        with pytest.raises(UnmaskError) as caught:
            read_image(data[: len(data) * 2 // 3])
        assert caught.value.code == "truncated"


def test_many_threads_get_what_one_gets(bad_files: list[BadFile]) -> None:
    def outcome(file: BadFile) -> str:
        try:
            return hashlib.sha256(read_image(file.path).pixels.tobytes()).hexdigest()
        except UnmaskError as refusal:
            return refusal.code

    alone = [outcome(file) for file in bad_files]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(outcome, bad_files * 3)) == alone * 3


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.binary(max_size=400), st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"II*\0", b"BM"])
)
def test_random_bytes_raise_nothing_but_the_refusal(noise: bytes, start: bytes) -> None:
    with pytest.raises(UnmaskError):
        read_image(start + noise)


# Small tools.


@pytest.mark.parametrize("size", [(256, 256), (32, 32), (64, 64), (40, 90)])
def test_resize_gives_a_square_of_the_side_asked_for(size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    result = resize(pixels, 64)
    assert (result.shape, result.dtype) == ((64, 64, 3), np.uint8)
    assert result.flags.c_contiguous


def test_resize_averages_when_shrinking() -> None:
    pixels = np.indices((128, 128)).sum(axis=0) % 2 * 200
    assert set(np.unique(resize(np.dstack([pixels] * 3).astype(np.uint8), 64))) == {100}


def test_resize_keeps_a_flat_colour_when_enlarging() -> None:
    assert set(np.unique(resize(np.full((30, 30, 3), 77, np.uint8), 128))) == {77}


def test_resize_of_the_right_size_changes_nothing() -> None:
    pixels = np.asarray(photo(64, 64))
    assert np.array_equal(resize(pixels, 64), pixels)


def test_png_comes_back_as_it_was() -> None:
    pixels = np.asarray(photo())
    assert np.array_equal(read_image(encode_png(pixels[:, ::-1])).pixels, pixels[:, ::-1])


def test_jpeg_has_the_quality_asked_for() -> None:
    image = read_image(encode_jpeg(np.asarray(photo()), 85))
    assert image.facts.jpeg_quality == 85
    assert np.abs(image.pixels.astype(int) - np.asarray(photo())).mean() < 12


def test_limits_have_the_published_values() -> None:
    assert (LIMITS.max_bytes, LIMITS.max_pixels, LIMITS.min_side, LIMITS.small_file_bytes) == (
        25_000_000, 50_000_000, 64, 2_500,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((60, 1000), (22, 360)), ((1000, 2), (360, 1)), ((5, 60_000), (1, 360)), ((100, 360), (100, 360))],
)
def test_a_copy_to_look_at_keeps_its_shape_and_at_least_a_pixel(
    shape: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert shrink(np.zeros((*shape, 3), np.uint8), 360).shape == (*expected, 3)


@pytest.mark.parametrize(("width", "refused"), [(6400, False), (6401, True)])
def test_a_strip_without_room_for_a_face_is_refused(width: int, refused: bool) -> None:
    strip = np.zeros((64, width, 3), np.uint8)
    for source in (strip, encode_png(strip)):
        if refused:
            with pytest.raises(UnmaskError) as caught:
                read_image(source)
            assert caught.value.code == "too-long"
        else:
            assert read_image(source).facts.width == width


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("https://example.org/a.jpg", "is an address", "Download"),
        ("nowhere/*.png", "matches nothing", "pattern"),
        ("nowhere.png", "There is no file", "spelling"),
    ],
)
def test_a_name_that_leads_nowhere_gets_the_hint_for_its_kind(name: str, message: str, hint: str) -> None:
    with pytest.raises(UnmaskError) as caught:
        read_image(name)
    assert (caught.value.code, message in caught.value.message, hint in caught.value.hint) == ("missing", True, True)


@pytest.mark.parametrize("format_name", ["GIF", "PNG", "WEBP"])
@pytest.mark.parametrize("frames", [1, 3])
def test_an_animation_is_said_to_be_one(format_name: str, frames: int) -> None:
    pictures = [PillowImage.new("RGB", (80, 80), (60 * number, 90, 40)) for number in range(frames)]
    stream = io.BytesIO()
    pictures[0].save(stream, format_name, save_all=True, append_images=pictures[1:])
    image = read_image(stream.getvalue())
    assert ("animated" in note_codes(image)) is (frames > 1)
    assert abs(int(image.pixels[40, 40, 0])) < 10


def test_a_targa_picture_is_called_one() -> None:
    stream = io.BytesIO()
    PillowImage.new("RGB", (80, 80)).save(stream, "TGA")
    with pytest.raises(UnmaskError, match="a Targa picture"):
        read_image(stream.getvalue())


def test_odd_letters_do_not_make_a_name_a_pattern() -> None:
    with pytest.raises(UnmaskError) as caught:
        read_image("a\0b.jpg")
    assert "pattern" not in caught.value.message
