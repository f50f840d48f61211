"""What tests need from outside, and what happens when it is not there.

A test that needs more than the light half and the dev extra says so with a marker. Where that is missing it is skipped,
and the closing lines say how many and why. CI sets UNMASK_REQUIRE, and then such a test fails instead.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.prepared_faces import write_prepared
from tests.toy_bundle import write_toy_bundle

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from unmask.detector import Detector

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

ROOT = Path(__file__).resolve().parent.parent
FACES = Path(os.environ.get("UNMASK_FACES", ROOT.parent / "shared" / "faces"))
CHROMIUM = os.environ.get("UNMASK_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
REQUIRED = frozenset(name for name in os.environ.get("UNMASK_REQUIRE", "").split(",") if name)

# What the extra `train` brings, and the folders whose tests import it from their first line on.
HEAVY = ("keras", "tensorflow", "tf2onnx", "sklearn", "matplotlib", "scipy")
HEAVY_FOLDERS = ("evaluate", "export", "models", "stats", "train")

# Extras of one package, by the marker of the same name.
ONE_PACKAGE = {"heif": "pillow_heif", "c2pa": "c2pa", "torch": "torch"}

_skipped: Counter[str] = Counter()
_left_out: list[str] = []


def _missing(marker: str) -> str | None:
    """Why tests with this marker cannot run here; None if they can."""
    if marker == "train":
        absent = [name for name in HEAVY if importlib.util.find_spec(name) is None]
        return f"{', '.join(absent)} not installed: pip install -e '.[train]'" if absent else None
    if marker == "faces":
        return None if (FACES / "manifest.csv").exists() else f"no picture set at {FACES}: set UNMASK_FACES"
    if marker == "openapi":
        absent = [n for n in ("schemathesis", "openapi_spec_validator") if importlib.util.find_spec(n) is None]
        return f"{', '.join(absent)} not installed: pip install -e '.[web-test]'" if absent else None
    if marker in ONE_PACKAGE:
        package = ONE_PACKAGE[marker]
        return None if importlib.util.find_spec(package) else f"{package} not installed: pip install -e '.[{marker}]'"
    if marker == "browser":
        if importlib.util.find_spec("playwright") is None or importlib.util.find_spec("axe_playwright_python") is None:
            return "playwright or axe not installed: pip install -e '.[web-test]'"
        return None if CHROMIUM else "no Chromium: apt-get install chromium, or set UNMASK_CHROMIUM"
    return None


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leaves the heavy half's folders out where its packages are missing; the closing lines name them."""
    if collection_path.parent == Path(__file__).parent and collection_path.name in HEAVY_FOLDERS:
        reason = _missing("train")
        if reason and "train" not in REQUIRED:
            _left_out.append(f"tests/{collection_path.name}: {reason}")
            return True
    return None


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in ("train", "faces", "browser", "openapi", *ONE_PACKAGE):
        if item.get_closest_marker(marker) and (reason := _missing(marker)):
            if marker in REQUIRED:
                pytest.fail(f"required here, but {reason}", pytrace=False)
            _skipped[f"{marker}: {reason}"] += 1
            pytest.skip(reason)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for folder in sorted(set(_left_out)):
        terminalreporter.write_line(f"NOT RUN: {folder}")
    for reason, count in sorted(_skipped.items()):
        terminalreporter.write_line(f"NOT RUN: {count} tests marked {reason}")


@pytest.fixture(scope="session")
def toy_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small detector with an input of 64 px."""
    return write_toy_bundle(tmp_path_factory.mktemp("bundles") / "toy")


@pytest.fixture(scope="session")
def toy_detector(toy_bundle: Path) -> Detector:
    """The small detector, loaded."""
    from unmask.detector import Detector

    return Detector.load(toy_bundle, threads=1)


@pytest.fixture(scope="session")
def drawn_face() -> NDArray[np.uint8]:
    """A drawn face, uint8 (512, 512, 3)."""
    from unmask.demo import draw_face

    return draw_face()


@pytest.fixture(scope="session")
def face_file(drawn_face: NDArray[np.uint8], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The drawn face as a PNG file."""
    from unmask.image.read import encode_png

    path = tmp_path_factory.mktemp("pictures") / "face.png"
    path.write_bytes(encode_png(drawn_face))
    return path


@pytest.fixture(scope="session")
def faces() -> Path:
    """The picture set; only for tests marked `faces`."""
    return FACES


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small prepared folder, 32 px."""
    return write_prepared(tmp_path_factory.mktemp("data") / "prepared")


@pytest.fixture(scope="session")
def finished_run(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of two epochs; only for tests marked `train`."""
    from unmask.train.config import make_config
    from unmask.train.loop import train

    settings = {"epochs": 2, "batch_size": 16, "precision": "float32", "checkpoint_every": 1}
    return train(make_config(data=str(prepared), **settings), tmp_path_factory.mktemp("runs") / "finished").folder
