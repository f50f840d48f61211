import numpy as np
import pytest
from tests.prepared_faces import write_prepared

from unmask.data.batches import Batch, Batches
from unmask.data.source import open_source
from unmask.errors import UnmaskError


@pytest.fixture(scope="module")
def source(prepared):
    return open_source(prepared, "Train")


def brighten(images, labels, indexes, generator):
    return Batch(images + generator.integers(0, 9, dtype=np.uint8), labels)


def all_of(batches, epoch, first=0):
    return [(batch.images.copy(), batch.labels.copy()) for batch in batches.of_epoch(epoch, first)]


def test_every_picture_comes_once_an_epoch(source):
    order = Batches(source, 5, seed=1).order(0)
    assert sorted(order) == list(range(len(source)))


def test_each_epoch_and_each_seed_has_an_order_of_its_own(source):
    orders = {tuple(Batches(source, 5, seed).order(epoch)) for seed in (1, 2) for epoch in (0, 1)}
    assert len(orders) == 4


def test_going_on_in_the_middle_gives_the_same_batches(source):
    whole = all_of(Batches(source, 5, 1, brighten), 3)
    rest = all_of(Batches(source, 5, 1, brighten), 3, first=4)
    assert len(rest) == len(whole) - 4
    for (images, labels), (expected, truth) in zip(rest, whole[4:], strict=True):
        np.testing.assert_array_equal(images, expected)
        np.testing.assert_array_equal(labels, truth)


def test_the_number_of_workers_changes_nothing(source):
    for (alone, _), (together, _) in zip(
        all_of(Batches(source, 5, 1, brighten, workers=1), 0),
        all_of(Batches(source, 5, 1, brighten, workers=4), 0),
        strict=True,
    ):
        np.testing.assert_array_equal(alone, together)


def test_the_last_batch_has_what_is_left(source):
    batches = Batches(source, 32, seed=1)
    assert [len(batch.labels) for batch in batches.of_epoch(0)] == [32, 16]
    assert batches.steps() == 2


def test_labels_belong_to_their_pictures(source):
    for batch in Batches(source, 8, seed=1).of_epoch(0):
        darker = batch.images[:, 10:20, 10:20].mean(axis=(1, 2, 3)) < 96
        np.testing.assert_array_equal(darker.astype(int), batch.labels)


def test_batches_of_one_class_are_refused(tmp_path):
    source = open_source(write_prepared(tmp_path / "skewed", reals=2), "Train")
    with pytest.raises(UnmaskError, match="2 real and 46 fake") as caught:
        Batches(source, 4, seed=1).check_classes()
    assert caught.value.code == "one-class-batches"


def test_batches_of_both_classes_are_accepted(source):
    Batches(source, 16, seed=1).check_classes()


def test_an_error_while_reading_reaches_the_caller(source):
    def fail(images, labels, indexes, generator):
        raise UnmaskError("broken", hint="none", code="broken")

    with pytest.raises(UnmaskError, match="broken"):
        all_of(Batches(source, 8, 1, fail), 0)
