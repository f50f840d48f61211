"""What of a backbone stays as it is says the same of a picture in every epoch: it is asked once, and the rest learns from that.

So a head can learn for twenty epochs in the time of one, and the last blocks in half the time. The pictures are changed as for
any other run, but each only so many times as copies are wanted; of several copies, the first is of the pictures as they are,
without fakes made of them, so that faint traces are seen, too. What was kept lies in the run's folder, 0.3 to 0.6 MB a picture
and copy, or 9 kB of an overview, and may be deleted after the run. Another run may learn from it, too, and need not ask again.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.data.batches import Batch, Batches
from unmask.data.source import Source
from unmask.errors import UnmaskError
from unmask.models import TOWER
from unmask.system.atomic import atomic_write
from unmask.train.checkpoint import LAST, read_state
from unmask.train.config import TrainConfig, read_run
from unmask.train.run_data import open_data

# What is kept in a run's folder, by the name of the split.
FEATURES, MASKS, LABELS, DONE = "features-{}.npy", "masks-{}.npy", "labels-{}.npy", "features-{}.json"
# Pictures at once, of those that are not changed.
BATCH = 32
# Batches after which they are written down as done.
EVERY = 50

Tell = Callable[[int, int], None]


class _Said(NamedTuple):
    """Of one split; the first three of `Kept`."""

    features: NDArray[np.float16]
    labels: NDArray[np.int64]
    masks: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Kept:
    """What the still part of a backbone said of some pictures.

    Attributes:
        features: float16 (N, tokens, C).
        labels: int64 (N,).
        masks: uint8 (N, h, w): how much of each place is fake, where that is known.
        batches: Of the run: seed and size of a batch.
        places: int64 (N,), of each picture in its source.
        kinds: int64 (N,), of the fakes (see `Source.kinds`).
        rows: int64 (n,), which of them are learned from.
    """

    features: NDArray[np.float16]
    labels: NDArray[np.int64]
    masks: NDArray[np.uint8]
    batches: Batches
    places: NDArray[np.int64]
    kinds: NDArray[np.int64]
    rows: NDArray[np.int64]

    def steps(self, _: int = 0) -> int:
        """Batches in an epoch."""
        return -(-len(self.rows) // self.batches.batch_size)

    def of_epoch(self, epoch: int, first: int = 0) -> Generator[Batch, None, None]:
        """The batches of an epoch from step `first` on, in an order of (seed, epoch)."""
        order = np.random.default_rng((self.batches.seed, epoch)).permutation(self.rows)
        for step in range(first, self.steps()):
            rows = np.sort(order[step * self.batches.batch_size : (step + 1) * self.batches.batch_size])
            pictures = self.features[rows].astype(np.float32)
            yield Batch(pictures, self.labels[rows], self.masks[rows], self.kinds[rows])

    def judge(self, model: Any, last: str) -> NDArray[np.float64]:
        """Logits (N,) of a model whose layer of that name said it."""
        rest = after(model, last)
        parts = [
            np.asarray(rest.predict_on_batch(self.features[first : first + BATCH].astype(np.float32)))[:, 0]
            for first in range(0, len(self.labels), BATCH)
        ]
        return np.concatenate(parts).astype(np.float64)


def after(model: Any, last: str) -> Any:
    """What of a model comes after the layer of a name, as a model that shares its layers."""
    import keras

    return keras.Model(model.get_layer(last).output, model.output, name=model.name)


def keep_features(
    model: Any, last: str, batches: Batches, validation: Source, folder: Path, config: TrainConfig, tell: Tell
) -> tuple[Kept, Kept]:
    """Asks a model's backbone about every picture, or goes on where that was interrupted.

    Args:
        model: One of `unmask.models.build`.
        last: The name of the last layer of its still part.
        batches: Of Train, with what is to be done to the pictures.
        validation: Is not changed.
        folder: Of the run.
        config: How often each picture of Train is changed and asked about (`feature_copies`), or which run did that already
            (`features_of`), of the same still part or of the tower below it.
        tell: Called with how many pictures are done, and of how many.

    Returns:
        Of Train, copy after copy, and of Validation.

    Raises:
        UnmaskError: The disk has no room for them, the still part is not the one that was asked before, or the other run has
            not kept all that is needed.
    """
    import keras

    still = keras.Model(model.input, model.get_layer(last).output)
    weights, copies = hashlib.sha256(), range(config.feature_copies)
    for weight in still.get_weights():
        weights.update(np.asarray(weight, np.float32).tobytes())
    if config.features_of is not None:
        other = Path(config.features_of)
        asked = replace(batches, seed=_who_asked(other, batches.source, validation).seed)
        kept, seen = _borrow(model, last, weights.hexdigest(), other, folder, tell)
    else:
        asked = batches
        kept, seen = _ask(still, weights.hexdigest(), batches, validation, folder, len(copies), tell)
    order = np.concatenate([asked.order(copy) for copy in copies])
    made = (kept.labels == 1) & (batches.source.labels[order] == 0)
    kinds = batches.source.kinds(order, kept.labels)
    train = Kept(*kept, batches, order, kinds, np.flatnonzero(~made if config.blend == 0 else np.ones_like(made)))
    rows = np.arange(len(validation))
    return train, Kept(*seen, batches, rows, validation.kinds(rows, validation.labels), rows)


def _ask(
    still: Any, weights: str, batches: Batches, validation: Source, folder: Path, copies: int, tell: Tell
) -> tuple[_Said, _Said]:
    plain = replace(batches, transform=None)
    steps = [batches.steps(copy) for copy in range(copies)]

    def changed(first: int) -> Generator[Batch, None, None]:
        for copy in range(copies):
            before = sum(steps[:copy])
            if first < before + steps[copy]:
                given = plain if copies > 1 and copy == 0 else batches
                yield from given.of_epoch(copy, max(0, first - before))

    def untouched(first: int) -> Generator[Batch, None, None]:
        for start in range(first * BATCH, len(validation), BATCH):
            rows = np.arange(start, min(start + BATCH, len(validation)))
            yield Batch(validation.read(rows), validation.labels[rows])

    count = sum(len(batches.order(copy)) for copy in range(copies))
    whole = count + len(validation)
    return (
        _keep(still, weights, "Train", changed, count, folder, lambda done: tell(done, whole)),
        _keep(still, weights, "Validation", untouched, len(validation), folder, lambda done: tell(count + done, whole)),
    )


def _borrow(model: Any, last: str, weights: str, other: Path, folder: Path, tell: Tell) -> tuple[_Said, _Said]:
    """What another run has kept; of the tower's tokens, if need be, what comes after them up to the layer of a name."""
    import keras

    wanted, tower = (model.get_layer(name).output.shape[1:] for name in (last, TOWER))
    if not (other / DONE.format("Train")).is_file() and (further := read_run(other).features_of):
        return _borrow(model, last, weights, Path(further), folder, tell)

    def borrowed(name: str) -> _Said:
        try:
            state = json.loads((other / DONE.format(name)).read_text())
            said = _Said(*(np.load(other / file.format(name), mmap_mode="r") for file in (FEATURES, LABELS, MASKS)))
        except OSError:
            raise _not_kept(other) from None
        count = len(said.labels)
        if state.get("weights") != weights or state["rows"] != count:
            raise _not_kept(other)
        if said.features.shape[1:] == wanted:
            return said
        if said.features.shape[1:] != tower:
            raise _not_kept(other)
        between = keras.Model(model.get_layer(TOWER).output, model.get_layer(last).output)

        def tokens(first: int) -> Generator[Batch, None, None]:
            for start in range(first * BATCH, count, BATCH):
                rows = slice(start, start + BATCH)
                yield Batch(said.features[rows].astype(np.float32), said.labels[rows])

        return _keep(between, weights, name, tokens, count, folder, lambda done: tell(done, count))

    return borrowed("Train"), borrowed("Validation")


