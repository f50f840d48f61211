from itertools import combinations

import pytest

from unmask.finding import Box
from unmask.output.face_tags import around, face_tags


def overlap(one: Box, other: Box) -> bool:
    beside = one.left + one.width <= other.left or other.left + other.width <= one.left
    return not (beside or one.top + one.height <= other.top or other.top + other.height <= one.top)


def test_a_face_s_number_stands_above_its_box():
    assert face_tags([Box(100, 100, 50, 50)], 220, 220) == [Box(100, 88, 17, 11)]


@pytest.mark.parametrize(
    "box", [Box(100, 5, 50, 50), Box(0, 0, 220, 220), Box(-10, -10, 240, 240), Box(210, 100, 20, 20)]
)
def test_it_stays_inside_of_the_picture(box):
    (tag,) = face_tags([box], 220, 220)
    assert tag.left >= 0 <= tag.top
    assert tag.left + tag.width <= 220 >= tag.top + tag.height


def test_where_there_is_no_room_above_it_does_not_cover_the_face():
    box = Box(100, 5, 50, 50)
    assert not overlap(face_tags([box], 220, 220)[0], box)


def test_in_a_crowd_no_number_covers_another():
    crowd = [Box(left, top, 18, 22) for top in range(3, 190, 26) for left in range(2, 200, 20)]
    tags = face_tags(crowd, 220, 220)
    assert len(tags) == len(crowd)
    assert not any(overlap(one, other) for one, other in combinations(tags, 2))


def test_what_can_be_clicked_holds_box_and_number():
    assert around(Box(10, 20, 30, 40), Box(10, 8, 50, 11)) == Box(10, 8, 50, 52)
