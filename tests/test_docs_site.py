"""The documentation builds as a site without a warning, and the site asks no other host for anything."""

import re
import subprocess
import sys

import pytest
from benchmarks.machine import PAGES, index

from tests.conftest import ROOT

FETCHED = re.compile(
    r"""<(?:script|img|iframe|source|link)\b[^>]*?(?:src|href)=["'](?:https?:)?//|url\(\s*["']?(?:https?:)?//|@import"""
)


def test_the_index_of_measurements_is_that_of_the_pages_there():
    assert (PAGES / "index.md").read_text(encoding="utf-8") == index(), "run: python -m benchmarks.machine"


@pytest.mark.docs
def test_the_site_builds_without_a_warning_and_fetches_nothing(tmp_path):
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", str(ROOT / "docs"), str(tmp_path)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    assert "Detector" in (tmp_path / "reference.html").read_text(encoding="utf-8")
    pages = [path for path in tmp_path.rglob("*") if path.suffix in {".html", ".css", ".js"}]
    assert not [path.name for path in pages if FETCHED.search(path.read_text(encoding="utf-8"))]
