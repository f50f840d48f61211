"""A detector over many pictures: the same way from bytes to input as `unmask check`, several pictures at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from unmask.errors import UnmaskError
from unmask.evaluate.pictures import Picture, Pictures, Pixels
from unmask.evaluate.scores import Score, ScoreTable
from unmask.finding import Failure, Finding, Status, Verdict
from unmask.image.resize import resize
from unmask.system.cores import available_cores
from unmask.verdict import decide, deciding_face, probability

if TYPE_CHECKING:
    from unmask.detector import Detector

# Pictures a task: few enough to keep every core busy to the end, and of one input each in the detector's batches.
BLOCK = 16


@dataclass(frozen=True, slots=True)
class Raw:
    """What the detector gives for one picture, before any thresholds.

    Attributes:
        logit: Positive is fake.
        outside_training: Whether the picture is unlike those that the detector learned from.
    """

    logit: float
    outside_training: bool


OnDone = Callable[[int], None]
Change = Callable[[Pixels, int], Pixels]
"""Pixels and index of a picture -> pixels; what happens to a picture on its way to the detector."""


def score_pictures(
    detector: Detector,
    pictures: Pictures,
    *,
    face_search: bool = False,
    workers: int | None = None,
    on_done: OnDone = lambda done: None,
) -> ScoreTable:
    """Scores every picture; one that cannot be read is a row with the reason and stops nothing.

    Args:
        detector: Load it with `threads=1`: several pictures at once are faster than several threads for one.
        pictures: What to score.
        face_search: False to take each picture as the face, as for prepared sets and face crops; True to find the
            largest face as `unmask check` does (needs the files, not a prepared folder).
        workers: Pictures under way at once; None for one a core.
        on_done: Called with how many pictures are done.

    Returns:
        One row a picture, in their order.

    Raises:
        UnmaskError: A face search in a prepared folder.
    """
    if face_search:
        rows = _with_face_search(detector, pictures, workers, on_done)
    else:
        found = score_some(detector, pictures, range(len(pictures)), workers=workers, on_done=on_done)
        rows = [_row(detector, picture, answer) for picture, answer in zip(pictures.items, found, strict=True)]
    return ScoreTable(detector.label, detector.policy, detector.thresholds, tuple(rows))


def score_some(
    detector: Detector,
    pictures: Pictures,
    indexes: Sequence[int],
    *,
    change: Change | None = None,
    workers: int | None = None,
    on_done: OnDone = lambda done: None,
) -> list[Raw | Failure]:
    """What the detector gives for some pictures, whole pictures as crops, or why one has nothing.

    Args:
        detector: Loaded with one thread.
        pictures: Where they come from.
        indexes: Which of them.
        change: What happens to the pixels before they are resized to the detector's input.
        workers: Blocks under way at once; None for one a core.
        on_done: Called with how many pictures are done.

    Returns:
        In the order of `indexes`.
    """

    def block(part: Sequence[int]) -> list[Raw | Failure]:
        result: list[Failure | None] = []
        crops = []
        for index in part:
            try:
                crops.append(read_crop(detector, pictures, index, change))
                result.append(None)
            except UnmaskError as error:
                result.append(Failure(error.code, error.message, error.hint))
            except Exception as error:  # of an encoder that ends at some size, each in its own way
                if change is None or isinstance(error, ImportError):
                    raise
                result.append(Failure("not-deliverable", f"it cannot be changed: {error}", "Look at its size."))
        answers = iter(_raw(detector, crops))
        return [failure or next(answers) for failure in result]

    parts = [indexes[start : start + BLOCK] for start in range(0, len(indexes), BLOCK)]
    with ThreadPoolExecutor(workers or available_cores(), thread_name_prefix="evaluate") as pool:
        found: list[Raw | Failure] = []
        for answers in pool.map(block, parts):
            found += answers
            on_done(len(found))
        return found


def read_crop(detector: Detector, pictures: Pictures, index: int, change: Change | None = None) -> NDArray[np.uint8]:
    """A picture as the detector's input.

    Args:
        detector: Whose input it is to be.
        pictures: Where it comes from.
        index: Which of them.
        change: What happens to the pixels before they are resized.

    Returns:
        uint8 (S, S, 3).

    Raises:
        UnmaskError: It cannot be read, or was rejected when it was prepared.
    """
    failure = pictures.items[index].failure
    if failure:
        raise UnmaskError(failure.message, hint=failure.hint, code=failure.code)
    pixels = pictures.read(index)
    return resize(change(pixels, index) if change else pixels, detector.info.input_size)


def _raw(detector: Detector, crops: list[NDArray[np.uint8]]) -> list[Raw | Failure]:
    if not crops:
        return []
    found = detector.outputs(np.stack(crops))
    nothing = Failure("no-score", "the detector gave no number for this picture", "Export the detector again.")
    return [
        Raw(float(logit), bool(outside)) if np.isfinite(logit) else nothing
        for logit, outside in zip(found.logits, found.outside_training, strict=True)
    ]


def _row(detector: Detector, picture: Picture, found: Raw | Failure) -> Score:
    if isinstance(found, Failure):
        return _score(picture, Status.UNREADABLE, failure=found)
    score = float(probability(found.logit, detector.info.temperature))
    verdict = decide(score, detector.thresholds, outside_training=found.outside_training)
    return _score(picture, Status.ANSWERED, found.logit, score, verdict, outside_training=found.outside_training)


def _with_face_search(detector: Detector, pictures: Pictures, workers: int | None, on_done: OnDone) -> list[Score]:
    from unmask.checking import examine_paths

    if pictures.files is None:
        raise UnmaskError(
            "a prepared folder holds crops, not whole pictures to search for faces",
            hint="Leave out --face-search, or name the dataset's folder.",
            code="no-files",
        )
    examined = examine_paths(pictures.files, detector, workers=workers, heatmap=False)
    rows = []
    for each, picture in zip(examined, pictures.items, strict=True):
        rows.append(_row_of(each.finding, picture))
        on_done(len(rows))
    return rows


def _row_of(finding: Finding, picture: Picture) -> Score:
    face = deciding_face(finding.faces)
    logit, outside = (face.logit, face.outside_training) if face else (None, False)
    return _score(
        picture, finding.status, logit, finding.score, finding.verdict, finding.failure, outside_training=outside
    )


def _score(
    picture: Picture,
    status: Status,
    logit: float | None = None,
    score: float | None = None,
    verdict: Verdict | None = None,
    failure: Failure | None = None,
    *,
    outside_training: bool = False,
) -> Score:
    return Score(
        picture.path, picture.label, status, logit, score, verdict,
        picture.source, picture.method, picture.group, failure, outside_training,
    )  # fmt: skip
