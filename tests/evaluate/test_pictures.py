"""The pictures of an evaluation and their truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.evaluate.conftest import draw, write_dataset
from unmask.data.prepare import prepare
from unmask.errors import UnmaskError
from unmask.evaluate.pictures import open_pictures
from unmask.image.encode import encode_jpeg


def test_a_split_folder_gives_truth_and_origin(split_folder: Path) -> None:
    pictures = open_pictures(split_folder)
    assert pictures.name == "Test"
    assert [picture.label for picture in pictures.items] == [0] * 9 + [1] * 9
    first = pictures.items[0]
    assert (first.path, first.source, first.method, first.group) == ("Test/Real/real_00.jpg", "studio", "camera", "g0")
    assert pictures.read(0).shape == (96, 96, 3)


def test_a_dataset_folder_gives_the_same_pictures_as_its_split(split_folder: Path) -> None:
    assert open_pictures(split_folder.parent).items == open_pictures(split_folder).items


def test_a_trailing_slash_or_a_relative_path_changes_nothing(
    split_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(split_folder)
    assert open_pictures(Path()).items == open_pictures(split_folder).items


def test_links_to_folders_are_followed_and_keep_their_names(split_folder: Path, tmp_path: Path) -> None:
    dataset = tmp_path / "Dataset"
    (dataset / "Test").mkdir(parents=True)
    for name in ("Real", "Fake"):
        (dataset / "Test" / name).symlink_to(split_folder / name)
    expected = [picture.path for picture in open_pictures(split_folder).items]
    assert [picture.path for picture in open_pictures(dataset).items] == expected
    assert [picture.path for picture in open_pictures(dataset / "Test").items] == expected
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "Test").symlink_to(split_folder)
    for folder in (tmp_path / "linked", tmp_path / "linked" / "Test"):
        assert [picture.path for picture in open_pictures(folder).items] == expected


def test_lower_case_folders_and_plurals_are_understood(tmp_path: Path) -> None:
    for name in ("fakes", "real"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "one.jpg").write_bytes(encode_jpeg(draw(1)))
    assert [picture.label for picture in open_pictures(tmp_path).items] == [0, 1]


def test_a_folder_of_one_class_is_enough(tmp_path: Path) -> None:
    (tmp_path / "Real").mkdir()
    (tmp_path / "Real" / "one.jpg").write_bytes(encode_jpeg(draw(1)))
    pictures = open_pictures(tmp_path)
    assert len(pictures) == 1
    assert any("groups" in note for note in pictures.notes)


def test_a_manifest_inside_the_split_is_found(tmp_path: Path) -> None:
    split = write_dataset(tmp_path, 2)
    text = (tmp_path / "manifest.csv").read_text().replace("Test/Real", "Real").replace("Test/Fake", "Fake")
    (tmp_path / "manifest.csv").unlink()
    (split / "manifest.csv").write_text(text)
    assert open_pictures(split).items[0].source == "studio"


def test_a_manifest_with_families_changes_nothing(split_folder: Path) -> None:
    manifest = split_folder.parent / "manifest.csv"
    before = open_pictures(split_folder).items
    head, *rows = manifest.read_text().splitlines()
    manifest.write_text("\n".join([f"{head},family", *(f"{row},swap" for row in rows)]) + "\n")
    assert open_pictures(split_folder).items == before
    assert before[0].source


def test_a_prepared_folder_gives_its_pictures_and_its_rejects(split_folder: Path, tmp_path: Path) -> None:
    prepare(split_folder.parent, tmp_path / "prepared", size=64)
    pictures = open_pictures(tmp_path / "prepared")
    failures = [picture.failure for picture in pictures.items if picture.failure]
    answered = [picture for picture in pictures.items if not picture.failure]
    assert len(answered) + len(failures) == 18
    assert pictures.read(0).shape == (64, 64, 3)
    assert pictures.read(0).dtype == np.uint8
    assert answered[0].group == "g0"
    assert all("prepare" in failure.message for failure in failures)


@pytest.mark.parametrize("make", ["nothing", "empty class", "file"])
def test_folders_without_pictures_are_refused(tmp_path: Path, make: str) -> None:
    place = tmp_path / "Test"
    if make == "empty class":
        (place / "Real").mkdir(parents=True)
    elif make == "file":
        place.write_text("")
    with pytest.raises(UnmaskError) as caught:
        open_pictures(place)
    assert caught.value.hint


def test_a_split_that_is_not_there_is_refused(split_folder: Path) -> None:
    with pytest.raises(UnmaskError) as caught:
        open_pictures(split_folder.parent, "Validation")
    assert caught.value.code == "no-split"


def write_pictures(root: Path, *folders: str) -> None:
    for number, folder in enumerate(folders):
        (root / folder).mkdir(parents=True, exist_ok=True)
        (root / folder / "one.jpg").write_bytes(encode_jpeg(draw(number)))


@pytest.mark.parametrize("split", ["train", "Train", "training"])
def test_a_dataset_turned_inside_out_gives_the_wanted_split_only(tmp_path: Path, split: str) -> None:
    write_pictures(tmp_path, f"real/{split}", f"fake/{split}", "real/test", "fake/test")
    pictures = open_pictures(tmp_path, "Test")
    assert [picture.path for picture in pictures.items] == ["real/test/one.jpg", "fake/test/one.jpg"]
    assert pictures.split == "Test"


def test_two_folders_for_one_class_are_refused(tmp_path: Path) -> None:
    write_pictures(tmp_path, "Test/Real", "Test/real", "Test/Fake")
    for folder in (tmp_path, tmp_path / "Test"):
        with pytest.raises(UnmaskError) as caught:
            open_pictures(folder)
        assert caught.value.code == "ambiguous-layout"


def test_a_dataset_of_one_class_is_enough(tmp_path: Path) -> None:
    write_pictures(tmp_path, "Test/Real")
    assert open_pictures(tmp_path).items == open_pictures(tmp_path / "Test").items
    assert [picture.label for picture in open_pictures(tmp_path).items] == [0]


def test_only_the_wanted_split_has_to_be_whole(tmp_path: Path) -> None:
    write_pictures(tmp_path, "Test/Real", "Test/Fake", "Train/Real")
    (tmp_path / "Validation").mkdir()
    assert len(open_pictures(tmp_path)) == 2
    with pytest.raises(UnmaskError) as caught:
        open_pictures(tmp_path, "Validation")
    assert caught.value.code == "class-missing"


def test_the_split_is_known_from_the_folders_name(tmp_path: Path) -> None:
    write_pictures(tmp_path, "val/Real", "val/Fake", "mine/Real")
    assert open_pictures(tmp_path / "val").split == "Validation"
    assert open_pictures(tmp_path, "validation").split == "Validation"
    assert open_pictures(tmp_path / "mine").split is None


def test_folders_that_are_left_aside_are_noted(tmp_path: Path) -> None:
    write_pictures(tmp_path, "Test/Real", "Test/Fake", "Test/Fake (2)")
    for folder in (tmp_path, tmp_path / "Test"):
        assert any("Fake (2) was left aside" in note for note in open_pictures(folder).notes)


@pytest.mark.parametrize("more", ["Test/Real", "Test/Fake"])
def test_a_folder_of_a_class_may_be_named_like_a_split(tmp_path: Path, more: str) -> None:
    write_pictures(tmp_path, "Test/Real/test", "Test/Fake/val" if more == "Test/Real" else "Test/Fake", more)
    pictures = open_pictures(tmp_path / "Test")
    assert {picture.path for picture in pictures.items} == {
        path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.jpg")
    }
    assert any("All of Real was taken" in note for note in pictures.notes)
    assert len(open_pictures(tmp_path)) == len(pictures)


@pytest.mark.parametrize("beside", [".", "Test"])
def test_rows_of_a_manifest_that_name_no_file_are_noted(tmp_path: Path, beside: str) -> None:
    write_pictures(tmp_path, "Test/Real", "Test/Fake", "Train/Real")
    rows = ["Test\\Real\\one.jpg,g", "Train/Real/one.jpg,h", "Test/Fake/two.jpg,i"]
    if beside == "Test":
        rows = [row.removeprefix("Test").lstrip("\\/") for row in rows if not row.startswith("Train")]
    (tmp_path / beside / "manifest.csv").write_text("\n".join(["path,group", *rows]) + "\n")
    for folder in (tmp_path, tmp_path / "Test"):
        pictures = open_pictures(folder)
        assert [picture.group for picture in pictures.items] == ["g", ""]
        missing = rows[-1].removesuffix(",i")
        assert pictures.notes == (f"1 of {len(rows)} rows of manifest.csv name no file, such as {missing}.",)
