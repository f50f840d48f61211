"""The temperature and the thresholds keep what they promise, also on odd sets."""

from __future__ import annotations

import numpy as np
import pytest

from unmask.errors import UnmaskError
from unmask.stats.calibration import (
    DEFAULT_POLICY,
    POLICIES,
    WORST_SOURCE,
    choose_thresholds,
    fit_centre,
    fit_temperature,
    safe_above,
)


def simulated(n: int = 4000, true_temperature: float = 2.5, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    honest = random.normal(0, 2, n)
    labels = (random.random(n) < 1 / (1 + np.exp(-honest))).astype(int)
    return honest * true_temperature, labels


def errors(scores: np.ndarray, labels: np.ndarray, **limits: float) -> tuple[float, float]:
    chosen = choose_thresholds(scores, labels, **limits)
    accused = float((scores[labels == 0] > chosen.fake_above).mean())
    missed = float((scores[labels == 1] < chosen.real_below).mean())
    assert chosen.real_below <= chosen.fake_above
    return accused, missed


def test_temperature_recovers_the_one_that_made_the_data_overconfident() -> None:
    logits, labels = simulated()
    assert fit_temperature(logits, labels) == pytest.approx(2.5, rel=0.1)


@pytest.mark.parametrize("rare", [0, 1])
def test_temperature_of_other_shares_of_the_classes_is_that_of_the_share_asked_for(rare: int) -> None:
    random = np.random.default_rng(3)
    honest = random.normal(-1, 2, 20000)
    labels = (random.random(20000) < 1 / (1 + np.exp(-honest))).astype(int)
    kept = (labels != rare) | (np.arange(20000) % 10 == 0)
    found = fit_temperature(2.5 * honest[kept], labels[kept], fake_share=labels.mean())
    assert found == pytest.approx(2.5, rel=0.05)
    assert fit_temperature(2.5 * honest[kept], labels[kept]) != pytest.approx(2.5, rel=0.2)


def test_the_centre_recovers_a_shift() -> None:
    logits, labels = simulated()
    assert fit_centre(logits + 1.7, labels) - fit_centre(logits, labels) == pytest.approx(1.7, abs=1e-3)
    assert fit_centre(logits, labels) == pytest.approx(0, abs=0.3)


def test_the_centre_is_that_of_logistic_regression() -> None:
    from sklearn.linear_model import LogisticRegression

    logits, labels = simulated()
    logits = logits * 0.4 - 1
    line = LogisticRegression(C=1e9, tol=1e-10).fit(logits[:, None], labels)
    assert fit_centre(logits, labels) == pytest.approx(-line.intercept_[0] / line.coef_[0, 0], abs=1e-2)


def test_the_centre_lies_between_classes_that_do_not_overlap() -> None:
    assert 3 < fit_centre([1.0, 2.0, 3.0, 7.0, 8.0, 9.0], [0, 0, 0, 1, 1, 1]) < 7


@pytest.mark.parametrize("logits", [[2.0, 2.0, 2.0, 2.0], [5.0, 4.0, 1.0, 2.0]])
def test_logits_that_tell_nothing_or_the_opposite_are_not_moved(logits: list[float]) -> None:
    assert fit_centre(logits, [0, 0, 1, 1]) == 0


def test_temperature_is_the_minimum_of_the_negative_log_likelihood() -> None:
    logits, labels = simulated(n=300)
    best = fit_temperature(logits, labels)
    margins = np.where(labels == 1, logits, -logits)

    def slope(temperature: float) -> float:
        return float(np.mean(margins / (1 + np.exp(margins / temperature))))

    # d NLL / d(1/T) vanishes at the minimum and changes its sign there.
    assert slope(best) == pytest.approx(0, abs=1e-6)
    assert slope(best * 0.99) * slope(best * 1.01) < 0


def test_temperature_scales_with_the_logits() -> None:
    logits, labels = simulated(n=500)
    assert fit_temperature(logits * 3, labels) == pytest.approx(3 * fit_temperature(logits, labels), rel=1e-6)


def test_temperature_does_not_depend_on_the_order_or_on_doubled_rows() -> None:
    logits, labels = simulated(n=500)
    order = np.random.default_rng(1).permutation(500)
    assert fit_temperature(logits[order], labels[order]) == pytest.approx(fit_temperature(logits, labels), rel=1e-6)
    assert fit_temperature(np.tile(logits, 2), np.tile(labels, 2)) == pytest.approx(
        fit_temperature(logits, labels), rel=1e-6
    )


def test_separable_logits_keep_the_temperature_one() -> None:
    assert fit_temperature([-3.0, -0.2, 0.1, 8.0], [0, 0, 1, 1]) == 1.0


def test_logits_that_are_all_zero_keep_the_temperature_one() -> None:
    assert fit_temperature(np.zeros(4), [0, 1, 0, 1]) == 1.0


def test_logits_worse_than_chance_get_the_largest_temperature() -> None:
    assert fit_temperature([3.0, 2.0, -2.0, -3.0], [0, 0, 1, 1]) == pytest.approx(100)


def test_huge_logits_do_not_overflow() -> None:
    assert np.isfinite(fit_temperature([-4e4, 5e4, -3e4, 2e4], [0, 1, 1, 0]))


@pytest.mark.parametrize(
    ("logits", "labels", "code"),
    [
        ([1.0, 2.0], [1, 1], "one-class"),
        ([1.0, np.nan], [0, 1], "not-a-number"),
        ([1.0], [0, 1], "length-mismatch"),
        ([], [], "no-rows"),
        ([1.0, 2.0], [0, 2], "bad-labels"),
    ],
)
def test_temperature_refuses_what_it_cannot_fit(logits: list[float], labels: list[int], code: str) -> None:
    with pytest.raises(UnmaskError) as caught:
        fit_temperature(logits, labels)
    assert caught.value.code == code
    assert caught.value.hint


def test_thresholds_by_hand() -> None:
    # 100 reals: one may be called fake (1 %). 20 fakes: one may be called real (5 %).
    reals = np.linspace(0.0, 0.495, 100)
    fakes = np.linspace(0.40, 0.97, 20)
    scores, labels = np.concatenate([reals, fakes]), np.repeat([0, 1], [100, 20])
    chosen = choose_thresholds(scores, labels)
    assert chosen.fake_above == pytest.approx(0.49)
    assert chosen.real_below == pytest.approx(0.43)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("spread", [0.3, 1.0, 3.0, 30.0])
@pytest.mark.parametrize("n", [2, 7, 60, 1000])
def test_every_policy_keeps_both_limits(policy: str, spread: float, n: int) -> None:
    random = np.random.default_rng(n)
    labels = np.arange(n) % 2
    scores = 1 / (1 + np.exp(-random.normal((labels - 0.5) * spread, 1)))
    limits = POLICIES[policy]
    accused, missed = errors(scores, labels, **limits._asdict())
    assert accused <= limits.max_false_accusation
    assert missed <= limits.max_missed_fake


def test_ties_at_the_threshold_keep_the_limits() -> None:
    scores = np.round(np.random.default_rng(0).random(400), 1)
    labels = (np.arange(400) % 2).astype(int)
    accused, missed = errors(scores, labels)
    assert accused <= 0.01
    assert missed <= 0.05


def test_equal_scores_are_all_unsure() -> None:
    chosen = choose_thresholds([0.3] * 6, [0, 1] * 3)
    assert (chosen.real_below, chosen.fake_above) == (0.3, 0.3)


def test_a_perfect_detector_gets_one_threshold_at_an_even_chance() -> None:
    chosen = choose_thresholds([0.01, 0.02, 0.98, 0.99], [0, 0, 1, 1])
    assert (chosen.real_below, chosen.fake_above) == (0.5, 0.5)


def test_crossed_thresholds_meet_between_the_two() -> None:
    chosen = choose_thresholds([0.01, 0.02, 0.08, 0.10], [0, 0, 1, 1])
    assert (chosen.real_below, chosen.fake_above) == (0.08, 0.08)


def test_a_backward_detector_is_unsure_of_everything() -> None:
    scores, labels = np.array([0.9, 0.8, 0.2, 0.1]), np.array([0, 0, 1, 1])
    chosen = choose_thresholds(scores, labels)
    assert not (scores < chosen.real_below).any()
    assert not (scores > chosen.fake_above).any()


def test_stricter_limits_never_answer_more() -> None:
    random = np.random.default_rng(5)
    labels = np.arange(2000) % 2
    scores = 1 / (1 + np.exp(-random.normal(labels - 0.5, 1)))
    chosen = [choose_thresholds(scores, labels, max_false_accusation=a) for a in (0.0, 0.005, 0.02, 0.1)]
    assert [c.fake_above for c in chosen] == sorted((c.fake_above for c in chosen), reverse=True)


@pytest.mark.parametrize("limit", [-0.1, 1.0, 2.0, float("nan")])
def test_thresholds_refuse_a_limit_that_is_no_share(limit: float) -> None:
    with pytest.raises(UnmaskError) as caught:
        choose_thresholds([0.1, 0.9], [0, 1], max_false_accusation=limit)
    assert caught.value.code == "bad-share"


def test_a_source_may_be_accused_of_everything() -> None:
    found = choose_thresholds([0.1, 0.2, 0.3, 0.9], [0, 0, 1, 1], max_false_accusation=0.5, sources=["a"] * 4)
    assert found == choose_thresholds([0.1, 0.2, 0.3, 0.9], [0, 0, 1, 1], max_false_accusation=0.5)


def test_thresholds_refuse_logits() -> None:
    with pytest.raises(UnmaskError) as caught:
        choose_thresholds([-2.0, 3.0], [0, 1])
    assert caught.value.code == "not-a-probability"


def test_thresholds_refuse_one_class() -> None:
    with pytest.raises(UnmaskError) as caught:
        choose_thresholds([0.2, 0.3], [0, 0])
    assert caught.value.code == "one-class"


def test_the_default_policy_is_one_and_five_per_cent() -> None:
    assert POLICIES[DEFAULT_POLICY] == (0.01, 0.05)


def test_no_source_is_accused_much_more_often_than_all_together():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 0, 1], 500)
    sources = np.repeat(["easy", "hard", "easy"], 500)
    scores = np.concatenate([rng.uniform(0, 0.3, 500), rng.uniform(0, 0.9, 500), rng.uniform(0.5, 1, 500)])
    limits = {"max_false_accusation": 0.05, "max_missed_fake": 0.05}
    together = choose_thresholds(scores, labels, **limits)
    apart = choose_thresholds(scores, labels, **limits, sources=sources)
    hard = scores[sources == "hard"]
    assert (hard > together.fake_above).mean() > 0.0999
    assert (hard > apart.fake_above).mean() <= WORST_SOURCE * 0.05
    assert apart.fake_above >= together.fake_above


