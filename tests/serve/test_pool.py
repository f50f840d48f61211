import threading

import pytest

from tests.waiting import PATIENCE, until
from unmask.serve.pool import Deadline, Pool
from unmask.serve.problem import Problem


def test_a_job_gives_its_result() -> None:
    assert Pool(1, 0, PATIENCE).run(lambda _: 42) == 42


def test_a_job_that_raises_raises_for_its_caller_and_leaves_the_pool_working() -> None:
    pool = Pool(1, 1, PATIENCE)
    with pytest.raises(ZeroDivisionError):
        pool.run(lambda _: 1 // 0)
    assert pool.run(lambda _: "works") == "works"


def test_over_the_queue_limit_a_job_is_refused_at_once() -> None:
    pool = Pool(workers=1, waiting=1, seconds=PATIENCE)
    begun, go = threading.Event(), threading.Event()

    def slow(_: Deadline) -> bool:
        begun.set()
        return go.wait(PATIENCE)

    threads = [threading.Thread(target=pool.run, args=(slow,)) for _ in range(2)]
    threads[0].start()
    assert begun.wait(PATIENCE)
    threads[1].start()
    until(lambda: pool.under_way == 2)
    assert pool.is_full
    with pytest.raises(Problem) as refused:
        pool.run(slow)
    assert (refused.value.code, refused.value.headers) == ("busy", {"Retry-After": "1"})
    go.set()
    for thread in threads:
        thread.join(PATIENCE)
    until(lambda: pool.under_way == 0)
    assert pool.run(lambda _: True)
    until(lambda: pool.under_way == 0)


def test_a_job_that_takes_too_long_is_given_up() -> None:
    pool = Pool(1, 0, 0.05)
    go = threading.Event()
    with pytest.raises(Problem) as refused:
        pool.run(lambda _: go.wait(PATIENCE))
    assert refused.value.code == "too-slow"
    go.set()


def test_a_job_whose_time_is_over_before_it_begins_does_not_begin() -> None:
    pool = Pool(1, 1, 0.05)
    go, ran = threading.Event(), []
    with pytest.raises(Problem):
        pool.run(lambda _: go.wait(PATIENCE))
    with pytest.raises(Problem):
        pool.run(lambda _: ran.append(True))
    go.set()
    pool.close()
    assert not ran


def test_a_closed_pool_refuses_and_keeps_no_place() -> None:
    pool = Pool(1, 0, PATIENCE)
    pool.close()
    for _ in range(3):
        with pytest.raises(Problem) as refused:
            pool.run(lambda _: True)
        assert refused.value.code == "ending"
    assert pool.under_way == 0


def test_a_job_that_waits_when_the_pool_is_closed_is_told_so() -> None:
    pool = Pool(1, 1, PATIENCE)
    begun, go, refusals = threading.Event(), threading.Event(), []

    def wait() -> None:
        try:
            pool.run(lambda _: True)
        except BaseException as refusal:
            refusals.append(refusal)

    first = threading.Thread(target=pool.run, args=(lambda _: (begun.set(), go.wait(PATIENCE)),))
    second = threading.Thread(target=wait)
    first.start()
    assert begun.wait(PATIENCE)
    second.start()
    until(lambda: pool._executor._work_queue.qsize() == 1)
    pool.close()
    second.join(PATIENCE)
    go.set()
    first.join(PATIENCE)
    (refusal,) = refusals
    assert isinstance(refusal, Problem)
    assert refusal.code == "ending"
    until(lambda: pool.under_way == 0)


def test_a_deadline_is_looked_at_between_steps() -> None:
    with pytest.raises(Problem):
        Deadline(0.0).check()
    Deadline(PATIENCE).check()
