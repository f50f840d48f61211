"""How sharp a picture is, and what follows for the models of an ensemble."""

import cv2
import numpy as np
import pytest

pytestmark = pytest.mark.train


def picture(side=96, seed=1):
    """Smooth shapes with fine grain, as a photo has them."""
    rng = np.random.default_rng(seed)
    coarse = cv2.resize(rng.random((6, 6, 3), np.float32), (side, side), interpolation=cv2.INTER_CUBIC)
    return np.clip(40 + 160 * coarse + rng.normal(0, 6, (side, side, 3)), 0, 255).astype(np.uint8)


def measured(images):
    from unmask.train.sharpness import sharpness

    return np.asarray(sharpness(np.stack(images)))


def test_it_is_the_formula():
    image = picture()
    grey = image.astype(np.float64).mean(axis=2)
    first, second = (sum((np.diff(grey, order, axis) ** 2).mean() for axis in (0, 1)) for order in (1, 2))
    assert measured([image]) == pytest.approx(np.log((second + 0.02) / (first + 2)), abs=1e-4)


def test_a_blur_lowers_it_and_a_flat_picture_counts_as_blurred():
    from unmask.train.sharpness import TURN

    blurs = [picture(), *(cv2.GaussianBlur(picture(), (0, 0), sigma) for sigma in (0.7, 1.0, 2.0, 4.0, 8.0))]
    found = measured(blurs)[:, 0]
    assert (np.diff(found[:4]) < 0).all()
    assert found[1] > TURN > max(found[3:])
    assert measured([np.full((96, 96, 3), 90, np.uint8)])[0, 0] < min(found)


def test_the_shares_sum_to_one_and_go_from_the_sharp_to_the_blurred():
    from unmask.train.sharpness import Shares

    images = np.stack([picture(), cv2.GaussianBlur(picture(), (0, 0), 3.0)])
    found = np.asarray(Shares([3, 3, 2], [1, 1, 6])(images))
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(found[0], [0.375, 0.375, 0.25], atol=0.01)
    np.testing.assert_allclose(found[1], [0.125, 0.125, 0.75], atol=0.05)


def test_without_weights_for_blurred_pictures_all_have_those_of_sharp_ones():
    from unmask.train.sharpness import Shares

    images = np.stack([picture(), cv2.GaussianBlur(picture(), (0, 0), 3.0)])
    np.testing.assert_allclose(np.asarray(Shares([3, 1])(images)), [[0.75, 0.25]] * 2, rtol=1e-6)
