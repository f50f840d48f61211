import contextlib

import pytest

from unmask.errors import UnmaskError
from unmask.scan import results
from unmask.scan.results import Results, batches_of
from unmask.scan.sources import Work
from unmask.scan.storage import UNREACHABLE, Place

pytestmark = pytest.mark.scan
JOB = {"detector": "toy 1", "policy": "balanced"}


def row(path, sha256=None, failure=None):
    return {"path": path, "sha256": sha256 or f"hash of {path}", "failure": failure, "score": 0.5, "faces": []}


def paths(folder):
    return [row["path"] for rows in batches_of(folder / "parts", ["path"]) for row in rows]


def files(*names):
    return Work(tuple(Place(name) for name in names), count=len(names))


def test_what_was_added_is_there_when_the_block_ends_even_by_an_interrupt(tmp_path):
    with contextlib.suppress(KeyboardInterrupt), Results(tmp_path, JOB) as table:
        table.add(row("a"))
        raise KeyboardInterrupt
    assert paths(tmp_path) == ["a"]


def test_a_part_is_written_when_it_is_full(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "ROWS_A_PART", 2)
    with Results(tmp_path, JOB) as table:
        for name in "abc":
            table.add(row(name))
        assert paths(tmp_path) == ["a", "b"]
    assert paths(tmp_path) == ["a", "b", "c"]


def test_only_what_has_no_row_is_left_to_do(tmp_path):
    with Results(tmp_path, JOB) as table:
        table.add(row("a"))
        table.add(row("s.tar#1"))
        table.add(row("t.parquet#0"))
    (tmp_path / "parts" / ".part-000001.parquet.x7").write_bytes(b"half of what a kill interrupted")
    with Results(tmp_path, JOB) as table:
        assert table.before == 3
        assert table.rest(files("a", "b")).places == (Place("b"),)
        assert table.rest(files("b")) is None  # it is under way
        assert table.rest(Work((Place("s.tar"),), "tar")).done == {"s.tar#1"}
        assert table.rest(Work((Place("t.parquet"),), "parquet", count=1)) is None
        assert table.rest(Work((Place("t.parquet"),), "parquet", group=1, first=1, count=2)).done == set()
        table.add(row("b"))
    assert paths(tmp_path) == ["a", "s.tar#1", "t.parquet#0", "b"]
    assert not list((tmp_path / "parts").glob(".*"))


def test_the_same_bytes_are_known_again_also_by_the_next_run(tmp_path):
    with Results(tmp_path, JOB) as table:
        table.add(row("a", "abc"))
        assert table.known("abc")["path"] == "a"
    with Results(tmp_path, JOB) as table:
        assert table.known("abc")["path"] == "a"
        assert table.known("abd") is None


def test_what_could_not_be_reached_is_tried_again(tmp_path):
    with Results(tmp_path, JOB) as table:
        table.add(row("a"))
        table.add(row("b", failure=UNREACHABLE))
    with Results(tmp_path, JOB) as table:
        assert table.rest(files("a", "b")).places == (Place("b"),)
    assert paths(tmp_path) == ["a"]


def test_another_detector_is_refused_and_told_what_to_do(tmp_path):
    with Results(tmp_path, JOB):
        pass
    with pytest.raises(UnmaskError, match="policy 'balanced' there, 'careful' here") as error:
        Results(tmp_path, {**JOB, "policy": "careful"})
    assert "--out" in error.value.hint


def test_a_part_that_was_damaged_is_named(tmp_path):
    with Results(tmp_path, JOB) as table:
        table.add(row("a"))
    (tmp_path / "parts" / "part-000000.parquet").write_bytes(b"no table")
    with pytest.raises(UnmaskError, match=r"part-000000\.parquet cannot be read"):
        Results(tmp_path, JOB)
