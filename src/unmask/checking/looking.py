"""Frames of a clip, one after another -> the moments of its people: faces found, judged in batches, and followed."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from unmask.checking.faces import judge_faces
from unmask.face.crop import Crop, crop_faces, cut_crops, whole_picture
from unmask.finding import FaceFinding, Moment
from unmask.video.tracks import Tracker, signature

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.detector import Detector
    from unmask.video.reader import Frame

# Faces judged at a time. More are no faster on a processor, and take 10 to 20 MB each while they are judged.
BATCH = 2
# Faces of one frame that are judged, the largest. More are a crowd, in which each is small.
MOST_FACES = 16


class Looking:
    """Takes in the sampled frames of one clip. Of a frame only the crops of its faces are kept, until a batch is full.

    Args:
        detector: That judges.
        face_search: False to take each whole frame as the face of one person.
        max_faces: Judge only so many of the largest faces in a frame; None for `MOST_FACES`.
        heatmap: Whether each face comes with its Grad-CAM map.

    Attributes:
        times: Of the frames that were taken in, in seconds.
        with_face: How many of them show a face that can be judged.
        too_small: Faces that were left out because they are too small to judge.
        left_out: Whether a frame shows more faces than are judged.
        tracker: Who is who.
    """

    def __init__(self, detector: Detector, *, face_search: bool, max_faces: int | None, heatmap: bool) -> None:
        self.times: list[float] = []
        self.with_face = self.too_small = 0
        self.left_out = False
        self.tracker = Tracker()
        self._detector, self._face_search, self._heatmap = detector, face_search, heatmap
        self._most = min(max_faces or MOST_FACES, MOST_FACES)
        self._faces: list[FaceFinding] = []
        self._waiting: list[tuple[Crop, NDArray[np.uint8]]] = []
        self._known: dict[bytes, tuple[list[Crop], list[int]]] = {}
        # By person: time, number of the frame and place of the face in `_faces`.
        self._seen: dict[int, list[tuple[float, int, int]]] = {}

    def take(self, frame: Frame) -> None:
        """Look at one frame. One that equals an earlier one is not judged again."""
        digest = hashlib.blake2b(frame.pixels.data, digest_size=16).digest()
        if digest not in self._known:
            self._known[digest] = self._crops(frame.pixels)
        crops, places = self._known[digest]
        if self._face_search:
            people = self.tracker.follow(signature(frame.pixels), [crop.box for crop in crops])
        else:
            people = [0] * len(crops)
        for person, place in zip(people, places, strict=True):
            self._seen.setdefault(person, []).append((frame.time, frame.number, place))
        self.times.append(frame.time)
        self.with_face += bool(crops)
        if len(self._waiting) >= BATCH:
            self._judge()

    def people(self) -> list[list[Moment]]:
        """The moments of each person, in the order of time; those who were seen most come first."""
        self._judge()
        found = [
            [Moment(time, number, self._faces[place]) for time, number, place in seen] for seen in self._seen.values()
        ]
        return sorted(found, key=_presence, reverse=True)

    def _crops(self, pixels: NDArray[np.uint8]) -> tuple[list[Crop], list[int]]:
        if self._face_search:
            found = crop_faces(pixels, self._detector.face_finder.find(pixels), self._detector.info.crop_margin)
            self.too_small += found.too_small
            self.left_out = self.left_out or len(found.kept) > self._most
            crops = list(found.kept[: self._most])
        else:
            crops = list(whole_picture(pixels).kept)
        first = len(self._faces) + len(self._waiting)
        if crops:
            self._waiting += zip(crops, cut_crops(pixels, crops, self._detector.info.input_size), strict=True)
        return crops, list(range(first, first + len(crops)))

    def _judge(self) -> None:
        if self._waiting:
            crops = [crop for crop, _ in self._waiting]
            found = judge_faces(
                self._detector, np.stack([cut for _, cut in self._waiting]), crops, heatmap=self._heatmap
            )
            self._faces += found
            self._waiting = []


def _presence(moments: list[Moment]) -> tuple[int, int]:
    return len(moments), sum(moment.face.box.width * moment.face.box.height for moment in moments)
