from dataclasses import replace

import numpy as np
import pytest

from unmask.checking import Examined
from unmask.errors import UnmaskError
from unmask.output.pictures import FacePictures, explanation_picture, plain_sentence, side_by_side


@pytest.fixture
def pixels(face_file):
    from unmask.image.read import read_image

    return read_image(face_file).pixels


@pytest.fixture
def face(toy_detector, pixels):
    (face,) = toy_detector.check(pixels, heatmap=True).faces
    return face


def test_a_pair_is_the_face_beside_its_heatmap(pixels, face):
    assert side_by_side(pixels, face).shape == (384, 768, 3)


def test_an_explanation_shows_three_panels_of_one_size(pixels, face):
    page = explanation_picture(pixels, face, "gradcam")
    assert page.dtype == np.uint8
    assert page.shape[1] > 3 * 300


def test_a_face_without_a_heatmap_cannot_be_explained(pixels, face):
    with pytest.raises(UnmaskError, match="no heatmap"):
        explanation_picture(pixels, replace(face, heatmap=None), "gradcam")


def test_the_sentence_says_what_a_heatmap_is_not(face):
    assert "not a map of what was changed" in plain_sentence(face)
    assert "not a proof" in plain_sentence(replace(face, heatmap=np.zeros((4, 4), np.float32)))


def test_a_number_tells_pictures_of_one_name_apart(tmp_path, toy_detector, face_file, pixels):
    examined = Examined(toy_detector.check(face_file, heatmap=True), pixels)
    pictures = FacePictures(tmp_path, side_by_side)
    written = [pictures.add(examined)[0].name for _ in range(2)]
    assert written == ["0001-face-face1.png", "0002-face-face1.png"]
