import pytest

from unmask.finding import Box
from unmask.serve.view import _around, _tag


@pytest.mark.parametrize(
    ("box", "top"),
    [
        (Box(100, 100, 50, 50), 88),  # above
        (Box(100, 5, 50, 50), 56),  # below
        (Box(0, 0, 220, 220), 0),  # inside
        (Box(-10, -10, 240, 240), 0),
    ],
)
def test_a_face_s_number_stands_beside_its_box_and_inside_of_the_picture(box: Box, top: int) -> None:
    tag = _tag(box, 1.0, 220, 220)
    assert tag.top == top
    assert tag.left >= 0
    assert tag.left + tag.width <= 220


def test_what_can_be_clicked_holds_box_and_number() -> None:
    assert _around(Box(10, 20, 30, 40), Box(10, 8, 50, 11)) == Box(10, 8, 50, 52)


def test_at_the_right_border_it_moves_to_the_left() -> None:
    assert _tag(Box(210, 100, 20, 20), 1.0, 220, 220).left == 203
