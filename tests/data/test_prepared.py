"""Manifests, and opening a prepared folder."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.data.pictures import write_dataset

from unmask.data.manifest import COLUMNS, MANIFEST, Row, read_manifest, write_manifest
from unmask.data.prepare import prepare
from unmask.data.prepared import Subset, chunks, load_prepared, take, verify_pixels
from unmask.errors import UnmaskError


def test_a_block_that_flips_on_the_disk_is_noticed(tmp_path: Path) -> None:
    prepared = prepare(write_dataset(tmp_path / "data", 3), tmp_path / "out", size=64)
    verify_pixels(prepared)
    with (tmp_path / "out" / "Train.npy").open("r+b") as file:
        file.seek(20_000)
        byte = file.read(1)
        file.seek(20_000)
        file.write(bytes([byte[0] ^ 1]))
    verify_pixels(prepared, ["Validation"])
    with pytest.raises(UnmaskError, match=r"the pixels in Train.npy") as caught:
        verify_pixels(prepared)
    assert caught.value.code == "prepared-damaged"


def test_pixels_of_a_folder_without_a_sha256_are_taken_as_they_are(prepared: Path) -> None:
    verify_pixels(load_prepared(prepared))


def test_the_manifest_has_the_agreed_columns(tmp_path: Path) -> None:
    prepare(write_dataset(tmp_path / "data", 1), tmp_path / "out", size=64)
    header = (tmp_path / "out" / "manifest.csv").read_text().splitlines()[0]
    assert header == "path,split,label,row,sha256,width,height,source,method,group,reason,family"


def test_odd_names_survive_the_manifest(tmp_path: Path) -> None:
    rows = [
        Row('Train/Real/a, "b"\nc.jpg', "Train", 0, 0),
        Row("Train/Real/d\re.jpg", "Train", 0, 1),
        Row("Train/Real/\udcff.jpg", "Train", 0, reason="x"),
    ]
    write_manifest(tmp_path / "m.csv", rows)
    assert list(read_manifest(tmp_path / "m.csv")) == rows


def test_a_manifest_without_a_column_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text(",".join(COLUMNS[1:]) + "\n")
    with pytest.raises(UnmaskError, match="no column path"):
        list(read_manifest(tmp_path / "m.csv"))


def test_a_manifest_with_another_label_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text(",".join(COLUMNS) + "\na,Train,2,,,,,,,,,\n")
    with pytest.raises(UnmaskError, match="label 2"):
        list(read_manifest(tmp_path / "m.csv"))


@pytest.mark.parametrize("change", [lambda text: text.replace(",\n", "\n"), lambda text: re.sub(",+\n", "\n", text)])
def test_a_manifest_without_its_last_empty_cells_is_the_same(tmp_path: Path, change: Callable[[str], str]) -> None:
    rows = [Row("a", "Train", 0, 0, "1", 64, 64), Row("b", "Train", 1, reason="x"), Row("c", "Test", 1)]
    write_manifest(tmp_path / "m.csv", rows)
    (tmp_path / "m.csv").write_text(change((tmp_path / "m.csv").read_text()))
    assert list(read_manifest(tmp_path / "m.csv")) == rows


def test_a_manifest_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    write_manifest(tmp_path / "m.csv", [Row("ä", "Train", 0)])
    (tmp_path / "m.csv").write_text((tmp_path / "m.csv").read_text("utf-8"), "utf-8-sig")
    assert list(read_manifest(tmp_path / "m.csv")) == [Row("ä", "Train", 0)]


@pytest.mark.parametrize("line", ["a,Train\n", f"{'x' * 140_000},Train,0\n"])
def test_a_manifest_that_cannot_be_read_is_refused_by_its_line(tmp_path: Path, line: str) -> None:
    (tmp_path / "m.csv").write_text(f"{','.join(COLUMNS)}\n{line}")
    with pytest.raises(UnmaskError, match="line 2, cannot be read") as caught:
        list(read_manifest(tmp_path / "m.csv"))
    assert caught.value.code == "bad-manifest"


def test_a_manifest_with_rows_left_out_gives_the_matching_pictures(tmp_path: Path) -> None:
    prepared = prepare(write_dataset(tmp_path / "data", 3), tmp_path / "out", size=64)
    kept = [row for row in prepared.manifest if row.row != 1]
    write_manifest(tmp_path / "out" / MANIFEST, kept)
    fewer = load_prepared(tmp_path / "out")
    images = fewer.images("Train")
    assert images.shape == (5, 64, 64, 3)
    assert len(images) == len(fewer.labels("Train"))
    np.testing.assert_array_equal(np.asarray(images), prepared.images("Train")[[0, 2, 3, 4, 5]])


def test_pictures_taken_from_the_file_are_those_of_the_memory_map(tmp_path: Path) -> None:
    prepared = prepare(write_dataset(tmp_path / "data", 3), tmp_path / "out", size=64)
    images, indexes = prepared.images("Train"), np.array([4, 0, 4])
    np.testing.assert_array_equal(take(images, indexes), images[indexes])
    some = Subset(images, np.array([5, 1, 3]))
    np.testing.assert_array_equal(take(some, np.array([2, 0])), images[[3, 5]])
    np.testing.assert_array_equal(np.concatenate([chunk for _, chunk in chunks(some)]), images[[5, 1, 3]])


@pytest.mark.parametrize("damage", ["no-json", "format", "shape"])
def test_a_damaged_prepared_folder_is_refused(tmp_path: Path, damage: str) -> None:
    out = tmp_path / "out"
    prepare(write_dataset(tmp_path / "data", 1), out, size=64)
    info = json.loads((out / "prepared.json").read_text())
    if damage == "no-json":
        (out / "prepared.json").unlink()
    elif damage == "format":
        (out / "prepared.json").write_text(json.dumps({**info, "format": 9}))
    else:
        np.save(out / "Train.npy", np.zeros((1, 3, 3, 3), np.uint8))
    with pytest.raises(UnmaskError):
        load_prepared(out).images("Train")


def test_a_split_that_is_not_there_is_refused(tmp_path: Path) -> None:
    prepared = prepare(write_dataset(tmp_path / "data", 1, splits=("Train",)), tmp_path / "out", size=64)
    with pytest.raises(UnmaskError, match="no Test split"):
        prepared.images("Test")


def test_a_folder_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(UnmaskError, match="does not exist"):
        load_prepared(tmp_path / "nowhere")


def test_a_dataset_is_not_hinted_to_be_prepared_into_itself(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "data", 1)
    with pytest.raises(UnmaskError, match="it is a dataset") as caught:
        load_prepared(dataset)
    assert f"unmask prepare {dataset} --out prepared/" in caught.value.hint


def test_a_folder_that_is_not_finished_is_hinted_to_be_finished(tmp_path: Path) -> None:
    (tmp_path / "journal.jsonl").write_text("{}")
    with pytest.raises(UnmaskError, match="not finished") as caught:
        load_prepared(tmp_path)
    assert f"--out {tmp_path}" in caught.value.hint


def test_another_folder_is_not_hinted_to_be_prepared_into(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UnmaskError, match=r"no prepared\.json") as caught:
        load_prepared(tmp_path)
    assert "Name the folder" in caught.value.hint
