"""Intervals hold the truth as often as they say, count groups rather than frames, and say when there is none."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from unmask.errors import UnmaskError
from unmask.stats.closed_form import area_interval
from unmask.stats.intervals import NOTHING_VARIES, Estimate, estimate, mean_estimate
from unmask.stats.measures import MEASURES, value_of
from unmask.stats.metrics import Judged
from unmask.stats.resampling import effective_groups, group_index, resamplings
from unmask.verdict import Thresholds


def estimate_one(name: str, labels: object, scores: object, **how: object) -> Estimate:
    return estimate(Judged.of(labels, scores), names=(name,), **how)[name]


def simulated(per_class: int, area: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two normal classes whose true AUC is `area`."""
    labels = np.repeat([0, 1], per_class)
    logits = np.random.default_rng(seed).normal(np.sqrt(2) * norm.ppf(area) * labels, 1)
    return labels, 1 / (1 + np.exp(-logits))


def test_intervals_hold_the_true_auc_in_93_to_97_of_100_sets() -> None:
    held = 0
    for seed in range(500):
        found = estimate_one("roc_auc", *simulated(60, 0.9, seed), replicates=400)
        held += found.low <= 0.9 <= found.high
    assert 0.93 <= held / 500 <= 0.97


@pytest.mark.parametrize(("reals", "fakes"), [(5, 200), (20, 400), (400, 20)])
def test_intervals_hold_the_true_auc_where_one_class_is_rare(reals: int, fakes: int) -> None:
    labels = np.repeat([0, 1], [reals, fakes])
    held = 0
    for seed in range(200):
        logits = np.random.default_rng(seed).normal(np.sqrt(2) * norm.ppf(0.9) * labels, 1)
        found = estimate_one("roc_auc", labels, 1 / (1 + np.exp(-logits)), replicates=100)
        held += found.low <= 0.9 <= found.high
    assert held / 200 >= 0.93


def test_three_real_pictures_prove_little_however_many_fakes_there_are() -> None:
    labels = np.repeat([0, 1], [3, 500])
    found = estimate(Judged.of(labels, np.where(labels == 1, 0.9, 0.1)), replicates=200)
    for name in ("roc_auc", "balanced_accuracy", "average_precision"):
        assert (found[name].value, found[name].high) == (1, 1)
        assert found[name].low < 0.75
    assert found["equal_error_rate"].high > 0.5
    assert found["missed_fake_rate"].high < 0.01  # of the 500 alone


def test_newcombes_interval_is_that_of_the_paper() -> None:
    low, high = area_interval(0.9, 20, 30)
    for end in (low, high):
        variance = end * (1 - end) * (1 + 24 * (1 - end) / (2 - end) + 24 * end / (1 + end)) / 600
        assert abs(end - 0.9) == pytest.approx(norm.ppf(0.975) * np.sqrt(variance), abs=1e-9)
    assert area_interval(1, 20, 30)[1] == 1
    assert area_interval(0, 20, 30)[0] == 0


def test_a_share_of_false_alarms_needs_as_many_real_pictures() -> None:
    labels = np.repeat([0, 1], [60, 60])
    found = estimate(Judged.of(labels, np.linspace(0, 1, 120)), replicates=50)
    assert found["tpr_at_fpr_1"].value is None
    assert found["tpr_at_fpr_1"].reason == "it needs 100 real pictures, and there are 60"
    assert found["tpr_at_fpr_5"].value is not None


def test_frames_of_few_clips_give_no_interval_at_a_small_share_of_false_alarms() -> None:
    labels, scores = simulated(200, 0.85, 9)
    clips = [f"clip {row // 10}" for row in range(400)]
    found = estimate_one("tpr_at_fpr_1", labels, scores, groups=clips)
    assert found.value is not None
    assert found.reason == "too few groups for an interval"


def test_one_long_clip_among_many_pictures_leaves_an_interval_at_a_small_share_of_false_alarms() -> None:
    labels, scores = simulated(200, 0.85, 9)
    clips = ["long" if row < 60 else f"clip {row}" for row in range(400)]
    assert estimate_one("tpr_at_fpr_1", labels, scores, groups=clips).low is not None


def test_more_pictures_give_a_shorter_interval() -> None:
    lengths = []
    for per_class in (50, 200, 800):
        found = estimate_one("roc_auc", *simulated(per_class, 0.85, 1))
        lengths.append(found.high - found.low)
    assert lengths == sorted(lengths, reverse=True)


def test_frames_of_one_clip_do_not_shorten_the_interval() -> None:
    labels, scores = simulated(40, 0.85, 2)
    alone = estimate_one("roc_auc", labels, scores)
    clips = [f"clip {row}" for row in range(80)]
    frames = estimate_one("roc_auc", np.repeat(labels, 10), np.repeat(scores, 10), groups=list(np.repeat(clips, 10)))
    naive = estimate_one("roc_auc", np.repeat(labels, 10), np.repeat(scores, 10))
    assert frames.high - frames.low == pytest.approx(alone.high - alone.low, rel=0.1)
    assert naive.high - naive.low < 0.5 * (alone.high - alone.low)


def test_every_measure_comes_with_an_interval_around_it() -> None:
    labels, scores = simulated(150, 0.85, 3)
    judged = Judged.of(labels, scores, Thresholds(0.4, 0.9))
    for name, found in estimate(judged, replicates=300).items():
        assert found.reason is None
        assert found.value == pytest.approx(value_of(name, judged))
        assert 0 <= found.low < found.value < found.high <= 1, name


