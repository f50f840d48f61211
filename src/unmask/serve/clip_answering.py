"""A clip -> its answer, counted and logged; and the answer as the JSON document of the command line."""

from __future__ import annotations

import hashlib
import logging
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from unmask.checking.clips import SAMPLING, ExaminedClip, Sampling, examine_clip, unreadable_clip
from unmask.errors import UnmaskError
from unmask.image.resize import shrink
from unmask.output.documents import document
from unmask.serve.clip_jobs import EndedError
from unmask.serve.data_urls import heatmap_url, preview_url

if TYPE_CHECKING:
    from unmask.detector import Detector
    from unmask.finding import ClipFinding
    from unmask.serve.clip_jobs import ClipJob
    from unmask.serve.metrics import Metrics
    from unmask.serve.uploads import Upload

log = logging.getLogger("unmask.serve")

# Of a key frame, and of its face as the detector saw it, as they are kept with an answer: 8 people have up to 24 of both.
KEY_FRAME_BYTES, KEY_FACE_BYTES = 40_000, 20_000
# Pixels of that face; the detector itself sees 224.
KEY_FACE_SIDE = 256


@dataclass(frozen=True, slots=True)
class ClipWanted:
    """What is asked about a clip.

    Attributes:
        sampling: What is looked at.
        heatmaps: Whether the faces of the decisive moments come with heatmaps.
        key_frames: Whether the frames of the decisive moments come along.
    """

    sampling: Sampling = SAMPLING
    heatmaps: bool = False
    key_frames: bool = False


@dataclass(frozen=True, slots=True)
class KeyPictures:
    """A decisive moment for looking at: the frame and the face as the detector saw it, JPEGs as data URLs."""

    frame: str
    face: str


@dataclass(frozen=True, slots=True)
class ClipAnswer:
    """A finding and what was asked for besides.

    Attributes:
        finding: The answer.
        pictures: By the position of a person and that of the moment among the person's; empty if not asked for.
    """

    finding: ClipFinding
    pictures: dict[tuple[int, int], KeyPictures] = field(default_factory=dict)


class ClipAnswering:
    """Answers clips with the detector that answers pictures."""

    def __init__(self, detector: Detector, metrics: Metrics) -> None:
        self._detector, self._metrics = detector, metrics

    def answer(self, job: ClipJob, upload: Upload) -> ClipAnswer:
        """The answer; a clip that cannot be read has one, too.

        Raises:
            EndedError: If nobody wants to know any more.
        """
        started = time.perf_counter()
        try:
            examined = examine_clip(
                self._detector,
                upload.data,
                job.wanted.sampling,
                heatmap=job.wanted.heatmaps,
                key_frames=job.wanted.key_frames,
                on_start=job.started,
                on_frame=job.looked,
            )
        except UnmaskError as error:
            examined = ExaminedClip(unreadable_clip(self._detector, None, error))
        finding, clip = examined.finding, examined.finding.clip
        if job.is_ended:  # a decoder that was ended looks like one that crashed
            raise EndedError
        seconds = time.perf_counter() - started
        self._metrics.clip(finding, seconds)
        log.info(
            "clip request=%s sha256=%s format=%s size=%s bytes=%d frames=%d answer=%s ms=%.1f",
            job.request_id,
            clip.sha256 if clip else hashlib.sha256(upload.data).hexdigest(),
            f"{clip.format}/{clip.codec}" if clip else "-",
            f"{clip.width}x{clip.height}" if clip else "-",
            len(upload.data),
            len(finding.looked_at),
            finding.verdict or finding.status,
            1000 * seconds,
        )
        return ClipAnswer(replace(finding, path=upload.name), _pictures(examined))


def clip_document(answer: ClipAnswer, detector: Detector, *, pictures: bool = True) -> dict[str, Any]:
    """The JSON document of `unmask check --json`; moments come with their heatmaps, and their key frames if `pictures`."""
    whole = document([answer.finding], detector)
    for number, (person, entry) in enumerate(zip(answer.finding.people, whole["findings"][0]["people"], strict=True)):
        for at, (moment, shown) in enumerate(zip(person.moments, entry["moments"], strict=True)):
            if moment.face.heatmap is not None:
                shown["face"]["heatmap"] = heatmap_url(moment.face.heatmap)
            if pictures and (found := answer.pictures.get((number, at))):
                shown |= {"frame_picture": found.frame, "face_picture": found.face}
    return whole


def _pictures(examined: ExaminedClip) -> dict[tuple[int, int], KeyPictures]:
    return {
        (frame.person, examined.finding.people[frame.person].moments.index(frame.moment)): KeyPictures(
            preview_url(frame.small, KEY_FRAME_BYTES)[0],
            preview_url(shrink(frame.face, KEY_FACE_SIDE), KEY_FACE_BYTES)[0],
        )
        for frame in examined.key_frames
    }
