"""Fakes of what was rebuilt."""

import os

import cv2
import numpy as np
import pytest
from tests.prepared_faces import write_prepared

from unmask.data.prepared import load_prepared
from unmask.data.reconstructed import open_reconstructions, reconstruct_batch, reconstructed_fake, reconstructions_file
from unmask.demo import draw_face
from unmask.errors import UnmaskError

SIDE = 128


@pytest.fixture(scope="module")
def face():
    return cv2.resize(draw_face(5), (SIDE, SIDE), interpolation=cv2.INTER_AREA)


@pytest.fixture(scope="module")
def rebuilt(face):
    """Softer, of another colour, and with a grid in it, as a bad autoencoder's."""
    soft = cv2.GaussianBlur(face, (0, 0), 0.8).astype(np.float32) * (0.8, 1.0, 0.9)
    soft[::2, ::2] += 12
    return np.clip(soft, 0, 255).astype(np.uint8)


def grid(image):
    """How much more every other pixel of every other row has."""
    values = image.astype(np.float64).mean(axis=2)
    return values[::2, ::2].mean() - values[1::2, 1::2].mean()


def test_the_fake_has_the_fine_structure_of_what_was_rebuilt_and_the_colours_of_the_picture(face, rebuilt):
    rng = np.random.default_rng(1)
    fakes = [reconstructed_fake(face, rebuilt, None, rng) for _ in range(24)]
    assert all(fake.shape == face.shape and fake.dtype == np.uint8 for fake in fakes)
    assert abs(grid(face)) < 0.4 < 0.8 < min(map(grid, fakes))
    apart = [np.abs(fake.mean(axis=(0, 1)) - face.mean(axis=(0, 1))).max() for fake in fakes]
    assert max(apart) < 2 < np.abs(rebuilt.mean(axis=(0, 1)) - face.mean(axis=(0, 1))).max()


def test_half_of_the_fakes_are_rebuilt_in_the_face_only(face, rebuilt):
    rng = np.random.default_rng(2)
    fakes = [reconstructed_fake(face, rebuilt, None, rng) for _ in range(60)]
    border = np.ones((SIDE, SIDE), bool)
    border[8:-8, 8:-8] = False
    # JPEG changes every pixel a little.
    moved = np.array([np.abs(fake.astype(int) - face)[border].mean() for fake in fakes])
    assert 15 <= (moved < moved.mean()).sum() <= 45
    assert moved.max() > 1.5 * moved.min()


def test_the_same_draw_gives_the_same_fake(face, rebuilt):
    first, second = (reconstructed_fake(face, rebuilt, None, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_landmarks_that_are_not_known_are_those_of_the_average_face(face, rebuilt):
    unknown = np.full((5, 2), np.nan, np.float32)
    for seed in range(4):
        first, second = (
            reconstructed_fake(face, rebuilt, points, np.random.default_rng(seed)) for points in (None, unknown)
        )
        np.testing.assert_array_equal(first, second)


def test_a_share_of_the_real_pictures_becomes_fake_and_the_others_stay(face, rebuilt):
    images, labels = np.stack([face] * 40), np.arange(40) % 2
    asked = []

    def look(place):
        asked.append(place)
        return rebuilt * (place != 0)

    found, after = reconstruct_batch(images, labels, 0.6, np.random.default_rng(5), look)
    turned = np.flatnonzero(after != labels)
    assert 5 <= len(turned) <= 18
    assert set(turned) == set(asked) - {0}
    assert (labels[turned] == 0).all()
    assert (found[turned] != face).any(axis=(1, 2, 3)).all()
    kept = np.setdiff1d(np.arange(40), turned)
    np.testing.assert_array_equal(found[kept], images[kept])


def test_what_was_not_rebuilt_stays_real(face):
    images, labels = np.stack([face] * 6), np.zeros(6, np.int64)
    found, after = reconstruct_batch(images, labels, 1.0, np.random.default_rng(1), lambda place: 0 * images[place])
    np.testing.assert_array_equal(after, labels)
    np.testing.assert_array_equal(found, images)


def test_they_are_found_by_place_also_where_the_manifest_leaves_pictures_out(tmp_path):
    folder = write_prepared(tmp_path / "prepared")
    whole = np.load(folder / "Train.npy")
    np.save(folder / reconstructions_file("Train"), 255 - whole)
    manifest = folder / "manifest.csv"
    lines = manifest.read_text().splitlines(keepends=True)
    manifest.write_text("".join(line for line in lines if not line.startswith(("Train/0.jpg", "Train/5.jpg"))))
    prepared = load_prepared(folder)
    read = open_reconstructions(prepared, "Train")
    assert len(prepared.images("Train")) == len(whole) - 2
    some = np.array([0, 3, 4, 40])
    np.testing.assert_array_equal(read(some), 255 - prepared.images("Train")[some])


@pytest.mark.parametrize("state", ["none", "old", "cut off", "of another size"])
def test_without_them_or_with_others_a_hint_says_what_makes_them(tmp_path, state):
    folder = write_prepared(tmp_path / "prepared")
    file, images = folder / reconstructions_file("Train"), np.load(folder / "Train.npy")
    if state != "none":
        np.save(file, images[:, :16] if state == "of another size" else images)
    if state == "old":
        os.utime(file, ns=(1, 1))
    if state == "cut off":
        os.truncate(file, 1000)
    with pytest.raises(UnmaskError, match="No autoencoder") as caught:
        open_reconstructions(load_prepared(folder), "Train")
    assert f"unmask reconstruct {folder}" in caught.value.hint
