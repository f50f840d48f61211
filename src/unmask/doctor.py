"""What is here, what is missing, and what to do about it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from unmask import __version__
from unmask.errors import UnmaskError
from unmask.system.cores import available_cores
from unmask.system.private import import_onnxruntime
from unmask.system.python import install_extra, pip, pip_install

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Level = Literal["ok", "note", "problem"]

# tests/test_doctor.py holds both against pyproject.toml.
LIGHT = (
    "click",
    "numpy",
    "pillow",
    "pillow-heif",
    "opencv-python-headless",
    "onnxruntime",
    "flask",
    "prometheus-client",
    "simplejpeg",
    "uvicorn",
    "pydantic",
    "jinja2",
    "rich",
)
OPTIONAL = {
    "keras": f"training; {install_extra('train')}",
    "tensorflow": f"training; {install_extra('train')}",
    "torch": f"training on an NVIDIA GPU; {install_extra('torch')}",
    "jax": f"the same on JAX; {install_extra('gpu')}",
    "av": f"clips; {install_extra('video')}; it comes with '.[train]', too",
    "pyarrow": f"scanning many pictures; {install_extra('scan')}",
    "aiohttp": f"scanning what is on web servers; {install_extra('cloud')}",
    "ray": f"the same on a cluster; {install_extra('ray')}",
    "c2pa-python": f"content credentials on the web page; {install_extra('c2pa')}",
}

# What ONNX Runtime always offers: the processor, and a client of somebody's servers, which speeds up nothing here.
NO_ACCELERATORS = {"CPU", "Azure"}
# With one of these packages Keras trains on an NVIDIA card. Asking the backend itself would take seconds.
TRAINERS = {"torch": ("torch",), "jax": ("jax-cuda12-plugin", "jax-cuda13-plugin")}


@dataclass(frozen=True, slots=True)
class Examination:
    """One line of the doctor's findings.

    Attributes:
        level: "problem" where something that `unmask check` needs is missing or broken.
        name: What was looked at.
        found: What is there.
        hint: What to do; empty where nothing needs doing.
    """

    level: Level
    name: str
    found: str
    hint: str = ""


def examine(bundle: Path | None = None) -> Iterator[Examination]:
    """Look at everything that an answer depends on.

    Args:
        bundle: A detector to look at; None for the shipped one.
    """
    yield Examination("ok", "unmask", f"{__version__} on Python {platform.python_version()}, {platform.platform()}")
    yield from _packages()
    yield _surviving("picture decoders", _decoders)
    yield _surviving("detector", lambda: _detector(bundle))
    yield _surviving("face finder", _face_finder)
    yield _surviving("processors", _processors)
    yield _surviving("graphics card", _graphics_card)
    yield _folder("temporary folder", tempfile.gettempdir)
    yield _folder("current folder", os.getcwd)


def _surviving(name: str, look: Callable[[], Examination]) -> Examination:
    try:
        return look()
    except UnmaskError as error:
        return Examination("problem", name, error.message, error.hint)
    except Exception as error:  # a package that is broken in any way is what a doctor is there to report
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        return Examination("problem", name, reason, "Install unmask again in a new environment.")


def _packages() -> Iterator[Examination]:
    for name in LIGHT:
        yield _package(name, _version(name), "problem", "Install Unmask again.")
    rival = _version("opencv-python")
    if rival:
        yield Examination(
            "note",
            "opencv-python",
            f"{rival}, beside opencv-python-headless: both own the module cv2",
            f"If pictures or faces fail with an error about cv2: {pip('uninstall opencv-python opencv-python-headless')}, "
            f"then {pip_install('opencv-python-headless')}.",
        )
    for name, purpose in OPTIONAL.items():
        version = _version(name) or (_version("tensorflow-cpu") if name == "tensorflow" else None)
        yield _package(name, version, "note", purpose)


def _package(name: str, version: str | None, missing: Level, hint: str) -> Examination:
    return Examination("ok", name, version) if version else Examination(missing, name, "not installed", hint)


def _decoders() -> Examination:
    from PIL import features

    found = [name for name in ("jpg", "zlib", "libtiff", "webp", "avif") if features.check(name)]
    if {"jpg", "zlib"} <= set(found):
        return Examination("ok", "picture decoders", ", ".join(found))
    return Examination("problem", "picture decoders", ", ".join(found), pip_install("--force-reinstall pillow"))


def _detector(bundle: Path | None) -> Examination:
    import numpy as np

    from unmask.detector import Detector

    detector = Detector.load(bundle)
    side = detector.info.input_size
    detector.logits_and_maps(np.zeros((1, side, side, 3), np.uint8))
    hashes = ", ".join(f"{name} {sha256[:12]}" for name, sha256 in detector.info.files.items())
    where = "shipped" if bundle is None else os.fspath(bundle)
    return Examination("ok", "detector", f"{detector.label} ({where}), policy {detector.policy}; sha256 {hashes}")


def _face_finder() -> Examination:
    from unmask.demo import draw_face
    from unmask.face.finder import FaceFinder

    finder = FaceFinder.load()
    faces = finder.find(draw_face())
    if len(faces) != 1:
        found = f"found {len(faces)} faces in a drawing of one"
        return Examination("problem", "face finder", found, "Install unmask again.")
    return Examination("ok", "face finder", f"{finder.name}; sha256 {finder.sha256[:12]}")


def _processors() -> Examination:
    offered = import_onnxruntime().get_available_providers()
    providers = {name.removesuffix("ExecutionProvider") for name in offered}
    accelerators = ", ".join(sorted(providers - NO_ACCELERATORS)) or "no accelerator"
    return Examination("ok", "processors", f"{available_cores()} cores; ONNX Runtime offers {accelerators}")


def _drives_nvidia(plugin: str) -> bool:
    """A wheel of PyTorch from elsewhere than PyPI says in its version what it is for; PyPI's are for NVIDIA on Linux only."""
    _, _, local = plugin.partition("+")
    return local.startswith("cu") if local else sys.platform == "linux"


def _graphics_card() -> Examination:
    command = shutil.which("nvidia-smi")
    if command is None:
        return Examination("ok", "graphics card", "none of NVIDIA's found; only training would use it")
    try:
        asked = [command, "--query-gpu=name", "--format=csv,noheader"]
        cards = subprocess.run(asked, capture_output=True, text=True, timeout=10, check=True).stdout.split("\n")
    except (OSError, subprocess.SubprocessError) as error:
        hint = "To train on it, mend the card's driver first."
        return Examination("note", "graphics card", f"nvidia-smi fails: {error}", hint)
    found = ", ".join(card.strip() for card in cards if card.strip()) or "none listed by nvidia-smi"
    for backend, packages in TRAINERS.items():
        plugin = next((f"{name} {version}" for name in packages if (version := _version(name))), None)
        if plugin and _drives_nvidia(plugin):
            return Examination("ok", "graphics card", f"{found}; KERAS_BACKEND={backend} trains on it ({plugin})")
    hint = f"To train on it, {install_extra('torch')}, then KERAS_BACKEND=torch unmask train ..."
    return Examination("note", "graphics card", f"{found}; not used", hint)


def _folder(name: str, find: Callable[[], str]) -> Examination:
    folder = "not there"
    try:
        folder = find()
        with tempfile.NamedTemporaryFile(dir=folder):
            pass
    except OSError as error:
        hint = "Reports need a folder that you may write to."
        return Examination("note", name, f"{folder}: {error.strerror or error}", hint)
    return Examination("ok", name, f"{folder} can be written to")


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
