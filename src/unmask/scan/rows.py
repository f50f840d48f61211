"""One row a picture or clip: what a finding becomes in the table of results, and the columns of that table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unmask.finding import ClipFinding, FaceFinding, Finding
from unmask.output.evidence import mark_cell
from unmask.output.wording import note_codes

if TYPE_CHECKING:
    import pyarrow

Row = dict[str, Any]


def schema() -> pyarrow.Schema:
    """The columns of the results; docs/scan.md says what each holds."""
    import pyarrow as pa

    text, number, whole = pa.string(), pa.float64(), pa.int32()
    face = pa.struct(
        [
            ("left", whole), ("top", whole), ("width", whole), ("height", whole), ("verdict", text), ("score", number),
            ("logit", number), ("notes", pa.list_(text)), ("person", whole), ("time", number),
        ]
    )  # fmt: skip
    return pa.schema(
        [
            ("path", text), ("sha256", text), ("kind", text), ("status", text), ("verdict", text), ("score", number),
            ("faces", pa.list_(face)), ("notes", pa.list_(text)), ("marks", text), ("format", text), ("width", whole),
            ("height", whole), ("file_bytes", pa.int64()), ("failure", text), ("message", text), ("hint", text),
            ("detector", text), ("policy", text), ("checked", text), ("seconds", number),
        ]
    )  # fmt: skip


def row_of(finding: Finding | ClipFinding, name: str, sha256: str | None) -> Row:
    """The row of one finding.

    Args:
        finding: What was found.
        name: What the row is known by.
        sha256: Of the file's bytes; None where they could not be read.
    """
    kind, facts = ("clip", finding.clip) if isinstance(finding, ClipFinding) else ("picture", finding.image)
    file = {name: getattr(facts, name, None) for name in ("format", "width", "height", "file_bytes")}
    failure = {name: getattr(finding.failure, name, None) for name in ("message", "hint")}
    same = {name: getattr(finding, name) for name in ("score", "detector", "policy", "checked", "seconds")}
    return {
        "path": name,
        "sha256": sha256,
        "kind": kind,
        "status": finding.status.value,
        "verdict": finding.verdict.value if finding.verdict else None,
        "faces": _faces(finding),
        "notes": note_codes(finding),
        "marks": mark_cell(finding),
        "failure": finding.failure.code if finding.failure else None,
        **(same | file | failure),
    }


def _faces(finding: Finding | ClipFinding) -> list[Row]:
    if isinstance(finding, Finding):
        return [_face(face, None, None) for face in finding.faces]
    people = enumerate(finding.people, start=1)
    return [_face(moment.face, number, moment.time) for number, person in people for moment in person.moments]


def _face(face: FaceFinding, person: int | None, time: float | None) -> Row:
    box = {"left": face.box.left, "top": face.box.top, "width": face.box.width, "height": face.box.height}
    said = {"verdict": face.verdict.value, "score": face.score, "logit": face.logit}
    return {**box, **said, "notes": [note.code for note in face.notes], "person": person, "time": time}
