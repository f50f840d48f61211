"""How sharp a picture is, and what follows for the models of an ensemble."""

import cv2
import numpy as np
import pytest

pytestmark = pytest.mark.train


def picture(side=96, seed=1):
    """Shapes of all sizes with fine grain, as a photo has them."""
    rng = np.random.default_rng(seed)
    shapes = [
        cv2.resize(rng.random((few, few)), (side, side), interpolation=cv2.INTER_CUBIC) for few in (6, 24, side // 2)
    ]
    grey = 90 + 80 * (shapes[0] - 0.5) + 60 * (shapes[1] - 0.5) + 60 * (shapes[2] - 0.5)
    return np.clip(grey[..., None] + rng.normal(0, 4, (side, side, 3)), 0, 255).astype(np.uint8)


def measured(images):
    from unmask.export.sharpness import sharpness

    return np.asarray(sharpness(np.stack(images)))


def test_it_is_the_formula():
    image = picture()
    grey = image.astype(np.float64).mean(axis=2).reshape(48, 2, 48, 2).mean(axis=(1, 3))
    first, second = (sum((np.diff(grey, order, axis) ** 2).mean() for axis in (0, 1)) for order in (1, 2))
    assert measured([image]) == pytest.approx(np.log((second + 0.02) / (first + 2)), abs=1e-4)


def test_a_blur_lowers_it_and_a_flat_picture_counts_as_blurred():
    from unmask.export.sharpness import TURN

    blurs = [picture(), *(cv2.GaussianBlur(picture(), (0, 0), sigma) for sigma in (1.0, 1.5, 3.0, 5.0, 8.0))]
    found = measured(blurs)[:, 0]
    assert (np.diff(found[:4]) < 0).all()
    assert found[0] > TURN > max(found[3:])
    assert measured([np.full((96, 96, 3), 90, np.uint8)])[0, 0] < min(found)


def test_compression_and_grain_do_not_make_a_blurred_picture_sharp():
    from unmask.export.sharpness import TURN

    soft = cv2.GaussianBlur(picture(), (0, 0), 3.0)
    saved = cv2.imdecode(cv2.imencode(".jpg", soft, [cv2.IMWRITE_JPEG_QUALITY, 75])[1], cv2.IMREAD_COLOR)
    grainy = np.clip(soft + np.random.default_rng(2).normal(0, 1.5, soft.shape), 0, 255).astype(np.uint8)
    assert measured([soft, saved, grainy]).max() < TURN


def test_huge_numbers_are_shares_too():
    from unmask.export.sharpness import Shares

    np.testing.assert_allclose(np.asarray(Shares([1e308, 1e307])(picture()[None])), [[10 / 11, 1 / 11]], rtol=1e-6)


def test_the_shares_sum_to_one_and_go_from_the_sharp_to_the_blurred():
    from unmask.export.sharpness import Shares

    images = np.stack([picture(), cv2.GaussianBlur(picture(), (0, 0), 3.0)])
    found = np.asarray(Shares(np.array([3, 3, 2]), np.array([1, 1, 6]))(images))
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(found[0], [0.375, 0.375, 0.25], atol=0.01)
    np.testing.assert_allclose(found[1], [0.125, 0.125, 0.75], atol=0.05)


def test_without_weights_for_blurred_pictures_all_have_those_of_sharp_ones():
    from unmask.export.sharpness import Shares

    images = np.stack([picture(), cv2.GaussianBlur(picture(), (0, 0), 3.0)])
    np.testing.assert_allclose(np.asarray(Shares([3, 1])(images)), [[0.75, 0.25]] * 2, rtol=1e-6)
