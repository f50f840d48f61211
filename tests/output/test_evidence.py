"""What a file says of itself stands above the verdict in every output, and every answer can be traced."""

import csv
import hashlib
import io
import json
import re
from dataclasses import replace
from datetime import datetime

import pytest
from rich.console import Console
from tests.bad_files import encode
from tests.marked_pictures import SETTINGS, app1, exif, wide

from unmask import __version__
from unmask.checking import examine_image
from unmask.demo import draw_face
from unmask.finding import ClipFinding, Failure, ImageFacts, Status, Verdict
from unmask.origin import Mark, Provenance
from unmask.output.csv_table import CsvWriter
from unmask.output.documents import document
from unmask.output.evidence import MARK_MEANS, SAYS, as_text, file_facts, mark_cell, mark_sentences, trace
from unmask.output.html_page import HtmlWriter
from unmask.output.terminal import Cards, Lines

SENTENCE = "The file itself says that it was made by AI: Stable Diffusion (EXIF UserComment)."


@pytest.fixture(scope="module")
def marked_file(tmp_path_factory):
    """A drawing with the settings of a generator and the camera that made it, as a file."""
    from PIL import Image

    whole = encode(Image.fromarray(draw_face(7)), "JPEG", quality=92)
    block = exif(Make="Canon", Model="Canon EOS R5", comment=wide(SETTINGS), lens="RF50mm", Software="GIMP <b>\x1b[2J")
    path = tmp_path_factory.mktemp("marked") / "marked.jpg"
    path.write_bytes(whole[:2] + app1(block) + whole[2:])
    return path


@pytest.fixture
def examined(toy_detector, marked_file):
    """The answer, whatever it was, made a green *real*: the case that matters."""
    found = examine_image(toy_detector, marked_file)
    return replace(found, finding=replace(found.finding, verdict=Verdict.REAL, score=0.01))


def printed(report_of, examined, width=100):
    console = Console(file=io.StringIO(), width=width)
    report_of(console).add(examined)
    return console.file.getvalue()


def test_the_card_in_a_terminal_says_the_mark_before_the_verdict(toy_detector, examined):
    card = printed(lambda console: Cards(console, toy_detector), examined)
    flat = " ".join(card.replace("│", "").split())
    assert flat.index(SENTENCE) < flat.index(MARK_MEANS) < flat.index("REAL")
    assert "Steps: 20, Sampler: Euler a" in flat
    assert "\x1b[2J" not in card
    assert "Camera: Canon EOS R5" in flat
    assert "Lens: RF50mm" in flat
    assert "Software: GIMP <b> [2J" in flat
    assert "Content Credentials: The picture carries no Content Credentials" in flat


def test_a_line_of_a_table_says_it_too(examined):
    assert "says that it was made by AI" in printed(Lines, examined, 200)


def test_the_text_to_paste_says_the_mark_before_the_verdict(toy_detector, examined):
    text = as_text(examined.finding, toy_detector)
    assert text.index(SENTENCE) < text.index("Verdict: REAL")


def test_the_page_says_the_mark_before_the_verdict_and_escapes_it(tmp_path, toy_detector, examined):
    with HtmlWriter(tmp_path / "o.html", toy_detector) as page:
        page.add(examined)
    html = (tmp_path / "o.html").read_text()
    assert html.index("The file itself says that it was made by AI") < html.index("● Real")
    assert "GIMP &lt;b&gt;" in html
    assert "GIMP <b>" not in html


