import os

import pytest

from unmask.system import cores


@pytest.fixture(autouse=True)
def fresh():
    cores._quota.cache_clear()
    yield
    cores._quota.cache_clear()


def test_it_is_never_more_than_the_process_is_pinned_to():
    assert 1 <= cores.available_cores() <= (os.cpu_count() or 1)


@pytest.mark.parametrize(("text", "expected"), [("200000 100000", 2), ("150000 100000", 2), ("50000 100000", 1)])
def test_the_quota_of_the_control_group_is_rounded_up(tmp_path, text, expected):
    (tmp_path / "cpu.max").write_text(text)
    assert cores._quota(tmp_path) == expected


@pytest.mark.parametrize("text", ["max 100000", "nonsense", "0 0"])
def test_no_limit_and_nonsense_limit_nothing(tmp_path, text):
    (tmp_path / "cpu.max").write_text(text)
    assert cores._quota(tmp_path) > 10_000


def test_the_first_version_of_control_groups_is_read_too(tmp_path):
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("300000\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert cores._quota(tmp_path) == 3


def test_a_small_quota_wins_over_many_cores(tmp_path, monkeypatch):
    (tmp_path / "cpu.max").write_text("200000 100000")
    monkeypatch.setattr(cores, "_CGROUP", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    assert cores.available_cores() == 2
