"""Pictures and clips in, findings out: the main job, for one or a stream of them."""

from __future__ import annotations

import os
import time
from contextlib import closing
from dataclasses import replace
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING

from unmask.checking.clips import SAMPLING, ExaminedClip, KeyFrame, Sampling, examine_clip, unreadable_clip
from unmask.checking.faces import refuse_max_faces
from unmask.checking.pictures import MOST_WORKERS, Examined, examine_image, examine_paths, unreadable
from unmask.detector import Detector as CropDetector
from unmask.errors import UnmaskError
from unmask.image.file import is_stream, read_stream
from unmask.image.resize import shrink
from unmask.image.sniff import NOT_A_PICTURE_HINT
from unmask.video.kinds import is_clip
from unmask.video.limits import CLIP_LIMITS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from unmask.finding import ClipFinding, Finding
    from unmask.image.read import Source

__all__ = [
    "MOST_WORKERS",
    "Detector",
    "Examined",
    "ExaminedClip",
    "KeyFrame",
    "Sampling",
    "check",
    "check_paths",
    "examine_all",
    "examine_clip",
    "examine_image",
    "examine_paths",
    "unreadable",
]


# What to give where a clip is taken as well as a picture.
NEITHER_HINT = f"{NOT_A_PICTURE_HINT.removesuffix('.')}; or a clip: MP4, MOV, WebM, MKV or AVI."
# Longer side of the small picture that a finding keeps for a notebook, pixels: a megabyte or two.
PREVIEW_SIDE = 800


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
        """The answer for one picture; of an animation, for its first frame.

        Args:
            source: A path, the bytes of a file, a file open in binary mode, uint8 RGB pixels (H, W, 3), or a Pillow image.
            face_search: False to take the whole picture as the face.
            max_faces: Judge only so many of the largest faces, 1 or more; None for all.
            heatmap: Whether each face comes with its Grad-CAM map, and the finding with a small picture for a notebook.

        Returns:
            The finding. A picture without a face has the status "no-face" and no score; it is no error.

        Raises:
            UnmaskError: If the picture cannot be read, `max_faces` is below 1, or the detector gives no number.
        """
        examined = examine_image(self, source, face_search=face_search, max_faces=max_faces, heatmap=heatmap)
        return _with_preview(examined, heatmap)

    def check_clip(
        self,
        source: str | Path | bytes,
        *,
        frames: int | None = None,
        every: float | None = None,
        start: float = 0.0,
        end: float | None = None,
        max_people: int | None = None,
        face_search: bool = True,
        max_faces: int | None = None,
        heatmap: bool = True,
    ) -> ClipFinding:
        """The answer for one clip: a video, or a GIF, PNG or WebP that moves.

        Args:
            source: A path, or the bytes of a file.
            frames: Look at so many, spread evenly; None, without `every`, for `unmask.checking.clips.SAMPLING`'s.
            every: Seconds from one to the next, in place of `frames`.
            start: First moment of the part to look at, in seconds from the start of the file, as in a player.
            end: Last moment of it; None for the end of the clip.
            max_people: Judge only so many, those who are seen most; None for `SAMPLING`'s.
            face_search: False to take each whole frame as the face of one person.
            max_faces: Judge only so many of the largest faces in a frame; None for `MOST_FACES`.
            heatmap: Whether the faces of the decisive moments come with their Grad-CAM maps.

        Returns:
            The finding. A clip without a face has the status "no-face" and no score; it is no error.

        Raises:
            UnmaskError: If the clip cannot be read or an argument makes no sense.
        """
        sampling = Sampling.of(frames=frames, every=every, start=start, end=end, max_people=max_people)
        return examine_clip(
            self, source, sampling, face_search=face_search, max_faces=max_faces, heatmap=heatmap
        ).finding


def check(
    source: Source, *, face_search: bool = True, max_faces: int | None = None, heatmap: bool = True
) -> Finding | ClipFinding:
    """The answer for one picture or clip, by the shipped detector, loaded once.

    Args:
        source: As for `Detector.check`; a path, bytes or an open file may also hold a clip.
        face_search: As for `Detector.check`, or for `Detector.check_clip`.
        max_faces: The same.
        heatmap: The same; of a clip, the decisive moments get one.

    Returns:
        The finding.

    Raises:
        UnmaskError: If it cannot be read, or an argument makes no sense.
    """
    data = read_stream(source, CLIP_LIMITS.max_bytes) if is_stream(source) else source
    detector = _shipped_detector()
    if isinstance(data, str | bytes | os.PathLike) and is_clip(data):
        return detector.check_clip(data, face_search=face_search, max_faces=max_faces, heatmap=heatmap)
    try:
        return detector.check(data, face_search=face_search, max_faces=max_faces, heatmap=heatmap)
    except UnmaskError as error:
        error.hint = _hint(error.hint)
        raise


