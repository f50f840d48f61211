"""All settings of a training run, in one place, each with what it is for.

The same names serve the configuration file (`batch_size = 32`), the library and, for those that most runs need, the command
line (`--batch-size`). A run folder keeps them as resolved, in `run.toml`, so that the run can be repeated.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from unmask.errors import UnmaskError
from unmask.models import TRANSFORMERS
from unmask.system.atomic import atomic_write

CONFIG_FILE = "run.toml"
# The one model whose logit is a mean over places.
_OF_PLACES = "clip_vit_b16"

Positive = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0.0)]

# Settings for those who want none. Whatever is given besides them wins.
PRESETS: dict[str, dict[str, Any]] = {
    "report": {},  # the report's network as it was trained: all defaults
    # The same network, sooner, and at a rate at which it learns surely.
    "quick": {"epochs": 3, "learning_rate": 3e-4, "schedule": "cosine"},
    # As that head of the shipped detector was made which has a map; needs CLIP's tower as `backbone_weights`.
    "best": {
        "model": _OF_PLACES,
        "size": 224,
        "tune": "frozen",
        "feature_copies": 2,
        "augment": "delivery",
        "blend": 0.3,
        "localise": 0.1,
        "epochs": 4,
        "batch_size": 64,
        "optimizer": "adamw",
        "weight_decay": 0.01,
        "learning_rate": 1e-3,
        "schedule": "cosine",
    },
}


class TrainConfig(BaseModel):
    """What a run is made from. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, protected_namespaces=())

    # A folder written by `unmask prepare`, or Dataset/{Train,Validation}/{Real,Fake}.
    data: str
    # A key of unmask.models.ARCHITECTURES.
    model: str = "cnn"
    # Side of the model's input; None: that of the prepared pictures, or 128 straight from folders.
    size: Annotated[int, Field(ge=16, le=1024)] | None = None

    # Where a backbone starts: none (random), imagenet, or a file: .weights.h5, of clip_vit_b16 .npz.
    backbone_weights: str = "none"
    # How many of a transformer's blocks there are, from the first on; None: as many as the architecture takes by itself.
    blocks: Annotated[int, Field(ge=1, le=12)] | None = None
    # What learns: everything; the head on a still backbone; or the head first and then everything (fine-tune), or the head and,
    # of a transformer, its layer normalisations (norms) or the last third of its blocks (last).
    tune: Literal["all", "frozen", "norms", "last", "fine-tune"] = "all"
    # Of a transformer, while the head or the last blocks learn: what stays still is asked once about so many changed copies of
    # every picture (of several, the first is as it is), and that is kept; 0 asks in each epoch. See unmask.train.kept_features.
    feature_copies: Annotated[int, Field(ge=0)] = 0
    # A run that has asked the same backbone about the same pictures: what was kept there is learned from.
    features_of: str | None = None
    # fine-tune, norms and last: epochs of the head alone, and the learning rate after them.
    frozen_epochs: Annotated[int, Field(ge=0)] = 1
    fine_tune_learning_rate: Rate = 1e-4
    # frozen: the backbone's BatchNorm keeps its statistics, which suits pretrained weights and short runs. moving: it
    # learns new ones with `batch_norm_momentum`; Keras' 0.999 would need thousands of steps to follow.
    batch_norm: Literal["auto", "frozen", "moving"] = "auto"
    batch_norm_momentum: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.95

    # A run whose model this one starts from.
    start: str | None = None
    # Lists (CSV with a column `path`): hard examples, of which each epoch has all, and as many other pictures; and pictures
    # of Train not to learn from, such as those that are probably mislabelled.
    hard: str | None = None
    leave_out: str | None = None

    # How far an epoch goes from all pictures once (0) towards as many from each source (1), or beyond; see unmask.train.sampling.
    balance: Annotated[float, Field(ge=0.0, le=2.0)] = 0.0
    augment: Literal["none", "light", "delivery"] = "none"
    # Share of each batch's real pictures that become fakes, blended or with a part pasted in; see unmask.data.fakes.
    blend: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    # Weight of the loss that asks where such a fake is fake; see unmask.train.localise.
    localise: Annotated[float, Field(ge=0.0, le=10.0)] = 0.0
    # Learn from windows of this side, cut at random from the changed pictures; the model is judged on whole ones.
    crop: Annotated[int, Field(ge=16, le=1024)] | None = None

    epochs: Positive = 5
    batch_size: Positive = 32
    optimizer: Literal["adam", "adamw"] = "adam"
    learning_rate: Rate = 1e-3
    # cosine: a linear rise over the first 5 % of the steps, then half a cosine down to zero.
    schedule: Literal["constant", "cosine"] = "constant"
    weight_decay: Annotated[float, Field(ge=0.0)] = 0.0
    # Momentum of an exponential moving average of the weights, which is then what is judged and kept; 0: none.
    ema: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    label_smoothing: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    # Which epoch's model is kept: the best one by AUC on Validation, or the last one.
    keep: Literal["best", "last"] = "best"

    seed: Annotated[int, Field(ge=0, lt=2**31)] = 1
    # auto: mixed_bfloat16 where the processor computes in bfloat16 and the model gains by it, else float32.
    precision: Literal["auto", "float32", "mixed_bfloat16"] = "auto"
    # Steps between two checkpoints inside an epoch: what a kill -9 can cost, at most.
    checkpoint_every: Positive = 200
    # Threads that read and augment ahead.
    workers: Positive = 2

    @model_validator(mode="before")
    @classmethod
    def _of_earlier_versions(cls, settings: Any) -> Any:
        """`balance` began as a switch, which took the square root of sizes; `reconstruct` is gone, and only 0 says nothing."""
        if isinstance(settings, dict):
            if isinstance(settings.get("balance"), bool):
                settings = {**settings, "balance": 0.5 * settings["balance"]}
            if settings.get("reconstruct") == 0:
                settings = {name: value for name, value in settings.items() if name != "reconstruct"}
        return settings

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.tune in ("fine-tune", "norms", "last") and self.frozen_epochs >= self.epochs:
            raise ValueError(f"frozen_epochs {self.frozen_epochs} leaves nothing of {self.epochs} epochs to fine-tune")
        if self.weight_decay and self.optimizer != "adamw":
            raise ValueError("weight_decay needs the optimizer adamw")
        if self.hard is not None and self.start is None:
            raise ValueError("hard examples need a run to start from: unmask train --resume RUN --hard hard.csv")
        if self.hard is not None and self.balance:
            raise ValueError("balance chooses the pictures of an epoch, and so does hard: take one of them")
        if self.model == "cnn" and (self.tune != "all" or self.backbone_weights != "none"):
            raise ValueError("cnn has no backbone to freeze, to fine-tune or to load")
        if self.model in ("cnn", *TRANSFORMERS) and self.crop is not None:
            raise ValueError(
                f"crop needs a model of any size that ends in global pooling; {self.model} has a fixed size"
            )
        if self.model not in TRANSFORMERS and (self.tune in ("norms", "last") or self.blocks is not None):
            raise ValueError(f"tune norms or last, and blocks, need the model {' or '.join(TRANSFORMERS)}")
        if self.model != _OF_PLACES and self.localise:
            raise ValueError(f"localise needs the model {_OF_PLACES}")
        alone = self.tune in ("frozen", "last") or (self.tune != "all" and self.frozen_epochs > 0)
        if self.feature_copies and (not alone or self.model not in TRANSFORMERS or self.hard is not None):
            raise ValueError(
                "feature_copies needs epochs in which the head or the last blocks learn, the model "
                f"{' or '.join(TRANSFORMERS)}, and no hard examples"
            )
        if self.features_of and not self.feature_copies:
            raise ValueError("features_of needs feature_copies")
        if self.localise and not self.blend:
            raise ValueError("localise needs fakes whose masks are known: set blend")
        return self


