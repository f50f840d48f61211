"""The whole way, from the command line, over every kind of bad file at once."""

import importlib.util
import json
import os
import subprocess
import sys

import pytest
from tests.bad_files import make_bad_files, png

ONE_GIGABYTE = 1_000_000_000

# Of this process only: getrusage would count the peak of the process that started it, too.
MEASURED = """
import pathlib, re, sys
from unmask.cli.main import main
try:
    main(sys.argv[1:])
finally:
    status = pathlib.Path("/proc/self/status")
    text = status.read_text() if status.exists() else "VmHWM: 0"
    print("PEAK", int(re.search(r"VmHWM:\\s+(\\d+)", text)[1]) * 1024, file=sys.stderr)
"""


def check(files, toy_bundle, *options):
    paths = "\0".join(os.fspath(path) for path in files)
    command = ["check", "-", "--bundle", str(toy_bundle), "--json", "--no-face-search", *map(str, options)]
    return subprocess.run(
        [sys.executable, "-c", MEASURED, *command], input=paths, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def outcome(tmp_path_factory, toy_bundle):
    """The bad files, the JSON document about them, and what was printed to standard error."""
    files = make_bad_files(tmp_path_factory.mktemp("bad"))
    return files, check([file.path for file in files if not file.path.is_dir()], toy_bundle)


def test_there_are_at_least_forty_kinds(outcome):
    files, _ = outcome
    assert len(files) >= 40


def test_every_file_is_answered_or_refused_for_its_own_reason(outcome):
    files, result = outcome
    findings = {finding["path"]: finding for finding in json.loads(result.stdout)["findings"]}
    wrong = []
    for file in files:
        if file.path.is_dir():
            continue
        finding = findings[os.fspath(file.path)]
        code = finding["failure"] and finding["failure"]["code"]
        if file.path.name in ("clip.mp4", "clip.avi"):  # no picture for the decoder of pictures, and a broken clip here
            assert code == ("cannot-open" if importlib.util.find_spec("av") else "no-video-extra")
            continue
        if code != file.code and not (os.geteuid() == 0 and file.code == "no-permission"):
            wrong.append((file.path.name, file.code, code))
    assert wrong == []


def test_every_refusal_comes_with_a_hint(outcome):
    _, result = outcome
    failures = [finding["failure"] for finding in json.loads(result.stdout)["findings"] if finding["failure"]]
    assert failures
    assert all(failure["message"] and failure["hint"] for failure in failures)


def test_there_is_no_traceback_and_no_warning(outcome):
    _, result = outcome
    assert "Traceback" not in result.stderr
    assert "Warning" not in result.stderr
    assert result.returncode == 1


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_the_peak_of_memory_stays_under_a_gigabyte(outcome):
    _, result = outcome
    assert int(result.stderr.rsplit("PEAK ", 1)[1]) < ONE_GIGABYTE


def test_the_page_and_the_heatmaps_get_through_every_bad_file_too(outcome, toy_bundle, tmp_path):
    files, _ = outcome
    longest_allowed = tmp_path / "panorama.png"
    longest_allowed.write_bytes(png(7_000, 70, 8, 0, bytes(7_001 * 70)))
    paths = [longest_allowed, *(file.path for file in files if not file.path.is_dir())]
    result = check(paths, toy_bundle, "--html", tmp_path / "page.html", "--heatmap", tmp_path / "maps")
    assert "Traceback" not in result.stderr
    assert result.returncode == 1
    answered = json.loads(result.stdout)["findings"]
    # A picture has one heatmap file; what moves has one for each face that decided.
    pictures = sum(finding["status"] == "answered" and "people" not in finding for finding in answered)
    assert (tmp_path / "page.html").read_text().count("<article") == len(paths)
    assert len(os.listdir(tmp_path / "maps")) >= pictures
