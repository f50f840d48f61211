import numpy as np

from unmask.demo import SIDE, draw_face
from unmask.face.finder import FaceFinder


def test_the_same_seed_draws_the_same_face():
    np.testing.assert_array_equal(draw_face(3), draw_face(3))
    assert (draw_face(3) != draw_face(4)).any()


def test_the_face_finder_finds_exactly_the_drawn_face():
    finder = FaceFinder.load()
    for seed in range(5):
        (face,) = finder.find(draw_face(seed))
        assert abs(face.left + face.width / 2 - SIDE / 2) < 30
