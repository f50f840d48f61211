import numpy as np
import pytest

from unmask.video.sampling import choose, frame_times, part_seconds

EVEN = np.arange(100) / 25


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, list(range(100))),
        ({"frames": 4}, [12, 37, 62, 87]),
        ({"frames": 1000}, list(range(100))),
        ({"every": 1.0}, [0, 25, 50, 75]),
        ({"every": 1.0, "start": 0.5, "end": 2.6}, [13, 38, 63]),
        ({"frames": 2, "start": 1.0, "end": 2.0}, [31, 43]),
        ({"frames": 5, "start": 50.0}, []),
        ({"every": 0.001, "start": 3.92}, [98, 99]),
    ],
)
def test_frames_are_chosen_evenly(options, expected):
    assert choose(EVEN, **options).tolist() == expected


def test_a_frame_that_is_shown_long_is_chosen_once():
    times = np.array([0.0, 0.04, 9.0, 9.04])
    assert choose(times, frames=3).tolist() == [1]
    assert choose(times, every=3.0).tolist() == [0, 1, 2]


@pytest.mark.parametrize("options", [{}, {"frames": 32}, {"every": 1.0}, {"frames": 32, "every": 2.0}])
def test_a_part_between_two_frames_holds_the_one_that_is_shown(options):
    times = np.array([0.0, 2.0, 4.0])
    assert choose(times, start=2.5, end=3.5, **options).tolist() == [1]
    assert choose(times, start=5.9, **options).tolist() == [2]
    assert choose(times, start=6.1, **options).tolist() == []


def test_one_frame_and_none():
    assert choose(np.zeros(1), frames=32).tolist() == [0]
    assert choose(np.zeros(0), frames=32).tolist() == []


def test_times_begin_at_zero_and_are_sorted():
    times, odd = frame_times(np.array([5.08, 5.0, 5.04]))
    assert times == pytest.approx([0.0, 0.04, 0.08])
    assert not odd


@pytest.mark.parametrize(
    ("start", "first"), [(4.5, 0.5), (-3.0, 8.0), (6.0, 0.0), (-4000.0, 0.0), (float("inf"), 0.0), (float("nan"), 0.0)]
)
def test_times_count_from_where_the_file_begins_if_that_is_before_the_first_frame(start, first):
    times, odd = frame_times(np.array([5.08, 5.0, 5.04]), start)
    assert times == pytest.approx([first, first + 0.04, first + 0.08])
    assert not odd


def test_a_part_before_the_first_frame_holds_nothing():
    assert choose(EVEN + 10, start=2.0, end=3.0).tolist() == []
    assert choose(EVEN + 10, frames=2).tolist() == [25, 75]
    assert part_seconds(EVEN + 10, 0.0, None) == pytest.approx(3.96)


def test_a_clock_that_jumps_is_not_believed():
    times, odd = frame_times(np.array([0.0, 0.04, 0.08, 1e6, 1e6 + 0.04]))
    assert times == pytest.approx([0.0, 0.04, 0.08, 0.12, 0.16])
    assert odd


def test_a_part_is_as_long_as_what_is_there():
    assert part_seconds(EVEN, 1.0, 100.0) == pytest.approx(2.96)
    assert part_seconds(EVEN, 50.0, None) == 0.0
    assert part_seconds(np.zeros(0), 0.0, None) == 0.0
