import sys

import numpy as np
import pytest
from matplotlib.figure import Figure

import unmask
from unmask.errors import UnmaskError
from unmask.finding import Status
from unmask.output.notebook import drawn, html, to_frame


@pytest.fixture(scope="module")
def finding(toy_detector, face_file):
    return toy_detector.check(face_file)


def test_a_notebook_shows_picture_boxes_map_and_verdict(finding):
    shown = finding._repr_html_()
    assert finding.verdict.value.capitalize() in shown
    assert shown.count("data:image/jpeg;base64,") == 2
    assert "<script" not in shown
    assert "<style" not in shown  # it would change the whole notebook


def test_the_boxes_lie_around_the_face_and_the_heatmap_over_it(finding, drawn_face):
    boxed, mapped = (drawn(finding, heatmaps=wanted) for wanted in (False, True))
    assert boxed.shape == drawn_face.shape
    box = finding.faces[0].box
    changed = np.argwhere((boxed != drawn_face).any(axis=2))
    assert (changed.min(axis=0) == (box.top, box.left)).all()
    assert (boxed != mapped).any()


def test_a_large_picture_is_kept_small_and_its_boxes_fit(toy_detector, drawn_face):
    large = drawn_face.repeat(3, axis=0).repeat(3, axis=1)
    finding = toy_detector.check(large)
    assert finding.preview.shape == (800, 800, 3)
    box, scale = finding.faces[0].box, 800 / 1536
    changed = np.argwhere((drawn(finding, heatmaps=False) != finding.preview).any(axis=2))
    assert abs(changed.min(axis=0) - np.multiply((box.top, box.left), scale)).max() <= 1


def test_a_name_cannot_write_into_the_notebook(toy_detector, face_file, tmp_path):
    evil = tmp_path / "<img src=x>.png"
    evil.write_bytes(face_file.read_bytes())
    assert "<img src=x>" not in toy_detector.check(evil)._repr_html_()


def test_what_has_no_answer_and_a_clip_are_shown_in_words(toy_detector, tmp_path, clip_file):
    (tmp_path / "no.png").write_text("no picture")
    (broken,) = unmask.check_paths([tmp_path / "no.png"], toy_detector)
    assert "No answer" in html(broken)
    assert "P(fake)" in toy_detector.check_clip(clip_file)._repr_html_()


def test_without_a_heatmap_no_picture_is_kept_and_a_plot_says_so(toy_detector, drawn_face):
    finding = toy_detector.check(drawn_face, heatmap=False)
    assert finding.preview is None
    assert "<img" not in finding._repr_html_()
    with pytest.raises(UnmaskError, match="no picture") as failure:
        finding.plot()
    assert "heatmap=True" in failure.value.hint


def test_pictures_are_no_part_of_the_json_or_of_equality(toy_detector, face_file, finding):
    assert "preview" not in finding.to_dict()
    assert "preview" not in repr(finding)


def test_a_plot_has_the_verdict_as_its_title(finding):
    figure = Figure()
    axes = finding.plot(figure.add_subplot())
    assert axes.get_title().startswith(finding.verdict.value)
    assert len(axes.images) == 1


def test_a_table_has_a_row_a_picture_and_a_clip(toy_detector, face_file, clip_file, tmp_path):
    (tmp_path / "no.png").write_text("no picture")
    table = to_frame(unmask.check_paths([face_file, tmp_path / "no.png", clip_file], toy_detector))
    assert list(table["status"]) == [Status.ANSWERED, Status.UNREADABLE, Status.ANSWERED]
    assert table["score"].dtype == float
    assert table["score"].isna().tolist() == [False, True, False]
    assert table["people"].iloc[2] == 1
    assert table["path"].iloc[0] == str(face_file)


@pytest.mark.parametrize(
    ("module", "act"),
    [("matplotlib.pyplot", lambda finding: finding.plot()), ("pandas", lambda finding: unmask.to_frame([finding]))],
)
def test_a_missing_library_is_named_with_how_to_install_it(monkeypatch, finding, module, act):
    monkeypatch.setitem(sys.modules, module, None)
    package = module.partition(".")[0]
    with pytest.raises(UnmaskError, match=package) as failure:
        act(finding)
    assert f"-m pip install {package}" in failure.value.hint
    assert "/" not in failure.value.hint
