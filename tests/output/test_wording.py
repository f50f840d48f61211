import re
from pathlib import Path

import pytest

import unmask
from unmask.finding import Box, FaceFinding, Finding, Note, Status, Verdict
from unmask.output.ranking import because
from unmask.output.wording import MARKS, limit_text, printable, remarks, score_text, size_text
from unmask.verdict import Thresholds, decide, deciding_face


@pytest.mark.parametrize(
    ("score", "text"),
    [(0.0, "below 0.01"), (0.001, "below 0.01"), (0.5, "0.50"), (0.999, "above 0.99"), (1.0, "above 0.99")],
)
def test_a_score_is_never_rounded_to_a_certainty(score, text):
    assert score_text(score) == text


@pytest.mark.parametrize(("count", "text"), [(1, "1 kB"), (2600, "3 kB"), (999_600, "1.0 MB"), (1_500_000, "1.5 MB")])
def test_bytes_are_said_for_people(count, text):
    assert size_text(count) == text


@pytest.mark.parametrize("letter", ["\x1b", "\n", "\r", "\x9b", "\u202e", "\u2028", "\udce9"])
def test_nothing_that_steers_a_terminal_or_turns_the_text_around_is_printed(letter):
    assert printable(f"a{letter}ü 😀.png") == "a\N{REPLACEMENT CHARACTER}ü 😀.png"


def test_the_marks_of_verdicts_stand_in_one_file():
    root = Path(unmask.__file__).parent
    marks = re.compile("|".join(MARKS[verdict] for verdict in Verdict))
    files = [*root.rglob("*.py"), *root.glob("output/templates/*.html")]
    assert [file.name for file in files if marks.search(file.read_text())] == ["wording.py"]


@pytest.mark.parametrize(("threshold", "text"), [(0.2309, "0.23"), (0.9986, "0.999"), (0.00004, "0.00004"), (1.0, "1")])
def test_a_threshold_is_never_rounded_to_a_certainty(threshold, text):
    assert limit_text(threshold) == text


SMALL = [Note("small-face", f"This face is only {side} px high; fine traces may be lost.") for side in (40, 61)]
BESIDE = Note("bystander", "It does not decide.")


def group(*faces):
    """A picture with faces of these scores and notes."""
    limits = Thresholds(0.2, 0.9)
    found = tuple(
        FaceFinding(Box(0, 0, 9, 9), Box(0, 0, 9, 9), 0.9, 0.0, score, decide(score, limits), notes)
        for score, *notes in faces
    )
    face = deciding_face(found)
    return Finding(None, Status.ANSWERED, face.verdict, face.score, found, None, (), None, "d", "balanced", 0.1)


@pytest.mark.parametrize(
    ("faces", "text"),
    [
        ([(0.95,)], ""),
        ([(0.5,), (0.95,), (0.1,)], "Because of face 2, the most suspicious of 3."),
        ([(0.05,), (0.1,)], "Even face 2, the most suspicious of 2, is called real."),
        ([(0.5,), (0.95, BESIDE), (0.1,)], "Because of face 1, the most suspicious of the 2 that count."),
        ([(0.5,), (0.95, BESIDE)], "Because of face 1, the only one that counts."),
    ],
)
def test_it_is_said_which_face_decided(faces, text):
    assert because(group(*faces)) == text


def test_notes_name_their_faces_and_those_that_differ_in_a_number_stand_together():
    finding = group((0.5, SMALL[0]), (0.5, SMALL[1], BESIDE), (0.5, SMALL[0]), (0.5,), (0.5, SMALL[0]))
    assert remarks(finding) == [
        "Faces 1 to 3 and 5: This face is only 40 to 61 px high; fine traces may be lost.",
        "Face 2: It does not decide.",
    ]
    assert remarks(group((0.5, SMALL[0]))) == [SMALL[0].message]
