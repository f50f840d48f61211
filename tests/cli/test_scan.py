import importlib
import json

import pytest
from click.testing import CliRunner
from tests.conftest import ROOT
from tests.scan.pictures import picture
from tests.toy_bundle import toy_graph, toy_info

from unmask.bundle import Policy, write_bundle
from unmask.cli.main import main
from unmask.detector import Detector
from unmask.scan.summary import write_summary

pytestmark = pytest.mark.scan


def run(*arguments):
    return CliRunner().invoke(main, [*map(str, arguments)], catch_exceptions=False)


@pytest.fixture(scope="module")
def scanned(tmp_path_factory, toy_bundle):
    """A scan of five pictures, two of which are none: the folder, the result of the command, and the command."""
    folder = tmp_path_factory.mktemp("scan")
    (folder / "in").mkdir()
    for seed in (1, 2, 3):
        (folder / "in" / f"<b>{seed}.png").write_bytes(picture(seed))
    (folder / "in" / "empty.png").touch()
    (folder / "in" / "text.png").write_text("no picture")
    options = ["--out", folder / "out", "--bundle", toy_bundle, "--no-face-search", "--workers", 1, "--json-lines", "-"]
    command = ["scan", folder / "in", *options]
    return folder / "out", run(*command), command


def test_standard_output_is_one_line_a_picture_and_the_rest_goes_elsewhere(scanned):
    _, result, _ = scanned
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(rows) == 5
    assert "5 pictures: " in result.stderr
    assert "1 empty-file, such as" in result.stderr
    assert result.exit_code == 1


def test_the_summary_counts_and_names_what_failed(scanned):
    out, _, _ = scanned
    summary = json.loads((out / "summary.json").read_text())
    assert (summary["pictures"], summary["unreadable"]) == (5, 2)
    assert sum(summary["histogram"]) == 3
    assert {failure["code"] for failure in summary["failures"]} == {"empty-file", "not-a-picture"}
    assert summary["detector"]["name"] == "toy"


def test_the_page_is_whole_and_takes_no_name_for_a_tag(scanned):
    out, _, _ = scanned
    page = (out / "summary.html").read_text()
    assert "&lt;b&gt;" in page
    assert "<b>1.png" not in page
    assert "data:image/jpeg;base64," in page
    assert "http" not in page.replace("http-equiv", "")


def test_the_page_rounds_no_threshold_to_a_certainty(tmp_path):
    policy = Policy(real_below=0.0004, fake_above=0.9998, chosen_by="hand")
    bundle = write_bundle(tmp_path / "b", toy_info(policies={"balanced": policy}), toy_graph(), "# toy\n")
    (tmp_path / "parts").mkdir()
    write_summary(tmp_path, Detector.load(bundle))
    assert "<em>real</em> below 0.0004, <em>fake</em> above 0.9998," in (tmp_path / "summary.html").read_text()


def test_the_same_command_again_does_nothing_again_and_another_policy_is_refused(scanned):
    _, _, command = scanned
    again = run(*command)
    assert again.stdout == ""
    assert "Going on: 5 are done already." in again.stderr
    assert again.exit_code == 1
    refused = run(*command, "--policy", "careful")
    assert refused.exit_code == 2
    assert "hint: Name another folder with --out" in refused.stderr


def test_results_may_lie_in_the_folder_that_is_scanned(tmp_path, toy_bundle):
    (tmp_path / "1.png").write_bytes(picture(1))
    command = ["scan", tmp_path, "--out", tmp_path, "--bundle", toy_bundle, "--no-face-search", "--workers", 1]
    for _ in range(2):
        assert run(*command, "--json-lines", tmp_path / "rows.jsonl").exit_code == 0
    assert len((tmp_path / "rows.jsonl").read_text().splitlines()) == 1
    assert json.loads((tmp_path / "summary.json").read_text())["pictures"] == 1


@pytest.mark.parametrize("lines", ["in/1.png", "list.txt"])
def test_what_is_to_be_scanned_is_not_written_to(in_folder, lines):
    (in_folder / "in").mkdir()
    (in_folder / "in" / "1.png").write_bytes(picture(1))
    (in_folder / "list.txt").write_text("in/1.png\n")
    before = (in_folder / lines).read_bytes()
    result = run("scan", "in", "list.txt", "--json-lines", lines)
    assert result.exit_code == 2
    assert "would be overwritten" in result.stderr
    assert (in_folder / lines).read_bytes() == before


def test_an_answer_that_was_asked_to_fail_on_ends_with_three(scanned):
    out, _, command = scanned
    found = json.loads((out / "summary.json").read_text())
    answer = next(name for name in ("fake", "unsure") if found[name]) if found["fake"] or found["unsure"] else None
    assert answer, "the toy detector calls all of these real; choose other seeds"
    assert run(*command, "--fail-on", answer).exit_code == 3


def test_a_list_on_standard_input_opens_no_list_that_it_names(tmp_path, toy_bundle):
    caption = tmp_path / "1.txt"
    caption.write_text("a.png\n")
    command = ["scan", "-", "--out", tmp_path / "out", "--bundle", toy_bundle, "--json-lines", "-", "--workers", 1]
    result = CliRunner().invoke(main, [*map(str, command)], input=f"{caption}\n", catch_exceptions=False)
    assert [json.loads(line)["path"] for line in result.stdout.splitlines()] == [str(caption)]


def test_nothing_to_scan_is_wrong_use(tmp_path, toy_bundle):
    (tmp_path / "in").mkdir()
    result = run("scan", tmp_path / "in", "--out", tmp_path / "out", "--bundle", toy_bundle)
    assert result.exit_code == 2
    assert "nothing to scan" in result.stderr


@pytest.mark.parametrize("library", ["pandas", "polars", "duckdb"])
@pytest.mark.store
def test_the_lines_in_the_docs_read_the_results(scanned, library, monkeypatch):
    out, _, _ = scanned
    line = next(line for line in (ROOT / "docs" / "scan.md").read_text().splitlines() if f"{library}." in line)
    monkeypatch.chdir(out.parent)
    table = eval(line.replace("results", "out"), {library: importlib.import_module(library)})
    assert len(table) == 5