@cache
def _shipped_detector(threads: int | None = None) -> Detector:
    return Detector.load(threads=threads)


def _hint(hint: str) -> str:
    return NEITHER_HINT if hint == NOT_A_PICTURE_HINT else hint


def _with_clip_hint(examined: Examined) -> Examined:
    """The same; where it was refused as no picture, the hint names clips, too."""
    finding = examined.finding
    if finding.failure is None:
        return examined
    failure = replace(finding.failure, hint=_hint(finding.failure.hint))
    return replace(examined, finding=replace(finding, failure=failure))


def _with_preview(examined: Examined, heatmap: bool) -> Finding:
    """The finding; with a heatmap, also with what a notebook lays it on."""
    if not heatmap or examined.pixels is None:
        return examined.finding
    return replace(examined.finding, preview=shrink(examined.pixels, PREVIEW_SIDE).copy())


def check_paths(
    paths: Iterable[str | Path],
    detector: CropDetector | None = None,
    *,
    face_search: bool = True,
    max_faces: int | None = None,
    heatmap: bool = False,
    workers: int | None = None,
) -> Iterator[Finding | ClipFinding]:
    """The answers for many pictures and clips, one by one, in the order of the paths.

    Args:
        paths: Files. Folders are for `unmask.checking.paths.expand`.
        detector: Loaded once, shared by all workers; load it with `threads=1` for the best throughput. None for the
            shipped one.
        face_search: False to take each whole picture as the face.
        max_faces: Judge only so many of the largest faces in each; None for all.
        heatmap: As for `Detector.check`.
        workers: Pictures under way at once; None for one a core, at most `MOST_WORKERS`. Of clips it is always one.

    Yields:
        A `Finding`, or a `ClipFinding`, for every path. One that cannot be read is a finding with the status "unreadable"; it
        never stops the others. Memory grows neither with the number of paths nor with the cores of the machine.

    Raises:
        UnmaskError: If an argument makes no sense, or the detector itself is unfit: one that gives no number has no
            business judging the rest. Never for a picture or clip.
    """
    detector = detector or _shipped_detector(threads=1)
    for examined in examine_all(
        paths, detector, face_search=face_search, max_faces=max_faces, heatmap=heatmap, workers=workers
    ):
        yield _with_preview(examined, heatmap) if isinstance(examined, Examined) else examined.finding


def examine_all(
    paths: Iterable[str | Path],
    detector: CropDetector,
    *,
    sampling: Sampling = SAMPLING,
    face_search: bool = True,
    max_faces: int | None = None,
    heatmap: bool = True,
    workers: int | None = None,
    on_frame: Callable[[int, int], None] | None = None,
) -> Iterator[Examined | ExaminedClip]:
    """As `check_paths`, each finding with what is needed to draw it.

    Args:
        paths: Files.
        detector: That judges.
        sampling: What is looked at in clips.
        face_search: As for `check_paths`.
        max_faces: As for `check_paths`.
        heatmap: Whether each face comes with its Grad-CAM map; in clips, those of the decisive moments,
                whose key frames then come along.
        workers: As for `check_paths`.
        on_frame: Called with the number of a clip's frames that were looked at, and of how many.

    Raises:
        KeyboardInterrupt: Ctrl-C; in a clip only after its finding, made of the frames looked at until then, was yielded.
    """
    if isinstance(paths, str | os.PathLike):
        raise UnmaskError("paths are many", hint="Give a list of paths, or use Detector.check.", code="wrong-source")
    refuse_max_faces(max_faces)
    for moves, run in groupby(paths, is_clip):
        if not moves:
            pictures = examine_paths(
                run, detector, face_search=face_search, max_faces=max_faces, heatmap=heatmap, workers=workers
            )
            with closing(pictures):
                for picture in pictures:
                    yield _with_clip_hint(picture)
            continue
        for path in run:
            started = time.perf_counter()
            try:
                examined = examine_clip(
                    detector,
                    path,
                    sampling,
                    face_search=face_search,
                    max_faces=max_faces,
                    heatmap=heatmap,
                    key_frames=heatmap,
                    on_frame=on_frame,
                )
            except UnmaskError as error:
                if error.code in ("no-score", "bad-part"):
                    raise
                finding = unreadable_clip(detector, os.fspath(path), error, time.perf_counter() - started)
                examined = ExaminedClip(finding)
            yield examined
            if examined.interrupted:
                raise KeyboardInterrupt
