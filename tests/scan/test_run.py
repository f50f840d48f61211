"""The contract of a scan, the same on one machine and on Ray."""

import os
from collections import Counter
from pathlib import Path

import pytest

from tests.scan.fragile import Fragile
from tests.scan.pictures import picture, write_parquet, write_tar
from unmask.checking import Detector, examine_image
from unmask.errors import UnmaskError
from unmask.scan import judging
from unmask.scan.judging import Asked, Judges
from unmask.scan.place import Item, Place
from unmask.scan.results import PARTS, batches_of
from unmask.scan.run import count, scanning
from unmask.system.private import import_ray

pytestmark = pytest.mark.scan
BACKENDS = [pytest.param(None, id="one machine"), pytest.param("local", id="ray", marks=pytest.mark.ray)]


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Files good and bad, a tar and a Parquet file."""
    folder = tmp_path_factory.mktemp("sources")
    for seed in range(1, 6):
        (folder / f"{seed}.png").write_bytes(picture(seed))
    (folder / "same.png").write_bytes(picture(1))
    (folder / "black.png").write_bytes(picture(0))
    (folder / "white.png").write_bytes(picture(-1))
    (folder / "empty.jpg").touch()
    (folder / "text.jpg").write_text("no picture")
    (folder / "half.jpg").write_bytes(picture(6, "JPEG")[:200])
    os.symlink("gone", folder / "link.png")
    write_tar(folder / "shard.tar", [(f"{seed}.png", picture(seed)) for seed in (5, 6, 7)])
    write_parquet(folder / "table.parquet", {"image": [picture(8), b"", picture(9)]})
    return folder


@pytest.fixture(scope="module")
def ray_of_two_workers():
    """Ray, started once for the scans of this module, which takes seconds, and minutes where the machine is busy."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_raylet_start_wait_time_s", "300")
        ray = import_ray()
        ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
        yield
        ray.shutdown()


@pytest.fixture(scope="module", params=BACKENDS)
def finished(request, sources, toy_bundle, tmp_path_factory):
    """What a scan found, its folder, and what was asked; the scan was stopped once on the way and went on."""
    if request.param:
        request.getfixturevalue("ray_of_two_workers")
    out = tmp_path_factory.mktemp("scans") / "out"
    asked = Asked(Fragile.load(toy_bundle, threads=1), face_search=False)
    how = {"workers": 2 if request.param else 1, "ray": request.param}
    with scanning([str(sources)], out, asked, **how) as first:
        rows = [next(first.rows) for _ in range(3)]
    with scanning([str(sources)], out, asked, **how) as second:
        assert second.before == 3
        rows += list(second.rows)
    return {row["path"].removeprefix(f"{sources}{os.sep}"): row for row in rows}, Counter(r["path"] for r in rows), out


def test_every_picture_has_one_row_in_all(finished, sources):
    rows, paths, out = finished
    assert set(paths.values()) == {1}
    assert len(rows) == count([str(sources / "table.parquet")], out) + len(list(sources.iterdir())) - 2 + 3


def test_the_rows_say_what_a_check_says(finished, sources, toy_detector):
    rows, _, _ = finished
    for seed in range(1, 6):
        finding = examine_image(toy_detector, sources / f"{seed}.png", face_search=False).finding
        row = rows[f"{seed}.png"]
        assert (row["status"], row["verdict"], row["score"]) == (finding.status, finding.verdict, finding.score)
        assert row["sha256"] == finding.image.sha256
        assert [face["logit"] for face in row["faces"]] == [face.logit for face in finding.faces]
        assert row["detector"] == "toy 0.1"


def test_the_same_bytes_get_the_same_answer_wherever_they_are(finished):
    rows, _, _ = finished
    for one, other in (("1.png", "same.png"), ("5.png", "shard.tar#5.png")):
        left, right = ({k: v for k, v in rows[name].items() if k not in UNSTABLE} for name in (one, other))
        assert left == right


def test_every_bad_file_has_its_reason(finished):
    rows, _, _ = finished
    failures = {name: row["failure"] for name, row in rows.items() if row["verdict"] is None}
    assert failures == {
        "empty.jpg": "empty-file",
        "text.jpg": "not-a-picture",
        "half.jpg": "truncated",
        "link.png": "broken-link",
        "table.parquet#1": "empty-file",
        "black.png": "crash",
    }


def test_a_file_that_breaks_the_process_costs_its_own_row_only(finished):
    rows, _, _ = finished
    assert rows["black.png"]["message"] == "the program that decodes and judges broke down over this file"
    assert all(rows[f"shard.tar#{seed}.png"]["verdict"] for seed in (5, 6, 7))


@pytest.mark.ray
def test_the_work_of_a_worker_that_was_killed_is_done_by_another(finished, toy_bundle, request):
    rows, _, _ = finished
    assert rows["white.png"]["verdict"]
    if request.node.callspec.params["finished"] == "local":
        assert toy_bundle.with_name("a-worker-was-killed").exists()


def test_nothing_is_left_to_do(finished, sources, toy_bundle):
    _, paths, out = finished
    asked = Asked(Fragile.load(toy_bundle, threads=1), face_search=False)
    with scanning([str(sources)], out, asked, workers=1) as third:
        assert third.before == len(paths) - 2
        # What the link leads to may be there now, and there may be more memory.
        assert {Path(row["path"]).name for row in third.rows} == {"link.png", "black.png"}


def test_the_same_folder_takes_no_other_policy(finished, sources, toy_bundle):
    _, _, out = finished
    careful = Asked(Fragile.load(toy_bundle, threads=1, policy="careful"), face_search=False)
    with pytest.raises(UnmaskError, match="another scan"), scanning([str(sources)], out, careful):
        pass


