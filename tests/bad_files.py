"""Files as strangers send them: damaged, disguised, unusual, hostile. Any test may make the whole set in a folder.

Every picture that can be read shows the same thing, so that a test can tell whether it was read rightly: four quarters,
red and green above, blue and white below, 128 x 128 pixels and upright.
"""

from __future__ import annotations

import io
import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image

SIDE = 128
COLOURS = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255))


@dataclass(frozen=True)
class BadFile:
    """One file and what must become of it.

    Attributes:
        path: Where it is, or is not.
        code: The code of the refusal; None where it must be read.
        shows: What a readable one shows: "colours", or "grey" of the same quarters.
    """

    path: Path
    code: str | None = None
    shows: str = "colours"


def quarters() -> Image.Image:
    """The picture itself, mode RGB."""
    pixels = np.zeros((SIDE, SIDE, 3), np.uint8)
    half = SIDE // 2
    for (top, left), colour in zip(((0, 0), (0, half), (half, 0), (half, half)), COLOURS, strict=True):
        pixels[top : top + half, left : left + half] = colour
    return Image.fromarray(pixels)


def encode(image: Image.Image, format_name: str, **options: object) -> bytes:
    """The bytes of a file; with `second_frame`, a black frame, page or picture follows the first."""
    stream = io.BytesIO()
    if options.pop("second_frame", False):
        options |= {"save_all": True, "append_images": [Image.new("RGB", image.size)]}
    image.copy().save(stream, format_name, **options)  # a copy: saving leaves traces on a picture
    return stream.getvalue()


