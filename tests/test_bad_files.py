"""The whole way, from the command line, over every kind of bad file at once."""

import json
import os
import subprocess
import sys

import pytest

from tests.bad_files import make_bad_files

ONE_GIGABYTE = 1_000_000_000

# Of this process only: getrusage would count the peak of the process that started it, too.
MEASURED = """
import pathlib, re, sys
from unmask.cli import main
try:
    main(sys.argv[1:])
finally:
    status = pathlib.Path("/proc/self/status")
    text = status.read_text() if status.exists() else "VmHWM: 0"
    print("PEAK", int(re.search(r"VmHWM:\\s+(\\d+)", text)[1]) * 1024, file=sys.stderr)
"""


@pytest.fixture(scope="module")
def outcome(tmp_path_factory, toy_bundle):
    """The bad files, the JSON document about them, and what was printed to standard error."""
    folder = tmp_path_factory.mktemp("bad")
    files = make_bad_files(folder)
    paths = "\0".join(os.fspath(file.path) for file in files if not file.path.is_dir())
    result = subprocess.run(
        [sys.executable, "-c", MEASURED, "check", "-", "--bundle", str(toy_bundle), "--json", "--no-face-search"],
        input=paths,
        capture_output=True,
        text=True,
        check=False,
    )
    return files, result


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
