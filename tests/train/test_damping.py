"""Damping what real pictures differ by."""

import numpy as np
import pytest

pytestmark = pytest.mark.train


def overviews(count=300, channels=520):
    """Real pictures of two sources: one strong direction, which is not a channel, and a shift between the sources."""
    draw = np.random.default_rng(0)
    strong = draw.normal(size=channels)
    strong /= np.linalg.norm(strong)
    sources = np.repeat(["camera", "web"], count // 2)
    found = draw.normal(size=(count, channels)) + 40 * draw.normal(size=(count, 1)) * strong
    found[sources == "web"] += 3
    return found.astype(np.float32), sources, strong


def standardised(found):
    return (found - found.mean(axis=0)) / (found.std(axis=0) + np.float32(1e-3))


def damped(weights, found):
    from unmask.models.clip_vit_b16_whole import Damped

    layer = Damped()
    layer.build((None, 1, found.shape[1]))
    layer.set_weights(weights)
    return np.asarray(layer(found[:, None].astype(np.float32)))[:, 0]


def test_a_strong_direction_becomes_as_weak_as_the_others_and_the_whole_keeps_its_spread():
    from unmask.train.damping import directions

    found, sources, _ = overviews()
    before = standardised(found)
    after = damped(directions(found, sources, np.arange(len(found))), before)

    def within(rows):
        return np.concatenate(
            [rows[sources == source] - rows[sources == source].mean(axis=0) for source in np.unique(sources)]
        )

    def strongest(rows):
        values = np.linalg.svd(within(rows), compute_uv=False) ** 2
        return values[0] / values.sum()

    assert strongest(before) > 0.5
    assert strongest(after) < 0.05
    assert within(after).std() == pytest.approx(within(before).std(), rel=0.1)


def test_what_copies_of_a_picture_differ_by_counts_more_than_what_pictures_do():
    from unmask.train.damping import directions

    draw = np.random.default_rng(0)
    # Of 100 pictures two copies each; pictures differ along channel 0, and copies along channel 1, as much as that.
    pictures = np.repeat(np.arange(100), 2)
    found = draw.normal(0, 0.1, (200, 520)).astype(np.float32)
    found[:, 0] += 10 * np.repeat(draw.normal(size=100), 2).astype(np.float32)
    found[:, 1] += 10 * draw.normal(size=200).astype(np.float32)
    found[:, 2:] *= 1e-3  # so that these stay next to nothing once they are standardised
    strongest, shares, _ = directions(found, np.full(200, "web"), pictures)
    assert abs(strongest[:2, :2]).argmax(axis=1).tolist() == [1, 0]
    assert shares[0] > shares[1] > 0.8
    # As if no picture had a second copy, both count alike.
    _, alike, _ = directions(found, np.full(200, "web"), np.arange(200))
    assert alike[0] == pytest.approx(alike[1], abs=0.01)


def test_directions_are_of_length_one_and_of_few_pictures_there_are_few():
    from unmask.models.clip_vit_b16_whole import DIRECTIONS
    from unmask.train.damping import directions

    found, sources, _ = overviews(count=10)
    strongest, shares, factor = directions(found, sources, np.arange(10))
    assert strongest.shape == (520, DIRECTIONS)
    np.testing.assert_allclose(np.linalg.norm(strongest[:, :8], axis=0), 1, atol=1e-3)
    assert shares[:8].min() > 0.5
    assert not strongest[:, 10:].any()
    assert (shares[10:] == 0).all()
    assert factor > 1


def test_a_layer_that_was_not_told_damps_nothing():
    from unmask.models.clip_vit_b16_whole import Damped

    found = standardised(overviews()[0])[:, None]
    np.testing.assert_array_equal(np.asarray(Damped()(found)), found)