def png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, bits: int, colour_type: int, rows: bytes, extra: bytes = b"") -> bytes:
    """A PNG put together by hand; `rows` are the unfiltered rows, each with its leading filter byte."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    body = png_chunk(b"IHDR", header) + extra + png_chunk(b"IDAT", zlib.compress(rows, 1)) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def turned(orientation: int) -> bytes:
    """A JPEG whose EXIF orientation, once applied, gives the picture."""
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    stored = quarters().transpose(undo[orientation]) if orientation in undo else quarters()
    return encode(stored, "JPEG", quality=95, exif=exif)


def bomb_png(side: int = 20_000) -> bytes:
    """A whole and valid PNG of one colour: 50 kB that unpack to `side` x `side` pixels."""
    packer = zlib.compressobj(1)
    row = bytes(1 + (side + 7) // 8)
    rows = b"".join(packer.compress(row * 100) for _ in range(side // 100)) + packer.flush()
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", rows) + png_chunk(b"IEND", b"")


def tiff(*entries: tuple[int, int, int, int], data: bytes = b"") -> bytes:
    """A little-endian TIFF with one directory of (tag, type, count, value), followed by `data`."""
    directory = b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + directory + b"\0\0\0\0" + data


def _readable() -> dict[str, tuple[bytes, str]]:
    picture = quarters()
    grey = picture.convert("L")
    rgb, luma = np.asarray(picture), np.asarray(grey)
    jpeg = encode(picture, "JPEG", quality=95)
    lossless = encode(picture, "PNG")
    with_alpha = picture.copy()
    with_alpha.putalpha(255)
    # White where it is transparent, black below: what is left of the lower right quarter is the paper.
    see_through = np.dstack([rgb, np.full((SIDE, SIDE), 255, np.uint8)])
    see_through[SIDE // 2 :, SIDE // 2 :] = 0
    wide = np.zeros((SIDE, 1 + SIDE * 6), np.uint8)
    wide[:, 1:] = (rgb.astype(">u2") * 257).view(np.uint8).reshape(SIDE, -1)
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Maker"
    broken_exif = exif.tobytes()[:12] + b"\xff" * 20
    bomb = b"a\0\0" + zlib.compress(bytes(50_000_000), 9)
    return {
        "jpeg-without-an-ending": (jpeg, "colours"),
        "jpeg-named.txt": (jpeg, "colours"),
        "png-named.jpg": (lossless, "colours"),
        "odd name\n\u202e\U0001f600.png": (lossless, "colours"),
        "progressive.jpg": (encode(picture, "JPEG", quality=95, progressive=True), "colours"),
        "cmyk.jpg": (encode(picture.convert("CMYK"), "JPEG", quality=95), "colours"),
        "grey.jpg": (encode(grey, "JPEG", quality=95), "grey"),
        "trailing-garbage.jpg": (jpeg + os.urandom(5000), "colours"),
        "trailing-garbage.png": (lossless + b"\0" * 5000, "colours"),
        "two-pictures.mpo": (encode(picture, "MPO", quality=95, second_frame=True), "colours"),
        "broken-exif.jpg": (encode(picture, "JPEG", quality=95, exif=broken_exif), "colours"),
        "broken-profile.png": (encode(picture, "PNG", icc_profile=b"no profile" * 20), "colours"),
        "text-bomb.png": (lossless[:33] + png_chunk(b"zTXt", bomb) + lossless[33:], "colours"),
        "profile-bomb.png": (lossless[:33] + png_chunk(b"iCCP", bomb) + lossless[33:], "colours"),
        "texts.png": (lossless[:33] + png_chunk(b"zTXt", b"a\0\0") * 500 + lossless[33:], "colours"),
        "palette.png": (encode(picture.convert("P", palette=Image.Palette.ADAPTIVE), "PNG"), "colours"),
        "alpha.png": (encode(with_alpha, "PNG"), "colours"),
        "see-through.png": (encode(Image.fromarray(see_through), "PNG"), "colours"),
        "see-through.webp": (encode(Image.fromarray(see_through), "WEBP", lossless=True), "colours"),
        "see-through.gif": (encode(Image.fromarray(see_through), "GIF"), "colours"),
        "grey-alpha.png": (encode(grey.convert("LA"), "PNG"), "grey"),
        "grey-16-bit.png": (encode(Image.fromarray(luma.astype(np.uint16) * 257), "PNG"), "grey"),
        "rgb-16-bit.png": (png(SIDE, SIDE, 16, 2, wide.tobytes()), "colours"),
        "animated.png": (encode(picture, "PNG", second_frame=True), "colours"),
        "animated.gif": (encode(picture, "GIF", second_frame=True), "colours"),
        "animated.webp": (encode(picture, "WEBP", lossless=True, second_frame=True), "colours"),
        "pages.tif": (encode(picture, "TIFF", second_frame=True), "colours"),
        "lzw.tif": (encode(picture, "TIFF", compression="tiff_lzw"), "colours"),
        "jpeg-inside.tif": (encode(picture, "TIFF", compression="jpeg", quality=95), "colours"),
        "big.tif": (encode(picture, "TIFF", big_tiff=True), "colours"),
        "cmyk.tif": (encode(picture.convert("CMYK"), "TIFF"), "colours"),
        "lab.tif": (encode(_lab(picture), "TIFF"), "colours"),
        "grey-16-bit.tif": (encode(Image.fromarray(luma.astype(np.uint16) * 257), "TIFF"), "grey"),
        "floating-to-1.tif": (encode(Image.fromarray((luma / 255).astype(np.float32)), "TIFF"), "grey"),
        "floating-to-255.tif": (encode(Image.fromarray(luma.astype(np.float32)), "TIFF"), "grey"),
        "plain.bmp": (encode(picture, "BMP"), "colours"),
        "palette.bmp": (encode(picture.convert("P", palette=Image.Palette.ADAPTIVE), "BMP"), "colours"),
        "lossless.webp": (encode(picture, "WEBP", lossless=True), "colours"),
        "plain.avif": (encode(picture, "AVIF", quality=95, subsampling="4:4:4"), "colours"),
        **{f"orientation-{turn}.jpg": (turned(turn), "colours") for turn in range(1, 9)},
    }


def _lab(picture: Image.Image) -> Image.Image:
    from PIL import ImageCms

    lab = ImageCms.profileToProfile(
        picture, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    assert lab is not None
    return lab


def _refused() -> dict[str, tuple[bytes, str]]:
    picture = quarters()
    jpeg = encode(picture, "JPEG", quality=95)
    lossless = encode(picture, "PNG")
    torn = bytearray(lossless)
    at = torn.index(b"IDAT") + 6
    torn[at : at + 12] = b"\xff" * 12
    webp = encode(picture, "WEBP", lossless=True)
    huge_webp = webp[:12] + b"VP8X" + struct.pack("<I", 10) + b"\0" * 4 + b"\xff\x3f\0" * 2 + webp[12:]
    gif = bytearray(encode(picture, "GIF"))
    gif[6:10] = struct.pack("<HH", 60_000, 60_000)
    infinite = np.full((SIDE, SIDE), np.inf, np.float32)
    byte, short, long = 1, 3, 4
    tile_bomb = tiff(
        (256, long, 1, SIDE), (257, long, 1, SIDE), (258, short, 1, 8), (259, short, 1, 8), (262, short, 1, 1),
        (277, short, 1, 1), (322, long, 1, 60_000), (323, long, 1, 60_000), (324, long, 1, 200), (325, long, 1, 10),
        data=bytes(500),
    )  # fmt: skip
    strips = tiff(
        (256, long, 1, SIDE), (257, long, 1, SIDE), (258, short, 1, 8), (259, short, 1, 1), (262, short, 1, 1),
        (273, long, 900_000, 200), (277, short, 1, 1), (278, long, 1, 1), (279, long, 1, SIDE),
        data=bytes(3_600_200),
    )  # fmt: skip
    camera_raw = tiff(
        (256, long, 1, SIDE), (257, long, 1, SIDE), (258, short, 1, 8), (259, short, 1, 1), (262, short, 1, 1),
        (273, long, 1, 200), (277, short, 1, 1), (278, long, 1, SIDE), (279, long, 1, SIDE * SIDE), (50706, byte, 4, 1),
        data=bytes(SIDE * SIDE + 200),
    )  # fmt: skip
    return {
        "nothing.jpg": (b"", "empty-file"),
        "one-byte.png": (b"\x89", "not-a-picture"),
        "text.jpg": (b"This is no picture.\n" * 50, "not-a-picture"),
        "umlauts.jpg": (("Größe: übermäßig\n" * 500).encode(), "not-a-picture"),
        "page.jpg": (b"<!DOCTYPE html><html><body>404</body></html>", "not-a-picture"),
        "random.jpg": (np.random.default_rng(0).bytes(4000), "not-a-picture"),
        "zeros.jpg": (bytes(4000), "not-a-picture"),
        "sound.jpg": (b"RIFF\x24\0\0\0WAVEfmt " + bytes(100), "not-a-picture"),
        "drawing.svg": (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "unsupported-format"),
        "document.pdf": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "unsupported-format"),
        "layers.psd": (b"8BPS\0\1" + bytes(100), "unsupported-format"),
        "clip.mp4": (b"\0\0\0\x18ftypisom\0\0\2\0isomiso2" + bytes(100), "unsupported-format"),
        "clip.avi": (b"RIFF\x24\0\0\0AVI LIST" + bytes(100), "unsupported-format"),
        "archive.zip": (b"PK\3\4" + bytes(100), "unsupported-format"),
        "icon.ico": (b"\0\0\1\0\1\0" + bytes(100), "unsupported-format"),
        "camera-raw.dng": (camera_raw, "unsupported-format"),
        "infinite.tif": (encode(Image.fromarray(infinite), "TIFF"), "unsupported-format"),
        "line.png": (png(100_000, 1, 8, 0, bytes(100_001)), "too-small"),
        "strip.png": (png(60_000, 70, 8, 0, bytes(60_001 * 70)), "too-long"),
        "tower.png": (png(70, 60_000, 8, 0, bytes(71 * 60_000)), "too-long"),
        "dot.gif": (encode(Image.new("L", (1, 1)), "GIF"), "too-small"),
        "thumbnail.jpg": (encode(picture.resize((63, 400)), "JPEG"), "too-small"),
        "bomb.png": (bomb_png(), "too-many-pixels"),
        "bomb.webp": (huge_webp, "too-many-pixels"),
        "bomb.gif": (bytes(gif), "too-many-pixels"),
        "tile-bomb.tif": (tile_bomb, "too-many-pixels"),
        "segments.jpg": (jpeg[:2] + b"\xff\xe1\0\2" * 50_000 + jpeg[2:], "too-many-parts"),
        "fill-bytes.jpg": (jpeg[:2] + b"\xff" * 50_000 + jpeg[2:], "too-many-parts"),
        "scans.jpg": (_many_scans(picture), "too-many-parts"),
        "chunks.png": (lossless[:33] + png_chunk(b"abCd", b"") * 50_000 + lossless[33:], "too-many-parts"),
        "blocks.gif": (_many_comments(picture), "too-many-parts"),
        "strips.tif": (strips, "too-many-parts"),
        "torn.png": (bytes(torn), "damaged"),
        "only-a-start.jpg": (b"\xff\xd8\xff\xe0", "truncated"),
        "only-a-signature.png": (b"\x89PNG\r\n\x1a\n", "truncated"),
        **{f"cut-{place:02}.jpg": (jpeg[: 4 + (len(jpeg) - 6) * place // 30], "truncated") for place in range(30)},
    }


def _many_scans(picture: Image.Image) -> bytes:
    jpeg = encode(picture, "JPEG", progressive=True)
    last_scan = jpeg[jpeg.rindex(b"\xff\xda") : -2]
    return jpeg[:-2] + last_scan * 200 + jpeg[-2:]


def _many_comments(picture: Image.Image) -> bytes:
    gif = encode(picture, "GIF")
    after_palette = 13 + (3 << ((gif[10] & 7) + 1))
    return gif[:after_palette] + b"!\xfe\1a\0" * 50_000 + gif[after_palette:]


def make_bad_files(folder: Path) -> list[BadFile]:
    """Makes the set in an empty folder, with a folder, links, a pipe and a file that may not be read.

    Returns:
        Every file and what must become of it, in a fixed order. A superuser may read what nobody may; for one, the file
        without permission must be read.
    """
    files = []
    for name, (data, shows) in _readable().items():
        files.append(BadFile(folder / name, shows=shows))
        files[-1].path.write_bytes(data)
    for name, (data, code) in _refused().items():
        files.append(BadFile(folder / name, code))
        files[-1].path.write_bytes(data)

    too_large = folder / "too-large.jpg"
    with too_large.open("wb") as file:
        file.write(b"\xff\xd8\xff")
        file.truncate(25_000_001)  # takes no room on the disk
    forbidden = folder / "forbidden.png"
    forbidden.write_bytes(encode(quarters(), "PNG"))
    forbidden.chmod(0)
    (folder / "folder.jpg").mkdir()
    (folder / "link.png").symlink_to(folder / "alpha.png")
    (folder / "broken-link.png").symlink_to(folder / "gone.png")
    (folder / "loop.png").symlink_to(folder / "loop.png")
    os.mkfifo(folder / "pipe.png")
    return [
        *files,
        BadFile(too_large, "too-many-bytes"),
        BadFile(forbidden, "no-permission" if os.geteuid() else None),
        BadFile(folder / "folder.jpg", "is-a-folder"),
        BadFile(folder / "link.png"),
        BadFile(folder / "broken-link.png", "broken-link"),
        BadFile(folder / "loop.png", "broken-link"),
        BadFile(folder / "pipe.png", "not-a-file"),
        BadFile(folder / "nowhere.png", "missing"),
    ]
