"""Findings -> the JSON document, as a whole or one finding at a time, and how many got which answer."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import IO, TYPE_CHECKING, Any

from unmask import __version__
from unmask.errors import UnmaskError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unmask.checking import Examined, ExaminedClip
    from unmask.detector import Detector
    from unmask.finding import ClipFinding, Finding


@dataclass(slots=True)
class Tally:
    """How many pictures and clips got which answer; `pictures` counts both."""

    pictures: int = 0
    real: int = 0
    unsure: int = 0
    fake: int = 0
    no_face: int = 0
    unreadable: int = 0
    left_out: int = 0

    def add(self, finding: Finding | ClipFinding) -> None:
        """Count one finding."""
        self.pictures += 1
        outcome = finding.verdict.value if finding.verdict else finding.status.value.replace("-", "_")
        setattr(self, outcome, getattr(self, outcome) + 1)

    @property
    def unanswered(self) -> int:
        """Pictures and clips without a verdict."""
        return self.no_face + self.unreadable


def detector_facts(detector: Detector) -> dict[str, Any]:
    """What a reader of a JSON document or a page has to know of the detector."""
    return {
        "name": detector.info.name,
        "version": detector.info.version,
        "architecture": detector.info.architecture,
        "policy": detector.policy,
        "real_below": detector.thresholds.real_below,
        "fake_above": detector.thresholds.fake_above,
        "temperature": detector.info.temperature,
        "input_size": detector.info.input_size,
        "model_sha256": detector.info.files["model.onnx"],
        "bundle_sha256": detector.bundle.sha256,
        "terms": detector.info.training_data.terms,
    }


def entry(finding: Finding | ClipFinding) -> dict[str, Any]:
    """One finding in a document: its JSON form, and when it was answered."""
    return finding.to_dict() | {"checked": finding.checked}


def document(findings: Sequence[Finding | ClipFinding], detector: Detector) -> dict[str, Any]:
    """The JSON document for a few findings, as a whole; `JsonWriter` writes the same for any number."""
    tally = Tally()
    for finding in findings:
        tally.add(finding)
    return {
        "unmask": __version__,
        "detector": detector_facts(detector),
        "findings": [entry(finding) for finding in findings],
        "summary": asdict(tally),
    }


class JsonWriter(AbstractContextManager["JsonWriter"]):
    """Writes `document` to a stream, one finding at a time.

    Where a person or an error stops it, the document ends with what there is, can be read, and says
    `"interrupted": true`; after an error with its `"error"`, too.

    Args:
        stream: Text that can hold any letter; it is written to, and not closed.
        detector: The one that judges.
        tally: Counted by the caller, who knows what was left out; the summary counts the findings that were written.
    """

    def __init__(self, stream: IO[str], detector: Detector, tally: Tally) -> None:
        self._stream = stream
        self._caller = tally
        self._tally = Tally()
        stream.write(
            f'{{\n  "unmask": "{__version__}",\n  "detector": {_json(detector_facts(detector), 2)},\n  "findings": ['
        )

    def add(self, examined: Examined | ExaminedClip) -> None:
        """Write one finding."""
        self._stream.write(f"{',' if self._tally.pictures else ''}\n    {_json(entry(examined.finding), 4)}")
        self._tally.add(examined.finding)

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):  # the reader is gone, or the disk full
            return
        self._tally.left_out = self._caller.left_out
        stopped = "" if error is None else '  "interrupted": true,\n'
        if isinstance(error, UnmaskError):
            reason = {"code": error.code, "message": error.message, "hint": error.hint}
            stopped += f'  "error": {_json(reason, 2)},\n'
        self._stream.write(f'\n  ],\n{stopped}  "summary": {_json(asdict(self._tally), 2)}\n}}\n')
        self._stream.flush()


def _json(value: dict[str, Any], indent: int) -> str:
    return json.dumps(value, indent=2, allow_nan=False).replace("\n", "\n" + " " * indent)
