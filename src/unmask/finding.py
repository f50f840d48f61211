"""What a check gives back. Frozen, plain, and the same object behind the card, JSON, CSV, HTML and the API."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from importlib import import_module
from typing import TYPE_CHECKING, Any

from unmask.origin import Mark, Provenance

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Verdict(StrEnum):
    """The three answers. Nothing else is an answer: see `Status`."""

    REAL = "real"
    UNSURE = "unsure"
    FAKE = "fake"


class Status(StrEnum):
    """Whether a picture got an answer at all. Only ANSWERED comes with a score."""

    ANSWERED = "answered"
    NO_FACE = "no-face"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Note:
    """Something to keep in mind when reading a verdict.

    Attributes:
        code: Stable kebab-case name, for programs.
        message: One plain sentence, for people.
    """

    code: str
    message: str


OUTSIDE_TRAINING = Note(
    "outside-training",
    "This face is unlike those that the detector learned from: its score says little, and it is not called fake for it.",
)
NOT_CALIBRATED = Note(
    "not-calibrated",
    "This detector is not calibrated: how often it is wrong was not measured, nor whether it takes real for fake.",
)


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels of the upright picture; left and top may be negative, where a crop is mirrored."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class FaceFinding:
    """One face and what the detector says of it.

    Attributes:
        box: The face.
        crop: The square that the detector was shown.
        face_score: The face finder's confidence, 0..1; None where no face was searched for.
        logit: The detector's raw output; positive is fake.
        score: Calibrated P(fake), 0..1.
        verdict: real, unsure or fake, by the thresholds of the detector's policy; with the note `outside-training`, a
            score above the upper threshold is *unsure*, too.
        notes: What to keep in mind about this face.
        heatmap: Grad-CAM over `crop`, float32 (h, w), 0..1 relative to the map's own maximum; None if not asked for.
    """

    box: Box
    crop: Box
    face_score: float | None
    logit: float
    score: float
    verdict: Verdict
    notes: tuple[Note, ...] = ()
    heatmap: NDArray[np.float32] | None = field(default=None, compare=False, repr=False)

    @property
    def nothing_raised(self) -> bool:
        """Whether a heatmap was asked for and nothing in the face raised the score: it shows the face alone."""
        return self.heatmap is not None and not self.heatmap.any()

    @property
    def outside_training(self) -> bool:
        """Whether this face is unlike those that the detector learned from; False, too, where the bundle cannot tell."""
        return OUTSIDE_TRAINING in self.notes


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What is known of the file itself. None of it goes into the score."""

    format: str
    width: int
    height: int
    file_bytes: int
    sha256: str
    jpeg_quality: int | None = None
    camera: str | None = None
    lens: str | None = None
    software: str | None = None
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no answer, and what to do."""

    code: str
    message: str
    hint: str


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True)
class _Answer:
    def to_dict(self) -> dict[str, Any]:
        """The JSON form: plain dicts, lists, strings and numbers, the same for the same bytes and detector.

        Heatmaps are left out, being pictures, and so are `seconds` and `checked`, being no part of the answer.
        """
        return asdict(self, dict_factory=_without_unstable)

    def _repr_html_(self) -> str:
        return str(_notebook().html(self))


@dataclass(frozen=True, slots=True)
class Finding(_Answer):
    """The answer for one picture.

    Attributes:
        path: The file as it was named; None for bytes and arrays.
        status: Whether there is an answer.
        verdict: That of the most suspicious confident face; None without an answer.
        score: Calibrated P(fake) of the same face, 0..1; None without an answer.
        faces: All faces that were judged, largest first.
        image: Facts of the file; None where it could not be read.
        notes: What to keep in mind about the picture as a whole.
        failure: Why there is no answer; None where there is one.
        detector: Name and version of the detector.
        policy: Name of the thresholds in use.
        seconds: Wall time for this picture.
        checked: When it was answered: date, time and zone as of ISO 8601, such as 2026-11-29T08:00:00+00:00.
        provenance: What its Content Credentials say; None where they were not looked at.
        preview: The picture, uint8 (H, W, 3), RGB, for looking at; only from the library, and with heatmaps.
    """

    path: str | None
    status: Status
    verdict: Verdict | None
    score: float | None
    faces: tuple[FaceFinding, ...]
    image: ImageFacts | None
    notes: tuple[Note, ...]
    failure: Failure | None
    detector: str
    policy: str
    seconds: float
    checked: str = field(default_factory=_now, compare=False)
    provenance: Provenance | None = None
    preview: NDArray[np.uint8] | None = field(default=None, compare=False, repr=False)

    def plot(self, ax: Any = None) -> Any:
        """The picture with boxes and heatmaps, on `matplotlib.axes.Axes`: those given, or the current ones; gives them back."""
        return _notebook().plot(self, ax)


@dataclass(frozen=True, slots=True)
class ClipFacts:
    """What is known of a clip itself. None of it goes into the score.

    Attributes:
        format: The container, such as "mp4", or GIF, PNG, WEBP.
        codec: How its frames are packed, such as "h264".
        width, height: Of a frame as it is shown, pixels.
        frames: How many it has.
        duration: From the start of the file to the end of the last frame, in seconds.
        frame_rate: Frames a second, on average, from the first to the last.
        file_bytes, sha256: Of the file.
        marks: Where the file says itself that it was made or edited by AI.
    """

    format: str
    codec: str
    width: int
    height: int
    frames: int
    duration: float
    frame_rate: float
    file_bytes: int
    sha256: str
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True, slots=True)
class Moment:
    """One person's face in one sampled frame.

    Attributes:
        time: Of the frame, in seconds from the start of the file, as in a player: where its sound or its picture begins.
        frame: Its number, from 0.
        face: As in a picture.
    """

    time: float
    frame: int
    face: FaceFinding


@dataclass(frozen=True, slots=True)
class PersonFinding:
    """One person through a clip. A person is a run of faces that follow each other in place; nobody is recognised.

    Attributes:
        verdict: Over all moments that count.
        score: Calibrated P(fake) of the clip's person, 0..1.
        moments: In the order of time.
        decisive: Positions in `moments` of those that raised the score most, the highest first; at most 3.
        notes: What to keep in mind about this person.
    """

    verdict: Verdict
    score: float
    moments: tuple[Moment, ...]
    decisive: tuple[int, ...] = ()
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class ClipFinding(_Answer):
    """The answer for one clip.

    Attributes:
        path: The file as it was named; None for bytes.
        status: Whether there is an answer.
        verdict: That of the first person; None without an answer.
        score: Calibrated P(fake) of the same person, 0..1; None without an answer.
        people: All who were judged, the most suspicious first.
        looked_at: Times of the frames that were looked at, in seconds from the start of the file, as in a player.
        clip: Facts of the file; None where it could not be read.
        notes: What to keep in mind about the clip as a whole.
        failure: Why there is no answer; None where there is one.
        detector: Name and version of the detector.
        policy: Name of the thresholds in use.
        seconds: Wall time for this clip.
        checked: When it was answered, as of `Finding`.
    """

    path: str | None
    status: Status
    verdict: Verdict | None
    score: float | None
    people: tuple[PersonFinding, ...]
    looked_at: tuple[float, ...]
    clip: ClipFacts | None
    notes: tuple[Note, ...]
    failure: Failure | None
    detector: str
    policy: str
    seconds: float
    checked: str = field(default_factory=_now, compare=False)

    @property
    def faces(self) -> tuple[FaceFinding, ...]:
        """Every face of every person."""
        return tuple(moment.face for person in self.people for moment in person.moments)


def _notebook() -> Any:
    # What draws a finding stands above it: loaded only once somebody looks.
    return import_module("unmask.output.notebook")


def _without_unstable(items: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in items if name not in _UNSTABLE}


_UNSTABLE = frozenset({"heatmap", "preview", "seconds", "checked"})