def test_no_source_s_fakes_are_missed_much_more_often_than_all_together():
    labels = np.repeat([0, 1, 1], 100)
    sources = np.repeat(["old", "old", "new"], 100)
    scores = np.concatenate([np.linspace(0, 0.2, 100), np.linspace(0.9, 1, 100), np.linspace(0.05, 1, 100)])
    limits = {"max_false_accusation": 0.3, "max_missed_fake": 0.1}
    apart = choose_thresholds(scores, labels, **limits, sources=sources)
    together = choose_thresholds(scores, labels, **limits)
    assert (scores[200:] < apart.real_below).mean() <= WORST_SOURCE * 0.1
    assert apart.real_below <= together.real_below


def test_what_is_safe_is_held_by_the_upper_end_of_the_interval() -> None:
    from unmask.stats.closed_form import wilson_interval

    scores = np.random.default_rng(0).random(1000)
    safe = safe_above(scores, None, 0.03)
    exceeding = float((scores > safe).mean())
    assert wilson_interval(exceeding, 1000)[1] <= 0.03 < wilson_interval(exceeding + 0.001, 1000)[1]


def test_a_clip_counts_once_however_many_frames_it_has() -> None:
    frames = np.concatenate([np.full(300, 0.9), np.linspace(0, 0.5, 400)])
    groups = np.array(["clip"] * 300 + [""] * 400)
    # One of 401 is little; 300 of 700 is not.
    assert safe_above(frames, groups, 0.03) < 0.5
    assert safe_above(frames, None, 0.03) == pytest.approx(0.9)


def test_with_too_few_to_show_anything_nobody_is_accused() -> None:
    assert safe_above([0.2, 0.95, 0.1], None, 0.02) == 0.95
    assert safe_above(np.linspace(0, 0.9, 500), np.array(["one clip"] * 500), 0.02) == pytest.approx(0.9)
