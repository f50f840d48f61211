"""What threads share of an amount."""

import os
import threading

import pytest
from tests.waiting import PATIENCE, until

from unmask.system.budget import Budget


def taking(budget, amount):
    """A thread that holds a part until told to let go."""
    got, enough = threading.Event(), threading.Event()

    def hold():
        with budget.take(amount):
            got.set()
            enough.wait(PATIENCE)

    thread = threading.Thread(target=hold)
    thread.start()
    return got, enough, thread


def test_parts_within_the_total_are_taken_side_by_side():
    budget = Budget(10)
    with budget.take(4), budget.take(6):
        pass


def test_a_part_beyond_the_total_waits_for_the_others():
    budget = Budget(10)
    with budget.take(6):
        got, enough, thread = taking(budget, 5)
        until(lambda: len(budget._waiting) == 1)
        assert not got.is_set()
    assert got.wait(PATIENCE)
    enough.set()
    thread.join()


def test_a_part_larger_than_the_total_is_taken_alone():
    budget = Budget(10)
    with budget.take(50):
        got, enough, thread = taking(budget, 1)
        until(lambda: len(budget._waiting) == 1)
        assert not got.is_set()
    assert got.wait(PATIENCE)
    enough.set()
    thread.join()


def test_a_large_part_is_not_kept_waiting_by_small_ones_that_come_later():
    budget = Budget(10)
    with budget.take(2):
        large = taking(budget, 9)
        until(lambda: len(budget._waiting) == 1)
        small = taking(budget, 1)
        until(lambda: len(budget._waiting) == 2)
        assert not small[0].is_set()
    for got, enough, thread in (large, small):
        assert got.wait(PATIENCE)
        enough.set()
        thread.join()


def test_what_fails_gives_its_part_back():
    budget = Budget(10)
    with pytest.raises(ValueError, match="broken"), budget.take(10):
        raise ValueError("broken")
    with budget.take(10):
        pass


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_begins_with_the_whole_of_it():
    budget = Budget(10)
    with budget.take(10):
        child = os.fork()
        if child == 0:
            budget.take(10).__enter__()
            os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
