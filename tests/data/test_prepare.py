"""Dataset -> pixels and manifest."""

from __future__ import annotations

import csv
import hashlib
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from tests.data.pictures import jpeg, picture, write_dataset

from unmask.data.journal import JOURNAL, Journal
from unmask.data.prepare import prepare
from unmask.data.prepared import load_prepared
from unmask.errors import UnmaskError
from unmask.image.encode import encode_png
from unmask.image.read import read_image
from unmask.image.resize import resize
from unmask.system.lock import LOCK, locked


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.name != LOCK}


def reasons(folder: Path) -> dict[str, str]:
    return {Path(row.path).name: row.reason for row in load_prepared(folder).manifest if row.reason}


def test_pixels_are_those_of_the_one_decoder_and_the_one_resize(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "data")
    prepared = prepare(dataset, tmp_path / "out", size=64)
    for split in prepared.splits:
        images = prepared.images(split)
        for index, entry in enumerate(prepared.entries(split)):
            expected = resize(read_image(dataset / entry.path).pixels, 64)
            np.testing.assert_array_equal(images[index], expected)


def test_labels_say_real_0_and_fake_1_in_the_order_of_the_pictures(tmp_path: Path) -> None:
    prepared = prepare(write_dataset(tmp_path / "data", 3), tmp_path / "out", size=64)
    assert prepared.labels("Train").tolist() == [0, 0, 0, 1, 1, 1]
    assert all(("/Fake/" in entry.path) == bool(entry.label) for entry in prepared.entries("Train"))


def test_the_output_is_the_same_for_any_number_of_workers(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "data", 40)
    (dataset / "Train/Real/real_007.jpg").write_bytes(b"not a picture" * 400)
    prepare(dataset, tmp_path / "one", size=64, workers=1)
    prepare(dataset, tmp_path / "five", size=64, workers=5)
    assert contents(tmp_path / "one") == contents(tmp_path / "five")


