"""Pictures in, findings out: the main job, for one picture or a stream of them."""

from __future__ import annotations

import os
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unmask.errors import UnmaskError
from unmask.explain.heatmap import normalise
from unmask.face.finder import Face, crop_square, cut, is_already_cropped
from unmask.finding import OUTSIDE_TRAINING, Box, FaceFinding, Failure, Finding, Note, Status, Verdict
from unmask.image.read import Image, read_image
from unmask.image.resize import resize
from unmask.system.cores import available_cores
from unmask.verdict import decide, deciding_face, probability

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from unmask.detector import Detector

    Source = str | Path | bytes | NDArray[np.uint8]

# A face with fewer pixels than this has lost every trace that a detector could read; it is not judged at all.
SMALLEST_FACE = 32
# Below this the answer stands, with a warning: the detector learned from faces of about 100 px and more.
SMALL_FACE = 80
# The more suspicious verdict of two.
# A box that the face finder itself doubts does not decide for the whole picture where a surer one is there.
CONFIDENT_FACE = 0.6
# In a picture that is a crop of one face, a box of less than this share of that face's area is somebody behind it, most
# often cut off by the border. Such a face raised the score of 51 of 54 real crops that show one, and of 2 of 46 fake ones
# (docs/measurements/bystanders.md). Two faces side by side in a square picture are of nearly one size.
BYSTANDER_AREA = 0.5
BYSTANDER = Note("bystander", "This picture is a crop of a larger face; this one beside it does not decide.")
# More of the crop than this was mirrored at the picture's border.
CUT_OFF = 0.15
# A picture taken whole, its shorter side under this share of the longer, has no likeness to a face once squeezed square.
SQUEEZED = 0.5


@dataclass(frozen=True, slots=True)
class Examined:
    """A finding with the pixels that it is about, for drawing; None where there is nothing to draw."""

    finding: Finding
    pixels: NDArray[np.uint8] | None


@dataclass(frozen=True, slots=True)
class _Crop:
    face: Face | None
    box: Box
    crop: Box
    notes: tuple[Note, ...]


def check(source: Source) -> Finding:
    """The answer for one picture, by the shipped detector, loaded once.

    Args:
        source: A path, the bytes of a file, or uint8 RGB pixels (H, W, 3).

    Raises:
        UnmaskError: If the picture cannot be read.
    """
    return _shipped_detector().check(source)


@cache
def _shipped_detector() -> Detector:
    from unmask.detector import Detector

    return Detector.load()


def check_image(
    detector: Detector,
    source: Source,
    *,
    face_search: bool = True,
    max_faces: int | None = None,
    heatmap: bool = True,
) -> Finding:
    """The answer for one picture; see `Detector.check`."""
    return examine_image(detector, source, face_search=face_search, max_faces=max_faces, heatmap=heatmap).finding


def examine_image(
    detector: Detector,
    source: Source,
    *,
    face_search: bool = True,
    max_faces: int | None = None,
    heatmap: bool = True,
) -> Examined:
    """As `check_image`, the finding together with the picture's pixels."""
    _refuse_max_faces(max_faces)
    started = time.perf_counter()
    image = read_image(source)
    path = os.fspath(source) if isinstance(source, str | Path) else None
    finding = _judge(detector, image, path, started, face_search=face_search, max_faces=max_faces, heatmap=heatmap)
    return Examined(finding, image.pixels)


def check_paths(
    paths: Iterable[str | Path],
    detector: Detector,
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
        workers: Pictures under way at once; None for one a core.

    Yields:
        A `Finding` for every path. One that cannot be read is a finding with the status "unreadable"; it never stops
        the others. Memory does not grow with the number of paths.

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
    detector: Detector,
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
    count = workers or available_cores()
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
    detector: Detector,
    image: Image,
    path: str | None,
    started: float,
    *,
    face_search: bool,
    max_faces: int | None,
    heatmap: bool,
) -> Finding:
    notes = list(image.notes)
    crops, failure = _crops(detector, image, face_search, max_faces, notes)
    faces = _judge_crops(detector, image.pixels, crops, heatmap)
    decisive = deciding_face(faces)
    if {Verdict.REAL, Verdict.FAKE} <= {face.verdict for face in faces}:
        notes.append(Note("faces-disagree", "The faces in this picture get different verdicts; look at each."))
    return Finding(
        path=path,
        status=Status.ANSWERED if decisive else Status.NO_FACE,
        verdict=decisive.verdict if decisive else None,
        score=decisive.score if decisive else None,
        faces=faces,
        image=image.facts,
        notes=tuple(notes),
        failure=failure,
        detector=detector.label,
        policy=detector.policy,
        seconds=time.perf_counter() - started,
    )