def _who_asked(run: Path, learned: Source, validation: Source) -> TrainConfig:
    """The settings of the run that asked the backbone, which must have been about these pictures."""
    config = read_run(run)
    if config.features_of is not None:
        return _who_asked(Path(config.features_of), learned, validation)
    data = open_data(config)
    sources, known = (data.batches.source, data.validation), (run / LAST).is_file()
    same = [part.paths for part in sources] == [learned.paths, validation.paths]
    if not (known and same and read_state(run / LAST).data == data.digest):
        raise _not_kept(run)
    return config


def _not_kept(other: Path) -> UnmaskError:
    return UnmaskError(
        f"{other} has not kept what this backbone says of all these pictures.",
        hint=f"Let that run go on: unmask train --resume {other}; or leave features_of out. What a run of clip_vit_b16_whole has "
        "kept does not do for one of clip_vit_b16.",
        code="features-differ",
    )


def _keep(
    still: Any,
    weights: str,
    name: str,
    make: Callable[[int], Generator[Batch, None, None]],
    count: int,
    folder: Path,
    tell: Callable[[int], None],
) -> _Said:
    """Of one split; every epoch's last batch may be smaller, so rows are counted and not computed from steps."""
    done = folder / DONE.format(name)
    state: dict[str, Any] = (
        json.loads(done.read_text()) if done.is_file() else {"steps": 0, "rows": 0, "weights": weights}
    )
    if state.get("weights", weights) != weights:  # which those of before it was noted do not have
        raise UnmaskError(
            f"The backbone is not the one that said what is kept in {folder}: its file, or the run that this one started from, "
            "has changed.",
            hint="Put the old file back, or start a new run.",
            code="backbone-differs",
        )
    tokens, channels = still.output_shape[1:]
    side = round((tokens - 1) ** 0.5) or 1  # an overview is one token, and has no places
    mode: Any = "r+" if state["steps"] else "w+"
    needed = (count - state["rows"]) * (2 * tokens * channels + side * side + 8)
    if needed > (free := shutil.disk_usage(folder).free):  # else the system ends the process once the disk is full
        raise UnmaskError(
            f"What the backbone says of {name} takes {needed / 1e9:.1f} GB, and {folder} has room for {free / 1e9:.1f} GB.",
            hint="Make room, or ask for fewer feature_copies, or for none.",
            code="no-room",
        )

    def opened(file: str, dtype: Any, shape: tuple[int, ...]) -> Any:
        return np.lib.format.open_memmap(folder / file.format(name), mode, dtype, (count, *shape))

    features, masks = opened(FEATURES, np.float16, (tokens, channels)), opened(MASKS, np.uint8, (side, side))
    labels = opened(LABELS, np.int64, ())

    def note() -> None:
        for array in (features, masks, labels):
            array.flush()
        with atomic_write(done, "w", durable=True) as file:
            json.dump(state, file)

    try:
        for batch in make(state["steps"]) if state["rows"] < count else ():
            rows = slice(state["rows"], state["rows"] + len(batch.labels))
            features[rows] = np.asarray(still.predict_on_batch(batch.images), np.float32)
            labels[rows] = batch.labels
            if batch.masks is not None:
                masks[rows] = [cv2.resize(mask, (side, side), interpolation=cv2.INTER_AREA) for mask in batch.masks]
            state |= {"steps": state["steps"] + 1, "rows": rows.stop}
            tell(rows.stop)
            if state["steps"] % EVERY == 0:
                note()
    finally:
        note()
    return _Said(features, labels, masks)
