"""Findings -> CSV, one row a picture; and rows that every reader gets back, whatever the names of the pictures."""

from __future__ import annotations

import csv
import glob
import os
from contextlib import AbstractContextManager
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
    from unmask.finding import ClipFacts, FaceFinding, Failure, Finding, ImageFacts, Verdict

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
    face = deciding_face(finding.faces)
    count = "" if finding.status is Status.UNREADABLE else len(finding.faces)
    return [
        *_answer(finding.path, finding.status, finding.verdict, finding.score, mark_cell(finding)),
        count,
        *_box(face),
        *_file(finding.image),
        *_end(note_codes(finding), finding.failure, finding.detector, finding.policy),
        *[""] * 7,
        *_origin(finding),
    ]


def clip_rows(finding: ClipFinding) -> Iterator[list[object]]:
    """The cells of one clip: a row for each sampled face, or one that says why there is none."""
    clip = [finding.verdict.value if finding.verdict else "", _number(finding.score)]
    if not finding.people:
        count = "" if finding.status is Status.UNREADABLE else 0
        yield [
            *_answer(finding.path, finding.status, finding.verdict, finding.score, mark_cell(finding)),
            count,
            *_box(None),
            *_file(finding.clip),
            *_end(note_codes(finding), finding.failure, finding.detector, finding.policy),
            *[""] * 5,
            *clip,
            *[""] * 4,
        ]
    for number, person in enumerate(finding.people, start=1):
        for moment in person.moments:
            notes = [note.code for note in (*finding.notes, *person.notes, *moment.face.notes)]
            yield [
                *_answer(finding.path, finding.status, moment.face.verdict, moment.face.score, mark_cell(finding)),
                1,
                *_box(moment.face),
                *_file(finding.clip),
                *_end(notes, None, finding.detector, finding.policy),
                *(number, f"{moment.time:.3f}", moment.frame, person.verdict.value, _number(person.score)),
                *clip,
                *[""] * 4,
            ]


def _answer(path: str | None, status: Status, verdict: Verdict | None, score: float | None, marks: str) -> list[object]:
    return [_safe_cell(path or ""), status.value, marks, verdict.value if verdict else "", _number(score)]


def _origin(finding: Finding) -> list[object]:
    image, credentials = finding.image, finding.provenance
    said = [image.camera, image.lens, image.software] if image else [None] * 3
    return [*(_safe_cell(words or "") for words in said), credentials.state if credentials else ""]


def _number(score: float | None) -> str:
    return f"{score:.6f}" if score is not None else ""


def _box(face: FaceFinding | None) -> list[object]:
    return [face.box.left, face.box.top, face.box.width, face.box.height] if face else [""] * 4


def _file(facts: ImageFacts | ClipFacts | None) -> list[object]:
    return [facts.format, facts.width, facts.height, facts.file_bytes, facts.sha256] if facts else [""] * 5


def _end(notes: Iterable[str], failure: Failure | None, detector: str, policy: str) -> list[object]:
    why = [failure.code, _safe_cell(failure.message), failure.hint] if failure else [""] * 3
    return [";".join(dict.fromkeys(notes)), *why, detector, policy]


def _safe_cell(text: str) -> str:
    """A spreadsheet takes a cell that begins like a formula for one; a leading quote keeps it text."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
