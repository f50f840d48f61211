"""Findings -> JSON, CSV and a self-contained HTML page. Each writer takes findings one by one and keeps none."""

from __future__ import annotations

import base64
import json
import os
import tempfile
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from unmask import __version__
from unmask.errors import UnmaskError
from unmask.finding import Box, FaceFinding, Finding, Status
from unmask.output import wording
from unmask.output.csv_rows import RowWriter
from unmask.verdict import deciding_face

if TYPE_CHECKING:
    from types import TracebackType

    import numpy as np
    from numpy.typing import NDArray

    from unmask.checking import Examined
    from unmask.detector import Detector

THUMBNAIL = 360
FACE_SIDE = 160

CSV_COLUMNS = (
    "path", "status", "verdict", "score", "faces", "face_left", "face_top", "face_width", "face_height", "format",
    "width", "height", "file_bytes", "sha256", "notes", "failure", "message", "hint", "detector", "policy",
)  # fmt: skip


@dataclass(slots=True)
class Tally:
    """How many pictures got which answer."""

    pictures: int = 0
    real: int = 0
    unsure: int = 0
    fake: int = 0
    no_face: int = 0
    unreadable: int = 0
    left_out: int = 0

    def add(self, finding: Finding) -> None:
        """Count one finding."""
        self.pictures += 1
        outcome = finding.verdict.value if finding.verdict else finding.status.value.replace("-", "_")
        setattr(self, outcome, getattr(self, outcome) + 1)

    @property
    def unanswered(self) -> int:
        """Pictures without a verdict."""
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
        "terms": detector.info.training_data.terms,
    }


def document(findings: list[Finding], detector: Detector) -> dict[str, Any]:
    """The JSON document for a few findings, as a whole; `JsonWriter` writes the same for any number."""
    tally = Tally()
    for finding in findings:
        tally.add(finding)
    return {
        "unmask": __version__,
        "detector": detector_facts(detector),
        "findings": [finding.to_dict() for finding in findings],
        "summary": asdict(tally),
    }


class JsonWriter(AbstractContextManager["JsonWriter"]):
    """Writes `document` to a stream, one finding at a time.

    Where a person stops it, the document ends with what there is, can be read, and says `"interrupted": true`.
    """

    def __init__(self, stream: IO[str], detector: Detector, tally: Tally) -> None:
        self._stream = stream
        self._tally = tally
        self._first = True
        facts = json.dumps(detector_facts(detector), indent=2).replace("\n", "\n  ")
        stream.write(f'{{\n  "unmask": "{__version__}",\n  "detector": {facts},\n  "findings": [')

    def add(self, finding: Finding) -> None:
        """Write one finding."""
        text = json.dumps(finding.to_dict(), indent=2, allow_nan=False).replace("\n", "\n    ")
        self._stream.write(f"{'' if self._first else ','}\n    {text}")
        self._first = False

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None and not issubclass(kind, KeyboardInterrupt):
            return
        text = json.dumps(asdict(self._tally), indent=2).replace("\n", "\n  ")
        stopped = "" if kind is None else '  "interrupted": true,\n'
        self._stream.write(f'\n  ],\n{stopped}  "summary": {text}\n}}\n')
        self._stream.flush()