def test_bad_files_are_rows_with_a_reason_and_no_pixels(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "data", 3)
    real = dataset / "Train" / "Real"
    whole = jpeg(picture(99), 100)
    (real / "a_small.jpg").write_bytes(jpeg(picture(98), 5)[:2499])
    (real / "b_tiny.png").write_bytes(jpeg(picture(97, 63), 100))
    (real / "c_text.jpg").write_bytes(b"plain words, not a picture. " * 200)
    (real / "d_cut.jpg").write_bytes(whole[: len(whole) // 2])
    prepared = prepare(dataset, tmp_path / "out", size=64)
    assert reasons(tmp_path / "out") == {
        "a_small.jpg": "file-too-small",
        "b_tiny.png": "too-small",
        "c_text.jpg": "not-a-picture",
        "d_cut.jpg": "truncated",
    }
    assert prepared.counts["Train"] == {"real": 3, "fake": 3, "rejected": 4}
    assert len(prepared.images("Train")) == 6
    assert all(row.row is None and row.sha256 for row in prepared.manifest if row.reason)


def test_a_file_of_exactly_2500_bytes_is_kept(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "data", 1)
    data = jpeg(picture(1, 64), 60)
    assert len(data) < 2500
    (dataset / "Train/Real/exact.jpg").write_bytes(data + bytes(2500 - len(data)))
    (dataset / "Train/Real/short.jpg").write_bytes(data + bytes(2499 - len(data)))
    prepare(dataset, tmp_path / "out", size=64)
    assert reasons(tmp_path / "out") == {"short.jpg": "file-too-small"}


def test_a_broken_link_is_a_row_too(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "data", 2)
    (dataset / "Train/Real/gone.jpg").symlink_to("nowhere.jpg")
    prepare(dataset, tmp_path / "out", size=64)
    assert reasons(tmp_path / "out") == {"gone.jpg": "unreadable-file"}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_a_row_and_nobody_waits_for_it(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "data", 2)
    os.mkfifo(dataset / "Train/Real/pipe.jpg")
    prepare(dataset, tmp_path / "out", size=64)
    assert reasons(tmp_path / "out") == {"pipe.jpg": "not-a-file"}


def test_the_content_decides_and_not_the_name(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "data", 2)
    (dataset / "Train/Real/real_000.jpg").rename(dataset / "Train/Real/real_000.txt")
    prepare(dataset, tmp_path / "out", size=64)
    assert reasons(tmp_path / "out") == {}


def test_source_method_and_group_are_copied(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "data", 1)
    (dataset / "manifest.csv").write_text("path,source,method,group\nTrain/Fake/fake_000.jpg,lfw,swap,g1\n")
    fake = next(row for row in prepare(dataset, tmp_path / "out", size=64).entries("Train") if row.label == 1)
    assert (fake.source, fake.method, fake.group) == ("lfw", "swap", "g1")


@pytest.mark.parametrize("path", ["Train\\Real\\real_000.jpg", "./Train/Real/real_000.jpg"])
def test_paths_of_a_manifest_may_be_written_in_other_ways(tmp_path: Path, path: str) -> None:
    dataset = write_dataset(tmp_path / "data", 2, splits=("Train",))
    (dataset / "manifest.csv").write_text(f"path,group\n{path},g1\n")
    notes: list[str] = []
    prepared = prepare(dataset, tmp_path / "out", size=64, on_note=notes.append)
    assert [row.group for row in prepared.manifest] == ["g1", "", "", ""]
    assert not any("name no file" in note for note in notes)


@pytest.mark.parametrize("shares", [None, (80, 10, 10)])
def test_rows_of_a_manifest_that_name_no_file_are_noted(tmp_path: Path, shares: tuple[int, ...] | None) -> None:
    write_dataset(tmp_path, 10, splits=("Train",))
    dataset, prefix = (tmp_path / "Train", "") if shares else (tmp_path, "Train/")
    rows = [f"{prefix}Real/real_000.jpg,a", f"{prefix}Real/real_001.png,b", f"{dataset}/{prefix}Real/real_002.jpg,c"]
    (dataset / "manifest.csv").write_text("\n".join(["path,group", *rows]) + "\n")
    notes: list[str] = []
    prepare(dataset, tmp_path / "out", size=16, shares=shares, on_note=notes.append)
    assert f"2 of 3 rows of manifest.csv name no file, such as {prefix}Real/real_001.png." in notes


def test_sha256_and_size_are_those_of_the_file(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "data", 1, side=80)
    for row in prepare(dataset, tmp_path / "out", size=64).manifest:
        assert row.sha256 == hashlib.sha256((dataset / row.path).read_bytes()).hexdigest()
        assert (row.width, row.height) == (80, 80)


def test_facts_of_the_files_are_kept_for_the_audit(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "data", 1)
    prepare(dataset, tmp_path / "out", size=64)
    with (tmp_path / "out" / "facts.csv").open() as file:
        facts = next(csv.DictReader(file))
    assert facts["format"] == "JPEG"
    assert int(facts["file_bytes"]) == (dataset / facts["path"]).stat().st_size
    assert int(facts["jpeg_quality"]) == 92


def test_a_killed_job_goes_on_and_ends_with_the_same_bytes(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "data", 80)
    program = (
        "import sys, os, signal; from pathlib import Path; from unmask.data.prepare import prepare\n"
        "def kill(done, total):\n"
        "    if done >= 200: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"prepare(Path({str(dataset)!r}), Path({str(tmp_path / 'killed')!r}), size=64, progress=kill)"
    )
    status = subprocess.run([sys.executable, "-c", program], check=False).returncode
    assert status == -signal.SIGKILL
    with (tmp_path / "killed" / "Train.npy.part").open("ab") as file:
        file.write(os.urandom(5000))  # half a block, as a kill leaves it
    with (tmp_path / "killed" / JOURNAL).open("ab") as file:
        file.write(b'{"split":"Train","rows":[["Tr')
    starts: list[int] = []
    prepare(dataset, tmp_path / "killed", size=64, progress=lambda done, total: starts.append(done))
    prepare(dataset, tmp_path / "whole", size=64)
    assert starts[0] >= 200
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


def test_a_job_killed_while_its_files_got_their_names_does_nothing_again(tmp_path: Path, monkeypatch: Any) -> None:
    dataset = write_dataset(tmp_path / "data", 2)
    finish = Journal.finish

    def stop(journal: Journal, splits: tuple[str, ...]) -> None:
        finish(journal, splits[:1])
        raise KeyboardInterrupt

    monkeypatch.setattr(Journal, "finish", stop)
    with pytest.raises(KeyboardInterrupt):
        prepare(dataset, tmp_path / "killed", size=64)
    monkeypatch.undo()
    assert (tmp_path / "killed" / "Train.npy").exists()
    done: list[int] = []
    prepare(dataset, tmp_path / "killed", size=64, progress=lambda seen, total: done.append(seen))
    prepare(dataset, tmp_path / "whole", size=64)
    assert done == [12]
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


def test_a_journal_that_a_kill_left_goes_when_the_same_job_is_asked_for_again(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "data", 2)
    prepare(dataset, tmp_path / "out", size=64)
    (tmp_path / "out" / JOURNAL).write_text("")
    prepare(dataset, tmp_path / "out", size=64)
    assert not (tmp_path / "out" / JOURNAL).exists()


@pytest.mark.skipif(sys.platform != "linux", reason="workers are processes on Linux only")
def test_a_worker_whose_parent_is_gone_does_not_stay() -> None:
    program = "import os; from unmask.data.parallel import _start; _start(os.getpid(), None, None)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 1


def test_pixels_that_do_not_match_the_journal_are_done_again(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "data", 40)

    def stop(done: int, total: int) -> None:
        if done >= 150:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(dataset, tmp_path / "out", size=64, progress=stop)
    with (tmp_path / "out" / "Train.npy.part").open("r+b") as file:
        file.seek(500_000)
        file.write(bytes(9000))
    prepare(dataset, tmp_path / "out", size=64)
    prepare(dataset, tmp_path / "whole", size=64)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_a_second_process_is_told_who_prepares_into_the_folder(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "data", 2)
    with locked(tmp_path / "out", "unmask prepare"), pytest.raises(UnmaskError) as caught:
        prepare(dataset, tmp_path / "out", size=64)
    assert caught.value.code == "in-use"
    assert f"process {os.getpid()}" in caught.value.message
    prepare(dataset, tmp_path / "out", size=64)


def test_the_sha256_of_the_pixels_is_the_same_after_a_job_that_was_interrupted(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "data", 40)

    def stop(done: int, total: int) -> None:
        if done >= 150:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(dataset, tmp_path / "out", size=64, progress=stop)
    prepared = prepare(dataset, tmp_path / "out", size=64)
    for split in prepared.splits:
        assert prepared.sha256[split] == hashlib.sha256(np.ascontiguousarray(prepared.images(split))).hexdigest()


def test_a_folder_that_cannot_be_made_is_an_error_with_a_way_on(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UnmaskError) as caught:
        prepare(write_dataset(tmp_path / "data", 1), tmp_path / "file" / "out", size=64)
    assert caught.value.code == "bad-output"


def test_a_half_written_table_of_a_killed_job_does_not_stay(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "data", 2)

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(dataset, tmp_path / "out", size=64, progress=stop)
    (tmp_path / "out" / ".manifest.csv.abc").write_text("path,spl")
    prepare(dataset, tmp_path / "out", size=64)
    assert not list((tmp_path / "out").glob(".manifest*"))


def test_a_finished_job_is_not_done_again(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "data", 2)
    prepare(dataset, tmp_path / "out", size=64)
    before = (tmp_path / "out" / "Train.npy").stat().st_mtime_ns
    prepare(dataset, tmp_path / "out", size=64)
    assert (tmp_path / "out" / "Train.npy").stat().st_mtime_ns == before


def test_other_settings_do_not_overwrite_a_prepared_folder(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "data", 2)
    prepare(dataset, tmp_path / "out", size=64)
    with pytest.raises(UnmaskError) as caught:
        prepare(dataset, tmp_path / "out", size=72)
    assert caught.value.code == "output-exists"
    assert prepare(dataset, tmp_path / "out", size=72, overwrite=True).images("Train").shape[1:] == (72, 72, 3)


@pytest.mark.parametrize("where", ["", "Train", "Train/Real", "Train/Real/out"])
def test_the_dataset_itself_is_never_the_output(tmp_path: Path, where: str) -> None:
    dataset = write_dataset(tmp_path / "data", 1)
    with pytest.raises(UnmaskError, match="part of the dataset"):
        prepare(dataset, dataset / where, size=64, overwrite=True)


def test_the_dataset_inside_the_named_folder_is_never_the_output(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "outer" / "Dataset", 1)
    (dataset / "manifest.csv").write_text("path,source\nTrain/Real/real_000.jpg,mine\n")
    with pytest.raises(UnmaskError, match="part of the dataset"):
        prepare(tmp_path / "outer", dataset, size=64, overwrite=True)
    assert "mine" in (dataset / "manifest.csv").read_text()


def test_a_link_to_another_picture_is_prepared_anew(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "data", 1)
    file = dataset / "Train" / "Real" / "real_000.jpg"
    (tmp_path / "elsewhere.jpg").write_bytes(file.read_bytes())
    file.unlink()
    file.symlink_to(tmp_path / "elsewhere.jpg")
    before = prepare(dataset, tmp_path / "out", size=64).images("Train")[0].copy()
    (tmp_path / "elsewhere.jpg").write_bytes(jpeg(picture(99)))
    assert (prepare(dataset, tmp_path / "out", size=64, overwrite=True).images("Train")[0] != before).any()


def test_a_folder_with_other_files_is_not_the_output(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "manifest.csv").write_text("mine")
    with pytest.raises(UnmaskError, match="not empty"):
        prepare(write_dataset(tmp_path / "data", 1), tmp_path / "out", size=64)
    assert (tmp_path / "out" / "manifest.csv").read_text() == "mine"


@pytest.mark.parametrize("size", [0, 15, 1025])
def test_an_impossible_size_is_refused(tmp_path: Path, size: int) -> None:
    with pytest.raises(UnmaskError) as caught:
        prepare(tmp_path, tmp_path / "out", size=size)
    assert caught.value.code == "bad-size"


def test_a_picture_with_missing_pixels_is_rejected(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "data", 2, splits=("Train",))
    file = dataset / "Train/Real/real_000.jpg"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) * 3 // 4] + b"\xff\xd9")
    prepare(dataset, tmp_path / "out", size=64)
    assert reasons(tmp_path / "out") == {"real_000.jpg": "damaged"}


def test_pictures_without_a_face_are_rejected_when_faces_are_cropped(tmp_path: Path, face_file: Path) -> None:
    dataset = write_dataset(tmp_path / "data", 1, splits=("Train",))
    (dataset / "Train/Real/face.png").write_bytes(face_file.read_bytes())
    prepared = prepare(dataset, tmp_path / "out", size=64, crop="face")
    assert reasons(tmp_path / "out") == {"real_000.jpg": "no-face", "fake_000.jpg": "no-face"}
    assert [Path(entry.path).name for entry in prepared.entries("Train")] == ["face.png"]


@pytest.mark.parametrize(("height", "accepted"), [(24, False), (120, True)])
def test_a_face_that_check_refuses_as_too_small_is_refused_here_too(
    tmp_path: Path, drawn_face: np.ndarray, height: int, accepted: bool
) -> None:
    from unmask.checking import Detector
    from unmask.finding import Status

    # The drawn face is about 300 px high; noise makes the file large enough.
    side = round(512 * height / 300)
    pixels = np.random.default_rng(0).integers(110, 140, (400, 400, 3), np.uint8)
    pixels[20 : 20 + side, 20 : 20 + side] = resize(drawn_face, side)
    dataset = write_dataset(tmp_path / "data", 1, splits=("Train",))
    file = dataset / "Train" / "Real" / "small.png"
    file.write_bytes(encode_png(pixels))
    prepare(dataset, tmp_path / "out", size=64, crop="face")
    finding = Detector.load().check(file, heatmap=False)
    assert (finding.status is Status.ANSWERED) is accepted
    refused = reasons(tmp_path / "out").get("small.png")
    assert refused == (None if accepted else finding.failure and finding.failure.code)


def test_a_worker_that_dies_is_an_error_with_a_way_on(tmp_path: Path) -> None:
    from unmask.data.parallel import in_order

    with pytest.raises(UnmaskError) as caught:
        list(in_order([1, 2, 3], _die, (4,), 2))
    assert caught.value.code == "worker-died"
    assert "goes on where it stopped" in caught.value.hint


@pytest.mark.parametrize("workers", [1, 2])
def test_two_jobs_at_once_do_not_mix_up_their_work(workers: int) -> None:
    from unmask.data.parallel import in_order

    def job(mark: int) -> Iterator[tuple[int, int]]:
        def work(task: int, room: Any) -> int:
            room[:] = mark
            return mark + task

        return ((done, int(room[0])) for done, room in in_order(range(6), work, (4,), workers))

    assert list(zip(job(100), job(200), strict=True)) == [((100 + n, 100), (200 + n, 200)) for n in range(6)]


@pytest.mark.parametrize("first", [0, 1])
def test_jobs_that_end_in_any_order_give_opencv_its_threads_back(first: int) -> None:
    from unmask.data.parallel import in_order

    before = cv2.getNumThreads()
    cv2.setNumThreads(3)
    try:
        jobs = [in_order(range(2), lambda task, room: task, (4,), 1) for _ in range(2)]
        for job in jobs:
            next(job)
        jobs[first].close()
        assert cv2.getNumThreads() == 1
        jobs[1 - first].close()
        assert cv2.getNumThreads() == 3
    finally:
        cv2.setNumThreads(before)


def _die(task: int, room: object) -> int:
    if multiprocessing.parent_process() is None:  # where workers are threads, dying would end the tests
        raise BrokenProcessPool
    os._exit(1)


def test_overwriting_leaves_nothing_of_the_earlier_job_and_its_audit(tmp_path: Path) -> None:
    out = tmp_path / "out"
    prepare(write_dataset(tmp_path / "data", 2), out, size=64)
    stale = ("manifest.before-fix.csv", "removed.csv", "audit.html", "Train.landmarks.npy")
    for name in stale:
        (out / name).write_text("of the earlier dataset")
    other = write_dataset(tmp_path / "other", 2, splits=("Train", "Validation"))
    prepare(other, out, size=64, overwrite=True)
    prepare(other, tmp_path / "new", size=64)
    assert contents(out) == contents(tmp_path / "new")


def test_a_finished_folder_with_a_left_over_journal_is_not_overwritten(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "data", 2)
    prepare(dataset, tmp_path / "out", size=64)
    (tmp_path / "out" / JOURNAL).write_text('{"job": "killed just before its journal was deleted"}\n')
    with pytest.raises(UnmaskError) as caught:
        prepare(dataset, tmp_path / "out", size=72)
    assert caught.value.code == "output-exists"
