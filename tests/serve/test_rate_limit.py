import pytest

from unmask.serve import rate_limit
from unmask.serve.rate_limit import RateLimit


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_full_bucket_gives_its_tokens_and_then_says_how_long_to_wait() -> None:
    bucket = RateLimit(60, clock=Clock())
    assert [bucket.take("a", 20) for _ in range(4)] == [0, 0, 0, 20]


def test_tokens_come_back_with_time() -> None:
    clock = Clock()
    bucket = RateLimit(60, clock=clock)
    assert bucket.take("a", 60) == 0
    assert bucket.take("a", 1) == 1
    clock.now = 1.0
    assert bucket.take("a", 1) == 0
    clock.now = 1000.0
    assert bucket.take("a", 61) == 0


def test_asking_for_the_wait_takes_nothing() -> None:
    clock = Clock()
    bucket = RateLimit(1, clock=clock)
    assert [bucket.wait("a"), bucket.wait("a"), bucket.take("a", 1)] == [0, 0, 0]
    clock.now = 15.0
    assert bucket.wait("a") == 45


def test_a_request_larger_than_the_bucket_is_answered_once_it_is_full_and_leaves_a_debt() -> None:
    clock = Clock()
    bucket = RateLimit(60, clock=clock)
    assert bucket.take("a", 90) == 0
    assert bucket.take("a", 1) == 31
    clock.now = 31.0
    assert bucket.take("a", 1) == 0


def test_one_client_does_not_use_up_another_s() -> None:
    bucket = RateLimit(1, clock=Clock())
    assert bucket.take("a", 1) == 0
    assert bucket.take("b", 1) == 0
    assert bucket.take("a", 1) == 60


def test_zero_is_no_limit() -> None:
    bucket = RateLimit(0, clock=Clock())
    assert all(bucket.take("a", 1000) == 0 for _ in range(10))


def test_addresses_are_not_remembered_without_end(monkeypatch) -> None:
    monkeypatch.setattr(rate_limit, "MAX_CLIENTS", 3)
    bucket = RateLimit(1, clock=Clock())
    for name in "abcd":
        assert bucket.take(name, 1) == 0
    assert bucket.take("d", 1) > 0
    assert bucket.take("a", 1) == 0


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"),
        ("fe80::1%eth0", "fe80::2%eth0"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
    ],
)
def test_addresses_of_one_client_share_its_bucket(first: str, second: str) -> None:
    bucket = RateLimit(1, clock=Clock())
    assert bucket.take(first, 1) == 0
    assert bucket.wait(second) > 0
    assert bucket.take(second, 1) > 0


@pytest.mark.parametrize(
    ("first", "second"), [("2001:db8:1:2::1", "2001:db8:1:3::1"), ("::ffff:192.0.2.1", "::ffff:192.0.2.2")]
)
def test_addresses_of_two_clients_do_not(first: str, second: str) -> None:
    bucket = RateLimit(1, clock=Clock())
    assert bucket.take(first, 1) == 0
    assert bucket.take(second, 1) == 0
