"""Where a clip's file says itself that it was made by AI: found as generators write it, and nowhere else."""

import io
import struct

import numpy as np
import pytest

from tests.marked_pictures import GRAPH, WORKFLOW, manifest, source_type, xmp
from tests.video.clips import animation, video
from unmask.finding import Verdict
from unmask.image.sniff import sniff
from unmask.video.marks import read_clip_marks

C2PA = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
MADE = "trainedAlgorithmicMedia"
CREDENTIALS = manifest(("c2pa.created", MADE), agent="OpenAI Sora")
NAMES = {"movflags": "use_metadata_tags"}


def box(name, body):
    return struct.pack(">I4s", len(body) + 8, name) + body


def large_box(name, body):
    return struct.pack(">I4sQ", 1, name, len(body) + 16) + body


def marks(data):
    return read_clip_marks(io.BytesIO(data), sniff(data[:4096]))


def clip(container="mp4", *, names=False, **tags):
    codec = "libvpx-vp9" if container == "webm" else "libx264"
    return video(container, codec, frames=2, tags=tags, muxer=NAMES if names else None)


# `moov` of a small MP4 with user data as QuickTime writes it: a length and a language before the words.
def quicktime(name, words):
    return clip("mov") + box(b"moov", box(b"udta", box(name, struct.pack(">HH", len(words), 0x55C4) + words)))


MARKED = {
    "ComfyUI, MP4": (lambda: clip(names=True, prompt=GRAPH), "ComfyUI", "Metadata prompt"),
    "ComfyUI, MOV": (lambda: clip("mov", names=True, workflow=WORKFLOW), "ComfyUI", "Metadata workflow"),
    "ComfyUI, WebM": (lambda: clip("webm", prompt=GRAPH), "ComfyUI", "Metadata prompt"),
    "ComfyUI, a comment": (lambda: clip(comment=WORKFLOW), "ComfyUI", "Metadata comment"),
    "an artist": (lambda: clip(artist="Made with Midjourney"), "Midjourney", "Metadata artist"),
    "a program, QuickTime": (lambda: quicktime(b"\xa9swr", b"Kling AI 2.1"), "Kling AI", "Metadata software"),
    "a program, MOV": (
        lambda: clip("mov", names=True, **{"com.apple.quicktime.software": "Runway"}, AIGC='{"Label":"1"}'),
        None,
        "Metadata AIGC",
    ),
    "AIGC, MP4": (lambda: clip(names=True, AIGC='{"Label":"1","ContentProducer":"x"}'), None, "Metadata AIGC"),
    "AIGC, WebM": (lambda: clip("webm", AIGC='{"Label":"1"}'), None, "Metadata AIGC"),
    "Content Credentials": (lambda: clip() + box(b"uuid", C2PA + bytes(21) + CREDENTIALS), "OpenAI", "Content Credentials"),
    "XMP": (lambda: clip() + box(b"uuid", XMP + xmp(attributes=source_type(MADE))), None, "XMP DigitalSourceType"),
    "XMP in a large box": (
        lambda: clip() + large_box(b"uuid", XMP + xmp(attributes=source_type(MADE))), None, "XMP DigitalSourceType",
    ),
    "XMP, MOV": (
        lambda: clip("mov") + box(b"moov", box(b"udta", box(b"XMP_", xmp(attributes=source_type(MADE))))),
        None,
        "XMP DigitalSourceType",
    ),
    "a GIF": (lambda: animation("GIF", comment=GRAPH.encode()), "ComfyUI", "GIF comment"),
}  # fmt: skip


@pytest.mark.video
@pytest.mark.parametrize("name", MARKED)
def test_a_mark_is_found_where_generators_write_it(name):
    data, generator, where = MARKED[name]
    (mark,) = marks(data())
    assert (mark.says, mark.generator, mark.where) == ("made", generator, where)


NOT_MARKED = {
    "nothing": clip,
    "another program": lambda: clip(names=True, software="DaVinci Resolve 19", comment="Shot on an iPhone"),
    "a caption that mentions one": lambda: clip(title="How Midjourney v6 works", comment="made for Sora fans"),
    "a label that denies it": lambda: clip(names=True, AIGC='{"Label":"3"}'),
    "WebM": lambda: clip("webm", comment="Kling AI is in the news"),
    "an editor of credentials": lambda: clip() + box(b"uuid", C2PA + manifest(("c2pa.edited", "digitalCapture"))),
    "another uuid": lambda: clip() + box(b"uuid", bytes(16) + xmp(attributes=source_type(MADE))),
    "a box in frames": lambda: clip() + box(b"mdat", box(b"uuid", XMP + xmp(attributes=source_type(MADE)))),
    "an AVI": lambda: video("avi", "mpeg4", frames=2, tags={"comment": GRAPH}),
}


@pytest.mark.video
@pytest.mark.parametrize("name", NOT_MARKED)
def test_what_is_no_mark_is_none(name):
    assert marks(NOT_MARKED[name]()) == ()


@pytest.mark.video
@pytest.mark.parametrize("container", ["mp4", "mov", "webm"])
def test_a_broken_file_raises_nothing_and_takes_no_time(container):
    whole = clip(container, names=container != "webm", prompt=GRAPH)
    random = np.random.default_rng(0)
    for length in range(0, len(whole), max(1, len(whole) // 60)):
        marks(whole[:length])
    for _ in range(200):
        data = bytearray(whole)
        for place in random.integers(0, len(data), 20):
            data[place] = random.integers(256)
        marks(bytes(data))


def test_boxes_in_boxes_without_end_raise_nothing():
    deep = b""
    for _ in range(5000):
        deep = box(b"moov", deep)
    assert marks(box(b"ftyp", b"isom") + deep) == ()
    assert marks(b"\x1a\x45\xdf\xa3\x80" + (b"\x18\x53\x80\x67\x01" + b"\xff" * 7) * 5000) == ()


@pytest.mark.video
def test_a_mark_stands_in_the_finding_and_changes_no_verdict(toy_detector, tmp_path):
    from unmask.checking import examine_clip

    plain, marked = (tmp_path / name for name in ("plain.mp4", "marked.mp4"))
    plain.write_bytes(clip())
    marked.write_bytes(clip(names=True, prompt=GRAPH))
    found = [examine_clip(toy_detector, path, face_search=False, heatmap=False).finding for path in (plain, marked)]
    assert [len(each.clip.marks) for each in found] == [0, 1]
    assert found[0].verdict in Verdict
    assert (found[0].verdict, found[0].score) == (found[1].verdict, found[1].score)
    assert found[1].to_dict()["clip"]["marks"][0]["generator"] == "ComfyUI"


@pytest.mark.video
@pytest.mark.parametrize(("around", "seen"), [(5, True), (3_000, False)])
def test_only_so_many_parts_are_looked_at_in_all(monkeypatch, around, seen):
    monkeypatch.setattr("unmask.video.marks.MOST_PARTS", 1_000)
    # Half of them in the tables of names, which count like any other.
    empty = box(b"free", b"") * around
    data = clip() + box(
        b"moov", box(b"meta", bytes(4) + box(b"hdlr", bytes(4)) + box(b"keys", bytes(8) + empty)) + empty
    )
    data += box(b"uuid", XMP + xmp(attributes=source_type(MADE)))
    assert bool(marks(data)) is seen
