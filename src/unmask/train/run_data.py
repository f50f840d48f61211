"""What a run learns from and is judged by: opened, named and checked before Keras is loaded, which takes seconds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from unmask.data.batches import Batches
from unmask.data.source import Source, digest, open_source
from unmask.errors import UnmaskError
from unmask.models import check_architecture
from unmask.train.config import TrainConfig, read_run, with_whole_paths
from unmask.train.sampling import balanced, with_rehearsal

MODEL = "model.keras"
# Settings on which it depends what a still backbone says of the pictures; of a seed, only which changes were drawn.
_OF_FEATURES = ("data", "size", "feature_copies", "leave_out", "balance", "augment")

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class RunData:
    """The data of a run.

    Attributes:
        batches: Of Train; nothing is done to the pictures yet.
        validation: What the model is judged by after each epoch.
        digest: Names both: another one where pictures, labels, hard examples or the order of an epoch differ, or pixels that
            `unmask prepare` wrote.
    """

    batches: Batches
    validation: Source
    digest: str


def open_data(config: TrainConfig, on_note: Tell | None = None) -> RunData:
    """Opens what a configuration names, and tells `on_note` what a person should know of it.

    Raises:
        UnmaskError: No such data, a class without pictures, another size, or a list that does not belong to it.
    """
    source = open_source(config.data, "Train", config.size, on_note=on_note or (lambda note: None))
    validation = open_source(config.data, "Validation", config.size)
    if config.leave_out is not None:
        source = source.taken(np.setdiff1d(np.arange(len(source)), source.listed(Path(config.leave_out))))
        if missing := [name for label, name in enumerate(("real", "fake")) if label not in source.labels]:
            raise UnmaskError(
                f"Without the pictures of {config.leave_out}, Train has no {' and no '.join(missing)} pictures.",
                hint="Leave fewer pictures out.",
                code="class-missing",
            )
    choose = balanced(source, config.balance) if config.balance else None
    if config.hard is not None:
        choose = with_rehearsal(source.listed(Path(config.hard)), len(source))
    batches = Batches(source, config.batch_size, config.seed, workers=config.workers, choose=choose)
    rows = [zip(part.paths, part.labels.tolist(), strict=True) for part in (source, validation)]
    pixels = tuple(part.pixels for part in (source, validation) if part.pixels)
    order = tuple(batches.order(0).tolist())
    return RunData(batches, validation, digest((*rows[0], *rows[1], *([pixels] if pixels else ()), order)))


def check(config: TrainConfig, data: RunData) -> None:
    """Refuses what a run cannot be made of.

    Raises:
        UnmaskError: Batches of one class, windows larger than the pictures, an unknown architecture or one for larger
            pictures, a file of weights or a run to start from that is not there, or one to take features of that has others.
    """
    data.batches.check_classes()
    size = data.validation.size
    if config.crop is not None and config.crop > size:
        raise UnmaskError(
            f"Windows of {config.crop} px do not fit into pictures of {size} px.",
            hint="Leave crop out, or prepare larger pictures: unmask prepare ... --size N",
            code="crop-too-large",
        )
    if config.features_of is not None:
        told = with_whole_paths(config).model_dump() | {"size": size}
        theirs = read_run(Path(config.features_of)).model_dump()
        unlike = [name for name in _OF_FEATURES if told[name] != theirs[name]]
        if told["blend"] not in (0.0, theirs["blend"]):
            unlike.append("blend (that of the other run, or 0 to leave out the fakes that were made)")
        if unlike:
            raise UnmaskError(
                f"The run {config.features_of} has asked its backbone otherwise: {', '.join(unlike)}.",
                hint="Take its settings of that kind for this run, or leave features_of out.",
                code="features-differ",
            )
    check_architecture(config.model, config.crop or size, "none" if config.start else config.backbone_weights)
    if config.start is not None and not (Path(config.start) / MODEL).is_file():
        raise UnmaskError(
            f"There is no {MODEL} in {config.start} to start from.",
            hint="Name the folder of a run that has finished an epoch.",
            code="no-run",
        )
