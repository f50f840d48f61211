"""Hostile files cost next to nothing, and nothing that is let through costs a gigabyte."""

from __future__ import annotations

import struct
import subprocess
import sys
import time
import tracemalloc
import zlib
from pathlib import Path

import pytest
from PIL import Image as PillowImage
from tests.bad_files import bomb_png, encode, png, png_chunk, quarters
from tests.image.test_colour import rgb_profile

from unmask.errors import UnmaskError
from unmask.image.limits import Limits
from unmask.image.read import read_image

LINUX = sys.platform == "linux"  # elsewhere there is no reading of the peak that leaves out the parent's memory

PEAK = """
import sys
from unmask.image.read import read_image
from unmask.errors import UnmaskError
try:
    outcome = str(read_image(sys.argv[1]).pixels.shape)
except UnmaskError as refusal:
    outcome = refusal.code
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(outcome, int(peak) // 1000, sep=";")
"""


def outcome_and_peak(data: bytes, tmp_path: Path) -> tuple[str, int]:
    """What a fresh process makes of a file, and the most memory it ever held, in MB."""
    path = tmp_path / "file"
    path.write_bytes(data)
    process = subprocess.run([sys.executable, "-c", PEAK, str(path)], capture_output=True, text=True, check=True)
    assert process.stderr == ""
    outcome, peak = process.stdout.strip().split(";")
    return outcome, int(peak)


def exif_turned() -> PillowImage.Exif:
    exif = PillowImage.Exif()
    exif[0x0112] = 6
    return exif


@pytest.mark.skipif(not LINUX, reason="reads /proc")
@pytest.mark.parametrize(
    ("mode", "format_name", "options"),
    [
        ("CMYK", "JPEG", {"progressive": True, "exif": exif_turned()}),
        ("RGBA", "WEBP", {"lossless": True, "method": 0, "quality": 0}),
        ("RGB", "TIFF", {"compression": "tiff_adobe_deflate", "exif": exif_turned(), "icc_profile": rgb_profile()}),
    ],
)
def test_fifty_million_pixels_stay_under_one_gigabyte(
    mode: str, format_name: str, options: dict[str, object], tmp_path: Path
) -> None:
    data = encode(PillowImage.new(mode, (10_000, 5_000), 90), format_name, **options)
    outcome, peak = outcome_and_peak(data, tmp_path)
    assert outcome in ("(5000, 10000, 3)", "(10000, 5000, 3)")
    assert peak < 1000


@pytest.mark.skipif(not LINUX, reason="reads /proc")
def test_a_bomb_is_refused_without_unpacking_it(tmp_path: Path) -> None:
    outcome, peak = outcome_and_peak(bomb_png(), tmp_path)
    assert outcome == "too-many-pixels"
    assert peak < 150


@pytest.mark.parametrize("chunk", [b"zTXt", b"iCCP", b"iTXt"])
def test_a_bomb_in_a_chunk_of_text_or_colour_is_not_unpacked(chunk: bytes) -> None:
    start = b"a\0\0" if chunk != b"iTXt" else b"a\0\1\0\0\0"
    bomb = png_chunk(chunk, start + zlib.compress(bytes(100_000_000), 9))
    data = png(128, 128, 8, 0, bytes(129 * 128), bomb)
    tracemalloc.start()
    image = read_image(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert image.pixels.shape == (128, 128, 3)
    assert peak < 25_000_000


def test_every_flood_is_refused_quickly() -> None:
    picture = quarters()
    jpeg, lossless, gif = (encode(picture, name) for name in ("JPEG", "PNG", "GIF"))
    palette_end = 13 + (3 << ((gif[10] & 7) + 1))
    floods = [
        jpeg[:2] + b"\xff\xe1\0\2" * 1_000_000 + jpeg[2:],
        jpeg[:2] + b"\xff" * 5_000_000 + jpeg[2:],
        jpeg[:2] + b"\xff" * 5_000_000,
        lossless[:33] + png_chunk(b"abCd", b"") * 500_000 + lossless[33:],
        lossless[:-12] + png_chunk(b"abCd", b"") * 500_000 + lossless[-12:],
        gif[:palette_end] + b"!\xfe" + b"\1a" * 3_000_000 + b"\0" + gif[palette_end:],
        b"II*\0" + struct.pack("<IH", 8, 60_000) + struct.pack("<HHII", 256, 4, 1, 128) * 60_000,
        b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, 200_000) + struct.pack("<HHQQ", 256, 4, 1, 128) * 200_000,
    ]
    for data in floods:
        start = time.process_time()
        with pytest.raises(UnmaskError) as caught:
            read_image(data)
        assert caught.value.code in ("too-many-parts", "truncated")
        assert time.process_time() - start < 2


def test_a_directory_that_names_the_same_megabyte_often_does_not_fill_memory() -> None:
    entries = b"".join(struct.pack(">HHII", tag, 7, 1_000_000, 100_000) for tag in range(1000, 4000))
    exif = b"MM\0*" + struct.pack(">IH", 8, 3000) + entries + bytes(1_100_000)
    data = png(128, 128, 8, 0, bytes(129 * 128), png_chunk(b"eXIf", exif))
    tracemalloc.start()
    assert read_image(data).pixels.shape == (128, 128, 3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        (Limits(max_pixels=128 * 128 - 1), "too-many-pixels"),
        (Limits(min_side=129), "too-small"),
        (Limits(max_bytes=100), "too-many-bytes"),
        (Limits(max_parts=2), "too-many-parts"),
    ],
)
@pytest.mark.parametrize("as_file", [False, True])
def test_each_limit_can_be_set(limits: Limits, code: str, as_file: bool, tmp_path: Path) -> None:
    data = encode(quarters(), "PNG")
    path = tmp_path / "picture.png"
    path.write_bytes(data)
    with pytest.raises(UnmaskError) as caught:
        read_image(path if as_file else data, limits=limits)
    assert caught.value.code == code


def test_a_picture_of_exactly_the_limits_is_read() -> None:
    data = encode(quarters(), "PNG")
    limits = Limits(max_pixels=128 * 128, min_side=128, max_bytes=len(data), small_file_bytes=len(data))
    image = read_image(data, limits=limits)
    assert image.notes == ()


def test_importing_the_decoder_loads_no_plugin_and_no_opencv() -> None:
    code = "import sys, unmask.image.read; print([m for m in sys.modules if 'ImagePlugin' in m or m in ('cv2', 'pillow_heif')])"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout.strip() == "[]"
