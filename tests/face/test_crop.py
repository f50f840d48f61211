"""From face boxes to crops: which faces, what square, with which notes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from skimage import data

from unmask.face.crop import crop_faces, crop_square, cut, cut_crops, is_already_cropped, whole_picture
from unmask.face.finder import FaceFinder
from unmask.face.network import Face
from unmask.finding import Box

WIDE = np.zeros((400, 800, 3), np.uint8)


def codes(face: Face, pixels: np.ndarray = WIDE) -> list[str]:
    (crop,) = crop_faces(pixels, [face]).kept
    return [note.code for note in crop.notes]


def test_a_face_gets_the_square_around_its_box() -> None:
    (crop,) = crop_faces(WIDE, [Face(120.4, 100, 160, 200, 0.9)]).kept
    assert crop.box == Box(120, 100, 160, 200)
    assert crop.square == Box(70, 70, 260, 260)
    assert crop.notes == ()


def test_faces_too_small_to_judge_are_left_out_and_counted() -> None:
    crops = crop_faces(WIDE, [Face(100, 100, 160, 200, 0.9), Face(300, 100, 28, 31.9, 0.9), Face(9, 9, 20, 24, 0.9)])
    assert len(crops.kept) == 1
    assert crops.too_small == 2
    assert [note.code for note in crops.notes] == ["faces-too-small"]


def test_the_smallest_face_is_kept() -> None:
    crops = crop_faces(WIDE, [Face(300, 100, 28, 32, 0.9)])
    assert (len(crops.kept), crops.notes) == (1, ())


@pytest.mark.parametrize(
    ("face", "expected"),
    [
        (Face(100, 100, 60, 79, 0.9), ["small-face"]),
        (Face(100, 100, 60, 80, 0.9), []),
        (Face(100, 100, 120, 160, 0.59), ["doubtful-face"]),
        (Face(100, 100, 120, 160, 0.6), []),
        (Face(-80, 120, 160, 160, 0.9), ["face-at-border"]),
        (Face(10, 120, 160, 160, 0.9), []),
    ],
)
def test_what_makes_a_crop_worse_evidence_is_noted(face: Face, expected: list[str]) -> None:
    assert codes(face) == expected


def test_the_whole_picture_can_be_taken_for_a_face() -> None:
    (crop,) = whole_picture(WIDE).kept
    assert crop.face is None
    assert crop.box == crop.square == Box(0, 0, 800, 400)


def test_crops_become_one_batch_of_the_detectors_side() -> None:
    crops = crop_faces(WIDE, [Face(100, 100, 160, 200, 0.9), Face(-40, 100, 100, 120, 0.9)]).kept
    batch = cut_crops(WIDE, crops, 64)
    assert (batch.shape, batch.dtype) == ((2, 64, 64, 3), np.uint8)


def test_crop_is_a_square_around_the_centre_of_the_face() -> None:
    face = Face(left=100, top=50, width=80, height=100, score=1)
    assert crop_square(face, 1.3) == Box(left=75, top=35, width=130, height=130)


def test_crop_may_leave_the_picture() -> None:
    face = Face(left=-10, top=5, width=100, height=60, score=1)
    assert crop_square(face, 1.5) == Box(left=-35, top=-40, width=150, height=150)


def test_crop_is_at_least_one_pixel() -> None:
    assert crop_square(Face(left=3, top=4, width=0.1, height=0.1, score=1), 1.3).width == 1


@pytest.mark.parametrize(
    ("face_side", "width", "height", "expected"),
    [
        (197, 256, 256, True),  # the rule of the training pictures: 256 / 1.3
        (168, 256, 256, True),  # 1.3 x 168 = 218 px: just over 85 %
        (167, 256, 256, False),  # 217 px: just under
        (256, 256, 256, True),  # tighter than the rule
        (197, 231, 256, True),  # 90 % as wide as high
        (197, 230, 256, False),  # less: a portrait, to be cropped
        (300, 640, 480, False),
    ],
)
def test_a_picture_filled_by_a_face_is_its_own_crop(face_side: int, width: int, height: int, expected: bool) -> None:
    face = Face(left=10, top=10, width=face_side * 0.8, height=face_side, score=1)
    assert is_already_cropped(face, width, height) is expected


@pytest.mark.parametrize(("margin", "expected"), [(1.3, False), (2.0, True)])
def test_whether_a_picture_is_its_own_crop_depends_on_the_margin_of_the_crop(margin: float, expected: bool) -> None:
    assert is_already_cropped(Face(70, 60, 100, 128, 1), 256, 256, margin) is expected


def test_the_crop_of_a_portrait_is_its_own_crop() -> None:
    finder, astronaut = FaceFinder.load(), data.astronaut()
    (face,) = finder.find(astronaut)
    assert not is_already_cropped(face, 512, 512)
    crop = cut(astronaut, crop_square(face, 1.3))
    (again,) = finder.find(crop)
    assert is_already_cropped(again, crop.shape[1], crop.shape[0])


# Cutting


def numbered(height: int, width: int) -> np.ndarray:
    """A picture in which every pixel says its row, its column and 0."""
    rows, columns = np.mgrid[:height, :width]
    return np.dstack([rows, columns, np.zeros_like(rows)]).astype(np.uint8)


def test_cuts_what_lies_inside() -> None:
    image = numbered(10, 12)
    np.testing.assert_array_equal(cut(image, Box(left=3, top=2, width=5, height=5)), image[2:7, 3:8])


def test_mirrors_at_the_border_without_repeating_it() -> None:
    crop = cut(numbered(10, 12), Box(left=-3, top=8, width=6, height=6))
    assert crop[0, :, 1].tolist() == [3, 2, 1, 0, 1, 2]
    assert crop[:, 0, 0].tolist() == [8, 9, 8, 7, 6, 5]


@pytest.mark.parametrize("border", [2, 9, 10, 37])
def test_mirrors_like_opencv_even_beyond_the_size_of_the_picture(border: int) -> None:
    image = np.random.default_rng(1).integers(0, 256, (10, 7, 3), np.uint8)
    box = Box(left=-border, top=-border, width=7 + 2 * border, height=10 + 2 * border)
    expected = cv2.copyMakeBorder(image, border, border, border, border, cv2.BORDER_REFLECT_101)
    np.testing.assert_array_equal(cut(image, box), expected)


def test_cuts_a_picture_of_one_pixel() -> None:
    assert cut(np.full((1, 1, 3), 7, np.uint8), Box(left=-2, top=-2, width=5, height=5)).tolist() == [[[7] * 3] * 5] * 5


def test_every_place_of_a_crop_is_that_of_the_picture_or_of_its_mirror_image() -> None:
    generator = np.random.default_rng(1)
    for _ in range(300):
        image = numbered(*generator.integers(1, 9, 2).tolist())
        left, top = generator.integers(-20, 20, 2).tolist()
        width, height = generator.integers(1, 24, 2).tolist()
        wide = np.pad(image, ((60, 60), (60, 60), (0, 0)), mode="reflect")
        crop = cut(image, Box(left, top, width, height))
        np.testing.assert_array_equal(crop, wide[60 + top : 60 + top + height, 60 + left : 60 + left + width])
        assert crop.flags.c_contiguous
        assert not np.shares_memory(crop, image)


@pytest.mark.parametrize("left", [2, -2])
def test_a_cut_is_a_contiguous_copy(left: int) -> None:
    image = numbered(10, 12)
    crop = cut(image, Box(left=left, top=1, width=6, height=6))
    crop[:] = 99
    assert crop.flags.c_contiguous
    assert not (image == 99).any()
