"""Files torn and scrambled from real ones. Nothing but a picture or a refusal may come out, and no word on stderr.

A few seconds in CI; `UNMASK_FUZZ_ROUNDS=8000 pytest tests/fuzz` tears 100,000 and more.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
import warnings
from functools import cache

import numpy as np
import pytest
from PIL import Image as PillowImage
from tests.bad_files import encode
from tests.image.test_colour import cmyk_profile, rgb_profile

from unmask.errors import UnmaskError
from unmask.image.limits import Limits
from unmask.image.read import read_image

ROUNDS = int(os.environ.get("UNMASK_FUZZ_ROUNDS", "40"))
SLOWEST = 5.0  # seconds of the processor for a file of some kilobytes, on a busy machine
LOUD = {"tiff", "lzw", "tiff-jpeg", "big-tiff"}  # libtiff writes a line on stderr itself
LIMITS = Limits(max_pixels=300_000)


@cache
def seeds() -> dict[str, bytes]:
    noise = np.random.default_rng(0).integers(0, 256, (12, 15, 3), dtype=np.uint8)
    picture = PillowImage.fromarray(noise).resize((90, 72), PillowImage.Resampling.BICUBIC)
    exif = PillowImage.Exif()
    exif[0x010F], exif[0x0110], exif[0x0112] = "Maker", "Model", 6
    see_through = picture.copy()
    see_through.putalpha(picture.convert("L"))
    icc = {"icc_profile": rgb_profile()}
    frames = {"save_all": True, "append_images": [PillowImage.new("RGB", picture.size)]}
    return {
        "jpeg": encode(picture, "JPEG", exif=exif, **icc),
        "restarts": encode(picture, "JPEG", restart_marker_rows=1),
        "big-tiff": encode(picture, "TIFF", big_tiff=True, exif=exif),
        "progressive": encode(picture, "JPEG", progressive=True),
        "cmyk": encode(picture.convert("CMYK"), "JPEG", icc_profile=cmyk_profile()),
        "png": encode(picture, "PNG", exif=exif, **icc),
        "palette": encode(picture.convert("P"), "PNG", transparency=0),
        "webp": encode(see_through, "WEBP", exif=exif, **icc),
        "lossless": encode(picture, "WEBP", lossless=True, **frames),
        "bmp": encode(picture.convert("P"), "BMP"),
        "tiff": encode(picture, "TIFF", exif=exif, **icc),
        "lzw": encode(picture.convert("CMYK"), "TIFF", compression="tiff_lzw"),
        "tiff-jpeg": encode(picture, "TIFF", compression="jpeg"),
        "gif": encode(picture, "GIF", **frames),
        "avif": encode(picture, "AVIF", speed=10, exif=exif, **icc),
    }


def scramble(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """One to four changes of the kinds that break parsers: bits, runs, sizes, cuts, repeats, splices."""
    torn = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        # Half of the changes in the first bytes, where the structure is.
        at = chance.randrange(min(len(torn), 200) if chance.random() < 0.5 else len(torn))
        length = chance.choice((1, 2, 4, 16, 64))
        match chance.randrange(6):
            case 0:
                torn[at] ^= 1 << chance.randrange(8)
            case 1:
                torn[at : at + length] = chance.choice((b"\0", b"\xff", b"\x7f", b"\x80")) * length
            case 2:
                torn[at : at + length] = chance.randbytes(length)
            case 3:
                del torn[at : at + length]
            case 4:
                torn[at:at] = torn[at : at + length] * chance.choice((1, 3, 50))
            case 5:
                start = chance.randrange(len(other))
                torn[at : at + length] = other[start : start + length]
        if not torn:
            return b"\0"
    return bytes(torn)


@pytest.mark.parametrize("name", sorted(seeds()))
def test_scrambled_files_are_read_or_refused(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    chance = random.Random(name)
    files = seeds()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(ROUNDS):
            data = scramble(files[name], files[chance.choice(sorted(files))], chance)
            started = time.process_time()
            try:
                image = read_image(data, limits=LIMITS)
            except UnmaskError:
                continue
            finally:
                assert time.process_time() - started < SLOWEST
            assert image.pixels.shape == (image.facts.height, image.facts.width, 3)
            assert image.pixels.flags.c_contiguous
    if name not in LOUD:
        assert capfd.readouterr().err == ""


def test_reading_many_broken_files_leaks_nothing() -> None:
    code = """
import gc, warnings
warnings.simplefilter("ignore")
from tests.fuzz.test_image_fuzz import LIMITS, scramble, seeds
from unmask.errors import UnmaskError
from unmask.image.read import read_image
import random
chance, files = random.Random(0), seeds()
def resident():
    gc.collect()
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmRSS"))
for round in range(1500):
    if round == 500:
        before = resident()
    data = files[chance.choice(sorted(files))]
    try:
        read_image(scramble(data, data, chance), limits=LIMITS)
    except UnmaskError:
        pass
print(resident() - before)
"""
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(process.stdout) < 10_000  # kB after 1,000 files
