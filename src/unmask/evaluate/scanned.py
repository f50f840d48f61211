"""A scan's results as a table of scores, where it is known which pictures are real and which are fake."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from unmask.errors import UnmaskError
from unmask.evaluate.pictures import Picture, open_pictures
from unmask.evaluate.scores import Score, ScoreTable, read_scores
from unmask.finding import OUTSIDE_TRAINING, Failure, Status, Verdict
from unmask.scan.results import JOB, PARTS, SUMMARY, batches_of
from unmask.verdict import Thresholds

_COLUMNS: Final = ["path", "sha256", "kind", "status", "verdict", "score", "faces", "failure", "message", "hint"]
# Where a name can be cut so that the rest of it is a name, too.
_CUT: Final = re.compile(r"[/\\#]")
_NOT_SCANNED: Final = Failure("not-scanned", "the scan has no row for it", "Scan it as well, into the same folder.")
_A_CLIP: Final = Failure("clip", "it is a clip, and pictures are judged here", "Judge its frames: unmask prepare.")


@dataclass(frozen=True, slots=True)
class Labels:
    """Which pictures are real and which are fake.

    Attributes:
        name: Of the folder or file that says so.
        pictures: By their paths.
        notes: As in `Pictures`.
        split: Likewise.
    """

    name: str
    pictures: Mapping[str, Picture | Score]
    notes: tuple[str, ...] = ()
    split: str | None = None


def scan_folder(path: Path) -> Path | None:
    """The folder of a scan's results that is meant by itself or by its folder of parts; None where it is none."""
    folder = path.parent if path.name == PARTS else path
    return folder if (folder / JOB).is_file() else None


def known_labels(data: str | Path, split: str) -> Labels:
    """Reads which pictures are real and which are fake.

    Args:
        data: What `open_pictures` takes, or a CSV with the columns `path` and `label`, and perhaps `source, method, group`.
        split: Which split of a dataset or prepared folder.

    Raises:
        UnmaskError: There is no such folder, split or picture, or the CSV cannot be read.
    """
    path = Path(data)
    if path.is_file():
        return Labels(path.name, {row.path: row for row in read_scores(path, labels_only=True).rows})
    found = open_pictures(path, split)
    return Labels(found.name, {picture.path: picture for picture in found.items}, found.notes, found.split)


def detector_of(folder: Path) -> dict[str, Any]:
    """Facts of the detector that scanned, as `unmask.output.documents.detector_facts`.

    Raises:
        UnmaskError: The scan has not come to its end.
    """
    try:
        return dict(json.loads((folder / SUMMARY[0]).read_text(encoding="utf-8"))["detector"])
    except (OSError, ValueError, KeyError):
        raise UnmaskError(
            f"the scan in {folder} has not come to its end: it has no whole {SUMMARY[0]}",
            hint="Give the command of the scan again; it goes on where it was stopped.",
            code="unfinished-scan",
        ) from None


def read_scan(folder: Path, labels: Labels) -> ScoreTable:
    """The scores of those pictures of a scan of which the label is known.

    A row is of the labelled picture whose path its own ends with, in whole names of folders: ``s3://bucket/Test/Real/1.jpg``
    and ``set.tar#Test/Real/1.jpg`` are of ``Test/Real/1.jpg``. Rows of no labelled picture are passed over.

    Args:
        folder: Of the results.
        labels: As `known_labels` gives them.

    Returns:
        One row a labelled picture, also for those that the scan has not or that are clips: without an answer.

    Raises:
        UnmaskError: The scan has not come to its end, is of none of these pictures, or is of two different ones by one name.
    """
    detector, known = detector_of(folder), labels.pictures
    found: dict[str, Score] = {}
    names: dict[str, tuple[str, str]] = {}
    example = ""
    for batch in batches_of(folder / PARTS, _COLUMNS):
        for row in batch:
            example = example or row["path"]
            if (picture := _labelled(row["path"], known)) is None:
                continue
            name, sha256 = names.setdefault(picture.path, (row["path"], row["sha256"]))
            if sha256 != row["sha256"]:
                raise UnmaskError(
                    f"{name} and {row['path']} are different files, and both could be {picture.path}",
                    hint="Scan one of them only, or give a CSV of labels with longer paths.",
                    code="bad-results",
                )
            found[picture.path] = _score(row, picture)
    if not found:
        raise UnmaskError(
            f"no row of {folder} is of a labelled picture",
            hint=f"Paths there, such as {example or 'none'}, must end like those of the labels, such as {min(known)}.",
            code="no-shared-pictures",
        )
    rows = [found.get(path) or Score.of(picture, failure=_NOT_SCANNED) for path, picture in known.items()]
    return ScoreTable(
        f"{detector['name']} {detector['version']}",
        detector["policy"],
        Thresholds(detector["real_below"], detector["fake_above"]),
        tuple(rows),
    )


def _labelled(name: str, known: Mapping[str, Picture | Score]) -> Picture | Score | None:
    starts = [0, *(cut.end() for cut in _CUT.finditer(name))]
    spellings = (name, name.replace("\\", "/"))
    return next((known[each[start:]] for each in spellings for start in starts if each[start:] in known), None)


def _score(row: dict[str, Any], picture: Picture | Score) -> Score:
    if row["kind"] == "clip":
        return Score.of(picture, failure=_A_CLIP)
    if row["score"] is None:
        failure = Failure(row["failure"], row["message"] or "", row["hint"] or "")
        return Score.of(picture, Status(row["status"]), failure=failure)
    verdict = Verdict(row["verdict"])
    deciding = next(face for face in row["faces"] if (face["score"], face["verdict"]) == (row["score"], verdict.value))
    outside = OUTSIDE_TRAINING.code in deciding["notes"]
    return Score.of(picture, Status.ANSWERED, deciding["logit"], row["score"], verdict, outside_training=outside)
