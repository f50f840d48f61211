"""A detector on disk: a folder with `bundle.json`, `model.onnx` and `MODEL_CARD.md`.

`bundle.json` carries everything that turns the graph's output into an answer, and the sha256 of every other file. A
bundle holds no code and no pickle; a listed file that is missing or changed makes the whole bundle refused.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from unmask.errors import UnmaskError
from unmask.system.atomic import atomic_write
from unmask.verdict import Thresholds

MODEL_FILE = "model.onnx"
CARD_FILE = "MODEL_CARD.md"
INFO_FILE = "bundle.json"
DEFAULT_FOLDER = Path(__file__).parent / "bundles" / "default"

LONGEST_NAME = 64

Share = Annotated[float, Field(ge=0.0, le=1.0)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, protected_namespaces=())


class Policy(_Strict):
    """Two thresholds on the calibrated P(fake) and how they were chosen."""

    real_below: Share
    fake_above: Share
    chosen_by: str

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.real_below > self.fake_above:
            raise ValueError("real_below is above fake_above")
        return self

    @property
    def thresholds(self) -> Thresholds:
        return Thresholds(self.real_below, self.fake_above)


class Metric(_Strict):
    """One measured number, its 95 % interval and the number of pictures behind it."""

    name: str
    split: str
    value: float
    low: float | None = None
    high: float | None = None
    n: Annotated[int, Field(ge=0)]


class TrainingData(_Strict):
    """What the detector learned from, and on what terms it may therefore be used.

    `counts` are pictures by split and class; `methods`, ways of making fakes in Train; `families`, kinds of such ways by
    split: without Train it was measured and not learned."""

    name: str
    terms: str
    counts: dict[str, int]
    methods: dict[str, int] = {}
    families: dict[str, dict[str, int]] = {}


class LabelMap(_Strict):
    """Written out so that no reader has to guess; there is only one."""

    real: Literal[0] = 0
    fake: Literal[1] = 1


class BundleInfo(_Strict):
    """The contents of `bundle.json`. Unknown keys are refused.

    Attributes:
        format: Version of this layout.
        name: Short name of the detector.
        version: Version of the detector, not of Unmask.
        created: ISO date.
        architecture: Key of `unmask.models`, "ensemble" for several runs together, or "custom".
        input_size: Side S of the square crop that the graph takes, pixels.
        crop_margin: Side of the crop as a multiple of the longer side of the face box.
        label_map: real 0, fake 1.
        temperature: Divides the logit before the sigmoid.
        fake_share: Of the pictures for which P(fake) is right, the share that is fake; None: that of Validation.
        policies: Thresholds by name.
        default_policy: The one in use unless told otherwise.
        clip_policies: The same for a person in a clip; those for pictures where one is missing.
        outside_above: A crop of a larger `distance`, an output of the graph, is unlike those learned from; None: no such.
        metrics: Measured numbers with intervals.
        accusations: Shares of real pictures called fake, by source, the highest first.
        training_data: Pictures and terms.
        made_with: Package versions.
        files: sha256 by file name, of every file but `bundle.json`.
    """

    format: Literal[1] = 1
    name: Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]
    version: str
    created: str
    architecture: str
    input_size: Annotated[int, Field(ge=16, le=1024)]
    crop_margin: Annotated[float, Field(ge=1.0, le=4.0)] = 1.3
    label_map: LabelMap = LabelMap()
    temperature: Annotated[float, Field(gt=0.0)]
    fake_share: Annotated[float, Field(gt=0.0, lt=1.0)] | None = None
    policies: dict[str, Policy]
    default_policy: str
    clip_policies: dict[str, Policy] = {}
    outside_above: Annotated[float, Field(ge=0.0)] | None = None
    metrics: list[Metric] = []
    accusations: list[Metric] = []
    training_data: TrainingData
    made_with: dict[str, str] = {}
    files: dict[str, str] = {}

    @model_validator(mode="after")
    def _default_exists(self) -> Self:
        if self.default_policy not in self.policies:
            raise ValueError(f"default_policy {self.default_policy!r} is not among the policies")
        return self


@dataclass(frozen=True, slots=True)
class Bundle:
    """A verified bundle: what it says and its graph, in memory, so that the bytes that were hashed are the bytes that run.
    `sha256` is that of `bundle.json`, which holds those of all other files: it names thresholds and graph."""

    folder: Path
    info: BundleInfo
    model: bytes
    sha256: str

    @property
    def label(self) -> str:
        """Name and version, as shown beside every answer."""
        return f"{self.info.name} {self.info.version}"


def read_bundle(folder: Path | str | None = None) -> Bundle:
    """Read and verify a bundle.

    Args:
        folder: Where it is; None for the one shipped with the package.

    Raises:
        UnmaskError: If anything is missing, malformed, or differs from its sha256.
    """
    place = DEFAULT_FOLDER if folder is None else Path(folder)
    info = _read_info(place, described := _read_file(place, INFO_FILE))
    contents = {name: _read_file(place, name) for name in info.files}
    for name, expected in info.files.items():
        found = hashlib.sha256(contents[name]).hexdigest()
        if found != expected:
            raise UnmaskError(
                f"{place / name} is not the file that this bundle was made with: "
                f"its sha256 is {found[:12]}..., not {expected[:12]}...",
                hint="Get the bundle again from where it came; a changed detector is not used.",
                code="bundle-hash",
            )
    return Bundle(place, info, contents[MODEL_FILE], hashlib.sha256(described).hexdigest())


def write_bundle(folder: Path | str, info: BundleInfo, model: bytes, card: str) -> Path:
    """Write a bundle so that a reader never sees a mixture of two.

    It is made beside its place and then takes its name; in an empty folder, which may be a mount and so not be renamed,
    `bundle.json` is written last. If the power fails just when one takes another's name, the old one is whole in
    `.<name>.replaced` beside it.

    Args:
        folder: Where to put it; an existing bundle there is replaced, any other non-empty folder is refused.
        info: Everything but `files`, which is filled in here.
        model: The ONNX graph.
        card: The model card, Markdown.

    Returns:
        The folder.

    Raises:
        UnmaskError: If the folder holds something else or cannot be written.
    """
    place = Path(folder)
    try:
        check_place(place)
        return _write(place, info, model, card)
    except OSError as error:
        message = f"cannot write the bundle {place}: {error.strerror or error}"
        hint = "Name a folder that you may write to, on a disk with room for it."
        raise UnmaskError(message, hint=hint, code="bad-output") from None


def check_place(place: Path) -> None:
    """Refuses a file, a folder that holds something else than a bundle, and a bundle that this program runs in: before one is
    made, which takes long."""
    if place.exists() and not place.is_dir():
        raise UnmaskError(f"{place} is a file", hint="Name a folder for the bundle.", code="bad-output")
    if place.exists() and any(place.iterdir()) and not (place / INFO_FILE).exists():
        hint = "Name a new or empty folder for the bundle."
        raise UnmaskError(f"{place} holds other files", hint=hint, code="bad-output")
    if (place / INFO_FILE).exists() and Path.cwd().is_relative_to(place.resolve()):  # which would be gone
        hint = "Go to another folder, and name this one from there."
        raise UnmaskError(f"a bundle cannot be replaced from within: {place}", hint=hint, code="bad-output")


def _write(place: Path, info: BundleInfo, model: bytes, card: str) -> Path:
    # "replace": names of files and in a dataset's manifest need not be UTF-8.
    contents = {MODEL_FILE: model, CARD_FILE: card.encode(errors="replace")}
    files = {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()}
    unsaid = set() if info.fake_share else {"fake_share"}  # versions that do not know it can read the rest
    described = info.model_copy(update={"files": files}).model_dump(exclude=unsaid)
    contents[INFO_FILE] = (json.dumps(described, indent=2, ensure_ascii=False) + "\n").encode(errors="replace")
    whole = place.resolve()
    old = whole.with_name(f".{whole.name}.replaced")
    if old.exists() and not place.exists():  # the power failed half-way through replacing it
        old.rename(whole)
    if place.exists() and not (place / INFO_FILE).exists():
        _fill(place, contents)
    else:
        whole.parent.mkdir(parents=True, exist_ok=True)
        _put(whole, old, contents)
    return place


def _fill(place: Path, contents: dict[str, bytes]) -> None:
    for name, data in contents.items():
        with atomic_write(place / name, durable=True) as file:
            file.write(data)


def _put(place: Path, old: Path, contents: dict[str, bytes]) -> None:
    if old.exists():
        _remove(old, place, contents)
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=f".{place.name}.") as folder:
        new = Path(folder) / place.name
        new.mkdir()
        _fill(new, contents)
        if place.exists():
            shutil.copymode(place, new)
            place.rename(old)
        try:
            new.rename(place)
        except BaseException:
            if old.exists():
                old.rename(place)
            raise
    if old.exists():
        _remove(old, place, contents)


def _remove(old: Path, place: Path, contents: dict[str, bytes]) -> None:
    for other in old.iterdir():
        if other.name not in contents:  # somebody's notes beside the bundle's own files
            other.rename(place / other.name)
    shutil.rmtree(old)


def _read_info(place: Path, described: bytes) -> BundleInfo:
    try:
        info = BundleInfo.model_validate_json(described)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole file"
        hint = "Make the bundle again with `unmask export`, or use a version of Unmask that knows this format."
        raise _bad(place, f"is not a bundle description: {where}: {first['msg']}", hint) from None
    for name in info.files:
        if Path(name).name != name or name == INFO_FILE:
            raise _bad(place, f"lists {name!r}, which is no file of the bundle's own folder", "Do not use this bundle.")
    if absent := {MODEL_FILE, CARD_FILE} - set(info.files):
        raise _bad(place, f"lists no {' and no '.join(sorted(absent))}", "Make the bundle again with `unmask export`.")
    return info


def _bad(place: Path, what: str, hint: str) -> UnmaskError:
    return UnmaskError(f"{place / INFO_FILE} {what}", hint=hint, code="bad-bundle")


def _read_file(place: Path, name: str) -> bytes:
    try:
        return (place / name).read_bytes()
    except OSError as error:
        raise UnmaskError(
            f"no detector at {place}: cannot read {name} ({error.strerror or error})",
            hint="Name a folder made by `unmask export`; where none is named, the shipped detector is used.",
            code="no-bundle",
        ) from None
