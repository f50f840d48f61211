"""Pictures in, findings out, for one picture or a stream of them."""

from __future__ import annotations

import os
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from unmask.checking.faces import judge_faces, no_face, refuse_max_faces, unanswered
from unmask.errors import UnmaskError
from unmask.face.crop import crop_faces, cut_crops, whole_picture
from unmask.finding import NOT_CALIBRATED, Failure, Finding, Note, Status, Verdict
from unmask.image.read import Image, Source, read_image
from unmask.system.cores import available_cores
from unmask.verdict import deciding_face

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from unmask.detector import Detector

# Pictures under way at once unless told otherwise. Each holds its pixels and what the networks need for it, up to 100 MB for
# a photo of 12 megapixels; a machine with more cores is put to use by several processes.
MOST_WORKERS = 8


@dataclass(frozen=True, slots=True)
class Examined:
    """A finding with the pixels that it is about, for drawing; None where there is nothing to draw."""

    finding: Finding
    pixels: NDArray[np.uint8] | None


def examine_image(
    detector: Detector,
    source: Source,
    *,
    face_search: bool = True,
    max_faces: int | None = None,
    heatmap: bool = True,
    credentials: bool = True,
) -> Examined:
    """As `Detector.check`, the finding together with the picture's pixels; with or without its Content Credentials."""
    refuse_max_faces(max_faces)
    started = time.perf_counter()
    image = read_image(source, credentials=credentials)
    path = os.fspath(source) if isinstance(source, str | os.PathLike) else None
    finding = _judge(detector, image, path, started, face_search=face_search, max_faces=max_faces, heatmap=heatmap)
    return Examined(finding, image.pixels)


def examine_paths(
    paths: Iterable[str | Path],
    detector: Detector,
    *,
    face_search: bool = True,
    max_faces: int | None = None,
    heatmap: bool = True,
    workers: int | None = None,
) -> Generator[Examined]:
    """As `check_paths`, each finding with a heatmap together with the picture's pixels, to draw it on."""
    if isinstance(paths, str | os.PathLike):
        raise UnmaskError("paths are many", hint="Give a list of paths, or use Detector.check.", code="wrong-source")
    if workers is not None and workers < 1:
        raise UnmaskError(f"{workers} workers make no sense", hint="Give 1 or more.", code="bad-workers")
    refuse_max_faces(max_faces)

    def examine(path: Any) -> Examined:
        started = time.perf_counter()
        name = os.fsdecode(path) if isinstance(path, str | bytes | os.PathLike) else repr(path)
        try:
            # Bytes would be taken for the file itself, and here they are its name.
            image = read_image(name if isinstance(path, bytes) else path, credentials=True)
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
    if face_search:
        found = detector.face_finder.find(image.pixels)
        crops = crop_faces(image.pixels, found, detector.info.crop_margin).largest(max_faces)
    else:
        crops = whole_picture(image.pixels)
    crops = crops.whole_in(image)
    cut = cut_crops(image.pixels, crops.kept, detector.info.input_size) if crops.kept else np.empty(0, np.uint8)
    faces = judge_faces(detector, cut, crops.kept, heatmap=heatmap)
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
        failure=None if decisive else DAMAGED if crops.damaged else no_face(bool(crops.too_small)),
        detector=detector.label,
        policy=detector.policy,
        seconds=time.perf_counter() - started,
        provenance=image.provenance,
    )


DAMAGED = Failure(
    "damaged",
    "the picture is damaged: pixels are missing from its file, and no face in it is whole",
    "Copy or download it again, or find another copy.",
)


def unreadable(detector: Detector, path: str | None, error: UnmaskError, seconds: float = 0.0) -> Finding:
    """The finding for a picture that could not be read: the error as its failure, and no score."""
    return Finding(**unanswered(detector, path, error, seconds), faces=(), image=None)
