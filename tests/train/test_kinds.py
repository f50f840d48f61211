"""Two kinds of fakes learned beside each other, each against real pictures."""

from dataclasses import replace

import numpy as np
import pytest
from tests.data.pictures import picture

from unmask.data.batches import Batch, Batches
from unmask.data.source import CHANGED, GENERATED, Source

pytestmark = pytest.mark.train


def logits_of(kinds):
    from unmask.models.head import either

    return np.asarray(either(np.array(kinds, np.float32)))[:, 0]


def test_a_picture_is_fake_if_it_is_one_kind_or_the_other():
    kinds = np.array([[-3.0, -3.0], [5.0, -9.0], [-9.0, 5.0], [700.0, -700.0]])
    np.testing.assert_allclose(logits_of(kinds), np.logaddexp(kinds[:, 0], kinds[:, 1]), rtol=1e-5)


def test_of_a_fake_only_its_own_kind_is_asked():
    from unmask.train.kinds import kinds_loss, targets_of

    batch = Batch(np.zeros((4, 1)), np.array([0, 1, 1, 1]), kinds=np.array([0, CHANGED, GENERATED, 0]))
    targets = targets_of(batch)
    np.testing.assert_array_equal(targets, [[0, 0], [1, -1], [-1, 1], [-1, -1]])
    np.testing.assert_array_equal(targets_of(batch._replace(kinds=None))[1:], -np.ones((3, 2)))

    def cost(picture, outputs):
        return float(kinds_loss(0.0)(targets[[picture]], np.array([outputs], np.float32)))

    assert cost(0, (-9, -9)) < 0.001 < cost(0, (-9, 1))
    for generated in (-9, 9):
        assert cost(1, (3, generated)) == pytest.approx(np.log1p(np.exp(-3)))
        assert cost(2, (generated, 3)) == pytest.approx(np.log1p(np.exp(-3)))
    assert cost(3, (3, -50)) == pytest.approx(cost(3, (-50, 3)))  # either way, for one of which that is not known
    assert cost(3, (3, -50)) == pytest.approx(np.log1p(np.exp(-3)))
    smooth = float(kinds_loss(0.2)(targets[[0]], np.array([[-2, -2]], np.float32)))
    assert smooth == pytest.approx(2 * (np.log1p(np.exp(-2)) + 0.1 * 2))


def test_whether_the_logit_of_both_is_on_the_right_side():
    from unmask.train.kinds import accuracy

    targets = np.array([[0, 0], [0, 0], [1, -1], [-1, 1], [-1, -1]], np.float32)
    outputs = np.array([[-2, -2], [-9, 1], [1, -9], [-9, -1], [0.1, 0.1]], np.float32)
    assert np.asarray(accuracy(targets, outputs)).tolist() == [1, 0, 1, 0, 1]


def source(families):
    count = len(families)
    names = np.array([""] * count)
    labels = np.array([int(name != "real") for name in families])
    images = np.stack([picture(number, 16) for number in range(count)])
    parts = ("Train", 16, ("",) * count, labels, names, names, lambda indexes: images[indexes])
    return Source(*parts, families=np.array(families))


def test_the_kind_of_a_fake_follows_from_its_family_and_that_of_a_made_one_from_how_they_are_made():
    given = source(["real", "swap", "reenactment", "gan", "diffusion", "drawn", "real"])
    labels = given.labels.copy()
    labels[6] = 1
    indexes = np.arange(7)
    assert given.kinds(indexes, labels).tolist() == [0, CHANGED, CHANGED, GENERATED, GENERATED, 0, CHANGED]
    assert given.kinds(indexes[3:5], given.labels[3:5]).tolist() == [GENERATED, GENERATED]
    assert not replace(given, families=None).kinds(indexes, given.labels).any()


def test_batches_tell_the_kinds():
    batches = Batches(source(["real", "swap", "gan"]), 3, 1)
    batch = batches.batch(0, 0)
    wanted = {0: 0, 1: CHANGED, 2: GENERATED}
    assert batch.kinds.tolist() == [wanted[place] for place in batches.order(0).tolist()]
