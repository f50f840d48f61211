import os
import stat

import pytest

from unmask.system.atomic import atomic_write, sweep


@pytest.mark.parametrize("durable", [False, True])
def test_a_file_takes_its_place_when_the_block_ends(tmp_path, durable):
    path = tmp_path / "a.csv"
    with atomic_write(path, "w", durable=durable) as file:
        file.write("é")
        assert not path.exists()
    assert path.read_bytes() == "é".encode()
    assert os.listdir(tmp_path) == ["a.csv"]


def test_a_block_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("old")
    writing = atomic_write(path)
    writing.__enter__().write(b"half")
    with pytest.raises(KeyboardInterrupt):
        writing.gen.throw(KeyboardInterrupt)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.csv"]


def test_two_writers_of_one_file_do_not_meet(tmp_path):
    path = tmp_path / "a.csv"
    with atomic_write(path) as first, atomic_write(path) as second:
        first.write(b"1" * 10)
        second.write(b"2" * 5)
    assert path.read_bytes() == b"1" * 10


@pytest.mark.skipif(os.name == "nt", reason="file modes are POSIX")
def test_the_file_gets_the_mode_of_a_new_file_or_keeps_the_old_one_s(tmp_path):
    path = tmp_path / "a.csv"
    (tmp_path / "plain").write_text("")
    with atomic_write(path):
        pass
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode
    path.chmod(0o600)
    with atomic_write(path):
        pass
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_long_name_is_no_trouble(tmp_path):
    path = tmp_path / ("é" * 120 + ".csv")
    with atomic_write(path) as file:
        file.write(b"x")
    assert path.read_bytes() == b"x"


def test_what_a_kill_left_half_written_is_swept_away_and_nothing_else(tmp_path):
    abandoned = atomic_write(tmp_path / "a.csv")
    abandoned.__enter__().write(b"half")  # a kill comes here
    for name in ("a.csv", ".b.csv.x1", ".a.csv", ".loss.png.x1"):
        (tmp_path / name).write_text("")
    sweep(tmp_path, "a.csv", "*.png")
    assert {path.name for path in tmp_path.iterdir()} == {"a.csv", ".b.csv.x1", ".a.csv"}
