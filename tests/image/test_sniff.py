"""What a file is, by its content."""

from __future__ import annotations

import pytest

from unmask.image.sniff import sniff


@pytest.mark.parametrize(
    ("start", "format_name"),
    [
        (b"\xff\xd8\xff\xe0", "JPEG"),
        (b"\x89PNG\r\n\x1a\n", "PNG"),
        (b"GIF87a", "GIF"),
        (b"GIF89a", "GIF"),
        (b"II*\0\x08\0\0\0", "TIFF"),
        (b"MM\0*\0\0\0\x08", "TIFF"),
        (b"II+\0\x08\0\0\0", "TIFF"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "WEBP"),
        (b"BM" + bytes(12) + b"\x28\0\0\0" + bytes(40), "BMP"),
        (b"\0\0\0\x1cftypavif\0\0\0\0mif1", "AVIF"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf", "AVIF"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "HEIC"),
    ],
)
def test_a_known_start_gives_its_decoder(start: bytes, format_name: str) -> None:
    assert sniff(start + bytes(100)).format == format_name


@pytest.mark.parametrize(
    ("start", "name"),
    [
        (b"%PDF-1.4", "a PDF document"),
        (b"8BPS", "a Photoshop document"),
        (b"%!PS-Adobe", "a PostScript document"),
        (b"\0\0\0\x0cjP  \r\n", "a JPEG 2000 picture"),
        (b"\xff\x0a", "a JPEG XL picture"),
        (b"\0\0\1\0", "an icon"),
        (b"II*\0\x10\0\0\0CR\2\0", "a camera raw picture"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1", "a camera raw picture"),
        (b"\0\0\0\x14ftypqt  ", "a video"),
        (b"\0\0\0\x20ftypmp42\0\0\0\0mp42isom", "a video"),
        (b"\0\0\0\x08wide\0\0\0\x08mdat", "a QuickTime video"),
        (b"\x1aE\xdf\xa3", "a video"),
        ((b"G" + b"\xff" * 187) * 4, "a video"),
        ((b"\0\0\1\2G" + b"\xff" * 187) * 4, "a video"),
        (b"P6\n80 80\n255\n", "a Netpbm picture"),
        (b"PK\3\4", "a ZIP archive or an office document"),
        (b"\xef\xbb\xbf<?xml version='1.0'?><svg>", "an SVG drawing"),
    ],
)
def test_other_known_files_are_called_by_their_name(start: bytes, name: str) -> None:
    kind = sniff(start)
    assert (kind.format, kind.name, kind.code) == (None, name, "unsupported-format")
    assert kind.hint.endswith(".")


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"plain words\n", "text"),
        ("Wörter, die lang sind\n".encode() * 400, "text"),
        (("a" * 4095 + "ö" * 10).encode(), "text"),  # the look ends inside a character
        ("wide words".encode("utf-16"), "text"),
        (b"\n <!DOCTYPE HTML>\n<html>", "a web page"),
        (b"BM is how this text begins, and it is long enough", "text"),
        (b"G".ljust(188) + b"G".ljust(188), "text"),  # two packets of a transport stream would begin so
        (b"RIFF\0\0\0\0WAVE", "a sound recording or another RIFF file"),
        (b"\xc3\x28\xa0\xa1", "of no known kind"),
        (b"\0", "of no known kind"),
    ],
)
def test_what_is_no_picture_is_told_apart(data: bytes, name: str) -> None:
    kind = sniff(data)
    assert (kind.format, kind.name, kind.code) == (None, name, "not-a-picture")
    assert kind.hint.endswith(".")
