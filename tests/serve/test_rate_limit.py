from unmask.serve import rate_limit as allowance
from unmask.serve.rate_limit import Allowance


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_full_bucket_gives_its_tokens_and_then_says_how_long_to_wait() -> None:
    bucket = Allowance(60, clock=Clock())
    assert [bucket.take("a", 20) for _ in range(4)] == [0, 0, 0, 20]


def test_tokens_come_back_with_time() -> None:
    clock = Clock()
    bucket = Allowance(60, clock=clock)
    assert bucket.take("a", 60) == 0
    assert bucket.take("a", 1) == 1
    clock.now = 1.0
    assert bucket.take("a", 1) == 0
    clock.now = 1000.0
    assert bucket.take("a", 61) == 0


def test_asking_for_the_wait_takes_nothing() -> None:
    clock = Clock()
    bucket = Allowance(1, clock=clock)
    assert [bucket.wait("a"), bucket.wait("a"), bucket.take("a", 1)] == [0, 0, 0]
    clock.now = 15.0
    assert bucket.wait("a") == 45


def test_a_request_larger_than_the_bucket_is_answered_once_it_is_full_and_leaves_a_debt() -> None:
    clock = Clock()
    bucket = Allowance(60, clock=clock)
    assert bucket.take("a", 90) == 0
    assert bucket.take("a", 1) == 31
    clock.now = 31.0
    assert bucket.take("a", 1) == 0


def test_one_client_does_not_use_up_another_s() -> None:
    bucket = Allowance(1, clock=Clock())
    assert bucket.take("a", 1) == 0
    assert bucket.take("b", 1) == 0
    assert bucket.take("a", 1) == 60


def test_zero_is_no_limit() -> None:
    bucket = Allowance(0, clock=Clock())
    assert all(bucket.take("a", 1000) == 0 for _ in range(10))


def test_addresses_are_not_remembered_without_end(monkeypatch) -> None:
    monkeypatch.setattr(allowance, "MAX_CLIENTS", 3)
    bucket = Allowance(1, clock=Clock())
    for name in "abcd":
        assert bucket.take(name, 1) == 0
    assert bucket.take("d", 1) > 0
    assert bucket.take("a", 1) == 0
