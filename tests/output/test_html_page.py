import re
from dataclasses import replace

import pytest

from unmask.checking import examine_image
from unmask.errors import UnmaskError
from unmask.finding import Verdict
from unmask.output.html_page import HtmlWriter


@pytest.fixture
def examined(toy_detector, face_file):
    return examine_image(toy_detector, face_file)


def stop_after(page, examined):
    page.add(examined)
    raise KeyboardInterrupt


def test_two_runs_with_one_page_do_not_mix(tmp_path, toy_detector, examined):
    page = tmp_path / "o.html"
    with HtmlWriter(page, toy_detector) as first:
        with HtmlWriter(page, toy_detector) as second:
            second.add(examined)
        assert page.read_text().count("<article") == 1
        first.add(examined)
        first.add(examined)
    assert page.read_text().count("<article") == 2
    assert page.read_text().count("</html>") == 1
    assert [file.name for file in tmp_path.iterdir()] == ["o.html"]


def test_many_pictures_have_an_overview_the_most_suspicious_first(tmp_path, toy_detector, examined):
    page = tmp_path / "o.html"
    with HtmlWriter(page, toy_detector) as report:
        for verdict, score in (("real", 0.1), ("fake", 0.99), ("unsure", 0.5), ("fake", 0.95)):
            finding = replace(examined.finding, verdict=Verdict(verdict), score=score)
            report.add(replace(examined, finding=finding))
    text = page.read_text()
    assert re.findall(r'<li data-verdict="(\w+)"[^>]*><a href="#picture-(\d)">', text) == [
        ("fake", "2"),
        ("fake", "4"),
        ("unsure", "3"),
        ("real", "1"),
    ]
    assert re.findall(r'<article [^>]*data-verdict="(\w+)"', text) == ["real", "fake", "unsure", "fake"]
    assert 'body:has([value="fake"]:checked) [data-verdict]:not([data-verdict="fake"])' in text
    assert [file.name for file in tmp_path.iterdir()] == ["o.html"]


def test_a_page_needs_no_temporary_folder(tmp_path, toy_detector, examined, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    with HtmlWriter(tmp_path / "o.html", toy_detector) as page:
        page.add(examined)
    assert "<article" in (tmp_path / "o.html").read_text()


def test_a_run_that_is_stopped_says_so_on_its_page(tmp_path, toy_detector, examined):
    with pytest.raises(KeyboardInterrupt), HtmlWriter(tmp_path / "o.html", toy_detector) as page:
        stop_after(page, examined)
    assert "interrupted" in (tmp_path / "o.html").read_text()


def test_a_run_that_is_stopped_before_its_first_picture_leaves_no_page(tmp_path, toy_detector):
    with pytest.raises(KeyboardInterrupt), HtmlWriter(tmp_path / "o.html", toy_detector):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_a_page_that_cannot_be_written_is_refused_before_the_work(tmp_path, toy_detector):
    (tmp_path / "file").touch()
    with pytest.raises(UnmaskError, match="cannot write"):
        HtmlWriter(tmp_path / "file" / "o.html", toy_detector)