def test_a_row_says_the_mark_before_the_verdict(tmp_path, toy_detector, examined):
    with CsvWriter(tmp_path / "o.csv", toy_detector) as table:
        table.add(examined)
    with (tmp_path / "o.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert list(row).index("marks") < list(row).index("verdict")
    assert row["marks"] == "made: Stable Diffusion (EXIF UserComment)"
    assert (row["camera"], row["lens"], row["credentials"]) == ("Canon EOS R5", "RF50mm", "none")


def test_the_document_holds_the_mark(toy_detector, examined):
    (finding,) = json.loads(json.dumps(document([examined.finding], toy_detector)))["findings"]
    (mark,) = finding["image"]["marks"]
    assert (mark["says"], mark["generator"], mark["where"]) == ("made", "Stable Diffusion", "EXIF UserComment")


def test_a_mark_is_no_part_of_the_score(toy_detector, marked_file, tmp_path):
    data = marked_file.read_bytes()
    plain = data[:2] + data[data.index(b"\xff\xe0") :]
    (tmp_path / "plain.jpg").write_bytes(plain)
    marked, unmarked = (toy_detector.check(path) for path in (marked_file, tmp_path / "plain.jpg"))
    assert marked.image.marks
    assert not unmarked.image.marks
    assert (marked.score, marked.verdict) == (unmarked.score, unmarked.verdict)


def test_every_output_tells_file_time_detector_and_program(tmp_path, toy_detector, examined, marked_file):
    by_hand = {
        "file": hashlib.sha256(marked_file.read_bytes()).hexdigest(),
        "bundle": hashlib.sha256((toy_detector.bundle.folder / "bundle.json").read_bytes()).hexdigest(),
        "detector": toy_detector.info.version,
        "policy": toy_detector.policy,
        "program": __version__,
    }
    with HtmlWriter(tmp_path / "o.html", toy_detector) as page, CsvWriter(tmp_path / "o.csv", toy_detector) as table:
        page.add(examined)
        table.add(examined)
    outputs = {
        "html": (tmp_path / "o.html").read_text(),
        "csv": (tmp_path / "o.csv").read_text(),
        "json": json.dumps(document([examined.finding], toy_detector)),
        "text": as_text(examined.finding, toy_detector),
        "card": re.sub(r"[│\s]+", " ", printed(lambda console: Cards(console, toy_detector), examined)),
    }
    for name, output in outputs.items():
        for what, value in by_hand.items():
            assert value in output, (name, what)
        times = re.findall(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[+-]\d\d:\d\d", output)
        assert datetime.fromisoformat(times[0].replace(" ", "T")).tzinfo is not None, name


def finding_with(examined, *marks, state=None):
    provenance = Provenance(state, "") if state else None
    return replace(examined.finding, image=ImageFacts("JPEG", 1, 1, 1, "0" * 64, marks=marks), provenance=provenance)


def test_the_name_of_a_clip_without_an_answer_stays_as_it_is(toy_detector):
    failure = Failure("damaged", "iPhone.mp4 is damaged", "Copy it again.")
    finding = ClipFinding("iPhone.mp4", Status.UNREADABLE, None, None, (), (), None, (), failure, "d", "p", 0.0)
    assert "No answer: iPhone.mp4 is damaged." in as_text(finding, toy_detector)


def test_what_was_edited_is_not_said_to_be_made(examined):
    edited = Mark("edited", None, "XMP DigitalSourceType", "x")
    made = Mark("made", "Midjourney", "IPTC Byline", "x")
    computed = Mark("computed", None, "XMP DigitalSourceType", "x")
    assert mark_sentences(finding_with(examined, edited, made, computed)) == [
        "The file itself says that it was made by AI: Midjourney (IPTC Byline).",
        "The file itself says that it was edited with AI: XMP DigitalSourceType.",
        "The file itself says that a program made it, not a camera: XMP DigitalSourceType.",
    ]
    assert set(SAYS) == {"made", "edited", "computed"}


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (None, "that were not verified"),
        ("unchecked", "that were not verified"),
        ("unreadable", "that cannot be checked"),
        ("invalid", "that do not hold"),
        ("valid", "that hold"),
    ],
)
def test_a_mark_in_content_credentials_says_whether_they_were_verified(examined, state, words):
    finding = finding_with(examined, Mark("made", "OpenAI", "Content Credentials", "x"), state=state)
    assert mark_cell(finding) == f"made: OpenAI (Content Credentials {words})"


def test_a_file_that_says_nothing_gets_no_words(examined, toy_detector):
    assert mark_sentences(finding_with(examined)) == []
    assert mark_sentences(replace(examined.finding, image=None)) == []
    assert file_facts(replace(examined.finding, image=None)) == []
    assert "SHA-256" not in dict(trace(replace(examined.finding, image=None), toy_detector))
