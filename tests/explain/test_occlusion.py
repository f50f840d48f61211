"""Heatmaps of both methods, and the picture that shows one."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from click.testing import CliRunner
from tests.toy_bundle import write_toy_bundle

from unmask.checking import examine_image
from unmask.cli.main import main
from unmask.detector import Detector
from unmask.explain.occlusion import occlusion, with_occlusion_maps
from unmask.image.read import read_image

if TYPE_CHECKING:
    from numpy.typing import NDArray


def crops(count: int = 2, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, 64, 64, 3)).astype(np.uint8)


def test_every_method_gives_a_map_that_is_not_negative(toy_detector: Detector) -> None:
    for found in (toy_detector.logits_and_maps(crops())[1][0], occlusion(toy_detector, crops()[0])):
        assert found.shape == (8, 8)
        assert found.dtype == np.float32
        assert (found >= 0).all()
        assert found.any()


def test_occlusion_is_brightest_where_the_logit_falls_most(tmp_path: Path) -> None:
    # The toy's response is local, so a bright square on black is all that there is to hide.
    detector = Detector.load(write_toy_bundle(tmp_path / "toy", weight=3.0), threads=1)
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[40:56, 8:24] = crops(1, seed=3)[0, :16, :16]
    found = occlusion(detector, picture)
    if not found.any():
        pytest.fail("the square lowers the score of this toy; choose another seed")
    top, left = np.unravel_index(found.argmax(), found.shape)
    assert 4 <= top <= 7
    assert 0 <= left <= 3


@pytest.mark.parametrize("side", [44, 92, 100, 150])
def test_of_any_side_the_whole_crop_is_looked_at_where_it_is(side: int) -> None:
    for place in (0, side // 2, side - 3):

        class OneSpot:
            def logits(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
                return crops[:, place : place + 3, place : place + 3].mean(axis=(1, 2, 3), dtype=np.float32)  # noqa: B023

        crop = np.zeros((side, side, 3), np.uint8)
        crop[place : place + 3, place : place + 3] = 255
        found = occlusion(OneSpot(), crop)  # type: ignore[arg-type]
        assert found.shape == (8, 8)
        assert found[int(8 * place / side), int(8 * place / side)] == found.max() > 0


def test_a_detector_that_never_looks_has_an_empty_map(tmp_path: Path) -> None:
    detector = Detector.load(write_toy_bundle(tmp_path / "blind", weight=0.0), threads=1)
    assert not detector.logits_and_maps(crops())[1].any()
    assert not occlusion(detector, crops()[0]).any()


def test_explaining_a_picture_keeps_the_answer(toy_detector: Detector, face_file: Path) -> None:
    examined = examine_image(toy_detector, face_file)
    findings = [examined.finding, with_occlusion_maps(toy_detector, examined.finding, examined.pixels)]
    assert findings[0].faces
    assert len({finding.score for finding in findings}) == 1
    for finding in findings:
        heatmap = finding.faces[0].heatmap
        assert heatmap is not None
        assert 0 <= heatmap.min() <= heatmap.max() <= 1


def test_a_picture_without_a_face_is_no_error(toy_detector: Detector) -> None:
    examined = examine_image(toy_detector, np.full((200, 200, 3), 90, np.uint8))
    assert with_occlusion_maps(toy_detector, examined.finding, examined.pixels).faces == ()


def test_the_command_writes_a_picture_a_face(toy_bundle: Path, face_file: Path, in_folder: Path) -> None:
    result = CliRunner().invoke(
        main, ["explain", str(face_file), "--bundle", str(toy_bundle), "--method", "occlusion", "--out", "maps"]
    )
    assert result.exit_code == 0, result.output
    (written,) = sorted((in_folder / "maps").iterdir())
    assert "occlusion" in written.name
    assert read_image(written).pixels.shape[2] == 3
    assert "not a map of what was changed" in " ".join(result.output.split())


def test_the_command_goes_on_after_a_picture_that_cannot_be_read(
    toy_bundle: Path, face_file: Path, in_folder: Path
) -> None:
    result = CliRunner().invoke(main, ["explain", "gone.jpg", str(face_file), "--bundle", str(toy_bundle)])
    assert result.exit_code == 1
    assert "gone.jpg" in result.output
    assert len(list((in_folder / "unmask-explained").iterdir())) == 1


def test_explaining_a_folder_twice_does_not_explain_what_was_written(
    toy_bundle: Path, face_file: Path, in_folder: Path
) -> None:
    shutil.copy(face_file, in_folder / "face.png")
    for _ in range(2):
        result = CliRunner().invoke(main, ["explain", ".", "--bundle", str(toy_bundle)])
        assert result.exit_code == 0, result.output
    assert len(list((in_folder / "unmask-explained").iterdir())) == 1


def test_explaining_an_empty_folder_is_an_error(toy_bundle: Path, in_folder: Path) -> None:
    result = CliRunner().invoke(main, ["explain", ".", "--bundle", str(toy_bundle)])
    assert result.exit_code == 2
    assert "nothing to explain" in result.output
