"""Fakes made of a batch's real pictures."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from tests.data.pictures import picture

from unmask.data.fakes import make_fakes
from unmask.data.parts import paste_part

Images, Labels = NDArray[np.uint8], NDArray[np.int64]


def generator() -> np.random.Generator:
    return np.random.default_rng(3)


@pytest.fixture
def batch() -> tuple[Images, Labels]:
    return np.stack([picture(seed, 64) for seed in range(40)]), np.arange(40, dtype=np.int64) % 2


@pytest.mark.parametrize("pasted", [0.0, 0.5, 1.0])
def test_only_real_pictures_become_fakes_and_only_where_the_mask_says(
    batch: tuple[Images, Labels], pasted: float
) -> None:
    images, labels = batch
    before = images.copy()
    made, new, masks = make_fakes(images, labels, 0.5, generator(), pasted=pasted)
    changed = (made != images).any(axis=(1, 2, 3))
    np.testing.assert_array_equal(images, before)
    np.testing.assert_array_equal(masks.any(axis=(1, 2)), new != labels)
    assert not (changed & (new == labels)).any()
    assert (new >= labels).all()
    assert 4 <= (new != labels).sum() <= 16
    assert masks.max() <= 1.0001


def test_share_0_changes_nothing_and_share_1_everything_real(batch: tuple[Images, Labels]) -> None:
    images, labels = batch
    np.testing.assert_array_equal(make_fakes(images, labels, 0.0, generator())[1], labels)
    assert make_fakes(images, labels, 1.0, generator())[1].all()
    assert labels.sum() == 20


def test_a_single_picture_has_no_donor_and_is_blended() -> None:
    made, labels, masks = make_fakes(picture(1, 64)[None], np.zeros(1, np.int64), 1.0, generator(), pasted=1.0)
    assert made.shape == (1, 64, 64, 3)
    assert labels.tolist() == [1]
    assert masks.any()


def test_a_part_comes_from_the_donor_and_everything_else_stays() -> None:
    image, donor = np.full((96, 96, 3), 40, np.uint8), np.full((96, 96, 3), 200, np.uint8)
    for seed in range(12):
        made, mask = paste_part(image, None, donor, None, np.random.default_rng(seed))
        assert (made[mask == 0] == 40).all()
        assert 0.005 < mask.mean() < 0.3
        # Flat pictures: with the colours of the place nothing is left to see, else the donor's are there.
        assert made[mask > 0.99].min() in (39, 40, *range(190, 201))


def test_a_part_is_moved_to_where_the_face_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unmask.data.parts.MATCHED", 0.0)
    donor = cv2.GaussianBlur(picture(2, 100), (0, 0), 3)
    points = np.array([[30, 40], [60, 40], [45, 55], [33, 70], [57, 70]], np.float32)
    image = np.roll(donor, (5, 12), axis=(0, 1))  # pasted in its place, a part of the donor changes nothing
    for seed in range(12):
        made, mask = paste_part(image, points + np.float32([12, 5]), donor, points, np.random.default_rng(seed))
        apart, unmoved = (np.abs(image.astype(int) - pixels)[mask > 0.1].mean() for pixels in (made, donor))
        assert apart < 0.3 * unmoved


def test_a_landmark_that_is_not_known_is_that_of_the_average_face() -> None:
    unknown = np.full((5, 2), np.nan, np.float32)
    for first, second in ((unknown, None), (None, unknown)):
        one = paste_part(picture(1, 96), first, picture(2, 96), second, generator())[0]
        other = paste_part(picture(1, 96), None, picture(2, 96), None, generator())[0]
        np.testing.assert_array_equal(one, other)
