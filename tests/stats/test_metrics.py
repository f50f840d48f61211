"""Every measure against scikit-learn, SciPy or arithmetic by hand, and against itself under shuffling and doubling."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import interp1d
from scipy.optimize import brentq
from sklearn import metrics as reference

from unmask.errors import UnmaskError
from unmask.stats import curves, weighted
from unmask.stats.inputs import UndefinedMeasureError
from unmask.stats.intervals import estimate
from unmask.stats.measures import MEASURES, value_of
from unmask.stats.metrics import CALIBRATION_BINS, Judged, roc_auc
from unmask.verdict import Thresholds

WIDE = Thresholds(real_below=0.3, fake_above=0.7)
EXACT = 1e-9


def pictures(n: int = 301, *, decimals: int | None = None, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = (random.random(n) < 0.45).astype(int)
    scores = 1 / (1 + np.exp(-random.normal(1.5 * (labels - 0.5), 1)))
    return labels, scores if decimals is None else np.round(scores, decimals)


@pytest.fixture(params=[None, 1, 2], ids=["distinct", "many ties", "some ties"])
def pair(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray]:
    return pictures(decimals=request.param)


def measured(name: str, labels: object, scores: object) -> float:
    return value_of(name, Judged.of(labels, scores))


def over_all(statistic: weighted.Statistic, rows: int) -> float:
    return float(statistic(np.ones((1, rows)))[0])


def test_auc_is_scikit_learns(pair: tuple[np.ndarray, np.ndarray]) -> None:
    assert roc_auc(*pair) == pytest.approx(reference.roc_auc_score(*pair), abs=EXACT)


def test_average_precision_is_scikit_learns(pair: tuple[np.ndarray, np.ndarray]) -> None:
    assert measured("average_precision", *pair) == pytest.approx(reference.average_precision_score(*pair), abs=EXACT)


def test_brier_score_is_scikit_learns(pair: tuple[np.ndarray, np.ndarray]) -> None:
    assert measured("brier", *pair) == pytest.approx(reference.brier_score_loss(*pair), abs=EXACT)


def test_accuracy_is_scikit_learns(pair: tuple[np.ndarray, np.ndarray]) -> None:
    labels, scores = pair
    assert measured("accuracy", labels, scores) == pytest.approx(
        reference.accuracy_score(labels, scores > 0.5), abs=EXACT
    )


def test_balanced_accuracy_is_scikit_learns(pair: tuple[np.ndarray, np.ndarray]) -> None:
    labels, scores = pair
    expected = reference.balanced_accuracy_score(labels, scores > 0.5)
    assert value_of("balanced_accuracy", Judged.of(labels, scores)) == pytest.approx(expected, abs=EXACT)


def test_equal_error_rate_is_the_root_that_scipy_finds(pair: tuple[np.ndarray, np.ndarray]) -> None:
    false_positive, true_positive, _ = reference.roc_curve(*pair, drop_intermediate=False)
    root = brentq(lambda x: 1 - x - interp1d(false_positive, true_positive)(x), 0, 1, xtol=1e-14)
    assert measured("equal_error_rate", *pair) == pytest.approx(root, abs=EXACT)


@pytest.mark.parametrize("limit", [0.0, 0.01, 0.05, 0.2, 1.0])
def test_fakes_found_at_a_false_alarm_rate_is_the_best_roc_point_within_it(
    pair: tuple[np.ndarray, np.ndarray], limit: float
) -> None:
    false_positive, true_positive, _ = reference.roc_curve(*pair, drop_intermediate=False)
    expected = true_positive[false_positive <= limit + 1e-12].max()
    found = over_all(weighted.true_positive_rate_at(*pair, limit), pair[0].size)
    assert found == pytest.approx(expected, abs=EXACT)


def test_summary_names_one_and_five_per_cent(pair: tuple[np.ndarray, np.ndarray]) -> None:
    for name, limit in (("tpr_at_fpr_1", 0.01), ("tpr_at_fpr_5", 0.05)):
        found = over_all(weighted.true_positive_rate_at(*pair, limit), pair[0].size)
        assert measured(name, *pair) == found


def test_calibration_error_equals_equal_bins_cut_by_hand() -> None:
    labels, scores = pictures(n=300)
    order = np.argsort(scores)
    by_hand = np.mean([abs(scores[part].mean() - labels[part].mean()) for part in np.split(order, CALIBRATION_BINS)])
    assert measured("calibration_error", labels, scores) == pytest.approx(by_hand, abs=EXACT)


def test_calibration_error_by_hand() -> None:
    # Bins {.1, .2} and {.8, .9}: |.15 - .5| and |.85 - 1|.
    statistic = weighted.calibration_error(np.array([0, 1, 1, 1]), np.array([0.1, 0.2, 0.8, 0.9]), 2)
    assert over_all(statistic, 4) == pytest.approx(0.25)


def test_calibration_error_of_one_score_is_its_distance_from_the_share_of_fakes() -> None:
    assert measured("calibration_error", [0, 1, 1, 1], [0.5] * 4) == pytest.approx(0.25, abs=EXACT)


def test_classification_report_is_scikit_learns(pair: tuple[np.ndarray, np.ndarray]) -> None:
    labels, scores = pair
    expected = reference.classification_report(labels, scores > 0.5, output_dict=True)
    for row, name in zip(curves.classification_report(Judged.of(labels, scores)), "01", strict=True):
        assert row.precision == pytest.approx(expected[name]["precision"], abs=EXACT)
        assert row.recall == pytest.approx(expected[name]["recall"], abs=EXACT)
        assert row.f1 == pytest.approx(expected[name]["f1-score"], abs=EXACT)
        assert row.support == expected[name]["support"]


def test_averages_of_the_classes_are_scikit_learns(pair: tuple[np.ndarray, np.ndarray]) -> None:
    labels, scores = pair
    expected = reference.classification_report(labels, scores > 0.5, output_dict=True)
    rows = curves.averages(curves.classification_report(Judged.of(labels, scores)))
    for row, name in zip(rows, ("macro avg", "weighted avg"), strict=True):
        assert row.precision == pytest.approx(expected[name]["precision"], abs=EXACT)
        assert row.recall == pytest.approx(expected[name]["recall"], abs=EXACT)
        assert row.f1 == pytest.approx(expected[name]["f1-score"], abs=EXACT)
        assert row.support == expected[name]["support"]


def test_an_average_of_what_does_not_exist_does_not_exist() -> None:
    macro, weighted = curves.averages(curves.classification_report(Judged.of([0, 1], [0.1, 0.2])))
    assert macro.precision is None
    assert weighted.precision is None
    assert macro.recall == 0.5


def test_confusion_matrix_is_scikit_learns(pair: tuple[np.ndarray, np.ndarray]) -> None:
    labels, scores = pair
    matrix = curves.confusion_matrix(Judged.of(labels, scores))
    assert (matrix == reference.confusion_matrix(labels, scores > 0.5)).all()


def test_roc_curve_is_scikit_learns(pair: tuple[np.ndarray, np.ndarray]) -> None:
    false_positive, true_positive, _ = reference.roc_curve(*pair, drop_intermediate=False)
    curve = curves.roc_curve(Judged.of(*pair))
    np.testing.assert_allclose(curve.x, false_positive, atol=EXACT)
    np.testing.assert_allclose(curve.y, true_positive, atol=EXACT)


def test_precision_recall_curve_is_scikit_learns(pair: tuple[np.ndarray, np.ndarray]) -> None:
    precision, recall, _ = reference.precision_recall_curve(*pair)
    curve = curves.precision_recall_curve(Judged.of(*pair))
    np.testing.assert_allclose(curve.x, recall[::-1], atol=EXACT)
    np.testing.assert_allclose(curve.y, precision[::-1], atol=EXACT)


def test_the_three_answers_by_hand() -> None:
    labels = [0, 0, 0, 0, 1, 1, 1, 1]
    scores = [0.1, 0.3, 0.7, 0.9, 0.2, 0.5, 0.8, 0.95]
    judged = Judged.of(labels, scores, WIDE)
    assert value_of("false_accusation_rate", judged) == 0.25  # .9; .7 is on the threshold
    assert value_of("missed_fake_rate", judged) == 0.25  # .2
    assert value_of("share_unsure", judged) == 0.375  # .3 .7 .5
    assert value_of("accuracy_answered", judged) == pytest.approx(3 / 5, abs=EXACT)
    matrix = curves.answer_matrix(judged)
    assert matrix.tolist() == [[1, 2, 1], [1, 1, 2]]


def test_risk_coverage_by_hand() -> None:
    curve = curves.risk_coverage_curve(Judged.of([0, 1, 0, 1], [0.0, 1.0, 0.75, 0.75]))
    assert curve.x.tolist() == [0.5, 1.0]
    assert curve.y.tolist() == [0.0, 0.25]


def test_reliability_bins_add_up_to_the_calibration_error(pair: tuple[np.ndarray, np.ndarray]) -> None:
    bins = curves.reliability(Judged.of(*pair))
    total = sum(part.count * abs(part.mean_score - part.share_fake) for part in bins)
    assert sum(part.count for part in bins) == 301
    assert total / 301 == pytest.approx(measured("calibration_error", *pair), abs=EXACT)


@pytest.mark.parametrize("name", MEASURES)
def test_shuffling_the_rows_changes_nothing(name: str, pair: tuple[np.ndarray, np.ndarray]) -> None:
    labels, scores = pair
    order = np.random.default_rng(4).permutation(labels.size)
    shuffled = value_of(name, Judged.of(labels[order], scores[order], WIDE))
    assert shuffled == pytest.approx(value_of(name, Judged.of(labels, scores, WIDE)), abs=EXACT)


@pytest.mark.parametrize("name", MEASURES)
def test_doubling_every_row_changes_nothing(name: str, pair: tuple[np.ndarray, np.ndarray]) -> None:
    labels, scores = (np.repeat(values, 2) for values in pair)
    doubled = value_of(name, Judged.of(labels, scores, WIDE))
    assert doubled == pytest.approx(value_of(name, Judged.of(*pair, WIDE)), abs=EXACT)


def test_a_half_accuses_nobody() -> None:
    assert measured("accuracy", [0, 1], [0.5, 0.5]) == 0.5
    assert curves.confusion_matrix(Judged.of([0, 1], [0.5, 0.5])).tolist() == [[1, 0], [1, 0]]


def test_what_is_no_probability_is_not_judged_as_one() -> None:
    with pytest.raises(UnmaskError) as caught:
        Judged.of([0, 1], [0.1, 1.5])
    assert caught.value.code == "not-a-probability"


def test_logits_are_ranked_however_large() -> None:
    assert roc_auc([0, 0, 1, 1], [200.0, 240.0, 220.0, 260.0]) == 0.75


def test_equal_scores_have_an_auc_of_one_half() -> None:
    assert roc_auc([0, 1, 0, 1], [0.4] * 4) == 0.5
    assert measured("equal_error_rate", [0, 1, 0, 1], [0.4] * 4) == 0.5


def test_a_perfect_ranking_has_no_equal_error() -> None:
    assert measured("equal_error_rate", [0, 0, 1], [0.1, 0.2, 0.9]) == 0
    assert roc_auc([0, 0, 1], [0.1, 0.2, 0.9]) == 1


def test_a_class_that_was_never_called_has_no_precision() -> None:
    real, fake = curves.classification_report(Judged.of([0, 1], [0.1, 0.2]))
    assert fake.precision is None
    assert fake.recall == 0
    assert fake.f1 == 0
    assert real.precision == 0.5


@pytest.mark.parametrize("name", [name for name, measure in MEASURES.items() if measure.both_classes])
def test_measures_of_two_classes_refuse_one(name: str) -> None:
    with pytest.raises(UndefinedMeasureError) as caught:
        value_of(name, Judged.of([1, 1], [0.2, 0.9]))
    assert caught.value.code == "one-class"


@pytest.mark.parametrize("name", MEASURES)
def test_one_picture_gives_a_number_or_a_reason(name: str) -> None:
    found = estimate(Judged.of([0], [0.5], WIDE), names=(name,))[name]
    assert found.reason
    assert found.value is None or np.isfinite(found.value)


def test_accuracy_among_no_answers_has_a_reason() -> None:
    with pytest.raises(UndefinedMeasureError, match="unsure"):
        value_of("accuracy_answered", Judged.of([0, 1], [0.5, 0.5], WIDE))


@pytest.mark.parametrize(
    ("labels", "scores", "code"),
    [
        ([0, 1], [0.1, float("nan")], "not-a-number"),
        ([0, 1], [0.1, float("inf")], "not-a-number"),
        ([0, 1], [0.1], "length-mismatch"),
        ([0, 3], [0.1, 0.2], "bad-labels"),
        ([[0, 1]], [[0.1, 0.2]], "bad-labels"),
        (["a", "b"], [0.1, 0.2], "bad-labels"),
        ([], [], "no-rows"),
    ],
)
def test_bad_input_is_refused_with_a_name(labels: list[int], scores: list[float], code: str) -> None:
    with pytest.raises(UnmaskError) as caught:
        roc_auc(labels, scores)
    assert caught.value.code == code


@pytest.mark.parametrize("outside", [[True], [True, False, True], [[True, False]], True])
def test_marks_of_another_length_than_the_labels_are_refused(outside: object) -> None:
    with pytest.raises(UnmaskError) as caught:
        Judged.of([0, 1], [0.1, 0.9], outside=outside)
    assert caught.value.code == "length-mismatch"


def test_the_auc_is_a_function_too() -> None:
    assert roc_auc(*pictures(400)) == measured("roc_auc", *pictures(400))


@pytest.mark.parametrize("missing", [0, 1])
@pytest.mark.parametrize("statistic", [weighted.roc_auc, weighted.average_precision, weighted.equal_error_rate])
def test_a_resampling_of_one_class_has_nothing_to_measure(statistic: object, missing: int) -> None:
    labels, scores = pictures(40)
    weights = np.ones((2, 40))
    weights[0, labels == missing] = 0
    found = statistic(labels, scores)(weights)
    assert np.isnan(found).tolist() == [True, False]


@pytest.mark.parametrize("count", [69, 70, 440, 951])
def test_a_perfect_ranking_has_an_auc_of_exactly_one_and_an_interval(count: int) -> None:
    labels = np.repeat([0, 1], count)
    found = estimate(Judged.of(labels, labels * 0.8 + 0.1), names=("roc_auc",), replicates=50)["roc_auc"]
    assert (found.value, found.high) == (1.0, 1.0)
    assert 0.9 < found.low < 1
