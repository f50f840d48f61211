"""Clips in, findings out: frames are sampled, their faces judged and followed as people, and each person gets one verdict."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from unmask.checking.faces import no_face, refuse_max_faces, unanswered
from unmask.checking.looking import Looking
from unmask.errors import UnmaskError
from unmask.face.crop import SMALLEST_FACE, cut
from unmask.finding import NOT_CALIBRATED, ClipFacts, ClipFinding, Moment, Note, Status, Verdict
from unmask.image.resize import shrink
from unmask.video.limits import CLIP_LIMITS, ClipLimits
from unmask.video.reader import read_clip
from unmask.video.timeline import clip_thresholds, judge, most_suspicious_first, without_heatmaps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from unmask.detector import Detector

# Longer side of a key frame that is kept for looking at, pixels.
SMALL_SIDE = 480
# Under this share of the frames that were looked at with a face in them, a clip gets a note.
FEW_FACES = 0.25
# More cuts than this share of the samples: hardly anybody is seen twice in one view.
FAST_CUTS = 0.5
# Bits a pixel and frame, below which a clip counts as strongly compressed. Four talking heads of FaceForensics++ take 0.033 to
# 0.059 as H.264 at a constant rate factor of 23, 0.011 to 0.022 at 32 and 0.007 to 0.015 at 36; as HEVC at 35 0.005 to 0.013.
LOW_BITS, THRIFTY_LOW_BITS = 0.015, 0.008
THRIFTY = frozenset({"hevc", "av1", "vp9", "vvc"})


@dataclass(frozen=True, slots=True)
class Sampling:
    """What is looked at in a clip.

    Attributes:
        frames: So many, spread evenly; with `every`, at least so many and at most four times that.
        every: Seconds from one to the next.
        start: First moment of the part to look at, in seconds from the start of the file, as in a player.
        end: Last moment of it; None for the end of the clip.
        max_people: Judge only so many, those who are seen most.
    """

    frames: int | None = 32
    every: float | None = 2.0
    start: float = 0.0
    end: float | None = None
    max_people: int = 8

    @classmethod
    def of(
        cls,
        *,
        frames: int | None = None,
        every: float | None = None,
        start: float = 0.0,
        end: float | None = None,
        max_people: int | None = None,
    ) -> Sampling:
        """As asked for; with what `SAMPLING` says where nothing was asked.

        Raises:
            UnmaskError: Both `frames` and `every` were.
        """
        if frames is not None and every is not None:
            raise UnmaskError("frames and every say the same twice", hint="Give one of them.", code="bad-part")
        if max_people is not None and max_people < 1:
            raise UnmaskError(f"{max_people} people make no sense", hint="Give 1 or more.", code="bad-part")
        if frames is None and every is None:
            frames, every = SAMPLING.frames, SAMPLING.every
        return cls(frames, every, start, end, max_people or SAMPLING.max_people)


# 32 frames a clip are what detectors are commonly tested with; a minute and more gets one in 2 s, up to 128.
SAMPLING = Sampling()


@dataclass(frozen=True, slots=True, eq=False)
class KeyFrame:
    """A decisive moment of one person, for looking at.

    Attributes:
        person: The position among the finding's people.
        moment: What was found.
        small: The frame, uint8 (H, W, 3), its longer side at most `SMALL_SIDE`.
        scale: Of `small` over the frame.
        face: What the detector was shown, at its own size, uint8 (S, S, 3).
    """

    person: int
    moment: Moment
    small: NDArray[np.uint8]
    scale: float
    face: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class ExaminedClip:
    """A finding with what is needed to draw it, if that was asked for; and whether Ctrl-C ended the looking."""

    finding: ClipFinding
    key_frames: tuple[KeyFrame, ...] = ()
    interrupted: bool = False


def read_key_frames(
    source: str | Path | bytes,
    finding: ClipFinding,
    *,
    limits: ClipLimits = CLIP_LIMITS,
    on_start: Callable[[Callable[[], None]], None] | None = None,
) -> Iterator[KeyFrame]:
    """The decisive moments of each person, their frames read once more.

    Args:
        source: The clip that the finding is about.
        finding: Of `examine_clip`.
        limits: What is accepted.
        on_start: As for `read_clip`.

    Yields:
        In the order of time.

    Raises:
        UnmaskError: The file has changed or cannot be read any more.
    """
    wanted: dict[int, list[tuple[int, Moment]]] = {}
    for number, person in enumerate(finding.people):
        for moment in (person.moments[at] for at in person.decisive):
            wanted.setdefault(moment.frame, []).append((number, moment))
    if not wanted:
        return
    with read_clip(source, numbers=sorted(wanted), limits=limits, on_start=on_start) as clip:
        if finding.clip is None or clip.facts.sha256 != finding.clip.sha256:
            raise UnmaskError("the clip has changed meanwhile", hint="Check it again.", code="read-error")
        for frame in clip:
            small = shrink(frame.pixels, SMALL_SIDE)
            scale = small.shape[1] / frame.pixels.shape[1]
            for number, moment in wanted.get(frame.number, []):
                yield KeyFrame(number, moment, small, scale, cut(frame.pixels, moment.face.crop))


def examine_clip(
    detector: Detector,
    source: str | Path | bytes,
    sampling: Sampling = SAMPLING,
    *,
    face_search: bool = True,
    max_faces: int | None = None,
    heatmap: bool = True,
    key_frames: bool = False,
    limits: ClipLimits = CLIP_LIMITS,
    on_frame: Callable[[int, int], None] | None = None,
    on_start: Callable[[Callable[[], None]], None] | None = None,
) -> ExaminedClip:
    """The answer for one clip. Ctrl-C after the first frame ends the looking; what was seen is judged, and the finding says so.

    Args:
        detector: That judges.
        source: A path, or the bytes of a file.
        sampling: What is looked at.
        face_search: False to take each whole frame as the face of one person.
        max_faces: Judge only so many of the largest faces in a frame; None for `unmask.checking.looking.MOST_FACES`.
        heatmap: Whether the faces of the decisive moments come with their Grad-CAM maps.
        key_frames: Whether the frames of the decisive moments come along.
        limits: What is accepted.
        on_frame: Called with how many frames were looked at, and of how many.
        on_start: As for `read_clip`; called once more where key frames are read.

    Raises:
        UnmaskError: The clip cannot be read, or an argument makes no sense.
    """
    refuse_max_faces(max_faces)
    started = time.perf_counter()
    looking = Looking(detector, face_search=face_search, max_faces=max_faces, heatmap=heatmap)
    interrupted = False
    with read_clip(
        source,
        frames=sampling.frames,
        every=sampling.every,
        start=sampling.start,
        end=sampling.end,
        limits=limits,
        on_start=on_start,
    ) as clip:
        if clip.wanted > limits.max_sampled:
            raise UnmaskError(
                f"{clip.wanted:,} frames are more than are judged: {limits.max_sampled:,}",
                hint="Ask for fewer frames, or for a shorter part.",
                code="too-many-samples",
            )
        try:
            for frame in clip:
                looking.take(frame)
                if on_frame:
                    on_frame(len(looking.times), clip.wanted)
        except KeyboardInterrupt:
            if not looking.times:  # there is nothing to say yet, and "no face found" would be wrong
                raise
            interrupted = True
    path = os.fspath(source) if isinstance(source, str | os.PathLike) else None
    notes = [*clip.notes, *_remarks(clip.facts, looking)]
    if interrupted:
        notes.append(Note("interrupted", f"Stopped after {len(looking.times)} of {clip.wanted} frames."))
    finding = _finding(detector, path, clip.facts, looking, notes, sampling.max_people, started)
    frames: tuple[KeyFrame, ...] = ()
    if key_frames:
        try:
            frames = tuple(read_key_frames(source, finding, limits=limits, on_start=on_start))
        except (UnmaskError, KeyboardInterrupt) as error:  # the answer stands
            interrupted = interrupted or isinstance(error, KeyboardInterrupt)
            why = error.message if isinstance(error, UnmaskError) else "stopped before they were read"
            note = Note("key-frames-missing", f"Its key frames are missing: {why}.")
            finding = replace(finding, notes=(*finding.notes, note))
    return ExaminedClip(finding, frames, interrupted)


def _finding(
    detector: Detector,
    path: str | None,
    facts: ClipFacts,
    looking: Looking,
    notes: list[Note],
    max_people: int,
    started: float,
) -> ClipFinding:
    seen = looking.people()
    thresholds = clip_thresholds(detector.info, detector.policy)
    judged = [without_heatmaps(judge(each, detector.info.temperature, thresholds)) for each in seen[:max_people]]
    people = most_suspicious_first(judged)
    decisive = people[0] if people else None
    if len(seen) > max_people:
        notes.append(Note("people-left-out", f"{len(seen) - max_people} more, seen less often, were not judged."))
    if {Verdict.REAL, Verdict.FAKE} <= {person.verdict for person in people}:
        notes.append(Note("people-disagree", "The people in this clip get different verdicts; look at each."))
    if people and not detector.is_calibrated:
        notes.append(NOT_CALIBRATED)
    return ClipFinding(
        path=path,
        status=Status.ANSWERED if decisive else Status.NO_FACE,
        verdict=decisive.verdict if decisive else None,
        score=decisive.score if decisive else None,
        people=people,
        looked_at=tuple(looking.times),
        clip=facts,
        notes=tuple(notes),
        failure=None if decisive else no_face(bool(looking.too_small), "clip"),
        detector=detector.label,
        policy=detector.policy,
        seconds=time.perf_counter() - started,
    )


def _remarks(facts: ClipFacts, looking: Looking) -> list[Note]:
    """What makes a clip worse evidence than others."""
    looked, notes = len(looking.times), []
    if 0 < looking.with_face < FEW_FACES * looked:
        message = f"A face was found in only {looking.with_face} of the {looked} frames that were looked at."
        notes.append(Note("few-faces", message))
    if looking.too_small:
        message = f"Faces under {SMALLEST_FACE} px were left out: too small to judge."
        notes.append(Note("faces-too-small", message))
    if looking.left_out:
        notes.append(Note("faces-left-out", "Frames show more faces than were judged; the smallest were left out."))
    if looking.tracker.cuts > FAST_CUTS * looked:
        message = "The picture changes from nearly every sample to the next, so that few people can be followed."
        notes.append(Note("fast-cuts", message))
    bits = 8 * facts.file_bytes / max(1, facts.frames * facts.width * facts.height)
    drawn = facts.format in ("GIF", "PNG", "WEBP")  # flat drawings take few bits without any loss
    if not drawn and bits < (THRIFTY_LOW_BITS if facts.codec in THRIFTY else LOW_BITS):
        notes.append(Note("heavy-compression", "The clip is strongly compressed: fine traces may be lost."))
    return notes


def unreadable_clip(detector: Detector, path: str | None, error: UnmaskError, seconds: float = 0.0) -> ClipFinding:
    """The finding for a clip that could not be read: the error as its failure, and no score."""
    return ClipFinding(**unanswered(detector, path, error, seconds), people=(), looked_at=(), clip=None)