def make_config(**settings: Any) -> TrainConfig:
    """Settings as a checked configuration.

    Raises:
        UnmaskError: An unknown setting or a value out of range; all of them are named.
    """
    try:
        return TrainConfig(**settings)
    except ValidationError as error:
        problems = [_sentence(dict(problem)) for problem in error.errors()]
        raise UnmaskError(
            f"The settings of the run are wrong: {'; '.join(problems)}.",
            hint=f"Known settings: {', '.join(TrainConfig.model_fields)}.",
            code="bad-config",
        ) from None


def make_preset(name: str, **given: Any) -> TrainConfig:
    """The settings of a preset, with those of the command line laid over them.

    Args:
        name: A key of `PRESETS`.
        given: Settings that win.

    Raises:
        UnmaskError: ``no-weights`` where the preset starts from weights that were not named, or as `make_config`.
    """
    if PRESETS[name].get("model") in TRANSFORMERS and not {"backbone_weights", "model", "start"} & given.keys():
        raise UnmaskError(
            f"The preset {name} starts from the weights of CLIP's image tower.",
            hint="Name them with --backbone-weights FILE.npz, as docs/training.md says; without them: --preset quick.",
            code="no-weights",
        )
    return make_config(**PRESETS[name] | given)


def read_config(path: Path, **overrides: Any) -> TrainConfig:
    """A configuration file (TOML), with settings of the command line laid over it.

    Raises:
        UnmaskError: The file is missing or is not TOML, or as `make_config`.
    """
    try:
        settings = tomllib.loads(path.read_text(encoding="utf-8-sig", errors="surrogateescape"))
    except OSError as error:
        raise UnmaskError(
            f"The configuration {path} cannot be read: {error.strerror or error}.",
            hint="Name a file like the run.toml of an earlier run.",
            code="no-config",
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise UnmaskError(
            f"The configuration {path} is not TOML: {error}.", hint="Write lines like: epochs = 5", code="bad-config"
        ) from None
    return make_config(**settings | overrides)


def read_run(run: Path) -> TrainConfig:
    """The settings of the run in a folder.

    Raises:
        UnmaskError: There is no run, or as `make_config`.
    """
    if not (run / CONFIG_FILE).is_file():
        raise UnmaskError(
            f"There is no run in {run}.",
            hint="Name the folder of a run that was started with: unmask train --data prepared/ --out RUN",
            code="no-run",
        )
    return read_config(run / CONFIG_FILE)


def continued(run: Path, hard: Path, **overrides: Any) -> TrainConfig:
    """The settings of a second run, on hard examples: the first one's, one epoch, and its lower learning rate.

    Args:
        run: The run to go on from.
        hard: A CSV file with the column `path`, as `unmask mine` writes it.
        overrides: Settings that shall differ.

    Raises:
        UnmaskError: As `read_run`.
    """
    first = read_run(run)
    lower = {
        "epochs": 1,
        "learning_rate": first.fine_tune_learning_rate,
        "frozen_epochs": 0,
        # Hard examples are asked for anew: what was kept is of all pictures.
        "feature_copies": 0,
        "features_of": None,
        # Hard examples and rehearsal make the epoch; there is nothing left to balance.
        "balance": 0.0,
    }
    settings = {**first.model_dump(), **lower, "start": str(run.resolve()), "hard": str(hard.resolve()), **overrides}
    return make_config(**settings)


def with_whole_paths(config: TrainConfig) -> TrainConfig:
    """The same settings, whose paths lead to the same places from any folder that the run may be resumed in."""
    places = {name: getattr(config, name) for name in ("data", "start", "hard", "leave_out", "features_of")}
    if config.backbone_weights not in ("none", "imagenet"):
        places["backbone_weights"] = config.backbone_weights
    return config.model_copy(update={name: str(Path(place).resolve()) for name, place in places.items() if place})


def told_settings(config: TrainConfig) -> dict[str, Any]:
    """What a model card tells beside model and data: what says something of the result; of paths only the name."""
    told = config.model_dump(exclude={"data", "model", "workers", "checkpoint_every"}, exclude_none=True)
    paths = {"backbone_weights", "features_of", "hard", "leave_out", "start"}
    return {name: Path(value).name if name in paths else value for name, value in told.items()}


def changed_settings(config: TrainConfig) -> dict[str, Any]:
    """Of these, those that differ from the defaults; without size, seed and epochs."""
    return {
        name: value
        for name, value in told_settings(config).items()
        if name not in ("size", "seed", "epochs") and value != TrainConfig.model_fields[name].default
    }


def write_config(path: Path, config: TrainConfig) -> None:
    """Writes every setting, the defaults too; TOML has no null, so what is None is left out."""
    import tomli_w

    # A path may hold bytes that are no text.
    with atomic_write(path, "w", durable=True, errors="surrogateescape") as file:
        file.write(tomli_w.dumps(config.model_dump(exclude_none=True)))


def _sentence(problem: dict[str, Any]) -> str:
    where = ".".join(str(part) for part in problem["loc"])
    what = str(problem["msg"]).removeprefix("Value error, ")
    return f"{where}: {what}" if where else what
