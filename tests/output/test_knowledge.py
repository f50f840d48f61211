import pytest

from unmask.bundle import read_bundle
from unmask.finding import OUTSIDE_TRAINING, Box, ClipFinding, FaceFinding, Finding, Status, Verdict
from unmask.output.knowledge import NO_NUMBER_FOR_CLIPS, ONE_IN, at_base_rates, knows, learned, measured
from unmask.verdict import Thresholds, decide


@pytest.fixture(scope="module")
def info():
    return read_bundle().info


def told(info, **data):
    return info.model_copy(update={"training_data": info.training_data.model_copy(update=data)})


def test_numbers_of_test_are_said_where_a_bundle_has_them_and_else_those_of_validation(info):
    exported = info.model_copy(update={"metrics": [metric for metric in info.metrics if metric.split == "Validation"]})
    count = next(metric.n for metric in exported.metrics if metric.name == "false_accusation_rate")
    assert measured(exported, "balanced")[0].startswith(
        f"Of {count:,} real pictures by which its thresholds were chosen, it called"
    )
    seen = [metric.model_copy(update={"split": "Test", "value": 0.021}) for metric in exported.metrics]
    both = exported.model_copy(update={"metrics": [*exported.metrics, *seen]})
    assert f"Of {count:,} real pictures that it had never seen, it called 2.1 %" in measured(both, "balanced")[0]


def test_numbers_of_one_policy_are_not_given_as_those_of_another(info):
    other = measured(info, "careful")
    assert other[:-1] == measured(info, "balanced")
    assert other[-1] == "These numbers are of the policy balanced; with careful, others hold."
    assert "balanced" not in knows(info, "balanced")
    assert "Measured on pictures with the policy balanced, not careful, it called" in knows(info, "careful")


def test_a_detector_that_nobody_measured_is_called_not_calibrated(info):
    info = info.model_copy(update={"metrics": []})
    assert "not calibrated" in measured(info, "balanced")[0]


def test_what_a_detector_learned_is_named_and_whom_it_accuses_most(info):
    data = info.training_data.model_copy(update={"methods": {"face_swap": 30, "FLUX": 2}, "families": {}})
    metric = info.metrics[0].model_copy(update={"name": "lfw_old", "value": 0.031})
    told = info.model_copy(update={"training_data": data, "accusations": [metric]})
    assert learned(told) == "It learned 2 kinds of fakes: face swap, FLUX. Others it may miss."
    assert (
        measured(told, "balanced")[-1]
        == f"It did worst on real pictures from lfw old: of {metric.n:,} it called 3.1 % fake."
    )
    for methods, text in (({}, ""), ({"FLUX": 2}, "It learned 1 kind of fakes: FLUX. Others it may miss.")):
        assert learned(info.model_copy(update={"training_data": data.model_copy(update={"methods": methods})})) == text


def test_families_are_told_apart_by_whether_they_were_learned(info):
    families = {"face swap": {"Train": 30, "Validation": 4}, "generated": {"Train": 9}, "edited": {"Validation": 5}}
    assert learned(told(info, families=families)) == (
        "It learned 2 kinds of fakes: face swap, generated. "
        "It was also measured on kinds that it had not learned: edited. Others it may miss."
    )
    assert "measured on some that it had not learned: edited." in knows(told(info, families=families), "balanced")


def test_beside_a_real_stands_what_was_learned_and_how_often_it_is_wrong(info):
    metric = info.metrics[0]
    metrics = [
        metric.model_copy(update={"name": name, "value": value})
        for name, value in (("false_accusation_rate", 0.003), ("missed_fake_rate", 0.047))
    ]
    worst = metric.model_copy(update={"name": "web", "value": 0.01})
    detector = told(info, methods=dict.fromkeys("abcdefg", 1), families={})
    detector = detector.model_copy(update={"metrics": metrics, "accusations": [worst]})
    assert knows(detector, "balanced") == (
        "The detector learned 7 kinds of fakes (a, b, c, d, e and 2 more); others it may miss. Measured on pictures, it called "
        "4.7 % of the fakes real, and 0.3 % of the real pictures fake (1.0 % of those from web, its worst source)."
    )
    detector = detector.model_copy(
        update={"metrics": [metrics[0].model_copy(update={"value": 0.0, "n": 1159}), metrics[1]]}
    )
    assert "fakes real, and none of the 1,159 real pictures fake" in knows(detector, "balanced")
    assert (
        knows(told(info, methods={}, families={}).model_copy(update={"metrics": [], "accusations": []}), "balanced")
        == ""
    )


def finding(score, *notes):
    verdict = decide(score, Thresholds(0.2, 0.98))
    face = FaceFinding(Box(0, 0, 9, 9), Box(0, 0, 9, 9), 0.9, 0.0, score, verdict, notes)
    return Finding(None, Status.ANSWERED, verdict, score, (face,), None, (), None, "d", "balanced", 0.1)


@pytest.mark.parametrize(
    ("score", "number"),
    [
        (0.5, "about 5 of 100"),
        (0.9999, "at least 84 of 100"),
        (0.0001, "at most 1 of 1,000"),
        (0.97, "about 63 of 100"),
    ],
)
def test_a_score_is_said_for_a_person_s_own_share_of_fakes(info, score, number):
    balanced = told(info, counts={"Validation real": 50, "Validation fake": 50})
    sentences = dict(at_base_rates(finding(score), balanced))
    assert tuple(sentences) == ONE_IN
    assert sentences[20] == f"If 1 in 20 of your pictures is fake: {number} pictures with such a score would be fake."


def test_a_score_belongs_to_the_share_of_fakes_that_its_bundle_names(info):
    rare = told(info, counts={"Validation real": 900, "Validation fake": 100})
    assert "about 90 of 100 pictures" in dict(at_base_rates(finding(0.9), rare))[10]
    anew = rare.model_copy(update={"fake_share": 0.5})
    assert "about 50 of 100 pictures" in dict(at_base_rates(finding(0.9), anew))[10]


def test_no_number_is_made_up(info):
    clip = ClipFinding(None, Status.ANSWERED, Verdict.FAKE, 0.99, (), (), None, (), None, "d", "balanced", 0.1)
    assert {text for _, text in at_base_rates(clip, info)} == {NO_NUMBER_FOR_CLIPS}
    assert at_base_rates(finding(0.5), info.model_copy(update={"metrics": []})) == []
    assert "no number" in at_base_rates(finding(0.99, OUTSIDE_TRAINING), info)[0][1]
