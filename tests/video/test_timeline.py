import numpy as np
import pytest

from tests.toy_bundle import toy_info
from unmask.bundle import Policy
from unmask.finding import OUTSIDE_TRAINING, Box, FaceFinding, Moment, Note, Verdict
from unmask.verdict import Thresholds, decide, probability
from unmask.video.timeline import (
    Rule,
    aggregate,
    clip_thresholds,
    judge,
    jumping,
    most_suspicious_first,
)

THRESHOLDS = Thresholds(0.3, 0.7)
DOUBTFUL = Note("doubtful-face", "not sure")


def moments(scores, notes=()):
    made = []
    for number, score in enumerate(scores):
        logit = float(np.log(score / (1 - score)))
        square = Box(0, 0, 100, 100)
        face = FaceFinding(square, square, 0.9, 2 * logit, score, decide(score, THRESHOLDS), notes)
        made.append(Moment(number / 2, number * 12, face))
    return made


def verdict(scores, **rule):
    return judge(moments(scores), 2.0, THRESHOLDS, Rule(**rule))


@pytest.mark.parametrize(
    ("method", "share", "expected"),
    [
        ("mean", 0.1, 3.6),
        ("trimmed-mean", 0.1, 3.0),
        ("trimmed-mean", 0.3, 3.0),
        ("median", 0.1, 3.0),
        ("top-share", 0.4, 6.0),
    ],
)
def test_every_way_to_make_one_of_many(method, share, expected):
    assert aggregate([8.0, 1.0, 2.0, 3.0, 4.0], Rule(method, share)) == pytest.approx(expected)


@pytest.mark.parametrize("method", ["mean", "trimmed-mean", "median", "top-share"])
@pytest.mark.parametrize("count", [1, 2, 3, 10])
def test_equal_faces_give_what_one_gives(method, count):
    assert aggregate([1.5] * count, Rule(method)) == 1.5


def test_a_fake_that_is_one_throughout_is_called_fake():
    found = verdict([0.9, 0.95, 0.9, 0.92])
    assert found.verdict is Verdict.FAKE
    assert found.score == pytest.approx(0.91, abs=0.01)
    assert found.notes == ()


def test_one_lone_frame_never_accuses():
    assert verdict([0.9999999, 0.1, 0.1]).verdict is Verdict.REAL
    assert verdict([0.1] * 9 + [0.9999999]).verdict is Verdict.REAL


@pytest.mark.parametrize("count", [1, 2])
def test_fewer_than_three_faces_are_never_fake(count):
    found = verdict([0.99] * count)
    assert found.verdict is Verdict.UNSURE
    assert [note.code for note in found.notes] == ["few-samples"]
    assert verdict([0.01] * count).verdict is Verdict.REAL


def test_scores_that_jump_accuse_nobody():
    assert verdict([0.97, 0.2, 0.001, 0.98]).verdict is not Verdict.FAKE
    found = verdict([0.97, 0.3, 0.98, 0.97, 0.3, 0.98, 0.99])
    assert found.verdict is Verdict.UNSURE
    assert found.score > THRESHOLDS.fake_above
    assert [note.code for note in found.notes] == ["scores-jump"]


def test_the_share_of_jumps():
    assert jumping([0.97, 0.2, 0.0, 0.98]) == pytest.approx(2 / 3)
    assert jumping([0.97]) == 0.0


def test_faces_unlike_the_training_pictures_count_only_where_there_are_no_others():
    odd = moments([0.99] * 5, (OUTSIDE_TRAINING,))
    found = judge(odd, 2.0, THRESHOLDS)
    assert found.verdict is Verdict.UNSURE
    assert OUTSIDE_TRAINING in found.notes
    assert judge([*odd, *moments([0.1] * 4)], 2.0, THRESHOLDS).verdict is Verdict.REAL


def test_one_familiar_face_among_many_that_are_not_decides_nothing():
    odd = moments([0.99] * 29, (OUTSIDE_TRAINING,))
    found = judge([*odd, *moments([0.01])], 2.0, THRESHOLDS)
    assert found.verdict is Verdict.UNSURE
    assert OUTSIDE_TRAINING in found.notes


def test_how_few_can_be_judged_by_is_told_beside_how_many_were_seen():
    found = judge([*moments([0.2] * 2), *moments([0.99] * 4, (DOUBTFUL,))], 2.0, THRESHOLDS)
    assert [note.message for note in found.notes] == ["Only 2 of 6 sampled faces count: too few to call anyone fake."]


def test_doubtful_faces_count_only_where_there_are_no_others():
    assert judge([*moments([0.99] * 5, (DOUBTFUL,)), *moments([0.1] * 4)], 2.0, THRESHOLDS).verdict is Verdict.REAL
    assert judge(moments([0.99] * 5, (DOUBTFUL,)), 2.0, THRESHOLDS).verdict is Verdict.FAKE


def test_the_decisive_moments_are_the_highest_that_count():
    found = verdict([0.5, 0.9, 0.6, 0.99, 0.7])
    assert found.decisive == (1, 4, 2)


def test_the_score_is_on_the_bundles_scale():
    assert verdict([0.8] * 4).score == pytest.approx(float(probability(np.log(0.8 / 0.2), 1.0)))


def test_the_most_suspicious_of_those_who_were_seen_often_enough_decides():
    often, seldom, real = verdict([0.6] * 3), verdict([0.99] * 2), verdict([0.1] * 3)
    assert most_suspicious_first([real, seldom, often])[0] is often
    assert most_suspicious_first([verdict([0.1] * 2), verdict([0.99])])[0].verdict is Verdict.UNSURE
    assert most_suspicious_first([]) == ()
    assert most_suspicious_first([real, often]) == (often, real)


@pytest.mark.parametrize("code", ["doubtful-face", "bystander"])
def test_whom_the_camera_does_not_show_decides_only_where_nobody_else_is(code):
    beside = judge(moments([0.99] * 5, (Note(code, "behind"),)), 2.0, THRESHOLDS)
    shown = verdict([0.1] * 30)
    assert beside.verdict is Verdict.FAKE
    assert most_suspicious_first([beside, shown])[0] is shown
    assert most_suspicious_first([beside, verdict([0.1])])[0].verdict is Verdict.REAL
    assert most_suspicious_first([beside])[0] is beside


def test_thresholds_for_clips_go_before_those_for_pictures():
    info = toy_info()
    assert clip_thresholds(info, "balanced").fake_above == 0.6
    own = Policy(real_below=0.2, fake_above=0.8, chosen_by="hand")
    info = toy_info(clip_policies={"balanced": own})
    assert clip_thresholds(info, "balanced").fake_above == 0.8
    assert clip_thresholds(info, "careful").fake_above == 0.9
