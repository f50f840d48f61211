"""The shape of the API's replies, for its description and for tests: that of the result types behind them."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from enum import StrEnum
from functools import cache
from inspect import getdoc
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, create_model

from unmask.bundle import Metric, Policy, TrainingData
from unmask.finding import ClipFinding, Finding, Moment
from unmask.output.documents import Tally

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Count = Annotated[int, Field(ge=0)]
# What the types of the results' fields do not say, by the fields' names; every other whole number is a count.
NARROWER: dict[str, Any] = {
    "left": int,
    "top": int,
    "score": Share,
    "face_score": Share,
    "jpeg_quality": Annotated[int, Field(ge=1, le=100)],
    "checked": Annotated[str, Field(json_schema_extra={"format": "date-time"})],
    "sha256": Annotated[str, Field(pattern="^[0-9a-f]{64}$")],
}
# A picture as the API sends it, where it was asked for.
PNG = Annotated[str | None, Field(pattern="^data:image/png;base64,")]
JPEG = Annotated[str | None, Field(pattern="^data:image/jpeg;base64,")]
# What else comes where it was asked for.
BESIDES: dict[Any, dict[str, Any]] = {Moment: {"frame_picture": (JPEG, None), "face_picture": (JPEG, None)}}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", protected_namespaces=())


@cache
def shape(result: Any) -> Any:
    """The model of a result type's JSON.

    Args:
        result: A frozen dataclass. All of its fields are there but `seconds` and `preview`, no parts of the answer.
    """
    hints = get_type_hints(result, localns={"np": np, "NDArray": NDArray})
    kept: dict[str, Any] = {
        field.name: (PNG, None) if field.name == "heatmap" else (_narrowed(hints[field.name], field.name), ...)
        for field in fields(result)
        if field.name not in ("seconds", "preview")
    }
    kept |= BESIDES.get(result, {})
    what = (getdoc(result) or "").partition("\n\n")[0]
    return create_model(result.__name__, __base__=_Strict, __doc__=what, **kept)


def _narrowed(hint: Any, name: str) -> Any:
    """A field's type, with shapes in place of dataclasses and words in place of enums."""
    if get_origin(hint) is tuple:
        return list[_narrowed(get_args(hint)[0], name)]  # type: ignore[misc]
    if isinstance(hint, UnionType):
        parts = tuple(_narrowed(part, name) for part in get_args(hint))
        return Union[parts]  # noqa: UP007 - of any number
    if isinstance(hint, type) and is_dataclass(hint):
        return shape(hint)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return Literal[tuple(word.value for word in hint)]
    if hint in (int, float, str):
        return NARROWER.get(name, Count if hint is int else hint)
    return hint


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
    bundle_sha256: str
    terms: str


class CheckReply(_Strict):
    """The document of `unmask check --json`."""

    unmask: str
    detector: DetectorReply
    findings: list[shape(Finding)]  # type: ignore[valid-type]
    summary: shape(Tally)  # type: ignore[valid-type]


class ClipCheckReply(CheckReply):
    """The document of `unmask check --json` for one clip."""

    findings: list[shape(ClipFinding)]  # type: ignore[valid-type]


class ClipReply(_Strict):
    """A clip that was sent. `progress` is the share of the frames to look at that were; `document` comes once it is done."""

    id: str
    state: Literal["waiting", "working", "done"]
    progress: Share
    seconds_left: Count
    document: ClipCheckReply | None


class LimitsReply(_Strict):
    """What this server takes."""

    request_bytes: Count
    picture_bytes: Count
    picture_pixels: Count
    pictures: Count
    seconds: float
    pictures_a_minute: Count
    clip_bytes: Count
    clips_under_way: Count
    clip_seconds: float


class AboutReply(_Strict):
    """The detector, its numbers, and the server's limits."""

    unmask: str
    detector: DetectorReply
    policies: dict[str, Policy]
    metrics: list[Metric]
    accusations: list[Metric]
    training_data: TrainingData
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
