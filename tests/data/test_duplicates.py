"""Finding the same picture again."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tests.data.pictures import jpeg, picture

from unmask.data import duplicates
from unmask.data.duplicates import clusters, exact_duplicates, near_duplicates
from unmask.data.fingerprint import Fingerprints, fingerprints
from unmask.image.read import read_image
from unmask.image.resize import resize


def saved_again(pixels: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    return read_image(jpeg(pixels, quality)).pixels


def as_webp(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "WEBP", quality=60)
    return read_image(stream.getvalue()).pixels


def scaled(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    return resize(np.asarray(cv2.resize(pixels, (side, side), interpolation=cv2.INTER_LINEAR), np.uint8), 128)


COPIES = {
    "the same": lambda pixels: pixels,
    "saved as a poor JPEG": lambda pixels: saved_again(pixels, 40),
    "saved as WebP": as_webp,
    "smaller": lambda pixels: scaled(pixels, 70),
    "larger": lambda pixels: scaled(pixels, 300),
    "mirrored": lambda pixels: np.ascontiguousarray(pixels[:, ::-1]),
    "mirrored, smaller and saved again": lambda pixels: saved_again(scaled(pixels[:, ::-1], 80), 60),
    "darker": lambda pixels: (pixels * 0.7).astype(np.uint8),
}


@pytest.mark.parametrize("change", COPIES.values(), ids=COPIES.keys())
def test_a_copy_is_found(change: object) -> None:
    assert callable(change)
    images = np.stack([*(picture(seed, 128) for seed in range(6)), change(picture(2, 128))])
    assert near_duplicates(fingerprints(images)) == [(2, 6)]


def test_a_mirror_image_is_found() -> None:
    images = np.stack([picture(1, 128), picture(1, 128)[:, ::-1]])
    assert near_duplicates(fingerprints(images)) == [(0, 1)]


def test_other_pictures_are_not_copies() -> None:
    images = np.stack([picture(seed, 96) for seed in range(300)])
    assert near_duplicates(fingerprints(images)) == []


def test_pairs_are_found_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "_ROWS", 3)
    monkeypatch.setattr(duplicates, "_COLUMNS", 7)
    images = np.stack(
        [picture(seed % 20, 64) if seed < 20 else saved_again(picture(seed % 20, 64), 80) for seed in range(40)]
    )
    pairs = near_duplicates(fingerprints(images), workers=2)
    assert pairs == [(seed, seed + 20) for seed in range(20)]


def test_many_copies_of_one_picture_do_not_give_every_pair() -> None:
    images = np.stack([picture(1, 64)] * 200)
    assert len(near_duplicates(fingerprints(images))) == 199


def test_plain_pictures_are_copies_of_one_another() -> None:
    images = np.full((2, 64, 64, 3), 9, np.uint8)
    assert len(near_duplicates(fingerprints(images))) == 1


def test_a_plain_picture_is_no_copy_of_another() -> None:
    images = np.zeros((2, 64, 64, 3), np.uint8)
    cv2.ellipse(images[1], (32, 32), (12, 9), 0, 0, 360, (200, 40, 90), -1)
    assert near_duplicates(fingerprints(images)) == []


def test_one_picture_has_no_copies() -> None:
    assert near_duplicates(fingerprints(picture(1, 64)[None])) == []


def test_the_same_bytes_are_grouped_and_unknown_ones_are_not() -> None:
    assert exact_duplicates(["a", "b", "a", "", "", "a"]) == [(0, 2, 5)]


def test_linked_pictures_form_clusters() -> None:
    assert clusters(8, [(1, 2), (5, 7), (2, 4)]) == [(1, 2, 4), (5, 7)]


def test_fingerprints_of_several_splits_share_one_room() -> None:
    images = np.stack([picture(seed, 64) for seed in range(5)])
    room = Fingerprints.room(5)
    fingerprints(images[:2], room)
    fingerprints(images[2:], room, 2)
    whole = fingerprints(images)
    for name in ("hashes", "mirrored", "thumbnails"):
        np.testing.assert_array_equal(getattr(room, name), getattr(whole, name))
