"""The distance to the training pictures: its arithmetic, and the same in the graph."""

import numpy as np
import pytest

from unmask.export.outside import DIRECTIONS, FeatureStatistics, fit_statistics, outside_limit

pytestmark = pytest.mark.train

# Three channels, the third with twice the spread, and one kept direction.
BY_HAND = FeatureStatistics(
    means=np.zeros((2, 3), np.float32),
    spreads=np.array([1, 1, 2], np.float32),
    directions=np.eye(3, 1, dtype=np.float32),
    variances=np.array([4], np.float32),
    rest_variance=0.25,
)


def clouds(count, channels, seed=0):
    """Features of two classes with a common covariance."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    mixing = generator.normal(size=(channels, channels)) / np.sqrt(channels)
    features = generator.normal(size=(count, channels)) @ mixing + 3.0 * labels[:, None]
    return features.astype(np.float32), labels


def covariance(statistics):
    """The whole matrix that the statistics stand for."""
    directions = statistics.directions.astype(np.float64)
    rest = np.eye(len(directions)) - directions @ directions.T
    even = directions @ np.diag(statistics.variances) @ directions.T + statistics.rest_variance * rest
    return even * np.outer(statistics.spreads, statistics.spreads)


def mahalanobis(features, statistics):
    """As in the textbook, with the inverse of the whole matrix."""
    inverse = np.linalg.inv(covariance(statistics))
    apart = features[:, None].astype(np.float64) - statistics.means
    return np.sqrt(np.einsum("nci,ij,ncj->nc", apart, inverse, apart).min(axis=1))


def through_the_graph(features, statistics):
    """The distance of maps of 2 x 3 places whose averages are the features."""
    import keras

    from unmask.export.outside import distance_output

    around = np.random.default_rng(1).normal(size=(len(features), 2, 3, features.shape[1]))
    maps = features[:, None, None] + around - around.mean(axis=(1, 2), keepdims=True)
    spatial_map = keras.Input(maps.shape[1:])
    pooled = keras.ops.mean(spatial_map, axis=(1, 2))
    model = keras.Model(spatial_map, distance_output(pooled, statistics))
    return np.asarray(model.predict_on_batch(maps.astype(np.float32)))


def test_with_few_channels_it_is_scikit_learns_mahalanobis_distance():
    from sklearn.covariance import LedoitWolf

    features, labels = clouds(400, 12)
    statistics = fit_statistics(features, labels)
    means = np.stack([features[labels == label].mean(axis=0) for label in (0, 1)])
    spreads = (features - means[labels]).std(axis=0)
    shrunk = LedoitWolf(assume_centered=True).fit((features - means[labels]) / spreads)
    strange = 4.0 * features + 1.0
    expected = np.sqrt(np.min([shrunk.mahalanobis((strange - mean) / spreads) for mean in means], axis=0))
    np.testing.assert_allclose(through_the_graph(strange, statistics), expected, rtol=1e-3)


def test_with_many_channels_it_is_that_of_the_covariance_in_low_rank():
    features, labels = clouds(600, 3 * DIRECTIONS)
    statistics = fit_statistics(features, labels)
    assert statistics.directions.shape == (3 * DIRECTIONS, DIRECTIONS)
    np.testing.assert_allclose(through_the_graph(features, statistics), mahalanobis(features, statistics), rtol=1e-3)


def test_the_low_rank_keeps_the_whole_variance():
    features, labels = clouds(600, 3 * DIRECTIONS)
    centred = features - np.stack([features[labels == label].mean(axis=0) for label in (0, 1)])[labels]
    statistics = fit_statistics(features, labels)
    even = centred / statistics.spreads
    whole = np.trace(even.T.astype(np.float64) @ even) / len(features)
    kept, beside = statistics.variances.sum(), 2 * DIRECTIONS * statistics.rest_variance
    assert kept + beside == pytest.approx(whole, rel=1e-4)


def test_what_lies_beside_the_kept_directions_counts():
    found = through_the_graph(np.array([[2, 0, 0], [0, 2, 0], [0, 0, 2], [0, 0, 0]], np.float32), BY_HAND)
    np.testing.assert_allclose(found, [1, 4, 2, 0], atol=1e-5)


def test_the_nearer_class_counts():
    features, labels = clouds(400, 8)
    statistics = fit_statistics(features, labels)
    np.testing.assert_allclose(through_the_graph(statistics.means, statistics), [0, 0], atol=1e-3)


@pytest.mark.parametrize("features", [np.zeros((6, 4)), np.ones((6, 1)), np.full((6, 4), np.nan)])
def test_features_that_say_nothing_have_no_statistics(features):
    assert fit_statistics(features.astype(np.float32), np.arange(6) % 2) is None


def test_features_that_vary_along_one_line_only_have_no_statistics():
    line = np.array([[1.0, 1.0], [-1.0, -1.0]] * 4, np.float32)
    assert fit_statistics(line, np.arange(8) // 4) is None


def test_the_limit_is_exceeded_by_at_most_one_in_a_hundred():
    generator = np.random.default_rng(2)
    for count in (5, 99, 100, 101, 1764):
        distances = generator.normal(size=count)
        assert (distances > outside_limit(distances)).mean() <= 0.01


def test_the_same_pictures_are_measured_every_time_and_both_classes_evenly(monkeypatch):
    import keras

    from unmask.data.source import Source
    from unmask.export import outside

    monkeypatch.setattr(outside, "PICTURES_OF_A_CLASS", 5)
    seen = []

    def read(indexes):
        seen.append(indexes.tolist())
        return np.random.default_rng(3).integers(0, 256, (len(indexes), 8, 8, 3), dtype=np.uint8)

    labels = (np.arange(30) >= 20).astype(np.int64)
    names = np.full(30, "")
    source = Source("Train", 8, ("",) * 30, labels, names, names, read)
    image = keras.Input((8, 8, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3)(image))
    model = keras.Model(image, keras.layers.Dense(1)(pooled))
    for _ in range(2):
        assert outside.measure_features(model, source) is not None
    assert seen == [[0, 4, 8, 12, 16, 20, 22, 24, 26, 28]] * 2


def test_a_head_of_another_form_gets_no_distance():
    import keras
    import onnx

    from unmask.export.graph import to_onnx

    image = keras.Input((16, 16, 3), dtype="uint8")
    x = keras.layers.GlobalMaxPooling2D()(keras.layers.Rescaling(1 / 255)(image))
    model = keras.Model(image, keras.layers.Dense(1)(x))
    graph = onnx.load_from_string(to_onnx(model, BY_HAND)).graph
    assert [output.name for output in graph.output] == ["logit", "cam"]
