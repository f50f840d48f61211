"""Fakes made from real pictures only."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.data.pictures import picture, write_dataset

from unmask.data import landmarks as module
from unmask.data.blend import AVERAGE_LANDMARKS, blending_mask, self_blend
from unmask.data.landmarks import landmarks
from unmask.data.manifest import MANIFEST, write_manifest
from unmask.data.prepare import prepare
from unmask.data.prepared import load_prepared


def generator(seed: int = 7) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_a_blend_is_a_picture_and_a_mask() -> None:
    blended, mask = self_blend(picture(1, 128), AVERAGE_LANDMARKS * 128, generator())
    assert (blended.shape, blended.dtype) == ((128, 128, 3), np.uint8)
    assert (mask.shape, mask.dtype) == ((128, 128), np.float32)
    assert mask.min() >= 0
    assert mask.max() <= 1


def test_the_same_seed_gives_the_same_blend() -> None:
    one, other = (self_blend(picture(1, 96), None, generator())[0] for _ in range(2))
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("seed", range(12))
def test_inside_and_outside_of_the_mask_differ_in_treatment(seed: int) -> None:
    image = picture(seed, 128)
    blended, mask = self_blend(image, None, generator(seed))
    change = np.abs(blended.astype(float) - image).mean(axis=2)
    inside, outside = change[mask >= mask.max() * 0.9].mean(), change[mask == 0].mean()
    assert abs(inside - outside) > 0.5


def test_the_mask_lies_over_the_face_and_leaves_the_border_alone() -> None:
    masks = np.stack([blending_mask(AVERAGE_LANDMARKS * 128, 128, generator(seed)) for seed in range(60)])
    middle = masks[:, 40:100, 40:88].mean()
    border = np.concatenate([masks[:, :6].ravel(), masks[:, :, :6].ravel(), masks[:, :, -6:].ravel()])
    assert middle > 0.5
    assert border.mean() < 0.02


@pytest.mark.parametrize("points", [None, AVERAGE_LANDMARKS, AVERAGE_LANDMARKS + np.float32([0.1, -0.05])])
def test_the_mask_of_a_large_picture_lies_where_that_of_a_small_one_does(points: NDArray[np.float32] | None) -> None:
    def middle(side: int, seed: int) -> NDArray[np.float64]:
        mask = blending_mask(None if points is None else points * side, side, generator(seed))
        # In shares of the side, from edge to edge.
        return np.array([np.average(np.arange(side) + 0.5, weights=mask.sum(axis=axis)) / side for axis in (0, 1)])

    for seed in range(8):
        np.testing.assert_allclose(middle(256, seed), middle(128, seed), atol=0.004)


def test_the_mask_follows_the_landmarks() -> None:
    moved = AVERAGE_LANDMARKS * 64 + np.float32([60, 50])
    mask = np.mean([blending_mask(moved, 128, generator(seed)) for seed in range(20)], axis=0)
    rows, columns = np.nonzero(mask > 0.5)
    assert rows.mean() > 70
    assert columns.mean() > 80


def test_unknown_landmarks_mean_the_average_face() -> None:
    unknown = np.full((5, 2), np.nan, np.float32)
    one, other = (self_blend(picture(1, 96), points, generator())[0] for points in (unknown, None))
    np.testing.assert_array_equal(one, other)


def test_landmarks_are_found_once_and_kept(tmp_path: Path, face_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = write_dataset(tmp_path / "data", 1, splits=("Train",))
    (dataset / "Train/Real/a_face.png").write_bytes(face_file.read_bytes())
    prepared = prepare(dataset, tmp_path / "out", size=128)
    write_manifest(prepared.folder / MANIFEST, [*prepared.manifest[::-1]])
    other_order = landmarks(load_prepared(prepared.folder), "Train")
    points = landmarks(prepared, "Train")
    np.testing.assert_array_equal(other_order, points[::-1])
    assert points.shape == (3, 5, 2)
    left_eye, right_eye = points[0, 0], points[0, 1]
    assert 0 < left_eye[0] < right_eye[0] < 128
    assert np.isnan(points[1:]).all()
    monkeypatch.setattr(module, "FaceFinder", None)
    np.testing.assert_array_equal(landmarks(prepared, "Train"), points)