def test_no_error_among_few_pictures_proves_little() -> None:
    labels, scores = np.repeat([0, 1], 10), np.repeat([0.1, 0.9], 10)
    found = estimate(Judged.of(labels, scores))["false_accusation_rate"]
    assert found.value == 0
    assert found.low == 0
    assert found.high == pytest.approx(0.278, abs=0.001)  # Wilson, 0 of 10


def test_the_same_seed_gives_the_same_interval() -> None:
    labels, scores = simulated(50, 0.8, 5)
    assert estimate_one("roc_auc", labels, scores) == estimate_one("roc_auc", labels, scores)


def test_the_order_of_the_rows_hardly_moves_the_interval() -> None:
    labels, scores = simulated(200, 0.8, 6)
    order = np.random.default_rng(0).permutation(400)
    one = estimate_one("roc_auc", labels, scores, replicates=4000)
    other = estimate_one("roc_auc", labels[order], scores[order], replicates=4000)
    assert one.low == pytest.approx(other.low, abs=0.004)
    assert one.value == pytest.approx(other.value, abs=1e-9)


def test_one_group_has_values_but_no_interval() -> None:
    labels, scores = simulated(20, 0.8, 7)
    found = estimate_one("roc_auc", labels, scores, groups=["clip"] * 40)
    assert found.value is not None
    assert found.low is None
    assert found.reason == "too few groups for an interval"


def test_one_class_keeps_what_exists_and_names_what_does_not() -> None:
    found = estimate(Judged.of([0] * 30, np.linspace(0, 0.6, 30)))
    assert found["roc_auc"].value is None
    assert "real" in str(found["roc_auc"].reason)
    assert found["false_accusation_rate"].value is not None
    assert found["missed_fake_rate"].reason == "there is no fake picture"


def test_one_picture_never_gives_a_silent_nan() -> None:
    for found in estimate(Judged.of([1], [0.7])).values():
        assert found.reason
        assert found.value is None or np.isfinite(found.value)


def test_equal_scores_give_finite_numbers_or_reasons() -> None:
    for found in estimate(Judged.of([0, 1] * 20, [0.5] * 40), replicates=100).values():
        for number in (found.value, found.low, found.high):
            assert number is None or np.isfinite(number)
        assert found.value is not None or found.reason


def test_what_no_resampling_changes_has_a_reason_and_no_interval_of_no_width() -> None:
    found = estimate(Judged.of([0, 1] * 40, [0.5] * 80), replicates=100)
    for name in ("roc_auc", "balanced_accuracy", "equal_error_rate", "brier"):
        assert found[name].value is not None
        assert found[name].low is None
        assert found[name].reason == NOTHING_VARIES
    assert mean_estimate("gain", [0.25] * 10, replicates=20).reason == NOTHING_VARIES


def test_n_counts_the_pictures_that_a_measure_is_about() -> None:
    found = estimate(Judged.of([0, 0, 0, 1], [0.1, 0.2, 0.3, 0.9]), replicates=50)
    assert found["false_accusation_rate"].n == 3
    assert found["missed_fake_rate"].n == 1
    assert found["roc_auc"].n == 4


def test_resamplings_draw_whole_groups() -> None:
    index = group_index(["a", "a", "b", "b", "b"], 5)
    weights = np.concatenate(list(resamplings(index, 300, seed=0)))
    assert weights.shape == (300, 5)
    assert (weights[:, 0] == weights[:, 1]).all()
    assert (weights[:, 2] == weights[:, 4]).all()
    assert (weights[:, 0] + weights[:, 2] == 2).all()


def test_a_million_rows_are_not_resampled_200_times_at_once() -> None:
    assert next(resamplings(np.arange(1_000_000), 200, seed=0)).nbytes < 50e6


def test_how_many_are_drawn_at_once_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    index = np.arange(50)
    together = list(resamplings(index, 90, seed=0))
    monkeypatch.setattr("unmask.stats.resampling._NUMBERS", 350)
    apart = list(resamplings(index, 90, seed=0))
    assert (len(together), len(apart)) == (1, 13)
    np.testing.assert_array_equal(np.concatenate(together), np.concatenate(apart))


def test_an_empty_group_name_is_a_picture_of_its_own() -> None:
    assert len(set(group_index(["", "", "a", "a"], 4))) == 3


def test_effective_groups_by_hand() -> None:
    assert effective_groups(np.array([0, 1, 2, 3])) == 4
    assert effective_groups(np.array([0, 0, 0, 1])) == pytest.approx(1.6)
    assert effective_groups(np.array([], dtype=int)) == 0


def test_groups_of_another_length_are_refused() -> None:
    with pytest.raises(UnmaskError) as caught:
        group_index(["a"], 2)
    assert caught.value.code == "length-mismatch"


def test_every_measure_has_a_title_and_a_reason() -> None:
    assert all(measure.title and measure.nothing for measure in MEASURES.values())


def test_the_interval_of_a_mean_is_as_wide_as_students() -> None:
    from scipy.stats import t

    values = np.array([0.1, 0.4, 0.35, 0.8])
    found = mean_estimate("gain", values, replicates=20_000)
    reach = t.ppf(0.975, df=3) * values.std(ddof=1) / 2
    assert (found.high - found.low) / 2 == pytest.approx(reach, rel=0.03)
