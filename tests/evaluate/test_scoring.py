"""Scores of an evaluation are those of a check, and one bad file stops nothing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from tests.toy_bundle import write_toy_bundle
from unmask.cli.main import main
from unmask.data.prepare import prepare
from unmask.detector import Detector
from unmask.errors import UnmaskError
from unmask.evaluate.degradations import DEGRADATIONS
from unmask.evaluate.pictures import open_pictures
from unmask.evaluate.scoring import score_pictures, score_some
from unmask.finding import Status, Verdict
from unmask.image.encode import encode_png


def test_scores_equal_those_of_unmask_check(split_folder: Path, toy_bundle: Path, toy_detector: Detector) -> None:
    table = score_pictures(toy_detector, open_pictures(split_folder))
    result = CliRunner().invoke(
        main, ["check", str(split_folder), "--json", "--no-face-search", "--bundle", str(toy_bundle)]
    )
    found = {finding["path"]: finding for finding in json.loads(result.stdout)["findings"]}
    assert len(found) == len(table.rows) == 18
    for row in table.rows:
        finding = found[str(split_folder.parent / row.path)]
        assert row.status == finding["status"]
        if row.score is None:
            assert row.failure is not None
            assert row.failure.code == finding["failure"]["code"]
        else:
            assert row.logit == pytest.approx(finding["faces"][0]["logit"], abs=1e-5)
            assert row.score == pytest.approx(finding["score"], abs=1e-6)
            assert row.verdict == finding["verdict"]


def test_verdicts_outside_training_equal_those_of_unmask_check(split_folder: Path, tmp_path: Path) -> None:
    # All are called fake, the brighter ones only if they are like those that the detector learned from.
    folder = write_toy_bundle(tmp_path / "strict", weight=0.1, bias=5.0, outside_above=128.0)
    table = score_pictures(Detector.load(folder, threads=1), open_pictures(split_folder))
    arguments = ["check", str(split_folder), "--json", "--no-face-search", "--bundle", str(folder)]
    found = {
        finding["path"]: finding
        for finding in json.loads(CliRunner().invoke(main, arguments).stdout)["findings"]
        if finding["faces"]
    }
    assert {row.verdict for row in table.answered} == {Verdict.FAKE, Verdict.UNSURE}
    for row in table.answered:
        finding = found[str(split_folder.parent / row.path)]
        noted = "outside-training" in [note["code"] for note in finding["faces"][0]["notes"]]
        assert (row.verdict, row.outside_training) == (finding["verdict"], noted)
    called_fake = sum(row.verdict is Verdict.FAKE for row in table.answered)
    assert table.judged().called_fake.sum() == called_fake


def test_files_that_are_no_pictures_are_failed_rows(split_folder: Path, toy_detector: Detector) -> None:
    table = score_pictures(toy_detector, open_pictures(split_folder))
    assert {Path(row.path).name for row in table.failed} == {"zz_text.jpg", "zz_empty.jpg"}
    assert all(row.status is Status.UNREADABLE and row.failure and row.failure.hint for row in table.failed)


def test_any_number_of_workers_gives_the_same_scores(split_folder: Path, toy_detector: Detector) -> None:
    pictures = open_pictures(split_folder)
    one, three = (score_pictures(toy_detector, pictures, workers=workers) for workers in (1, 3))
    assert [row.score for row in one.rows] == pytest.approx([row.score for row in three.rows], abs=1e-7)


def test_a_prepared_folder_scores_as_its_files_do(split_folder: Path, toy_detector: Detector, tmp_path: Path) -> None:
    prepare(split_folder.parent, tmp_path / "prepared", size=64)
    from_files = {row.path: row.logit for row in score_pictures(toy_detector, open_pictures(split_folder)).answered}
    table = score_pictures(toy_detector, open_pictures(tmp_path / "prepared"))
    assert table.answered
    for row in table.answered:
        assert row.logit == pytest.approx(from_files[row.path], abs=1e-5)


def test_a_detector_that_gives_no_number_fails_each_picture(split_folder: Path, tmp_path: Path) -> None:
    detector = Detector.load(write_toy_bundle(tmp_path / "broken", bias=float("inf")), threads=1)
    table = score_pictures(detector, open_pictures(split_folder))
    assert not table.answered
    assert {row.failure.code for row in table.failed if row.failure} >= {"no-score"}


def test_a_change_reaches_the_pixels_before_they_are_resized(split_folder: Path, toy_detector: Detector) -> None:
    pictures = open_pictures(split_folder)
    seen = []

    def black(pixels: np.ndarray, index: int) -> np.ndarray:
        seen.append((index, pixels.shape))
        return np.zeros_like(pixels)

    found = score_some(toy_detector, pictures, [0, 3], change=black)
    assert sorted(seen) == [(0, (96, 96, 3)), (3, (96, 96, 3))]
    assert found[0].logit == found[1].logit is not None


@pytest.mark.parametrize("name", ["WebP q80", "video frame CRF 23"])
def test_a_picture_too_long_for_a_delivery_stops_nothing(toy_detector: Detector, tmp_path: Path, name: str) -> None:
    (tmp_path / "Real").mkdir()
    for number, height in enumerate((64, 16_800)):
        (tmp_path / "Real" / f"{number}.png").write_bytes(encode_png(np.zeros((height, 200, 3), np.uint8)))
    (change,) = (one.change for one in DEGRADATIONS if one.name == name)
    short, long = score_some(toy_detector, open_pictures(tmp_path), [0, 1], change=change)
    assert short.status is Status.ANSWERED
    assert long.failure is not None
    assert long.failure.code == "not-deliverable"


def test_a_picture_that_breaks_the_scoring_itself_is_not_hidden(
    split_folder: Path, toy_detector: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unmask.evaluate.scoring.read_crop", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        score_some(toy_detector, open_pictures(split_folder), [0])


def test_with_a_face_search_a_picture_without_a_face_is_a_row(split_folder: Path, toy_detector: Detector) -> None:
    table = score_pictures(toy_detector, open_pictures(split_folder), face_search=True)
    assert Status.NO_FACE in {row.status for row in table.rows}
    assert len(table.rows) == 18


def test_no_faces_are_searched_in_a_prepared_folder(split_folder: Path, toy_detector: Detector, tmp_path: Path) -> None:
    prepare(split_folder.parent, tmp_path / "prepared", size=64)
    with pytest.raises(UnmaskError) as caught:
        score_pictures(toy_detector, open_pictures(tmp_path / "prepared"), face_search=True)
    assert caught.value.code == "no-files"


@pytest.mark.parametrize("face_search", [False, True])
def test_how_far_the_scoring_is_can_be_shown(split_folder: Path, toy_detector: Detector, face_search: bool) -> None:
    seen: list[int] = []
    score_pictures(toy_detector, open_pictures(split_folder), face_search=face_search, on_done=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 18
    assert len(seen) > 1
