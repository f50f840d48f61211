import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from unmask.cli.main import main
from unmask.demo import draw_face
from unmask.demo.samples import sample_jpeg
from unmask.errors import UnmaskError
from unmask.image.align import alignment
from unmask.image.encode import encode_jpeg
from unmask.image.read import read_image
from unmask.output.difference import _sheet


@pytest.fixture
def diff(tmp_path, toy_bundle, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "original.jpg").write_bytes(encode_jpeg(draw_face(7), 92))

    def run(suspect, *options):
        (tmp_path / "suspect.jpg").write_bytes(encode_jpeg(np.ascontiguousarray(suspect), 80))
        arguments = ["diff", "original.jpg", "suspect.jpg", "--bundle", str(toy_bundle), *options]
        return CliRunner().invoke(main, arguments, catch_exceptions=False)

    return run


def test_a_picture_that_was_cropped_and_enlarged_differs_only_where_it_was_changed(diff, tmp_path):
    suspect = draw_face(7)
    cv2.circle(suspect, (300, 200), 30, (40, 120, 90), -1)
    result = diff(cv2.resize(suspect[20:500, 30:490], (600, 626)))
    assert result.exit_code == 0
    assert "unmask-diff.png" in result.stdout
    sheet = read_image(tmp_path / "unmask-diff.png").pixels
    left, top, (width, height) = 16 + 2 * (460 + 16), 16 + 22, (460, 480)
    shown = sheet[top : top + height, left : left + width].max(axis=2)
    y, x = np.nonzero(shown > 128)
    assert abs(x.mean() - (300 - 30)) < 8
    assert abs(y.mean() - (200 - 20)) < 8
    assert np.hypot(x - x.mean(), y - y.mean()).max() < 45


def test_pictures_that_do_not_show_the_same_are_refused(diff):
    noise = np.random.default_rng(0).integers(0, 256, (400, 400, 3), dtype=np.uint8)
    result = diff(noise)
    assert result.exit_code == 2
    assert "do not seem to show the same" in result.stderr


@pytest.fixture(scope="module")
def portrait():
    return read_image(sample_jpeg("portrait")).pixels


@pytest.mark.parametrize("axis", [0, 1])
def test_a_mirrored_copy_is_not_the_same(portrait, axis):
    with pytest.raises(UnmaskError, match="do not seem to show the same"):
        alignment(portrait, np.flip(portrait, axis).copy())


@pytest.mark.parametrize(
    "other", [lambda part: 255 - part, lambda part: np.random.default_rng(0).integers(0, 256, part.shape)]
)
def test_a_picture_of_which_a_quarter_was_changed_is_the_same(portrait, other):
    height, width = (side // 4 for side in portrait.shape[:2])
    suspect = portrait.copy()
    suspect[height : 3 * height, width : 3 * width] = other(suspect[height : 3 * height, width : 3 * width])
    np.testing.assert_allclose(alignment(portrait, suspect), [[1, 0, 0], [0, 1, 0]], atol=2)


@pytest.mark.parametrize("size", [(480, 480), (100, 480), (80, 100)])
def test_the_words_on_the_sheet_end_on_it(size):
    panels = {f"panel {number}": np.full((*size, 3), 128, np.uint8) for number in range(5)}
    sheet = _sheet(panels)
    inked = np.flatnonzero((sheet[:, -max(size[1], 240) :] < 64).all(axis=2).any(axis=1))
    assert inked.max() < len(sheet) - 10


def test_nothing_is_overwritten(diff, tmp_path):
    (tmp_path / "mine.png").write_bytes(b"mine")
    for taken in ("suspect.jpg", "mine.png"):
        result = diff(draw_face(7), "--out", taken)
        assert result.exit_code == 2
        assert f"{taken} is there already" in result.stderr
    assert (tmp_path / "mine.png").read_bytes() == b"mine"
