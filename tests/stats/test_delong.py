"""DeLong's test against arithmetic by hand, and against what a test must do under the null."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from unmask.errors import UnmaskError
from unmask.stats.delong import compare_auc


def two_detectors(n: int, gain: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    shared = random.normal(labels, 1)
    return labels, shared + random.normal(0, 0.5, n), shared + gain * labels + random.normal(0, 0.5, n)


def by_definition(labels: np.ndarray, one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """Difference and standard error from the placement values of every pair, as in the paper's equations 3 to 5."""
    fake, real = labels == 1, labels == 0
    kernels = [(s[fake][:, None] > s[real]) + 0.5 * (s[fake][:, None] == s[real]) for s in (one, other)]
    from_fakes = np.cov([kernel.mean(1) for kernel in kernels])
    from_reals = np.cov([kernel.mean(0) for kernel in kernels])
    covariance = from_fakes / fake.sum() + from_reals / real.sum()
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    return kernels[0].mean() - kernels[1].mean(), float(np.sqrt(variance))


@pytest.mark.parametrize("decimals", [1, 12])
def test_difference_and_error_follow_the_definition(decimals: int) -> None:
    labels, one, other = two_detectors(90, 0.3, 0)
    one, other = np.round(one, decimals), np.round(other, decimals)
    found = compare_auc(labels, one, other)
    difference, error = by_definition(labels, one, other)
    assert found.difference == pytest.approx(difference, abs=1e-9)
    assert found.standard_error == pytest.approx(error, abs=1e-9)
    assert found.p_value == pytest.approx(2 * norm.sf(abs(difference / error)), abs=1e-9)


def test_areas_are_scikit_learns() -> None:
    labels, one, other = two_detectors(101, 0.3, 1)
    found = compare_auc(labels, one, other)
    assert found.first == pytest.approx(roc_auc_score(labels, one), abs=1e-9)
    assert found.second == pytest.approx(roc_auc_score(labels, other), abs=1e-9)


def test_single_pictures_as_groups_change_nothing() -> None:
    labels, one, other = two_detectors(80, 0.3, 2)
    plain = compare_auc(labels, one, other)
    grouped = compare_auc(labels, one, other, groups=[str(row) for row in range(80)])
    assert grouped.standard_error == pytest.approx(plain.standard_error, abs=1e-12)
    assert grouped.clustered


def test_repeated_frames_bring_no_certainty() -> None:
    labels, one, other = two_detectors(80, 0.3, 3)
    plain = compare_auc(labels, one, other)
    clips = [str(row) for row in np.repeat(np.arange(80), 5)]
    frames = compare_auc(np.repeat(labels, 5), np.repeat(one, 5), np.repeat(other, 5), groups=clips)
    naive = compare_auc(np.repeat(labels, 5), np.repeat(one, 5), np.repeat(other, 5))
    assert frames.standard_error == pytest.approx(plain.standard_error, rel=1e-9)
    assert naive.standard_error < 0.5 * plain.standard_error


def test_luck_alone_is_called_a_difference_in_one_of_twenty() -> None:
    found = [compare_auc(*two_detectors(120, 0.0, seed)).p_value < 0.05 for seed in range(600)]
    assert 0.03 < np.mean(found) < 0.075


def test_a_detector_equals_itself() -> None:
    labels, one, _ = two_detectors(50, 0, 5)
    found = compare_auc(labels, one, one)
    assert (found.difference, found.z, found.p_value) == (0, 0, 1)


def test_a_difference_that_does_not_vary_is_no_luck_and_no_test() -> None:
    labels = [0] * 20 + [1] * 20
    right = [0.1] * 20 + [0.9] * 20
    with pytest.raises(UnmaskError) as caught:
        compare_auc(labels, right, [0.5] * 40)
    assert caught.value.code == "nothing-varies"


def test_the_interval_of_a_difference_stays_within_what_is_possible() -> None:
    found = compare_auc([0, 0, 0, 1, 1, 1], [1, 2, 4, 3, 5, 6], [6, 5, 3, 4, 2, 1])
    assert found.difference > 0.5
    assert found.high == 1


def test_swapping_the_detectors_turns_the_sign() -> None:
    labels, one, other = two_detectors(60, 0.4, 6)
    forth, back = compare_auc(labels, one, other), compare_auc(labels, other, one)
    assert forth.difference == pytest.approx(-back.difference)
    assert forth.p_value == pytest.approx(back.p_value)
    assert forth.low == pytest.approx(-back.high)


@pytest.mark.parametrize(
    ("labels", "one", "other", "code"),
    [
        ([0, 0, 0], [1, 2, 3], [1, 2, 3], "one-class"),
        ([0, 0, 1], [1, 2, 3], [1, 2, 3], "too-few-groups"),
        ([0, 0, 1, 1], [1, 2, 3, 4], [1, 2, 3], "length-mismatch"),
        ([0, 0, 1, 1], [1, 2, 3, float("nan")], [1, 2, 3, 4], "not-a-number"),
    ],
)
def test_sets_that_cannot_be_compared_are_refused(
    labels: list[int], one: list[float], other: list[float], code: str
) -> None:
    with pytest.raises(UnmaskError) as caught:
        compare_auc(labels, one, other)
    assert caught.value.code == code