def test_the_same_folder_takes_no_other_column(tmp_path, toy_detector):
    asked = Asked(toy_detector, face_search=False)
    with scanning([], tmp_path, asked, column="image"):
        pass
    with pytest.raises(UnmaskError, match="column 'image' there, 'other' here"):
        scanning([], tmp_path, asked, column="other").__enter__()


def test_the_same_name_in_another_folder_is_not_taken_for_done(tmp_path, toy_detector, monkeypatch):
    asked = Asked(toy_detector, face_search=False)
    for seed, folder in enumerate(("a", "b"), 1):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.png").write_bytes(picture(seed))
    monkeypatch.chdir(tmp_path / "a")
    with scanning(["."], tmp_path / "out", asked, workers=1) as scan:
        assert len(list(scan.rows)) == 1
    monkeypatch.chdir(tmp_path / "b")
    with scanning(["."], tmp_path / "out", asked, workers=1) as scan, pytest.raises(UnmaskError, match="another scan"):
        list(scan.rows)


def test_a_folder_whose_name_is_no_utf_8_is_refused_before_anything_is_judged(toy_detector, tmp_path):
    out = tmp_path / "d\udcff"
    with pytest.raises(UnmaskError, match="no UTF-8"), scanning(["x"], out, Asked(toy_detector)):
        pass
    assert not out.exists()


@pytest.mark.parametrize("address", ["s3://bucket/results", "hdfs:///results", "file:///tmp/results"])
def test_results_are_not_written_to_an_address(in_folder, toy_detector, address):
    with pytest.raises(UnmaskError, match="no folder of this machine") as error:
        scanning([], Path(address), Asked(toy_detector)).__enter__()
    assert "--out" in error.value.hint
    assert not list(in_folder.iterdir())


def test_a_shard_that_broke_off_is_tried_again_and_taken_for_no_empty_file(tmp_path, toy_detector):
    shard = write_tar(tmp_path / "shard.tar", [("1.png", picture(1)), ("2.png", picture(2) * 20)])
    whole = shard.read_bytes()
    (tmp_path / "zero.png").touch()
    asked = Asked(toy_detector, face_search=False)
    sources = [str(shard), str(tmp_path / "zero.png")]

    def scan():
        with scanning(sources, tmp_path / "out", asked, workers=1) as under_way:
            list(under_way.rows)
        table = (row for rows in batches_of(tmp_path / "out" / PARTS, ["path", "failure"]) for row in rows)
        return sorted((row["path"].removeprefix(f"{tmp_path}{os.sep}"), row["failure"]) for row in table)

    shard.write_bytes(whole[:3000])
    broken = [("shard.tar", "broken-shard"), ("shard.tar#1.png", None), ("zero.png", "empty-file")]
    assert scan() == broken
    assert scan() == broken
    shard.write_bytes(whole)
    assert scan() == [("shard.tar#1.png", None), ("shard.tar#2.png", None), ("zero.png", "empty-file")]


class Deadly:
    """A detector that no process can load."""

    label, policy = "deadly 1", "balanced"

    def release(self):
        pass

    def __reduce__(self):
        return os._exit, (1,)


def test_processes_that_do_not_start_are_no_fault_of_the_files():
    items = [Item("a.png", data=picture(1))]
    with Judges(Asked(Deadly()), 1) as judges, pytest.raises(UnmaskError) as error:
        list(judges.rows(items))
    assert error.value.code == "no-workers"


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (MemoryError(), "out-of-memory"),
        (RuntimeError("Failed to allocate memory for requested buffer"), "crash"),
        (UnmaskError("no number", hint="", code="no-score"), None),
    ],
)
def test_what_goes_wrong_over_one_file_is_its_row_unless_the_detector_is_unfit(monkeypatch, toy_bundle, error, failure):
    def fails(*_, **__):
        raise error

    monkeypatch.setattr(Detector, "outputs", fails)
    monkeypatch.setattr(judging, "_asked", Asked(Detector.load(toy_bundle), face_search=False))
    if failure is None:
        with pytest.raises(UnmaskError):
            judging._judge(judging._Read("a.png", "0", picture(1)))
    else:
        row = judging._judge(judging._Read("a.png", "0", picture(1)))
        assert (row["path"], row["failure"]) == ("a.png", failure)


def test_a_file_that_is_too_large_to_be_read_into_memory_is_a_failure(monkeypatch):
    def fails(place):
        raise MemoryError

    monkeypatch.setattr(judging, "read", fails)
    assert judging._read(Item("a.png", Place("a.png"))).failure.code == "out-of-memory"


def test_a_copy_of_a_bad_clip_is_told_of_under_no_other_name(tmp_path, monkeypatch, toy_detector):
    (tmp_path / "one.mp4").write_bytes(b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + b"junk" * 50)
    monkeypatch.setattr(judging, "_asked", Asked(toy_detector))
    row = judging._judge(judging._read(Item("one.mp4", Place(str(tmp_path / "one.mp4")))))
    assert (row["kind"], row["verdict"]) == ("clip", None)
    assert row["message"].startswith("The clip ")
    assert "one.mp4" not in row["message"]


UNSTABLE = {"path", "seconds", "checked"}


def test_a_clip_that_breaks_the_process_is_still_a_clip(tmp_path, toy_detector):
    clip = tmp_path / "one.mp4"
    clip.write_bytes(b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + b"junk" * 50)
    with Judges(Asked(toy_detector), 1) as judges:
        read = judging._read(Item("one.mp4", Place(str(clip))))
        clip.unlink()
        row = judges._failed(read, judging._crash())
    assert (row["kind"], row["failure"]) == ("clip", "crash")
