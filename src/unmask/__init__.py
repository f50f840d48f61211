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
    "BundleInfo": "bundle",
    "read_bundle": "bundle",
    "write_bundle": "bundle",
    "check": "checking",
    "check_paths": "checking",
    "Detector": "checking",
    "UnmaskError": "errors",
    "Box": "finding",
    "ClipFacts": "finding",
    "ClipFinding": "finding",
    "FaceFinding": "finding",
    "Failure": "finding",
    "Finding": "finding",
    "ImageFacts": "finding",
    "Moment": "finding",
    "Note": "finding",
    "PersonFinding": "finding",
    "Status": "finding",
    "Verdict": "finding",
    "LIMITS": "image.limits",
    "Mark": "origin",
    "Provenance": "origin",
    "Image": "image.read",
    "Limits": "image.limits",
    "read_image": "image.read",
    "to_frame": "output.notebook",
    "Thresholds": "verdict",
    "CLIP_LIMITS": "video.limits",
    "Clip": "video.reader",
    "ClipLimits": "video.limits",
    "Frame": "video.reader",
    "read_clip": "video.reader",
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