class CsvWriter(AbstractContextManager["CsvWriter"]):
    """Writes one row a picture; a picture without an answer is a row, too."""

    def __init__(self, path: Path) -> None:
        self._file = _open_for_writing(path)
        self._writer = RowWriter(self._file)
        self._writer.writerow(CSV_COLUMNS)

    def add(self, finding: Finding) -> None:
        """Write one row. The face columns are those of the face that decided."""
        face = deciding_face(finding.faces)
        box = face.box if face else None
        image, failure = finding.image, finding.failure
        notes = [*finding.notes, *(note for one in finding.faces for note in one.notes)]
        self._writer.writerow(
            [
                _safe_cell(finding.path or ""),
                finding.status.value,
                finding.verdict.value if finding.verdict else "",
                f"{finding.score:.6f}" if finding.score is not None else "",
                "" if finding.status is Status.UNREADABLE else len(finding.faces),
                *((box.left, box.top, box.width, box.height) if box else ("", "", "", "")),
                *((image.format, image.width, image.height, image.file_bytes, image.sha256) if image else [""] * 5),
                ";".join(dict.fromkeys(note.code for note in notes)),
                *((failure.code, _safe_cell(failure.message), failure.hint) if failure else ("", "", "")),
                finding.detector,
                finding.policy,
            ]
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


class HtmlWriter(AbstractContextManager["HtmlWriter"]):
    """Writes a page that needs nothing but itself: thumbnails, heatmaps and styles are inside.

    The cards are kept in a temporary file until the end, so that the summary can stand at the top of the page while
    memory does not grow with the number of pictures. The page appears when it is whole.
    """

    def __init__(self, path: Path, detector: Detector) -> None:
        from jinja2 import Environment, PackageLoader, StrictUndefined

        self._path = path
        self._detector = detector
        environment = Environment(
            loader=PackageLoader("unmask.output"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )
        environment.globals["words"] = wording
        self._page = environment.get_template("findings.html")
        self._card = environment.get_template("finding.html")
        self._tally = Tally()
        _open_for_writing(path, "a").close()  # refused now rather than after an hour
        self._cards = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115  (closed in __exit__)

    def add(self, examined: Examined) -> None:
        """Write one card."""
        from unmask.image.resize import shrink

        finding, pixels = examined.finding, examined.pixels
        self._tally.add(finding)
        self._cards.write(
            self._card.render(
                finding=finding,
                number=self._tally.pictures,
                thumbnail=_jpeg_url(shrink(pixels, THUMBNAIL)) if pixels is not None else None,
                faces=[_face_pictures(face, pixels) for face in finding.faces] if pixels is not None else [],
                thresholds=self._detector.thresholds,
            )
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        from unmask.explain.heatmap import WHAT_IT_IS

        with self._cards:
            self._cards.seek(0)
            page = self._page.generate(
                tally=self._tally,
                cards=_chunks(self._cards),
                detector=self._detector.info,
                policy=self._detector.policy,
                thresholds=self._detector.thresholds,
                version=__version__,
                what_it_is=WHAT_IT_IS,
                interrupted=kind is not None,
            )
            # A device or a pipe is written to as it is; replacing it would take it away.
            whole = self._path.is_file()
            target = self._path.with_name(f".{self._path.name}.part") if whole else self._path
            with _open_for_writing(target) as file:
                file.writelines(page)
            if whole:
                target.replace(self._path)


def heatmap_pictures(
    face: FaceFinding, pixels: NDArray[np.uint8], side: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A face as the detector saw it, plain and with its heatmap over it.

    Args:
        face: With a heatmap, or the second picture is the first.
        pixels: uint8 (H, W, 3), RGB: the whole picture.
        side: Of the results.

    Returns:
        Two uint8 (side, side, 3), RGB.
    """
    from unmask.explain.heatmap import overlay
    from unmask.face.crop import cut
    from unmask.image.resize import resize

    plain = resize(cut(pixels, face.crop), side)
    return plain, overlay(plain, face.heatmap) if face.heatmap is not None else plain


def _face_pictures(face: FaceFinding, pixels: NDArray[np.uint8]) -> dict[str, Any]:
    plain, over = heatmap_pictures(face, pixels, FACE_SIDE)
    return {
        "face": face,
        "plain": _jpeg_url(plain),
        "heatmap": _jpeg_url(over),
        "box": _percent(face.box, pixels),
    }


def _percent(box: Box, pixels: NDArray[np.uint8]) -> dict[str, float]:
    height, width = pixels.shape[:2]
    left, top = max(box.left, 0), max(box.top, 0)
    right, bottom = min(box.left + box.width, width), min(box.top + box.height, height)
    return {
        "left": 100 * left / width,
        "top": 100 * top / height,
        "width": 100 * (right - left) / width,
        "height": 100 * (bottom - top) / height,
    }


def _jpeg_url(pixels: NDArray[np.uint8]) -> str:
    from unmask.image.encode import encode_jpeg

    return "data:image/jpeg;base64," + base64.b64encode(encode_jpeg(pixels, 85)).decode("ascii")


def _chunks(stream: IO[str]) -> Any:
    return iter(lambda: stream.read(1 << 20), "")


def _safe_cell(text: str) -> str:
    """A spreadsheet takes a cell that begins like a formula for one; a leading quote keeps it text."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def _open_for_writing(path: Path, mode: str = "w") -> IO[str]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # A file name that is no UTF-8 must not end a run of thousands.
        return path.open(mode, encoding="utf-8", errors="replace", newline="")
    except OSError as error:
        raise UnmaskError(
            f"cannot write {os.fspath(path)}: {error.strerror or error}",
            hint="Name a file in a folder that you may write to.",
            code="bad-output",
        ) from None
