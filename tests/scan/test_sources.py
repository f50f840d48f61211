import io
import os
import tarfile

import pytest

from tests.scan.pictures import picture, web_server, write_parquet, write_tar
from unmask.checking.paths import listed
from unmask.errors import UnmaskError
from unmask.scan import sources
from unmask.scan.place import Place
from unmask.scan.sources import BUNCH, work_of

pytestmark = pytest.mark.scan


def items(*sources, **options):
    return [item for work in work_of(map(str, sources), **options) if work for item in work.items()]


def names(*sources, **options):
    return [item.name for item in items(*sources, **options)]


def test_files_come_in_bunches_in_the_order_of_their_folder(in_folder):
    for number in range(BUNCH + 1):
        (in_folder / f"{number:03}.png").touch()
    work = list(work_of([str(in_folder)]))
    assert [piece.count for piece in work] == [BUNCH, 1]
    assert work[1].places[0].name.endswith(f"{BUNCH:03}.png")


def test_what_is_left_out_is_told(in_folder):
    (in_folder / ".hidden").touch()
    (in_folder / "out").mkdir()
    (in_folder / "out" / "summary.html").touch()
    assert list(work_of([str(in_folder)], own=[str(in_folder / "out")])) == [None]


def test_a_list_names_files_and_addresses(in_folder):
    (in_folder / "list.txt").write_text("a.png\n\ns3://bucket/b.png\n")
    assert names("list.txt") == ["a.png", "s3://bucket/b.png"]


def test_a_list_may_hold_an_address_that_is_no_unicode(in_folder):
    (in_folder / "list.txt").write_bytes(b"https://host/caf\xe9.jpg\n")
    assert names("list.txt") == ["https://host/caf\\xe9.jpg"]


def test_a_name_out_of_a_list_is_no_list_itself(in_folder):
    (in_folder / "1.txt").write_text("a caption\n")
    assert [item.name for work in work_of(listed(b"1.txt\n1.png\n")) for item in work.items()] == ["1.txt", "1.png"]
    assert names("1.txt") == ["a caption"]


def test_a_tar_gives_its_pictures_with_a_name_each(in_folder):
    members = [("1.png", b"one"), ("1.json", b"{}"), (".x", b"x"), ("d/2.png", b"two"), ("1.png", b"three")]
    write_tar("shard.tar", members)
    found = [(item.name, item.data) for item in items("shard.tar")]
    assert found == [("shard.tar#1.png", b"one"), ("shard.tar#d/2.png", b"two"), ("shard.tar#1.png#2", b"three")]


@pytest.mark.parametrize("members", ["x x x#2", "x#2 x x", "x x x x#2 x#2"])
def test_no_two_pictures_of_a_tar_have_one_name(in_folder, members):
    write_tar("shard.tar", [(name, b"one") for name in members.split()])
    assert len(set(names("shard.tar"))) == len(members.split())


def test_a_tar_that_breaks_off_gives_what_it_has_and_says_so(in_folder):
    whole = write_tar(in_folder / "whole.tar", [("1.png", picture(1)), ("2.png", picture(2) * 20)]).read_bytes()
    (in_folder / "torn.tar").write_bytes(whole[:3000])
    first, last = items("torn.tar")
    assert (first.name, first.data) == ("torn.tar#1.png", picture(1))
    assert last.failure.code == "broken-shard"


