"""What a hostile file holds where marks are looked for: it costs little, raises nothing, and shows nothing but plain words."""

from __future__ import annotations

import struct
import time
import zlib

import numpy as np
import pytest
from tests.image.test_marks import MARKED
from tests.marked_pictures import (
    SETTINGS,
    app1,
    app11,
    exif,
    jpeg,
    manifest,
    png,
    png_chunk,
    segment,
    source_type,
    text,
    wide,
    xmp,
    xmp_segment,
)

from unmask.image.heif import _joined
from unmask.image.limits import MAX_ALL_TEXT_BYTES, MAX_TEXT_BYTES
from unmask.image.marks import read_marks
from unmask.image.read import read_image
from unmask.image.said import read_said
from unmask.image.xmp import read_xmp

MADE = "trainedAlgorithmicMedia"
BOMB = zlib.compress(bytes(50_000_000), 9)
LAUGHS = '<!DOCTYPE x [<!ENTITY a "lol">'
LAUGHS += "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True)) + "]>"


def kind_of(data: bytes) -> str:
    return {b"\x89PNG": "PNG", b"RIFF": "WEBP", b"GIF8": "GIF", b"II*\0": "TIFF", b"MM\0*": "TIFF"}.get(
        data[:4], "AVIF" if data[4:8] == b"ftyp" else "JPEG"
    )


LITTLE_XMP = text("XML:com.adobe.xmp", "<a xmlns='/Iptc4xmpExt/'>" + "<AISystemUsed>x</AISystemUsed>" * 40)
HOSTILE = {
    "bombs": png(*[png_chunk(b"zTXt", b"parameters\0\0" + BOMB)] * 150),
    "packed international bombs": png(*[png_chunk(b"iTXt", b"prompt\0\1\0\0\0" + BOMB)] * 150),
    "much text": png(*[text(f"parameters{number}", "Steps: 1, " * 300_000) for number in range(7)]),
    "dashes": png(text("Description", " --a" * 250_000), text("Dream", " -s 5 " * 100_000)),
    "a thousand little texts": png(*[text("Software", "Midjourney")] * 9_000),
    "an XMP of elements": jpeg(*[xmp_segment(b"<a>" * 20_000)] * 100),
    "an XMP of attributes": jpeg(*[xmp_segment(b"<a " + b"".join(b"b%d='' " % n for n in range(6_000)) + b"/>")] * 60),
    "a thousand little XMPs": png(*[LITTLE_XMP] * 9_000),
    "a manifest of types": jpeg(app11(manifest(more=b"digitalsourcetype/algorithmicMedia" * 200_000))),
    "a manifest of actions": jpeg(app11(manifest(more=b"actionactionc2pa." * 300_000))),
    "names of EXIF": png(png_chunk(b"eXIf", b"Exif\0\0" * 1_000_000)),
    "an endless IIM": jpeg(
        *[segment(0xED, b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0\0\0\xff\0" + b"\x1c\x02\x50\0\0" * 12_000)] * 90
    ),
    "empty resources": jpeg(*[segment(0xED, b"Photoshop 3.0\0" + b"8BIM\0\0\0\0\0\0\0\0" * 5_000)] * 90),
}  # fmt: skip


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_file_costs_little(data: bytes) -> None:
    started = time.process_time()
    marks = read_marks(kind_of(data), data)
    assert time.process_time() - started < 1.0
    assert len(marks) <= 8


def test_texts_are_read_up_to_a_sum() -> None:
    said = read_said("PNG", HOSTILE["much text"])
    assert sum(len(found.words) for found in said.texts) <= MAX_ALL_TEXT_BYTES
    assert max(len(found.words) for found in said.texts) <= MAX_TEXT_BYTES


def test_extents_that_repeat_a_file_give_no_more_than_one_text() -> None:
    assert len(_joined(bytes(3_000_000), [(0, 3_000_000)] * 65_535)) == MAX_TEXT_BYTES


@pytest.mark.parametrize(
    "packet",
    [
        (LAUGHS + "<x>&i;</x>").encode(),
        b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + xmp("<photoshop:Credit>&a;</photoshop:Credit>"),
        b'<!DOCTYPE x SYSTEM "http://127.0.0.1/x.dtd">' + xmp(attributes=source_type(MADE)),
        b"<" + b"a" * 900_000,
        b"<a>" * 300_000,
        b"\xff\xfe<\0",
        b"",
        b"no XML",
        bytes(1000),
        b'<?xml version="1.0" encoding="no-such"?><a/>',
    ],
)
def test_xml_that_expands_is_not_read(packet: bytes) -> None:
    assert read_xmp(packet) == []


def test_a_packet_that_says_too_much_is_believed_up_to_there() -> None:
    packet = xmp("<photoshop:Credit>x</photoshop:Credit>" * 1_000, source_type(MADE))
    assert len(read_xmp(packet)) == 50
    assert read_xmp(packet)[0][0] == "DigitalSourceType"


def test_a_packet_says_what_it_says_until_it_is_cut_off() -> None:
    packet = xmp(attributes=source_type(MADE))
    assert [name for name, _ in read_xmp(packet[:-30])] == ["DigitalSourceType"]


@pytest.mark.parametrize("name", MARKED)
def test_a_file_cut_or_damaged_anywhere_raises_nothing(name: str) -> None:
    data = MARKED[name][0]
    kind = kind_of(data)
    random = np.random.default_rng(0)
    for cut in random.integers(0, len(data), 40):
        read_marks(kind, data[:cut])
    for _ in range(40):
        damaged = bytearray(data)
        for at in random.integers(0, min(len(data), 2_000), 8):
            damaged[at] = random.integers(0, 256)
        read_marks(kind, bytes(damaged))


@pytest.mark.parametrize(
    "data",
    [
        jpeg(segment(0xED, b"Photoshop 3.0\08BIM\x04\x04\0\0" + struct.pack(">I", 500) + b"\x1c\x02\x78\xff\xff")),
        jpeg(segment(0xEB, b"JP")),
        jpeg(segment(0xEB, b"")),
        jpeg(segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0")),
        png(png_chunk(b"iTXt", b"parameters")),
        png(png_chunk(b"iTXt", b"parameters\0\1\0")),
        png(png_chunk(b"zTXt", b"parameters\0\0nonsense")),
        png(text("Raw profile type exif", "\nexif\n4\nxyz")),
        png(text("Raw profile type APP1", "\nexif\n4\n" + "00" * 300_000)),
    ],
)
def test_trouble_in_a_text_leaves_the_picture_and_a_later_mark(data: bytes) -> None:
    is_png = data[:4] == b"\x89PNG"
    mark = text("parameters", SETTINGS) if is_png else xmp_segment(xmp(attributes=source_type(MADE)))
    at = len(data) - 12 if is_png else data.find(b"\xff\xe0")
    assert len(read_image(data[:at] + mark + data[at:]).facts.marks) == 1


def test_what_is_shown_of_a_mark_is_one_plain_line() -> None:
    evil = "Steps: 1, Sampler: \x1b[2J\u202e<script>alert(1)</script>\r\n\0\x07, Seed: 1, " + "x" * 5_000
    for data in (
        png(text("parameters", evil, b"iTXt")),
        png(text("par\x1bameters\x85", evil)),
        jpeg(app1(exif(comment=wide(evil)))),
    ):
        (mark,) = read_image(data).facts.marks
        assert (mark.where + mark.words).isprintable()
        assert len(mark.words) <= 80
