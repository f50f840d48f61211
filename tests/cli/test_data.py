"""The verb `prepare` on the command line; `audit` is in test_audit.py."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.data.pictures import write_dataset

from unmask.cli.data import prepare
from unmask.cli.main import main


def test_counts_and_reasons_are_printed(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "data", 2)
    (dataset / "Train/Real/short.jpg").write_bytes(b"short")
    result = CliRunner().invoke(prepare, [str(dataset), "--out", str(tmp_path / "out"), "--size", "64"])
    assert result.exit_code == 0, result.output
    assert "Validation" in result.output
    assert "rejected: 1 file-too-small" in result.output
    assert (tmp_path / "out" / "prepared.json").is_file()


def test_ctrl_c_ends_with_the_status_of_an_interrupted_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*arguments: object, **settings: object) -> None:
        raise KeyboardInterrupt

    dataset = write_dataset(tmp_path / "data", 1)
    monkeypatch.setattr("unmask.data.prepare.prepare", interrupt)
    result = CliRunner().invoke(main, ["prepare", str(dataset), "--out", str(tmp_path / "out")])
    assert result.exit_code == 130
    assert "give the same command again" in result.output


def test_what_was_read_differently_is_noted(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "data", 1, splits=("train",))
    result = CliRunner().invoke(prepare, [str(dataset), "--out", str(tmp_path / "out"), "--size", "64"])
    assert "note: There is no Test split." in result.output


def test_a_wrong_layout_ends_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "data" / "pictures").mkdir(parents=True)
    result = CliRunner().invoke(main, ["prepare", str(tmp_path / "data"), "--out", str(tmp_path / "out")])
    assert result.exit_code == 2
    assert "Expected:" in result.output
    assert "hint: Rename or move the folders" in result.output
    assert not (tmp_path / "out").exists()
