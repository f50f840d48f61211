"""The shape of the API's replies, for its description and for tests: every reply is held against these."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Count = Annotated[int, Field(ge=0)]
VerdictWord = Literal["real", "unsure", "fake"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NoteReply(_Strict):
    """Something to keep in mind when reading a verdict."""

    code: str
    message: str


class BoxReply(_Strict):
    """A rectangle in pixels of the upright picture; left and top may be negative, where a crop is mirrored."""

    left: int
    top: int
    width: Count
    height: Count


class FaceReply(_Strict):
    """One face. `heatmap` is there with `?heatmap=png`: a PNG over `crop`, as a data URL."""

    box: BoxReply
    crop: BoxReply
    face_score: Share | None
    logit: float
    score: Share
    verdict: VerdictWord
    notes: list[NoteReply]
    heatmap: Annotated[str | None, Field(pattern="^data:image/png;base64,")] = None


class ImageReply(_Strict):
    """What is known of the file. None of it goes into the score."""

    format: str
    width: Count
    height: Count
    file_bytes: Count
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    jpeg_quality: Annotated[int, Field(ge=1, le=100)] | None
    camera: str | None
    software: str | None


class FailureReply(_Strict):
    """Why there is no answer for a picture, and what to do."""

    code: str
    message: str
    hint: str


class ProvenanceReply(_Strict):
    """What Content Credentials (C2PA) say; with `?provenance=c2pa`. None of it goes into the score."""

    state: Literal["valid", "invalid", "unreadable", "unchecked", "none"]
    message: str
    signed_by: str | None
    made_with: str | None
    trusted: bool


class FindingReply(_Strict):
    """The answer for one picture. Only the status "answered" comes with a verdict and a score, which is P(fake)."""

    path: str | None
    status: Literal["answered", "no-face", "unreadable"]
    verdict: VerdictWord | None
    score: Share | None
    faces: list[FaceReply]
    image: ImageReply | None
    notes: list[NoteReply]
    failure: FailureReply | None
    detector: str
    policy: str
    provenance: ProvenanceReply | None = None


class DetectorReply(_Strict):
    """The detector behind the answers."""

    name: str
    version: str
    architecture: str
    policy: str
    real_below: Share
    fake_above: Share
    temperature: Annotated[float, Field(gt=0.0)]
    input_size: Count
    model_sha256: str
    terms: str


class SummaryReply(_Strict):
    """How many pictures got which answer."""

    pictures: Count
    real: Count
    unsure: Count
    fake: Count
    no_face: Count
    unreadable: Count
    left_out: Count


class CheckReply(_Strict):
    """The document of `unmask check --json`."""

    unmask: str
    detector: DetectorReply
    findings: list[FindingReply]
    summary: SummaryReply


class PolicyReply(_Strict):
    """Two thresholds on P(fake) and how they were chosen."""

    real_below: Share
    fake_above: Share
    chosen_by: str


class MetricReply(_Strict):
    """One measured number, its 95 % interval and the number of pictures behind it."""

    name: str
    split: str
    value: float
    low: float | None
    high: float | None
    n: Count


class TrainingDataReply(_Strict):
    """What the detector learned from, and on what terms it may be used."""

    name: str
    terms: str
    counts: dict[str, int]


class LimitsReply(_Strict):
    """What this server takes."""

    request_bytes: Count
    picture_bytes: Count
    picture_pixels: Count
    pictures: Count
    seconds: float
    pictures_a_minute: Count


class AboutReply(_Strict):
    """The detector, its numbers, and the server's limits."""

    unmask: str
    detector: DetectorReply
    policies: dict[str, PolicyReply]
    metrics: list[MetricReply]
    training_data: TrainingDataReply
    limits: LimitsReply


class HealthReply(_Strict):
    """The state of the server."""

    status: Literal["ok", "ready"]


class ProblemReply(_Strict):
    """Why a request is refused, and what to do (RFC 9457)."""

    type: str
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    detail: str
    hint: str
    code: str
    request_id: str
