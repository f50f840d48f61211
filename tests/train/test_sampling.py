import numpy as np
import pytest

from unmask.data.source import Source
from unmask.errors import UnmaskError
from unmask.train.sampling import balanced


def source_of(*parts):
    """Parts are (origin, label, count)."""
    labels = np.concatenate([np.full(count, label) for _, label, count in parts])
    origins = np.concatenate([np.full(count, origin) for origin, _, count in parts])
    paths = tuple(str(i) for i in range(len(labels)))
    return Source("Train", 16, paths, labels, np.array([""] * len(labels)), origins, lambda indexes: None)


def counts(source, order):
    return {str(name): int((source.origins[order] == name).sum()) for name in np.unique(source.origins)}


def test_sources_count_by_the_square_root_of_their_size():
    source = source_of(("big", 0, 800), ("big", 1, 800), ("small", 0, 50), ("small", 1, 50))
    order = balanced(source, 0.5)(0, np.random.default_rng(0))
    found = counts(source, order)
    assert found["big"] / found["small"] == pytest.approx(4, rel=0.01)
    assert len(order) == pytest.approx(len(source), abs=4)


@pytest.mark.parametrize(("amount", "ratio"), [(0.0, 16), (0.5, 4), (1.0, 1), (1.5, 0.25)])
def test_the_amount_goes_from_as_they_come_through_all_equally_often_to_the_small_ones_first(amount, ratio):
    source = source_of(("big", 0, 800), ("big", 1, 800), ("small", 0, 50), ("small", 1, 50))
    found = counts(source, balanced(source, amount)(0, np.random.default_rng(0)))
    assert found["big"] / found["small"] == pytest.approx(ratio, rel=0.01)


def test_classes_keep_their_shares_in_each_source():
    source = source_of(("a", 0, 300), ("a", 1, 100), ("b", 0, 50), ("b", 1, 50))
    order = balanced(source, 0.5)(0, np.random.default_rng(0))
    of_a = order[source.origins[order] == "a"]
    assert source.labels[of_a].mean() == pytest.approx(0.25, abs=0.01)


def test_nothing_is_repeated_before_everything_was_taken():
    source = source_of(("big", 0, 800), ("big", 1, 800), ("small", 0, 50), ("small", 1, 50))
    order = balanced(source, 0.5)(0, np.random.default_rng(0))
    times = np.bincount(order, minlength=len(source))
    for name in ("big", "small"):
        of_source = times[source.origins == name]
        assert of_source.max() - of_source.min() <= 1


def test_epochs_differ_and_the_same_epoch_is_the_same():
    source = source_of(("a", 0, 30), ("a", 1, 30), ("b", 0, 10), ("b", 1, 10))
    choose = balanced(source, 0.5)
    first, again, other = (choose(0, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first[: len(other)] != other[: len(first)]).any()


def test_a_set_without_sources_is_refused():
    with pytest.raises(UnmaskError) as caught:
        balanced(source_of(("", 0, 5), ("", 1, 5)), 0.5)
    assert caught.value.code == "no-sources"
