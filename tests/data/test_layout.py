"""Finding splits and classes in a dataset folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from unmask.data.layout import files_in, find_layout
from unmask.errors import UnmaskError


def make(root: Path, *files: str) -> Path:
    for name in files:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return root


def both(*splits: str) -> list[str]:
    return [f"{split}/{name}/a.jpg" for split in splits for name in ("Real", "Fake")]


def found(dataset: Path) -> list[tuple[str, int, str]]:
    return [(one.split, one.label, one.folder.name) for one in find_layout(dataset).folders]


def every_file(dataset: Path) -> list[str]:
    return [name for one in find_layout(dataset).folders for name in files_in(one.folder)]


def test_real_is_0_and_fake_is_1_whatever_the_alphabet_says(tmp_path: Path) -> None:
    make(tmp_path, *both("Train"))
    assert found(tmp_path) == [("Train", 0, "Real"), ("Train", 1, "Fake")]


def test_splits_come_in_the_order_train_validation_test(tmp_path: Path) -> None:
    make(tmp_path, *both("Test", "Train", "Validation"))
    assert find_layout(tmp_path).splits == ("Train", "Validation", "Test")


@pytest.mark.parametrize(
    ("written", "meant"),
    [("train", "Train"), ("TRAINING", "Train"), ("val", "Validation"), ("valid", "Validation"), ("testing", "Test")],
)
def test_usual_spellings_of_a_split_are_understood(tmp_path: Path, written: str, meant: str) -> None:
    make(tmp_path, *both(written))
    assert find_layout(tmp_path).splits == (meant,)


def test_plural_class_names_are_understood_and_noted(tmp_path: Path) -> None:
    make(tmp_path, "Train/reals/a.jpg", "Train/FAKES/a.jpg")
    assert found(tmp_path) == [("Train", 0, "reals"), ("Train", 1, "FAKES")]
    assert any("reals was read as Real" in note for note in find_layout(tmp_path).notes)


def test_class_above_split_is_understood(tmp_path: Path) -> None:
    make(tmp_path, "real/train/a.jpg", "fake/train/a.jpg")
    assert [(one.split, one.label) for one in find_layout(tmp_path).folders] == [("Train", 0), ("Train", 1)]


def test_one_folder_too_many_around_the_dataset_is_understood(tmp_path: Path) -> None:
    make(tmp_path, *[f"Dataset/{name}" for name in both("Train")])
    assert find_layout(tmp_path).root == tmp_path / "Dataset"


def test_other_folders_are_left_aside_with_a_note(tmp_path: Path) -> None:
    make(tmp_path, *both("Train"), "Train/Unknown/a.jpg", "notes/readme.txt", "Real/a.jpg")
    layout = find_layout(tmp_path)
    assert len(layout.folders) == 2
    assert {f"{name} was left aside." for name in ("Real", "Train/Unknown", "notes")} <= set(layout.notes)


def test_a_missing_class_is_refused(tmp_path: Path) -> None:
    make(tmp_path, *both("Train"), "Test/Fake/a.jpg")
    with pytest.raises(UnmaskError, match="Test has no Real folder") as caught:
        find_layout(tmp_path)
    assert caught.value.code == "class-missing"


def test_an_empty_class_folder_is_refused(tmp_path: Path) -> None:
    make(tmp_path, "Train/Real/a.jpg", "Train/Fake/.DS_Store")
    with pytest.raises(UnmaskError, match=r"Fake is empty") as caught:
        find_layout(tmp_path)
    assert caught.value.code == "empty-folder"


def test_two_folders_for_one_split_are_refused(tmp_path: Path) -> None:
    make(tmp_path, *both("val", "Validation"))
    with pytest.raises(UnmaskError, match="both look like Validation"):
        find_layout(tmp_path)


@pytest.mark.parametrize("files", [["a.jpg"], ["0/a.jpg", "1/a.jpg"], ["Real/a.jpg", "Fake/a.jpg"], ["Train/a.jpg"]])
def test_an_error_shows_what_was_found_and_what_is_expected(tmp_path: Path, files: list[str]) -> None:
    make(tmp_path, *files)
    with pytest.raises(UnmaskError) as caught:
        find_layout(tmp_path)
    assert "Found:" in caught.value.message
    assert "Train/Real  Train/Fake" in caught.value.message
    assert caught.value.hint


def test_a_dataset_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnmaskError, match="not a folder"):
        find_layout(tmp_path / "nothing")


def test_files_come_from_any_depth_in_the_order_of_their_names(tmp_path: Path) -> None:
    make(tmp_path, "b.jpg", "a.jpg", "inner/c.jpg", ".hidden", "Thumbs.db")
    assert list(files_in(tmp_path)) == ["a.jpg", "b.jpg", "inner/c.jpg"]


def test_linked_folders_are_entered_but_not_in_circles(tmp_path: Path) -> None:
    make(tmp_path, "Real/a.jpg", "Real/one/b.jpg", "elsewhere/c.jpg", "elsewhere/deep/d.jpg", "Fake/e.jpg")
    (tmp_path / "Real/linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "Real/one/itself").symlink_to(tmp_path / "Real/one")
    (tmp_path / "Real/one/around").symlink_to(tmp_path)
    (tmp_path / "elsewhere/deep/back").symlink_to(tmp_path / "Real")
    assert list(files_in(tmp_path / "Real")) == ["a.jpg", "linked/c.jpg", "linked/deep/d.jpg", "one/b.jpg"]


@pytest.mark.parametrize("locked", ["Train", "Train/Real", "Train/Real/inner"])
def test_a_folder_that_cannot_be_listed_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, locked: str
) -> None:
    make(tmp_path, *both("Train"), "Train/Real/inner/b.jpg")

    def refusing(listing):
        def listed(place):
            if Path(place) == tmp_path / locked:
                raise PermissionError(13, "Permission denied", str(place))
            return listing(place)

        return listed

    monkeypatch.setattr(os, "listdir", refusing(os.listdir))
    monkeypatch.setattr(os, "scandir", refusing(os.scandir))
    with pytest.raises(UnmaskError, match="cannot be listed: Permission denied") as caught:
        every_file(tmp_path)
    assert str(tmp_path / locked) in caught.value.message
    assert caught.value.hint