@pytest.mark.parametrize("damage", ["header", "in a header", "between members", "in the packing"])
def test_a_tar_with_a_damaged_or_missing_header_says_so(in_folder, damage):
    name = "t.tar.gz" if damage == "in the packing" else "t.tar"
    with tarfile.open(name, "w:gz" if name.endswith("gz") else "w") as archive:
        for number in range(5):
            member = tarfile.TarInfo(f"{number}.png")
            member.size = 512
            archive.addfile(member, io.BytesIO(os.urandom(512)))
    whole = (in_folder / name).read_bytes()
    assert len(items(name)) == 5
    broken = {
        "header": whole[:2058] + b"~" + whole[2059:],
        "in a header": whole[:2348],
        "between members": whole[:2048],
        "in the packing": whole[: len(whole) // 2],
    }
    (in_folder / name).write_bytes(broken[damage])
    *found, last = items(name)
    assert found
    assert not any(item.failure for item in found)
    assert (last.name, last.failure.code) == (name, "broken-shard")


def test_hard_links_in_a_tar_are_pictures_of_their_own(in_folder):
    with tarfile.open("t.tar.gz", "w:gz") as archive:
        for name, data in (("a.png", b"one"), (".b.png", b"two")):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        for name, target in (
            ("c.png", "a.png"),
            ("d.png", ".b.png"),
            ("e.png", "a.png"),
            (".f.png", "a.png"),
            ("g.png", "x"),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.LNKTYPE, target
            archive.addfile(member)
    found = {item.name.partition("#")[2]: item for item in items("t.tar.gz")}
    assert {name: item.data for name, item in found.items()} == {
        "a.png": b"one",
        "c.png": b"one",
        "d.png": b"two",
        "e.png": b"one",
        "g.png": None,
    }
    assert found["g.png"].failure.code == "broken-link"


def test_symbolic_links_in_a_tar_lead_to_files_in_it_and_nowhere_else(in_folder):
    (in_folder / "outside.png").write_bytes(b"three")
    links = {
        "0.png": "d/b.png",  # before what it leads to
        "d/1.png": "../a.png",
        "e/2.png": "../d/1.png",  # leads to a link
        "d/3.png": "./b.png",
        "4.png": "5.png",
        "5.png": "4.png",
        "6.png": "../outside.png",
        "7.png": str(in_folder / "outside.png"),
        "f": "d",  # a folder, whose files have rows of their own
        ".8.png": "a.png",
        "9.json": "a.png",
    }
    with tarfile.open("t.tar", "w") as archive:
        for name, target in links.items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            archive.addfile(member)
        for name, data in (("./a.png", b"one"), ("d/b.png", b"two")):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    found = {item.name.partition("#")[2]: item for item in items("t.tar")}
    data = {name: item.data for name, item in found.items() if not item.failure}
    assert data == {
        "./a.png": b"one", "d/b.png": b"two",
        "0.png": b"two", "d/1.png": b"one", "e/2.png": b"one", "d/3.png": b"two",
    }  # fmt: skip
    assert {name for name in found if found[name].failure} == {"4.png", "5.png", "6.png", "7.png"}
    assert {found[name].failure.code for name in found if found[name].failure} == {"broken-link"}


def test_a_web_server_that_breaks_off_ends_its_tar_and_not_the_scan(in_folder):
    pytest.importorskip("aiohttp")
    whole = write_tar(in_folder / "t.tar", [("1.png", picture(1)), ("2.png", os.urandom(100_000))]).read_bytes()

    def answer(request):
        request.send_response(200)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        if request.command == "GET":
            request.wfile.write(b"%x\r\n%b\r\n" % (len(whole), whole[:60_000]))
        request.close_connection = True

    with web_server(answer) as address:
        *_, last = items(f"{address}/t.tar")
    assert last.failure.code == "broken-shard"


@pytest.mark.parametrize("wrapped", [False, True])
def test_parquet_gives_bytes_by_the_number_of_the_row(in_folder, wrapped):
    values = [b"one", b"two", b"three"]
    cells = [{"bytes": value, "path": None} for value in values] if wrapped else values
    write_parquet("t.parquet", {"image": cells, "label": [0, 1, 0]}, row_group_size=2)
    assert [(item.name, item.data) for item in items("t.parquet")] == [
        (f"t.parquet#{number}", value) for number, value in enumerate(values)
    ]


def test_a_large_row_group_does_not_come_into_memory_as_a_whole(in_folder, monkeypatch):
    write_parquet("t.parquet", {"image": [os.urandom(1 << 20) for _ in range(8)]}, write_batch_size=1, data_page_size=1)
    reads = []

    class File(io.FileIO):
        def read(self, size=-1):
            reads.append(size)
            return super().read(size)

    monkeypatch.setattr(sources, "open_file", lambda place: File(place.path))
    assert len(items("t.parquet")) == 8
    assert max(reads) < 3 << 20


def test_parquet_gives_paths(in_folder):
    write_parquet("t.parquet", {"path": ["a.png", "b.png"], "caption": ["x", "y"]})
    assert names("t.parquet") == ["a.png", "b.png"]


def test_which_column_is_meant_must_be_clear(in_folder):
    write_parquet("t.parquet", {"left": ["a.png"], "right": ["b.png"]})
    assert names("t.parquet", column="right") == ["b.png"]
    with pytest.raises(UnmaskError) as error:
        names("t.parquet")
    assert "--column: left, right" in error.value.hint
    with pytest.raises(UnmaskError, match="no column middle"):
        names("t.parquet", column="middle")


def test_a_broken_parquet_file_among_others_is_one_failure(in_folder):
    (in_folder / "a.parquet").write_bytes(b"no table")
    (in_folder / "b.png").touch()
    broken, whole = items(in_folder)
    assert broken.failure.code == "broken-shard"
    assert whole.failure is None


def test_a_folder_leads_to_no_file_that_is_not_in_it(in_folder):
    (in_folder / "in").mkdir()
    write_parquet("in/t.parquet", {"path": ["https://host/a.png"]})
    write_parquet("in/numbers.parquet", {"left": [1], "right": [2]})
    write_parquet("in/two.parquet", {"left": [b"1"], "right": [b"2"]})
    (in_folder / "list.txt").write_text("in/t.parquet\n")
    work = list(work_of(["in"]))
    assert work.count(None) == 2
    assert [item.failure.code for item in work[-1].items()] == ["no-column"]
    assert names("in/t.parquet") == names("in/t.*") == names("list.txt") == ["https://host/a.png"]


@pytest.mark.parametrize("sources", [["tables/**/*.parquet"], ["tables", "./tables/a.parquet"], ["tables/*", "tables"]])
def test_a_table_of_names_is_opened_however_it_is_named(in_folder, sources):
    (in_folder / "tables").mkdir()
    write_parquet("tables/a.parquet", {"path": ["x.png"]})
    assert [work and [item.name for item in work.items()] for work in work_of(sources)] == [["x.png"]]


def test_a_shard_whose_name_is_no_unicode_is_opened(in_folder):
    write_tar(os.fsdecode(b"caf\xe9.tar"), [("1.png", b"one")])
    write_parquet("t.parquet", {"image": [b"two"]})
    os.rename("t.parquet", b"caf\xe9.parquet")
    assert [item.data for item in items(".")] == [b"two", b"one"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes with a name")
@pytest.mark.parametrize("ending", ["tar", "parquet"])
def test_a_pipe_is_not_waited_for(in_folder, ending):
    os.mkfifo(f"pipe.{ending}")
    assert [item.failure.code for item in items(f"pipe.{ending}")] == ["not-a-file"]


@pytest.mark.parametrize("text", ["string", "large_string", "string_view"])
def test_text_of_every_width_is_paths(in_folder, text):
    import pyarrow as pa

    write_parquet("t.parquet", {"path": pa.array(["a.png"]).cast(text), "label": [1]})
    assert names("t.parquet") == ["a.png"]


@pytest.mark.parametrize("data", ["binary", "large_binary", "binary_view"])
def test_bytes_of_every_width_are_pictures(in_folder, data):
    import pyarrow as pa

    write_parquet("t.parquet", {"image": pa.array([b"one"]).cast(data), "label": [1]})
    assert [item.data for item in items("t.parquet")] == [b"one"]


def test_a_cell_that_names_no_file_is_a_failure(in_folder):
    write_parquet("t.parquet", {"path": ["a.png", None, "", "b.png"]})
    assert [(item.name, item.failure and item.failure.code) for item in items("t.parquet")] == [
        ("a.png", None),
        ("b.png", None),
        ("t.parquet#1", "no-name"),
        ("t.parquet#2", "no-name"),
    ]


def test_a_picture_that_a_table_holds_by_name_is_read_there(in_folder):
    (in_folder / "d").mkdir()
    write_parquet(
        "d/t.parquet", {"image": [{"bytes": None, "path": "a.png"}, {"bytes": b"two", "path": "b.png"}, None]}
    )
    first, second, third = items("d/t.parquet")
    assert (first.name, first.place) == ("d/t.parquet#0", Place("a.png"))
    assert (second.place, second.data, third.data) == (None, b"two", b"")
    in_a_folder, *_ = items("d")
    assert (in_a_folder.place, in_a_folder.failure.code) == (None, "not-named")
