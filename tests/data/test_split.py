"""Plain folders, dealt to the splits by group."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.data.pictures import jpeg, picture

from unmask.cli.main import main
from unmask.data.prepared import load_prepared
from unmask.data.split import parse_shares, split_folders
from unmask.errors import UnmaskError


def write_plain(root: Path, count: int, data: bytes = b"x") -> Path:
    for name in ("Real", "Fake"):
        (root / name).mkdir(parents=True)
        for number in range(count):
            (root / name / f"{number:03}.jpg").write_bytes(data)
    return root


def test_each_split_gets_its_share_of_each_class_and_the_same_one_again(tmp_path: Path) -> None:
    dataset = write_plain(tmp_path / "data", 50)
    layout, files = split_folders(dataset, (80, 10, 10))
    assert [len(names) for _, names in files] == [40, 40, 5, 5, 5, 5]
    assert layout.splits == ("Train", "Validation", "Test")
    assert "by itself" in layout.notes[0]
    assert split_folders(dataset, (80, 10, 10)) == (layout, files)


def test_a_group_is_never_in_two_splits_not_even_by_its_fakes(tmp_path: Path) -> None:
    dataset = write_plain(tmp_path / "data", 60)
    rows = [f"{name}/{number:03}.jpg,{number // 3}" for name in ("Real", "Fake") for number in range(60)]
    (dataset / "manifest.csv").write_text("\n".join(["path,group", *rows]) + "\n")
    layout, files = split_folders(dataset, (80, 10, 10))
    groups = [{int(name[:3]) // 3 for name in names} for _, names in files]
    for number in range(0, 6, 2):
        assert groups[number] == groups[number + 1]
    assert [len(groups[number]) for number in range(0, 6, 2)] == [16, 2, 2]
    assert not groups[0] & groups[2]
    assert not groups[2] & groups[4]
    assert layout.notes == ()


def test_folders_that_are_left_aside_are_noted(tmp_path: Path) -> None:
    dataset = write_plain(tmp_path / "data", 10)
    (dataset / "Fake2").mkdir()
    layout, _ = split_folders(dataset, (80, 10, 10))
    assert "Fake2 was left aside" in layout.notes[0]


@pytest.mark.parametrize("text", ["80/20", "80/10/20", "a/b/c", "0/50/50", "100/0/0", "-10/100/10"])
def test_shares_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(UnmaskError, match="no way to split") as refused:
        parse_shares(text)
    assert "80/10/10" in refused.value.hint


def test_too_few_files_and_another_layout_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnmaskError, match="too few groups"):
        split_folders(write_plain(tmp_path / "few", 3), (80, 10, 10))
    with pytest.raises(UnmaskError, match="two folders, Real and Fake"):
        split_folders(tmp_path, (80, 10, 10))


def test_plain_folders_are_told_of_the_option_and_prepared_with_it(tmp_path: Path) -> None:
    dataset = write_plain(tmp_path / "data", 10, jpeg(picture(1)))
    command = ["prepare", str(dataset), "--out", str(tmp_path / "out"), "--size", "64"]
    refused = CliRunner().invoke(main, command)
    assert refused.exit_code == 2
    assert "--split 80/10/10" in refused.output
    done = CliRunner().invoke(main, [*command, "--split", "80/10/10"])
    assert done.exit_code == 0, done.output
    prepared = load_prepared(tmp_path / "out")
    assert {split: counts["real"] for split, counts in prepared.counts.items()} == {
        "Train": 8,
        "Validation": 1,
        "Test": 1,
    }
    assert prepared.labels("Train").tolist() == [0] * 8 + [1] * 8
