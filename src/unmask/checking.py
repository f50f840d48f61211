"""Pictures in, findings out: the main job, for one picture or a stream of them."""

from __future__ import annotations

import os
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unmask.detector import Detector as CropDetector
from unmask.errors import UnmaskError
from unmask.explain.heatmap import normalise
from unmask.face.crop import SMALLEST_FACE, Crop, crop_faces, cut_crops, whole_picture
from unmask.finding import NOT_CALIBRATED, OUTSIDE_TRAINING, FaceFinding, Failure, Finding, Note, Status, Verdict
from unmask.image.read import Image, read_image
from unmask.system.cores import available_cores
from unmask.verdict import decide, deciding_face, probability

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    Source = str | Path | bytes | NDArray[np.uint8]

# Pictures under way at once unless told otherwise. Each holds its pixels and what the networks need for it, up to 100 MB for
# a photo of 12 megapixels; a machine with more cores is put to use by several processes.
MOST_WORKERS = 8


@dataclass(frozen=True, slots=True)
class Examined:
    """A finding with the pixels that it is about, for drawing; None where there is nothing to draw."""

    finding: Finding
    pixels: NDArray[np.uint8] | None


class Detector(CropDetector):
    """A loaded bundle, ready to answer. Safe to share between threads, and picklable.

    Example:
        >>> import unmask
        >>> detector = unmask.Detector.load()
        >>> finding = detector.check("photo.jpg")  # doctest: +SKIP
        >>> finding.verdict, finding.score  # doctest: +SKIP
        (<Verdict.UNSURE: 'unsure'>, 0.53)
    """

    def check(
        self, source: Source, *, face_search: bool = True, max_faces: int | None = None, heatmap: bool = True
    ) -> Finding:
        """The answer for one picture.

        Args:
            source: A path, the bytes of a file, or uint8 RGB pixels (H, W, 3).
            face_search: False to take the whole picture as the face.
            max_faces: Judge only so many of the largest faces, 1 or more; None for all.
            heatmap: Whether each face comes with its Grad-CAM map.

        Returns:
            The finding. A picture without a face has the status "no-face" and no score; it is no error.

        Raises:
            UnmaskError: If the picture cannot be read, `max_faces` is below 1, or the detector gives no number.
        """
        return examine_image(self, source, face_search=face_search, max_faces=max_faces, heatmap=heatmap).finding


def check(source: Source) -> Finding:
    """The answer for one picture, by the shipped detector, loaded once.

    Args:
        source: A path, the bytes of a file, or uint8 RGB pixels (H, W, 3).

    Returns:
        The finding, with a heatmap of each face.

    Raises:
        UnmaskError: If the picture cannot be read.
    """
    return _shipped_detector().check(source)


@cache
def _shipped_detector() -> Detector:
    return Detector.load()


def examine_image(
    detector: CropDetector,
    source: Source,
    *,
    face_search: bool = True,
    max_faces: int | None = None,
    heatmap: bool = True,
) -> Examined:
    """As `Detector.check`, the finding together with the picture's pixels."""
    _refuse_max_faces(max_faces)
    started = time.perf_counter()
    image = read_image(source)
    path = os.fspath(source) if isinstance(source, str | Path) else None
    finding = _judge(detector, image, path, started, face_search=face_search, max_faces=max_faces, heatmap=heatmap)
    return Examined(finding, image.pixels)


def check_paths(
    paths: Iterable[str | Path],
    detector: CropDetector,
    *,
    face_search: bool = True,
    max_faces: int | None = None,
    heatmap: bool = False,
    workers: int | None = None,
) -> Iterator[Finding]:
    """The answers for many pictures, one by one, in the order of the paths.

    Args:
        paths: Files. Folders are for `unmask.cli.paths.expand`.
        detector: Loaded once, shared by all workers; load it with `threads=1` for the best throughput.
        face_search: False to take each whole picture as the face.
        max_faces: Judge only so many of the largest faces in each; None for all.
        heatmap: Whether each face comes with its Grad-CAM map.
        workers: Pictures under way at once; None for one a core, at most `MOST_WORKERS`.

    Yields:
        A `Finding` for every path. One that cannot be read is a finding with the status "unreadable"; it never stops
        the others. Memory grows neither with the number of paths nor with the cores of the machine.

    Raises:
        UnmaskError: If an argument makes no sense, or the detector itself is unfit: one that gives no number has no
            business judging the rest. Never for a picture.
    """
    for examined in examine_paths(
        paths, detector, face_search=face_search, max_faces=max_faces, heatmap=heatmap, workers=workers
    ):
        yield examined.finding


