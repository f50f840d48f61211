"""One row a picture: truth, score and verdict, or why there is none. In memory, and as scores.csv."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from unmask.data.manifest import clip_of
from unmask.errors import UnmaskError
from unmask.evaluate.pictures import Picture
from unmask.finding import Failure, Status, Verdict
from unmask.output.csv_table import RowWriter
from unmask.stats.metrics import EVEN, Judged
from unmask.verdict import Thresholds, decide, probability

COLUMNS: Final = (
    "path", "label", "status", "verdict", "score", "logit", "source", "method", "group", "failure", "message",
    "detector", "policy", "real_below", "fake_above", "outside_training",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Score:
    """What a detector said of one picture.

    Attributes:
        path: As in `Picture`.
        label: 0 real, 1 fake.
        status: Whether there is an answer.
        logit: Raw output; None without an answer, or where another tool gave a score only.
        score: P(fake), 0..1; None without an answer.
        verdict: None without an answer.
        source: Of the picture; empty where unknown.
        method: Likewise.
        group: Likewise.
        failure: Why there is no answer.
        outside_training: Whether the picture is unlike those that the detector learned from, so that it is not called fake.
    """

    path: str
    label: int
    status: Status
    logit: float | None
    score: float | None
    verdict: Verdict | None
    source: str = ""
    method: str = ""
    group: str = ""
    failure: Failure | None = None
    outside_training: bool = False

    @classmethod
    def of(
        cls,
        picture: Picture | Score,
        status: Status = Status.UNREADABLE,
        logit: float | None = None,
        score: float | None = None,
        verdict: Verdict | None = None,
        failure: Failure | None = None,
        *,
        outside_training: bool = False,
    ) -> Score:
        """The row of a picture, with what is known of it."""
        return cls(
            picture.path, picture.label, status, logit, score, verdict,
            picture.source, picture.method, picture.group, failure, outside_training,
        )  # fmt: skip

    @property
    def together(self) -> str:
        """What it belongs together with: its group, or else the clip that it is a frame of; empty where it stands alone."""
        return self.group or clip_of(self.path) or ""


@dataclass(frozen=True, slots=True)
class ScoreTable:
    """All rows of one detector on one set of pictures.

    Attributes:
        detector: Name, for the report.
        policy: Name of the thresholds.
        thresholds: Where *unsure* begins and ends.
        rows: One a picture, failed ones too.
    """

    detector: str
    policy: str
    thresholds: Thresholds
    rows: tuple[Score, ...]

    @property
    def answered(self) -> tuple[Score, ...]:
        """The rows with a score."""
        return tuple(row for row in self.rows if row.score is not None)

    @property
    def failed(self) -> tuple[Score, ...]:
        """The rows without one."""
        return tuple(row for row in self.rows if row.score is None)

    def judged(self) -> Judged:
        """Labels and scores of the answered rows.

        Raises:
            UndefinedMeasureError: Not one picture was answered.
        """
        known = [(row.label, row.score, row.outside_training) for row in self.rows if row.score is not None]
        labels, scores, outside = zip(*known, strict=True) if known else ((), (), ())
        return Judged.of(labels, scores, self.thresholds, outside=outside)

    def groups(self) -> list[str] | None:
        """What the answered rows belong together with, as `Score.together`; None where each stands alone."""
        names = [row.together for row in self.answered]
        return names if any(names) else None

    def logits(self) -> NDArray[np.float64] | None:
        """Logits of the answered rows; None where one of them has none."""
        logits = [row.logit for row in self.answered]
        return None if any(logit is None for logit in logits) else np.array(logits, dtype=np.float64)

    def subset(self, keep: Iterable[bool]) -> ScoreTable:
        """The rows for which `keep` is true."""
        return replace(self, rows=tuple(row for row, kept in zip(self.rows, keep, strict=True) if kept))


def write_scores(table: ScoreTable, path: Path) -> None:
    """Writes scores.csv, in a folder made if it is not there: one row a picture, failed ones too, numbers in full precision.

    Raises:
        UnmaskError: The file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
            writer = RowWriter(file)
            writer.writerow(COLUMNS)
            writer.writerows(_cells(table, row) for row in table.rows)
    except OSError as error:
        raise UnmaskError(
            f"cannot write {path}: {error.strerror or error}",
            hint="Name a folder that you may write to.",
            code="bad-output",
        ) from None


