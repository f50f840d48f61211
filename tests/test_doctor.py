"""What the doctor looks for is what the package asks for."""

import re
import sys
import tomllib

import onnxruntime
import pytest

from tests.conftest import ROOT
from unmask import doctor
from unmask.doctor import LIGHT, OPTIONAL


def names(requirements):
    return {re.match(r"[\w.-]+", requirement)[0] for requirement in requirements}


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_every_package_that_an_answer_needs_is_looked_for(project):
    assert set(LIGHT) == names(project["dependencies"])


def test_every_extra_for_users_is_looked_for(project):
    extras = project["optional-dependencies"]
    for extra in extras.keys() - {"dev", "docs", "web-test", "scan-test"}:
        of_it = names(extras[extra]) & OPTIONAL.keys()
        assert of_it, extra
        assert all(f"[{extra}]" in OPTIONAL[name] for name in of_it)
    assert OPTIONAL.keys() <= set().union(*map(names, extras.values()))


def test_only_accelerators_are_offered(monkeypatch):
    def offer(*providers):
        monkeypatch.setattr(
            onnxruntime, "get_available_providers", lambda: [f"{p}ExecutionProvider" for p in providers]
        )
        return doctor._processors().found

    assert offer("Azure", "CPU").endswith("offers no accelerator")
    assert offer("CUDA", "CPU").endswith("offers CUDA")


@pytest.fixture
def card(tmp_path, monkeypatch):
    """Puts an nvidia-smi in the way that prints and ends as told."""

    def make(script):
        command = tmp_path / "nvidia-smi"
        command.write_text(f"#!/bin/sh\n{script}\n")
        command.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
        return doctor._graphics_card()

    return make


needs_sh = pytest.mark.skipif(sys.platform == "win32", reason="writes a shell script")


@needs_sh
def test_a_card_that_nothing_here_uses_comes_with_what_to_install(card, monkeypatch):
    monkeypatch.setattr(doctor, "_version", lambda package: None)
    seen = card("echo NVIDIA H100")
    assert (seen.level, "NVIDIA H100" in seen.found, "[torch]" in seen.hint) == ("note", True, True)


@needs_sh
@pytest.mark.parametrize(
    ("package", "version", "backend"), [("jax-cuda12-plugin", "0.7", "jax"), ("torch", "2.11.0", "torch")]
)
def test_a_card_that_training_uses_is_named_with_the_package(card, monkeypatch, package, version, backend):
    monkeypatch.setattr(doctor, "_version", {package: version}.get)
    seen = card("echo NVIDIA H100")
    assert (seen.level, seen.hint) == ("ok", "")
    assert f"KERAS_BACKEND={backend} trains on it ({package} {version})" in seen.found


@needs_sh
@pytest.mark.parametrize(
    ("version", "platform", "level"),
    [
        ("2.13.0+cpu", "linux", "note"),
        ("2.13.0+rocm7.1", "linux", "note"),
        ("2.13.0", "darwin", "note"),
        ("2.13.0+cu130", "linux", "ok"),
    ],
)
def test_only_a_pytorch_for_nvidia_trains_on_such_a_card(card, monkeypatch, version, platform, level):
    monkeypatch.setattr(doctor, "_version", {"torch": version}.get)
    monkeypatch.setattr(doctor.sys, "platform", platform)
    assert card("echo NVIDIA H100").level == level


@needs_sh
def test_a_broken_driver_is_a_note(card):
    seen = card("exit 9")
    assert (seen.level, "nvidia-smi fails" in seen.found) == ("note", True)


def test_no_card_is_no_problem(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert doctor._graphics_card().level == "ok"


def test_looking_for_a_card_imports_no_training_framework(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    before = set(sys.modules)
    doctor._graphics_card()
    assert not {"jax", "tensorflow", "torch"} & (set(sys.modules) - before)


def test_a_package_that_is_missing_is_a_problem_with_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    monkeypatch.setattr(doctor, "_version", lambda package: None if package == "pillow" else "1.0")
    found = {examination.name: examination for examination in doctor.examine()}
    for name in ("pillow", "picture decoders"):
        assert found[name].level == "problem"
        assert found[name].hint
