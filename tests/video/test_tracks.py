import itertools

import numpy as np
import pytest

from unmask.finding import Box
from unmask.video.tracks import CUT, SAME_VIEW, Tracker, assign, difference, overlap, signature

RNG = np.random.default_rng(0)
SHOT, OTHER = (signature(RNG.integers(low, low + 90, (90, 160, 3), np.uint8)) for low in (0, 160))


def box(left, top=0, side=50):
    return Box(left, top, side, side)


@pytest.mark.parametrize("rows", [1, 2, 4])
@pytest.mark.parametrize("columns", [1, 3, 4])
def test_the_assignment_is_the_best_of_all(rows, columns):
    for _ in range(20):
        gains = RNG.random((rows, columns)) * (RNG.random((rows, columns)) < 0.7)
        wide = gains if rows <= columns else gains.T
        best = max(
            sum(wide[row, column] for row, column in enumerate(chosen))
            for chosen in itertools.permutations(range(wide.shape[1]), wide.shape[0])
        )
        pairs = assign(gains)
        assert sum(gains[pair] for pair in pairs) == pytest.approx(best)
        assert len({row for row, _ in pairs}) == len({column for _, column in pairs}) == len(pairs)


def test_boxes_overlap_by_how_near_they_are():
    assert overlap(box(0), box(0)) == 1.0
    assert overlap(box(0), box(200)) == 0.0
    assert 0 < overlap(box(0), box(60)) < overlap(box(0), box(20)) < 1


def test_a_person_who_moves_stays_one_and_two_stay_two():
    tracker = Tracker()
    found = [tracker.follow(SHOT, [box(10 * step), box(300 - 10 * step)]) for step in range(5)]
    assert found == [[0, 1]] * 5


def test_people_are_told_apart_by_place_and_not_by_the_order_of_their_faces():
    tracker = Tracker()
    tracker.follow(SHOT, [box(0), box(200)])
    assert tracker.follow(SHOT, [box(205), box(5)]) == [1, 0]


def test_one_who_looks_away_comes_back_as_the_same():
    tracker = Tracker()
    tracker.follow(SHOT, [box(0)])
    tracker.follow(SHOT, [])
    assert tracker.follow(SHOT, [box(10)]) == [0]


def test_a_cut_begins_new_people_and_a_cut_back_finds_the_old_ones():
    tracker = Tracker()
    looks = [SHOT, SHOT, OTHER, OTHER, SHOT]
    assert [tracker.follow(look, [box(0)])[0] for look in looks] == [0, 0, 1, 1, 0]
    assert (tracker.cuts, tracker.people) == (2, 2)


def test_a_little_more_light_is_no_cut_and_another_picture_is():
    pixels = np.repeat(np.linspace(40, 200, 160 * 90, dtype=np.uint8).reshape(160, 90).T[..., None], 3, axis=2)
    assert difference(signature(pixels), signature(pixels + np.uint8(6))) < SAME_VIEW
    assert difference(SHOT, OTHER) > CUT


def test_a_frame_without_a_face_and_the_first_frame():
    tracker = Tracker()
    assert tracker.follow(SHOT, []) == []
    assert tracker.cuts == 0
