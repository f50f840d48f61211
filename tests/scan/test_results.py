import contextlib
import json
from dataclasses import replace

import pytest

from tests.scan.pictures import write_parquet
from unmask.errors import UnmaskError
from unmask.scan import results, sources
from unmask.scan.place import Place, place_of
from unmask.scan.results import Results, batches_of
from unmask.scan.sources import BROKEN, Work
from unmask.scan.storage import UNREACHABLE
from unmask.video.refusals import NO_EXTRA

pytestmark = pytest.mark.scan
JOB = {"detector": "toy 1", "policy": "balanced"}


def row(path, sha256=None, failure=None):
    sha256 = sha256 or (None if failure else f"hash of {path}")
    return {"path": path, "sha256": sha256, "failure": failure, "score": 0.5, "faces": []}


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


@pytest.mark.parametrize("failure", [UNREACHABLE, "missing", "no-permission", "no-package", "read-error"])
def test_what_could_not_be_read_is_tried_again(tmp_path, failure):
    with Results(tmp_path, JOB) as table:
        table.add(row("a"))
        table.add(row("b", failure=failure))
    with Results(tmp_path, JOB) as table:
        assert table.rest(files("a", "b")).places == (Place("b"),)
    assert paths(tmp_path) == ["a"]


@pytest.mark.parametrize("failure", [NO_EXTRA, "crash", "out-of-memory", "decoder-memory"])
def test_a_file_is_tried_again_that_could_not_be_judged_here_and_a_bad_one_is_not(tmp_path, failure):
    with Results(tmp_path, JOB) as table:
        table.add(row("clip.mp4", "abc", failure))
        table.add(row("text.jpg", "abd", "not-a-picture"))
    with Results(tmp_path, JOB) as table:
        assert table.before == 1
        assert table.known("abc") is None
        assert table.rest(files("clip.mp4", "text.jpg")).places == (Place("clip.mp4"),)


@pytest.mark.parametrize("failure", ["missing", "no-permission", BROKEN])
@pytest.mark.parametrize(
    "shard", [Work((Place("s.tar"),), "tar"), Work((Place("s.parquet"),), "parquet", group=1, count=2)]
)
def test_a_shard_that_cannot_be_opened_has_one_row_however_often_it_is_tried(tmp_path, shard, failure):
    name = shard.places[0].name + ("#group 1" if shard.group else "")
    for _ in range(3):
        with Results(tmp_path, JOB) as table:
            assert table.rest(shard)
            table.add(row(name, failure=failure))
    assert paths(tmp_path) == [name]


def test_another_detector_is_refused_and_told_what_to_do(tmp_path):
    with Results(tmp_path, JOB):
        pass
    with pytest.raises(UnmaskError, match="policy 'balanced' there, 'careful' here") as error:
        Results(tmp_path, {**JOB, "policy": "careful"})
    assert "--out" in error.value.hint


def test_a_relative_path_is_refused_where_it_is_another_file(tmp_path, monkeypatch):
    for folder in ("a", "b", "out"):
        (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path / "a")
    with Results(tmp_path / "out", JOB) as table:
        assert table.rest(files("x.png"))
        table.add(row("x.png"))
    monkeypatch.chdir(tmp_path / "b")
    with Results(tmp_path / "out", JOB) as table:
        assert table.rest(files(str(tmp_path / "b" / "y.png")))
        with pytest.raises(UnmaskError, match=r"relative paths lead to .*/a there, to .*/b here") as error:
            table.rest(files("x.png"))
    assert "same folder" in error.value.hint
    monkeypatch.chdir(tmp_path / "a")
    with Results(tmp_path / "out", JOB) as table:
        assert table.rest(files("x.png")) is None


def test_a_table_that_names_files_is_refused_in_another_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    work = Work((Place("/t.parquet"),), "parquet", count=2, named=True)
    with Results(tmp_path, JOB) as table:
        assert table.rest(work)
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    with Results(tmp_path, JOB) as table:
        assert table.rest(replace(work, named=False))
    with Results(tmp_path, JOB) as table, pytest.raises(UnmaskError, match="relative paths lead to"):
        table.rest(work)


@pytest.mark.parametrize("name", ["s3://pictures/t.parquet", "https://host/t.parquet?sig=abc"])
def test_an_empty_cell_of_a_table_elsewhere_does_not_tie_the_scan_to_a_folder(tmp_path, monkeypatch, name):
    write_parquet(tmp_path / "t.parquet", {"path": ["", None]})
    monkeypatch.setattr(sources, "open_file", lambda place: (tmp_path / "t.parquet").open("rb"))
    with Results(tmp_path, JOB) as table:
        (rest,) = [table.rest(work) for work in sources._parquet(place_of(name), None, is_named=True)]
    shown = place_of(name).name
    assert [item.name for item in rest.items()] == [f"{shown}#0", f"{shown}#1"]
    assert "relative paths" not in (tmp_path / "scan.json").read_text()


def test_no_account_at_a_server_is_written_down(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://me:hush@one:9000/")
    with Results(tmp_path, JOB) as table:
        assert table.rest(Work((place_of("s3://pictures/x.png"),), count=1))
        assert table.rest(Work((place_of("s3://pictures/y.png?endpoint_override=http://me:hush@one:9000"),), count=1))
    assert json.loads((tmp_path / "scan.json").read_text())["origins"] == {"paths at s3://pictures": "one:9000"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("s3://pictures/x.png?endpoint_override=one:9000", "s3://pictures/x.png?endpoint_override=two:9000"),
        ("s3://pictures/x.png?endpoint_override=one:9000", "s3://pictures/x.png"),
        ("hdfs://one:8020/x.png", "hdfs://two:8020/x.png"),
    ],
)
def test_an_address_is_refused_that_leads_to_another_server(tmp_path, one, other):
    with Results(tmp_path, JOB) as table:
        assert table.rest(Work((place_of("s3://more/x.png?endpoint_override=two:9000"), place_of(one)), count=2))
    with Results(tmp_path, JOB) as table:
        assert table.rest(Work((place_of(one.replace("://", "://who:hush@")),), count=1))
        with pytest.raises(UnmaskError, match="another scan"):
            table.rest(Work((place_of(other),), count=1))
    assert "hush" not in (tmp_path / "scan.json").read_text()


def test_the_server_that_the_surroundings_name_counts(tmp_path, monkeypatch):
    work = Work((place_of("s3://pictures/x.png"),), count=1)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://one:9000/")
    with Results(tmp_path, JOB) as table:
        assert table.rest(work)
        assert table.rest(Work((place_of("s3://pictures/y.png?endpoint_override=one:9000"),), count=1))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://two:9000/")
    with Results(tmp_path, JOB) as table, pytest.raises(UnmaskError, match="another scan"):
        table.rest(work)


def test_a_folder_that_does_not_tell_its_column_nor_where_its_names_lead_is_gone_on_with(tmp_path):
    with Results(tmp_path, JOB):
        pass
    file = tmp_path / "scan.json"
    assert not {"column", "origins"} & json.loads(file.read_text()).keys()
    for column in ("image", "image", "other"):
        with pytest.raises(UnmaskError) if column == "other" else contextlib.nullcontext():  # noqa: SIM117
            with Results(tmp_path, {**JOB, "column": column}) as table:
                table.rest(files("a"))


def test_a_part_that_was_damaged_is_named(tmp_path):
    with Results(tmp_path, JOB) as table:
        table.add(row("a"))
    (tmp_path / "parts" / "part-000000.parquet").write_bytes(b"no table")
    with pytest.raises(UnmaskError, match=r"part-000000\.parquet cannot be read"):
        Results(tmp_path, JOB)
