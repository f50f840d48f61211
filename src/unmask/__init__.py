"""Unmask tells real face pictures from deepfakes.

    >>> import unmask
    >>> unmask.check("photo.jpg").verdict  # doctest: +SKIP
    <Verdict.UNSURE: 'unsure'>

For many pictures load the detector once: `Detector.load()`, then `Detector.check` or `check_paths`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.2.0"

if TYPE_CHECKING:
    from unmask.bundle import BundleInfo, read_bundle, write_bundle
    from unmask.checking import Detector, check, check_paths
    from unmask.errors import UnmaskError
    from unmask.finding import (
        Box,
        ClipFacts,
        ClipFinding,
        FaceFinding,
        Failure,
        Finding,
        ImageFacts,
        Moment,
        Note,
        PersonFinding,
        Status,
        Verdict,
    )
    from unmask.image.limits import LIMITS, Limits
    from unmask.image.read import Image, read_image
    from unmask.origin import Mark, Provenance
    from unmask.output.notebook import to_frame
    from unmask.verdict import Thresholds
    from unmask.video.limits import CLIP_LIMITS, ClipLimits
    from unmask.video.reader import Clip, Frame, read_clip

# Where each public name lives. Loaded when first used, so that `import unmask` costs nothing and a program that only
# reads pictures never loads a runtime.
_HOMES = {
    name: home
    for home, names in {
        "bundle": "BundleInfo read_bundle write_bundle",
        "checking": "Detector check check_paths",
        "errors": "UnmaskError",
        "finding": "Box ClipFacts ClipFinding FaceFinding Failure Finding ImageFacts Moment Note PersonFinding Status Verdict",
        "image.limits": "LIMITS Limits",
        "image.read": "Image read_image",
        "origin": "Mark Provenance",
        "output.notebook": "to_frame",
        "verdict": "Thresholds",
        "video.limits": "CLIP_LIMITS ClipLimits",
        "video.reader": "Clip Frame read_clip",
    }.items()
    for name in names.split()
}

__all__ = [
    "CLIP_LIMITS",
    "LIMITS",
    "Box",
    "BundleInfo",
    "Clip",
    "ClipFacts",
    "ClipFinding",
    "ClipLimits",
    "Detector",
    "FaceFinding",
    "Failure",
    "Finding",
    "Frame",
    "Image",
    "ImageFacts",
    "Limits",
    "Mark",
    "Moment",
    "Note",
    "PersonFinding",
    "Provenance",
    "Status",
    "Thresholds",
    "UnmaskError",
    "Verdict",
    "__version__",
    "check",
    "check_paths",
    "read_bundle",
    "read_clip",
    "read_image",
    "to_frame",
    "write_bundle",
]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'unmask' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"unmask.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
