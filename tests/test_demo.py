from importlib.resources import files

import numpy as np
import pytest

from unmask.demo import SIDE, draw_face
from unmask.demo.samples import SAMPLES, sample_jpeg
from unmask.face.finder import FaceFinder
from unmask.image.read import read_image


def test_the_same_seed_draws_the_same_face():
    np.testing.assert_array_equal(draw_face(3), draw_face(3))
    assert (draw_face(3) != draw_face(4)).any()


def test_the_face_finder_finds_exactly_the_drawn_face():
    finder = FaceFinder.load()
    for seed in range(5):
        (face,) = finder.find(draw_face(seed))
        assert abs(face.left + face.width / 2 - SIDE / 2) < 30


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_every_sample_is_small_and_shows_its_faces(sample):
    data = sample_jpeg(sample.name)
    assert len(data) < 100_000
    assert len(FaceFinder.load().find(read_image(data).pixels)) == 1 + (sample.name == "two-faces")


def test_the_source_of_every_sample_is_told():
    folder = files("unmask.demo") / "pictures"
    assert {file.name for file in folder.iterdir()} == {"SOURCES.md", *(f"{sample.name}.jpg" for sample in SAMPLES)}
    told = (folder / "SOURCES.md").read_text(encoding="utf-8")
    assert all(f"`{sample.name}.jpg`" in told for sample in SAMPLES)