def _cells(table: ScoreTable, row: Score) -> tuple[object, ...]:
    failure, thresholds = row.failure, table.thresholds
    return (
        row.path, row.label, row.status.value, row.verdict.value if row.verdict else "",
        "" if row.score is None else repr(row.score), "" if row.logit is None else f"{row.logit:.9g}",
        row.source, row.method, row.group, failure.code if failure else "", failure.message if failure else "",
        table.detector, table.policy, repr(thresholds.real_below), repr(thresholds.fake_above), int(row.outside_training),
    )  # fmt: skip


def read_scores(path: Path, *, labels_only: bool = False) -> ScoreTable:
    """Reads scores.csv, ours or that of any other tool.

    Args:
        path: CSV with a header. `path`, `label` (0 or real, 1 or fake) and either `score` (P(fake), 0..1) or
            `logit` are needed; the other columns of ours are used where they are there. Thresholds that the file
            does not name are 0.5: no *unsure*. An empty or non-finite score is a picture without an answer.
        labels_only: Whether scores may be missing altogether.

    Returns:
        One row a line; named after the file where it names no detector.

    Raises:
        UnmaskError: No such file, no such columns, no rows, a cell that cannot be read, a row without a path, a path
            named twice.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
            reader = csv.DictReader(file)
            columns = set(reader.fieldnames or ())
            if not {"path", "label"} <= columns or not (labels_only or {"score", "logit"} & columns):
                raise _bad(path, f"it needs the columns path, label{'' if labels_only else ' and score (or logit)'}")
            # A quoted cell may hold line ends, so the reader says where each row ends.
            lines = [(reader.line_num, cells) for cells in reader]
    except OSError as error:
        raise UnmaskError(
            f"cannot read {path}: {error.strerror or error}",
            hint="Name a bundle's folder, that of a scan's results, or a CSV with the columns path, label, score.",
            code="no-scores",
        ) from None
    except csv.Error as error:
        raise _bad(path, str(error)) from None
    if not lines:
        raise _bad(path, "it has no rows")
    first = lines[0][1]
    thresholds = _thresholds(path, first)
    rows: dict[str, Score] = {}
    for number, cells in lines:
        try:
            row = _row(cells, thresholds)
        except ValueError as error:
            raise _bad(path, f"line {number}: {error}") from None
        if row.path in rows:
            raise _bad(path, f"line {number} names {row.path} again")
        rows[row.path] = row
    return ScoreTable(
        first.get("detector") or path.stem, first.get("policy") or "0.5", thresholds, tuple(rows.values())
    )


def _thresholds(path: Path, cells: dict[str, str]) -> Thresholds:
    if not (cells.get("real_below") and cells.get("fake_above")):
        return EVEN
    try:
        return Thresholds(float(cells["real_below"]), float(cells["fake_above"]))
    except ValueError as error:
        raise _bad(path, f"line 2: {error}") from None


def _row(cells: dict[str, str], thresholds: Thresholds) -> Score:
    if not (cells["path"] or "").strip():
        raise ValueError("it names no path")
    label = {"0": 0, "real": 0, "1": 1, "fake": 1}.get((cells["label"] or "").strip().lower())
    if label is None:
        raise ValueError(f"label {cells['label']!r} is neither 0 (real) nor 1 (fake)")
    logit = _number(cells.get("logit"))
    score = _number(cells.get("score"))
    if score is None and logit is not None and cells.get("status") not in (Status.NO_FACE, Status.UNREADABLE):
        score = float(probability(logit, 1.0))
    if score is not None and not 0 <= score <= 1:
        raise ValueError(f"score {score:g} is outside 0 to 1; a raw output belongs into a column named logit")
    outside = (cells.get("outside_training") or "").strip() == "1"
    source, method, group = (cells.get(name) or "" for name in ("source", "method", "group"))
    picture = Picture(cells["path"], label, source, method, group)
    if score is None:
        status = Status.NO_FACE if cells.get("status") == Status.NO_FACE else Status.UNREADABLE
        code, message = cells.get("failure") or "no-score", cells.get("message") or "the file gives no score"
        failure = Failure(code, message, "See the tool that wrote the file.")
        return Score.of(picture, status, failure=failure, outside_training=outside)
    verdict = decide(score, thresholds, outside_training=outside)
    return Score.of(picture, Status.ANSWERED, logit, score, verdict, outside_training=outside)


def _number(cell: str | None) -> float | None:
    if not (cell or "").strip():
        return None
    value = float(cell or "")
    return value if np.isfinite(value) else None


def _bad(path: Path, what: str) -> UnmaskError:
    return UnmaskError(
        f"{path} is not a table of scores: {what}",
        hint="Give a CSV with the columns path, label (0 real, 1 fake), score (P(fake), 0 to 1).",
        code="bad-scores",
    )
