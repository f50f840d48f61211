"""Findings -> CSV, one row a picture; and rows that every reader gets back, whatever the names of the pictures."""

from __future__ import annotations

import csv
import glob
import os
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import IO, TYPE_CHECKING

from unmask import __version__
from unmask.finding import ClipFinding, Status
from unmask.output.evidence import mark_cell
from unmask.output.files import file_stem, report_place, writing
from unmask.output.wording import note_codes
from unmask.system.lock import take_lock
from unmask.verdict import deciding_face

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from unmask.checking import Examined, ExaminedClip
    from unmask.detector import Detector
    from unmask.finding import ClipFacts, FaceFinding, Finding, ImageFacts

# When and by what each row was answered.
TRACE_COLUMNS = ("checked", "bundle_sha256", "unmask")
CSV_COLUMNS = (
    "path", "status", "marks", "verdict", "score", "faces", "face_left", "face_top", "face_width", "face_height", "format",
    "width", "height", "file_bytes", "sha256", "notes", "failure", "message", "hint", "detector", "policy",
    "person", "time", "frame", "person_verdict", "person_score", "clip_verdict", "clip_score",
    "camera", "lens", "software", "credentials", *TRACE_COLUMNS,
)  # fmt: skip


class RowWriter:
    """`csv.writer` with line ends of one byte, which also quotes a carriage return.

    Python before 3.13 quotes only what is part of its own line end; a bare carriage return then ends the line for readers.
    """

    def __init__(self, file: IO[str]) -> None:
        self._plain = csv.writer(file, lineterminator="\n")
        self._quoting = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)

    def writerow(self, row: Iterable[object]) -> None:
        """Write one row."""
        cells = list(row)
        returns = any("\r" in cell for cell in cells if isinstance(cell, str))
        (self._quoting if returns else self._plain).writerow(cells)

    def writerows(self, rows: Iterable[Iterable[object]]) -> None:
        """Write some rows."""
        for row in rows:
            self.writerow(row)


class CsvWriter(AbstractContextManager["CsvWriter"]):
    """Writes one row a picture and one a sampled face of a clip; what has no answer is a row, too.

    The rows go to a file of their own beside `path`, each as soon as it is known, and that takes the place of `path` when
    all are there. However a run ends, the rows that it found are kept, half a table is never taken for a whole one, and two
    runs that write one file do not mix.

    Attributes:
        place: Where the rows are; `path` once the table is whole.
        left_over: Where the rows of earlier runs are that were killed or stopped before `path` was whole.

    Args:
        path: Of the table.
        detector: The one that judges.

    Raises:
        UnmaskError: The file cannot be written.
    """

    def __init__(self, path: Path, detector: Detector) -> None:
        path, is_device = report_place(path)
        self._by = [detector.bundle.sha256, __version__]
        self._path = path
        self.place = path if is_device else path.with_name(f"{file_stem(path.name)}.{os.urandom(4).hex()}.part")
        self.left_over = () if is_device else _left_over(path)
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            # A file name that is no UTF-8 must not end a run of thousands.
            self._file = self.place.open("w" if is_device else "x", encoding="utf-8", errors="replace", newline="")
        if not is_device:
            take_lock(self._file.fileno())  # tells later runs that this one still writes
        self._rows = RowWriter(self._file)
        self._rows.writerow(CSV_COLUMNS)
        self._is_empty = True

    def add(self, examined: Examined | ExaminedClip) -> None:
        """Write one row for a picture, whose face columns are those of the face that decided; for a clip one a sampled face."""
        finding = examined.finding
        rows = clip_rows(finding) if isinstance(finding, ClipFinding) else [picture_row(finding)]
        self._is_empty = False
        with writing(self._path):
            self._rows.writerows([*row, finding.checked, *self._by] for row in rows)
            self._file.flush()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        with writing(self._path):
            self._file.close()
            if self.place != self._path:
                if error is None:
                    self.place = self.place.replace(self._path)
                elif self._is_empty:
                    self.place.unlink()


def _left_over(path: Path) -> tuple[Path, ...]:
    parts = path.parent.glob(f"{glob.escape(file_stem(path.name))}.{'[0-9a-f]' * 8}.part")
    return tuple(sorted(part for part in parts if _nobody_writes(part)))


def _nobody_writes(part: Path) -> bool:
    try:
        with part.open("a") as file:
            return take_lock(file.fileno())
    except OSError:
        return False


def picture_row(finding: Finding) -> list[object]:
    """The cells of one picture, but for those that say when and by what it was answered."""
    cells = _cells(finding, finding.image) | _box(deciding_face(finding.faces))
    if image := finding.image:
        said = {"camera": image.camera, "lens": image.lens, "software": image.software}
        cells |= {name: _safe_cell(words or "") for name, words in said.items()}
    if finding.provenance:
        cells["credentials"] = finding.provenance.state
    return _in_order(cells)


def clip_rows(finding: ClipFinding) -> Iterator[list[object]]:
    """The cells of one clip: a row for each sampled face, or one that says why there is none."""
    cells = _cells(finding, finding.clip)
    cells |= {"clip_verdict": cells["verdict"], "clip_score": cells["score"]}
    if not finding.people:
        yield _in_order(cells)
    for number, person in enumerate(finding.people, start=1):
        for moment in person.moments:
            notes = dict.fromkeys(note.code for note in (*finding.notes, *person.notes, *moment.face.notes))
            own = {
                "verdict": moment.face.verdict.value,
                "score": _number(moment.face.score),
                "faces": 1,
                "notes": ";".join(notes),
                "person": number,
                "time": f"{moment.time:.3f}",
                "frame": moment.frame,
                "person_verdict": person.verdict.value,
                "person_score": _number(person.score),
            }
            yield _in_order(cells | _box(moment.face) | own)


def _cells(finding: Finding | ClipFinding, facts: ImageFacts | ClipFacts | None) -> dict[str, object]:
    """What is told of a picture as of a clip."""
    cells: dict[str, object] = {
        "path": _safe_cell(finding.path or ""),
        "status": finding.status.value,
        "marks": mark_cell(finding),
        "verdict": finding.verdict.value if finding.verdict else "",
        "score": _number(finding.score),
        "faces": "" if finding.status is Status.UNREADABLE else len(finding.faces),
        "notes": ";".join(note_codes(finding)),
        "detector": finding.detector,
        "policy": finding.policy,
    }
    if facts:
        cells |= {name: getattr(facts, name) for name in ("format", "width", "height", "file_bytes", "sha256")}
    if failure := finding.failure:
        cells |= {"failure": failure.code, "message": _safe_cell(failure.message), "hint": failure.hint}
    return cells


def _box(face: FaceFinding | None) -> dict[str, object]:
    return {f"face_{name}": value for name, value in asdict(face.box).items()} if face else {}


def _in_order(cells: dict[str, object]) -> list[object]:
    return [cells.get(name, "") for name in CSV_COLUMNS if name not in TRACE_COLUMNS]


def _number(score: float | None) -> str:
    return f"{score:.6f}" if score is not None else ""


def _safe_cell(text: str) -> str:
    """A spreadsheet takes a cell that begins like a formula for one; a leading quote keeps it text."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