def examine_paths(
    paths: Iterable[str | Path],
    detector: CropDetector,
    *,
    face_search: bool = True,
    max_faces: int | None = None,
    heatmap: bool = True,
    workers: int | None = None,
) -> Iterator[Examined]:
    """As `check_paths`, each finding with a heatmap together with the picture's pixels, to draw it on."""
    if isinstance(paths, str | Path):
        raise UnmaskError("paths are many", hint="Give a list of paths, or use Detector.check.", code="wrong-source")
    if workers is not None and workers < 1:
        raise UnmaskError(f"{workers} workers make no sense", hint="Give 1 or more.", code="bad-workers")
    _refuse_max_faces(max_faces)

    def examine(path: Any) -> Examined:
        started = time.perf_counter()
        name = os.fsdecode(path) if isinstance(path, str | bytes | os.PathLike) else repr(path)
        try:
            # Bytes would be taken for the file itself, and here they are its name.
            image = read_image(name if isinstance(path, bytes) else path)
        except UnmaskError as error:
            return Examined(unreadable(detector, name, error, time.perf_counter() - started), None)
        # Outside the try: what goes wrong from here on is the detector's fault, and every answer of the run is in doubt.
        finding = _judge(detector, image, name, started, face_search=face_search, max_faces=max_faces, heatmap=heatmap)
        # Pictures that wait for their turn would fill the memory; nobody draws on those without a heatmap.
        return Examined(finding, image.pixels if heatmap else None)

    if face_search:
        _ = detector.face_finder  # loaded here once, not by every worker at the same time
    count = workers or min(MOST_WORKERS, available_cores())
    with ThreadPoolExecutor(count, thread_name_prefix="check") as pool:
        under_way: deque[Future[Examined]] = deque()
        try:
            for path in paths:
                under_way.append(pool.submit(examine, path))
                if len(under_way) > count:
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()
        finally:
            for future in under_way:
                future.cancel()


def _refuse_max_faces(max_faces: int | None) -> None:
    if max_faces is not None and max_faces < 1:
        raise UnmaskError(f"{max_faces} faces make no sense", hint="Give 1 or more.", code="bad-max-faces")


def _judge(
    detector: CropDetector,
    image: Image,
    path: str | None,
    started: float,
    *,
    face_search: bool,
    max_faces: int | None,
    heatmap: bool,
) -> Finding:
    if face_search:
        found = detector.face_finder.find(image.pixels)
        crops = crop_faces(image.pixels, found, detector.info.crop_margin).largest(max_faces)
    else:
        crops = whole_picture(image.pixels)
    crops = crops.whole_in(image)
    faces = _judge_crops(detector, image.pixels, crops.kept, heatmap)
    notes = [*image.notes, *crops.notes, *([NOT_CALIBRATED] if faces and not detector.is_calibrated else [])]
    decisive = deciding_face(faces)
    if {Verdict.REAL, Verdict.FAKE} <= {face.verdict for face in faces}:
        notes.append(Note("faces-disagree", "The faces in this picture get different verdicts; look at each."))
    return Finding(
        path=path,
        status=Status.ANSWERED if decisive else Status.UNREADABLE if crops.damaged else Status.NO_FACE,
        verdict=decisive.verdict if decisive else None,
        score=decisive.score if decisive else None,
        faces=faces,
        image=image.facts,
        notes=tuple(notes),
        failure=None if decisive else DAMAGED if crops.damaged else _no_face(bool(crops.too_small)),
        detector=detector.label,
        policy=detector.policy,
        seconds=time.perf_counter() - started,
    )


DAMAGED = Failure(
    "damaged",
    "the picture is damaged: pixels are missing from its file, and no face in it is whole",
    "Copy or download it again, or find another copy.",
)


def _judge_crops(
    detector: CropDetector, pixels: NDArray[np.uint8], crops: tuple[Crop, ...], heatmap: bool
) -> tuple[FaceFinding, ...]:
    if not crops:
        return ()
    found = detector.outputs(cut_crops(pixels, crops, detector.info.input_size), maps=heatmap)
    if not np.isfinite(found.logits).all():
        raise UnmaskError(
            f"the detector {detector.label} gives no number for a picture that can be read",
            hint="The bundle is damaged or was badly trained; export it again or use another.",
            code="no-score",
        )
    heatmaps = [None] * len(crops) if found.maps is None else [normalise(activation) for activation in found.maps]
    scores = probability(found.logits, detector.info.temperature)
    return tuple(
        FaceFinding(
            box=crop.box,
            crop=crop.square,
            face_score=round(crop.face.score, 4) if crop.face else None,
            logit=float(logit),
            score=float(score),
            verdict=decide(float(score), detector.thresholds, outside_training=bool(outside)),
            notes=(*crop.notes, OUTSIDE_TRAINING) if outside else crop.notes,
            heatmap=relative,
        )
        for crop, logit, score, outside, relative in zip(
            crops, found.logits, scores, found.outside_training, heatmaps, strict=True
        )
    )


def _no_face(too_small: bool) -> Failure:
    if too_small:
        return Failure(
            "faces-too-small",
            f"every face found is under {SMALLEST_FACE} px",
            "Give a larger version of the picture.",
        )
    return Failure(
        "no-face",
        "no face found",
        "Give a picture in which a face can be seen from the front; for a picture that is one face, "
        "use --no-face-search.",
    )


def unreadable(detector: CropDetector, path: str | None, error: UnmaskError, seconds: float = 0.0) -> Finding:
    """The finding for a picture that could not be read: the error as its failure, and no score."""
    return Finding(
        path=path,
        status=Status.UNREADABLE,
        verdict=None,
        score=None,
        faces=(),
        image=None,
        notes=(),
        failure=Failure(error.code, error.message, error.hint),
        detector=detector.label,
        policy=detector.policy,
        seconds=seconds,
    )
