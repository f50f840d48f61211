"""What tests and the docstrings' examples need from outside, and what happens when it is not there.

A test that needs more than the light half and the dev extra says so with a marker. Where that is missing it is skipped,
and the closing lines say how many and why. CI sets UNMASK_REQUIRE, and then such a test fails instead.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections import Counter
from collections.abc import Generator
from pathlib import Path

import pytest

from unmask.system.cores import available_cores

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # some tests import ONNX Runtime themselves

ROOT = Path(__file__).resolve().parent
FACES = Path(os.environ.get("UNMASK_FACES", ROOT.parent / "shared" / "faces"))
CASES = Path(os.environ.get("UNMASK_CASES", ROOT.parent / "shared" / "cases"))
VIDEOS = Path(os.environ.get("UNMASK_VIDEOS", ROOT.parent / "shared" / "videos"))
CHROMIUM = os.environ.get("UNMASK_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
PROXIES = all(map(shutil.which, ("nginx", "caddy")))
REQUIRED = frozenset(name for name in os.environ.get("UNMASK_REQUIRE", "").split(",") if name)

# What the extra `train` brings, and the rooms that need it: their tests, and the examples in their docstrings.
HEAVY = ("keras", "tensorflow", "tf2onnx", "sklearn", "matplotlib", "scipy")
HEAVY_ROOMS = ("evaluate", "export", "models", "stats", "train")
LEFT_OUT = frozenset(
    [ROOT / side / room for side in ("tests", "src/unmask") for room in HEAVY_ROOMS]
    + [ROOT / "src/unmask/data/sequence.py"]
)

# These import PyAV as they are loaded.
NEEDS_VIDEO = {ROOT / "src/unmask/video" / name for name in ("ffmpeg.py", "packets.py")}

# What tests of one package need: by their marker, the package and what installs it.
ONE_PACKAGE = {
    "c2pa": ("c2pa", "-e '.[c2pa]'"),
    "video": ("av", "-e '.[video]'"),
    "scan": ("pyarrow", "-e '.[scan]'"),
    "store": ("moto", "-e '.[scan-test]'"),
    "ray": ("ray", "-e '.[ray]'"),
    "torch": ("torch", "-e '.[torch]'"),
    "jax": ("jax", "jax"),
    "docs": ("sphinx", "-e '.[docs]'"),
}

# Each worker may load TensorFlow, in about 1.5 GB.
MOST_WORKERS = 4


def _missing(marker: str) -> str | None:
    """Why tests with this marker cannot run here; None if they can."""
    if marker == "train":
        absent = [name for name in HEAVY if importlib.util.find_spec(name) is None]
        return f"{', '.join(absent)} not installed: pip install -e '.[train]'" if absent else None
    if marker == "faces":
        return None if (FACES / "manifest.csv").exists() else f"no picture set at {FACES}: set UNMASK_FACES"
    if marker == "cases":
        return None if CASES.is_dir() else f"no folder of cases at {CASES}: set UNMASK_CASES"
    if marker == "videos":
        return None if VIDEOS.is_dir() else f"no folder of clips at {VIDEOS}: set UNMASK_VIDEOS"
    if marker == "openapi":
        absent = [n for n in ("schemathesis", "openapi_spec_validator") if importlib.util.find_spec(n) is None]
        return f"{', '.join(absent)} not installed: pip install -e '.[web-test]'" if absent else None
    if marker in ONE_PACKAGE:
        package, installed_by = ONE_PACKAGE[marker]
        return None if importlib.util.find_spec(package) else f"{package} not installed: pip install {installed_by}"
    if marker == "strace":
        return None if shutil.which("strace") else "no strace: apt-get install strace"
    if marker == "proxies":
        return None if PROXIES else "no nginx or no caddy: apt-get install nginx caddy"
    if marker == "browser":
        if importlib.util.find_spec("playwright") is None or importlib.util.find_spec("axe_playwright_python") is None:
            return "playwright or axe not installed: pip install -e '.[web-test]'"
        return None if CHROMIUM else "no Chromium: apt-get install chromium, or set UNMASK_CHROMIUM"
    return None


def _heavy_half_is_left_out() -> str | None:
    return None if "train" in REQUIRED else _missing("train")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One worker a core for the whole suite, within bounds; the files that someone names run right here."""
    if config.args_source is not pytest.Config.ArgsSource.TESTPATHS:
        return 0
    return min(available_cores(), MOST_WORKERS)


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leaves out what cannot be imported where its packages are missing; the closing lines say so, or its tests do."""
    if collection_path in NEEDS_VIDEO and _missing("video"):
        return True
    return True if collection_path in LEFT_OUT and _heavy_half_is_left_out() else None


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in ("train", "faces", "cases", "videos", "browser", "openapi", "strace", "proxies", *ONE_PACKAGE):
        if item.get_closest_marker(marker) and (reason := _missing(marker)):
            if marker in REQUIRED:
                pytest.fail(f"required here, but {reason}", pytrace=False)
            pytest.skip(f"marked {marker}: {reason}")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that fails is told of by Python's own traceback where pytest's fails: it reads the source again for its own, and
    before 3.11.8 and 3.12.2 that can raise (CPython's gh-106905), which would end the whole run."""
    try:
        return (yield)
    except SystemError:
        item.config.option.tbstyle = "native"
        return pytest.TestReport.from_item_and_call(item, call)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if reason := _heavy_half_is_left_out():
        terminalreporter.write_line(f"NOT RUN: tests and examples of {', '.join(HEAVY_ROOMS)}: {reason}")
    # From the reports, which are all here also where several workers ran the tests.
    skipped = Counter(
        str(report.longrepr[2]).removeprefix("Skipped: ")
        if isinstance(report.longrepr, tuple)
        else "for no reason given"
        for report in terminalreporter.stats.get("skipped", [])
    )
    for reason, count in sorted(skipped.items()):
        terminalreporter.write_line(f"NOT RUN: {count} tests, {reason}")


@pytest.fixture(scope="session")
def cases() -> Path:
    """The folder of files that were answered wrongly once; only for tests marked `cases`."""
    return CASES


@pytest.fixture(scope="session")
def videos() -> Path:
    """The folder of clips; only for tests marked `videos`."""
    return VIDEOS


@pytest.fixture(scope="session")
def faces() -> Path:
    """The picture set; only for tests marked `faces`."""
    return FACES
