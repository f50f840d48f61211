import numpy as np
import pytest

from unmask.errors import UnmaskError
from unmask.finding import Box, FaceFinding, Note, Verdict
from unmask.verdict import Thresholds, decide, deciding_face, probability


def test_a_logit_of_zero_is_one_half_at_any_temperature():
    assert probability(0.0, 0.3) == 0.5
    assert probability(0.0, 7.0) == 0.5


def test_probability_is_the_sigmoid_of_the_logit_over_the_temperature():
    logits = np.linspace(-8, 8, 33)
    np.testing.assert_allclose(probability(logits, 2.0), 1 / (1 + np.exp(-logits / 2.0)), atol=1e-12)


def test_extreme_logits_neither_overflow_nor_leave_the_range():
    with np.errstate(all="raise"):
        np.testing.assert_array_equal(probability([-1e30, 1e30], 1.0), [0.0, 1.0])


def test_the_three_answers_lie_on_their_sides_of_the_thresholds():
    thresholds = Thresholds(0.3, 0.8)
    assert [decide(p, thresholds) for p in (0.0, 0.29, 0.5, 0.81, 1.0)] == [
        Verdict.REAL,
        Verdict.REAL,
        Verdict.UNSURE,
        Verdict.FAKE,
        Verdict.FAKE,
    ]


def test_a_score_exactly_on_a_threshold_is_unsure():
    thresholds = Thresholds(0.3, 0.8)
    assert decide(0.3, thresholds) is Verdict.UNSURE
    assert decide(0.8, thresholds) is Verdict.UNSURE


@pytest.mark.parametrize(("low", "high"), [(0.6, 0.4), (-0.1, 0.5), (0.5, 1.1), (float("nan"), 0.5)])
def test_thresholds_out_of_order_or_range_are_refused(low, high):
    with pytest.raises(UnmaskError) as caught:
        Thresholds(low, high)
    assert caught.value.code == "bad-thresholds"
    assert caught.value.hint


def test_nobody_is_accused_outside_training_and_the_other_answers_stay():
    thresholds = Thresholds(0.3, 0.8)
    assert [decide(p, thresholds, outside_training=True) for p in (0.1, 0.5, 0.99)] == [
        Verdict.REAL,
        Verdict.UNSURE,
        Verdict.UNSURE,
    ]


def face(verdict, score, *notes):
    box = Box(0, 0, 100, 100)
    return FaceFinding(box, box, 0.9, 0.0, score, verdict, tuple(Note(code, "") for code in notes))


def test_the_most_suspicious_face_decides():
    faces = [face(Verdict.REAL, 0.1), face(Verdict.FAKE, 0.8), face(Verdict.UNSURE, 0.9, "outside-training")]
    assert deciding_face(faces) is faces[1]


@pytest.mark.parametrize("code", ["doubtful-face", "bystander"])
def test_a_doubtful_face_of_the_same_score_does_not_decide(code):
    faces = [face(Verdict.FAKE, 0.8, code), face(Verdict.FAKE, 0.8)]
    assert deciding_face(faces) is faces[1]
    assert deciding_face(faces[:1]) is faces[0]


def test_no_face_decides_where_there_is_none():
    assert deciding_face(()) is None