def _crops(
    detector: Detector, image: Image, face_search: bool, max_faces: int | None, notes: list[Note]
) -> tuple[list[_Crop], Failure | None]:
    height, width = image.pixels.shape[:2]
    whole = Box(0, 0, width, height)
    if not face_search:
        if min(width, height) < SQUEEZED * max(width, height):
            notes.append(
                Note("squeezed", "This picture is far from square, and was squeezed to be taken for one face.")
            )
        return [_Crop(None, whole, whole, ())], None
    found = detector.face_finder.find(image.pixels)
    large = [face for face in found if max(face.width, face.height) >= SMALLEST_FACE]
    if len(large) < len(found):
        left_out = len(found) - len(large)
        notes.append(
            Note("faces-too-small", f"{_faces(left_out)} under {SMALLEST_FACE} px left out: too small to judge.")
        )
    if not large:
        return [], _no_face(bool(found))
    kept = large[:max_faces]
    if len(kept) < len(large):
        notes.append(Note("faces-left-out", f"{_faces(len(large) - len(kept))} not judged, as asked."))
    crops = [_crop_of(face, width, height, detector.info.crop_margin) for face in kept]
    return [crops[0], *(_beside(crops[0], crop, width, height) for crop in crops[1:])], None


def _crop_of(face: Face, width: int, height: int, margin: float) -> _Crop:
    box = Box(round(face.left), round(face.top), round(face.width), round(face.height))
    whole = Box(0, 0, width, height)
    crop = whole if is_already_cropped(face, width, height, margin) else crop_square(face, margin)
    notes = []
    side = round(max(face.width, face.height))
    if side < SMALL_FACE:
        notes.append(Note("small-face", f"This face is only {side} px high; fine traces may be lost."))
    if face.score < CONFIDENT_FACE:
        notes.append(Note("doubtful-face", "The face finder is not sure that this is a face."))
    across = min(crop.left + crop.width, width) - max(crop.left, 0)
    down = min(crop.top + crop.height, height) - max(crop.top, 0)
    if across * down < (1.0 - CUT_OFF) * crop.width * crop.height:
        notes.append(Note("face-at-border", "This face is cut off by the picture's border; the rest was mirrored."))
    return _Crop(face, box, crop, tuple(notes))


def _beside(main: _Crop, other: _Crop, width: int, height: int) -> _Crop:
    """The other face with a note, if the picture is a crop of the main one and the other is but a bystander in it."""
    if main.face is None or main.face.score < CONFIDENT_FACE or not is_already_cropped(main.face, width, height):
        return other
    if other.box.width * other.box.height >= BYSTANDER_AREA * main.box.width * main.box.height:
        return other
    return replace(other, notes=(*other.notes, BYSTANDER))


def _judge_crops(
    detector: Detector, pixels: NDArray[np.uint8], crops: list[_Crop], heatmap: bool
) -> tuple[FaceFinding, ...]:
    if not crops:
        return ()
    side = detector.info.input_size
    batch = np.stack([resize(cut(pixels, crop.crop), side) for crop in crops])
    found = detector.outputs(batch, maps=heatmap)
    if not np.isfinite(found.logits).all():
        raise UnmaskError(
            f"the detector {detector.label} gives no number for a picture that can be read",
            hint="The bundle is damaged or was badly trained; export it again or use another.",
            code="no-score",
        )
    heatmaps = [None] * len(crops) if found.maps is None else [normalise(one) for one in found.maps]
    scores = probability(found.logits, detector.info.temperature)
    return tuple(
        FaceFinding(
            box=crop.box,
            crop=crop.crop,
            face_score=round(crop.face.score, 4) if crop.face else None,
            logit=float(logit),
            score=float(score),
            verdict=decide(float(score), detector.thresholds, outside_training=bool(outside)),
            notes=(*crop.notes, OUTSIDE_TRAINING) if outside else crop.notes,
            heatmap=one,
        )
        for crop, logit, score, outside, one in zip(
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


def unreadable(detector: Detector, path: str | None, error: UnmaskError, seconds: float = 0.0) -> Finding:
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


def _faces(count: int) -> str:
    return "1 face" if count == 1 else f"{count} faces"
