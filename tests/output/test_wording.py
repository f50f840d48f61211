import re
from pathlib import Path

import pytest

import unmask
from unmask.bundle import read_bundle
from unmask.finding import Verdict
from unmask.output.wording import MARKS, learned, measured, printable, score_text, size_text


@pytest.mark.parametrize(
    ("score", "text"),
    [(0.0, "below 0.01"), (0.001, "below 0.01"), (0.5, "0.50"), (0.999, "above 0.99"), (1.0, "above 0.99")],
)
def test_a_score_is_never_rounded_to_a_certainty(score, text):
    assert score_text(score) == text


@pytest.mark.parametrize(("count", "text"), [(1, "1 kB"), (2600, "3 kB"), (1_500_000, "1.5 MB")])
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


def test_numbers_of_test_are_said_where_a_bundle_has_them_and_else_those_of_validation():
    exported = read_bundle().info
    count = next(metric.n for metric in exported.metrics if metric.name == "false_accusation_rate")
    assert measured(exported)[0].startswith(
        f"Of {count:,} real pictures by which its thresholds were chosen, it called"
    )
    seen = [metric.model_copy(update={"split": "Test", "value": 0.021}) for metric in exported.metrics]
    both = exported.model_copy(update={"metrics": [*exported.metrics, *seen]})
    assert f"Of {count:,} real pictures that it had never seen, it called 2.1 %" in measured(both)[0]


def test_a_detector_that_nobody_measured_is_called_not_calibrated():
    info = read_bundle().info.model_copy(update={"metrics": []})
    assert "not calibrated" in measured(info)[0]


def test_what_a_detector_learned_is_named_and_whom_it_accuses_most():
    info = read_bundle().info
    data = info.training_data.model_copy(update={"methods": {"FaceSwap": 30, "FLUX": 2}})
    metric = info.metrics[0].model_copy(update={"name": "ffpp", "value": 0.031})
    told = info.model_copy(update={"training_data": data, "accusations": [metric]})
    assert learned(told) == "It learned 2 kinds of fakes: FaceSwap, FLUX. Others it may miss."
    assert measured(told)[-1] == f"It did worst on real pictures from ffpp: of {metric.n:,} it called 3.1 % fake."
    for methods, text in (({}, ""), ({"FLUX": 2}, "It learned 1 kind of fakes: FLUX. Others it may miss.")):
        assert learned(info.model_copy(update={"training_data": data.model_copy(update={"methods": methods})})) == text
