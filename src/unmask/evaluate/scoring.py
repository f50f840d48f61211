"""A detector over many pictures: the same way from bytes to input as `unmask check`, several pictures at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np
from numpy.typing import NDArray

from unmask.detector import Detector
from unmask.errors import UnmaskError
from unmask.evaluate.pictures import Picture, Pictures, Pixels
from unmask.evaluate.scores import Score, ScoreTable
from unmask.finding import Failure, Status
from unmask.image.resize import resize
from unmask.system.cores import available_cores
from unmask.verdict import decide, deciding_face, probability

# Pictures a task: few enough to keep every core busy to the end, and of one input each in the detector's batches.
BLOCK = 16
_NO_NUMBER: Final = Failure("no-score", "the detector gave no number for this picture", "Export the detector again.")

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
        rows = score_some(detector, pictures, range(len(pictures)), workers=workers, on_done=on_done)
    return ScoreTable(detector.label, detector.policy, detector.thresholds, tuple(rows))


def score_some(
    detector: Detector,
    pictures: Pictures,
    indexes: Sequence[int],
    *,
    change: Change | None = None,
    workers: int | None = None,
    on_done: OnDone = lambda done: None,
) -> list[Score]:
    """Scores the pictures of some indexes, each taken whole as the crop of a face: one row for each, in their order.

    Args:
        change: What happens to the pixels before they are resized to the detector's input.
        workers: Blocks under way at once; None for one a core.

    The others are those of `score_pictures`.
    """

    def block(part: Sequence[int]) -> list[Score]:
        failures: dict[int, Failure] = {}
        crops: dict[int, Pixels] = {}
        for index in part:
            try:
                crops[index] = read_crop(detector, pictures, index, change)
            except UnmaskError as error:
                failures[index] = Failure(error.code, error.message, error.hint)
            except Exception as error:  # of an encoder that ends at some size, each in its own way
                if change is None or isinstance(error, ImportError):
                    raise
                failures[index] = Failure("not-deliverable", f"it cannot be changed: {error}", "Look at its size.")
        rows = {index: Score.of(pictures.items[index], failure=failure) for index, failure in failures.items()}
        if crops:
            found = detector.outputs(np.stack(list(crops.values())))
            for index, logit, outside in zip(crops, found.logits, found.outside_training, strict=True):
                rows[index] = _row(detector, pictures.items[index], float(logit), bool(outside))
        return [rows[index] for index in part]

    parts = [indexes[start : start + BLOCK] for start in range(0, len(indexes), BLOCK)]
    with ThreadPoolExecutor(workers or available_cores(), thread_name_prefix="evaluate") as pool:
        scored: list[Score] = []
        for rows in pool.map(block, parts):
            scored += rows
            on_done(len(scored))
        return scored


def read_crop(detector: Detector, pictures: Pictures, index: int, change: Change | None = None) -> NDArray[np.uint8]:
    """A picture as the detector's input, uint8 (S, S, 3); `change` is what happens to its pixels before they are resized.

    Raises:
        UnmaskError: It cannot be read, or was rejected when it was prepared.
    """
    failure = pictures.items[index].failure
    if failure:
        raise UnmaskError(failure.message, hint=failure.hint, code=failure.code)
    pixels = pictures.read(index)
    return resize(change(pixels, index) if change else pixels, detector.info.input_size)


def _row(detector: Detector, picture: Picture, logit: float, outside: bool) -> Score:
    if not np.isfinite(logit):
        return Score.of(picture, failure=_NO_NUMBER)
    score = float(probability(logit, detector.info.temperature))
    verdict = decide(score, detector.thresholds, outside_training=outside)
    return Score.of(picture, Status.ANSWERED, logit, score, verdict, outside_training=outside)


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
        finding = each.finding
        face = deciding_face(finding.faces)
        rows.append(
            Score.of(
                picture,
                finding.status,
                face.logit if face else None,
                finding.score,
                finding.verdict,
                finding.failure,
                outside_training=face.outside_training if face else False,
            )
        )
        on_done(len(rows))
    return rows
