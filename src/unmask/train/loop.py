"""Training: from pictures to a run folder, one step after the other.

    run.toml            every setting, as resolved
    last.npz            the whole state after the last checkpoint: `resume` goes on from here
    model.keras         the model after its best epoch, by AUC on Validation, or after the last one, in float32
    history.csv, accuracy.png, loss.png    renewed after each epoch

The same seed on the same processor gives the same weights, and so does a run that was killed and resumed. On a GPU sums may
come in another order, and on PyTorch a resumed run draws another dropout.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from unmask.data.batches import Batches
from unmask.data.source import Source
from unmask.errors import UnmaskError
from unmask.models import build, load
from unmask.system.atomic import atomic_write, is_left_over, sweep
from unmask.system.lock import LOCK, locked
from unmask.train.backend import load_keras
from unmask.train.checkpoint import LAST, load_checkpoint, read_state, save_checkpoint
from unmask.train.config import CONFIG_FILE, TrainConfig, read_run, with_whole_paths, write_config
from unmask.train.damping import damp
from unmask.train.failures import memory_explained, no_number
from unmask.train.history import HISTORY, Epoch, write_history
from unmask.train.interrupt import interruptible
from unmask.train.kept_features import Kept, keep_features
from unmask.train.precision import choose_precision
from unmask.train.run_data import MODEL, RunData, Tell, check, open_data
from unmask.train.run_state import Outcome, RunState
from unmask.train.stages import averaged_weights, keeps_features, last_rate, last_still, prepare_model, stages_of
from unmask.train.transform import transform_of

__all__ = ["MODEL", "Watcher", "judge", "resume", "train"]

# What is written into a run folder, and may be left half-written by a kill.
WRITTEN = (CONFIG_FILE, LAST, MODEL, HISTORY, "*.png", "features-*.json")

# Pictures at once when a model only judges.
JUDGE_BATCH = 64

# Batches on which the statistics of averaged weights are measured.
NORM_BATCHES = 64


class Watcher(Protocol):
    """Is told how training goes; the command line's progress display is one."""

    def on_features(self, done: int, pictures: int) -> None:
        """While features are kept, of how many pictures."""

    def on_step(self, state: RunState, steps: int) -> None:
        """After each step, with how many the epoch has."""

    def on_epoch(self, row: Epoch) -> None:
        """After each epoch, when everything of it is on the disk."""


def train(config: TrainConfig, folder: Path, *, watcher: Watcher | None = None, on_note: Tell | None = None) -> Outcome:
    """Trains a detector.

    Args:
        config: All settings.
        folder: The run folder; new or empty.
        watcher: Told of every step and epoch.
        on_note: Told what a person should know of the data.

    Returns:
        What it came to. Ctrl-C ends the run after the step under way and keeps everything.

    Raises:
        UnmaskError: The folder holds another run or another process trains in it, the data cannot be used, the loss is
            no number any more, or the memory does not suffice.
    """
    # All that can be wrong is found before Keras is loaded, which takes long, and before anything is written.
    data = open_data(config, on_note)
    check(config, data)
    if not (folder / LOCK).is_file():  # else whoever holds it is to be named
        _refuse_another(folder)
    with locked(folder, "unmask train"):
        _refuse_another(folder)
        sweep(folder, *WRITTEN)
        load_keras()
        found = {"size": data.validation.size, "precision": choose_precision(config.precision, config.model)}
        resolved = with_whole_paths(config).model_copy(update=found)
        write_config(folder / CONFIG_FILE, resolved)
        return _learn(resolved, data, folder, RunState(data=data.digest), watcher)


def resume(
    folder: Path, *, data: str | Path | None = None, watcher: Watcher | None = None, on_note: Tell | None = None
) -> Outcome:
    """Goes on with a run that was interrupted or killed, as if it had never stopped.

    Args:
        folder: The run folder.
        data: Where the data is now, if it has moved; noted in the run's settings.
        watcher: Told of every step and epoch.
        on_note: As `train`.

    Returns:
        As `train`.

    Raises:
        UnmaskError: As `train`, or the folder holds no run, or its data or backbone is not what it began with.
    """
    config = read_run(folder)
    if data is not None:
        config = config.model_copy(update={"data": str(Path(data).resolve())})
    try:
        opened = open_data(config, on_note)
    except UnmaskError as error:
        if data is None:
            error.hint = (
                f"Where the data of the run has moved: unmask train --resume {folder} --data FOLDER. {error.hint}"
            )
        raise
    with locked(folder, "unmask train"):
        sweep(folder, *WRITTEN)
        begun = (folder / LAST).exists()
        state = read_state(folder / LAST) if begun else RunState(data=opened.digest)
        if state.data not in ("", opened.digest):
            raise UnmaskError(
                f"The data of the run {folder} is not what it began with: other pictures, labels or hard examples.",
                hint="Take the change back, or name where the data is now with --data, or start a new run with the same "
                f"settings: unmask train --config {folder / CONFIG_FILE} --out NEW",
                code="data-changed",
            )
        if data is not None:
            write_config(folder / CONFIG_FILE, config)
        for source in (opened.batches.source, opened.validation):
            source.verify()
        if state.epoch == config.epochs:
            return Outcome(folder, tuple(state.history), finished=True, keep=config.keep)
        load_keras()
        return _learn(config, opened, folder, state, watcher)


def judge(model: Any, source: Source) -> NDArray[np.float64]:
    """Logits (N,) of a whole split, in its order.

    Args:
        model: A `keras.Model` from uint8 (n, S, S, 3) to logits (n, 1).
        source: The split, of pictures of side S.
    """
    parts = [
        np.asarray(model.predict_on_batch(source.read(np.arange(first, min(first + JUDGE_BATCH, len(source))))))
        for first in range(0, len(source), JUDGE_BATCH)
    ]
    return np.concatenate(parts).reshape(-1).astype(np.float64)


def _refuse_another(folder: Path) -> None:
    """A run that was refused or killed before its first step leaves its settings behind, and may be started again."""
    if folder.exists() and not folder.is_dir():
        raise UnmaskError(f"{folder} is a file.", hint="Name a new folder for the run.", code="run-exists")
    if folder.exists() and not all(
        path.name in (CONFIG_FILE, LOCK) or is_left_over(path, CONFIG_FILE) for path in folder.iterdir()
    ):
        raise UnmaskError(
            f"{folder} is not empty.",
            hint=f"Name another folder, or go on with the run in it: unmask train --resume {folder}",
            code="run-exists",
        )


def _learn(config: TrainConfig, data: RunData, folder: Path, state: RunState, watcher: Watcher | None) -> Outcome:
    with memory_explained(config):
        import keras

        from unmask.train.fused_norm import with_fused_norm

        checkpoint = folder / LAST
        begun = checkpoint.exists()
        batches = replace(data.batches, transform=transform_of(config, data.batches.source))
        size = data.validation.size

        keras.utils.set_random_seed(config.seed)
        # What a resumed run starts from is in its checkpoint, or else in another run; the backbone's file may be gone by now.
        # But a backbone whose features are kept does not learn yet, and is in no checkpoint.
        stages = stages_of(config)
        keeps = keeps_features(stages[state.stage], config)
        in_checkpoint = begun and not keeps
        weights = "none" if in_checkpoint or config.start is not None else config.backbone_weights
        model = with_fused_norm(
            build(config.model, config.crop or size, weights=weights, precision=config.precision, blocks=config.blocks)
        )
        # What is judged and kept: for whole pictures, in float32, whatever the run learns from and computes in.
        kept = build(config.model, size, blocks=config.blocks)
        if config.start is not None and not in_checkpoint:
            _start_from(model, Path(config.start))
        features: Kept | None = None
        if keeps:
            tell = watcher.on_features if watcher else lambda done, pictures: None
            try:
                still = last_still(config)
                features, seen = keep_features(model, still, batches, data.validation, folder, config, tell)
                damp(model, features)
            except KeyboardInterrupt:  # what was kept until now is noted
                return Outcome(folder, tuple(state.history), finished=False, keep=config.keep)

        with interruptible() as interrupted:
            for number, stage in enumerate(stages[state.stage :], state.stage):
                given = features if features is not None and keeps_features(stage, config) else batches
                learner, targets = prepare_model(model, stage, config, given.steps())
                if begun and number == state.stage:
                    load_checkpoint(checkpoint, learner)
                state.stage = number
                if not begun and number == 0:
                    save_checkpoint(checkpoint, learner, state)

                for epoch in range(state.epoch, stage.end):
                    steps = given.steps(epoch)
                    started = time.perf_counter() - state.seconds
                    for batch in given.of_epoch(epoch, state.step):
                        logs = learner.train_on_batch(batch.images, targets(batch), return_dict=True)
                        if not math.isfinite(logs["loss"]):
                            raise no_number(f"at step {state.step + 1} of epoch {epoch + 1}", config)
                        state.end_step(len(batch.labels), float(logs["loss"]), float(logs["accuracy"]))
                        state.seconds = time.perf_counter() - started
                        if watcher:
                            watcher.on_step(state, steps)
                        if interrupted.is_set():
                            save_checkpoint(checkpoint, learner, state)
                            if not state.history:  # there shall be a model, even before the end of an epoch
                                _take_average(kept, model, learner, config, given, epoch)
                                _keep(kept, folder)
                            return Outcome(folder, tuple(state.history), finished=False, keep=config.keep)
                        if state.step % config.checkpoint_every == 0 and state.step < steps:
                            save_checkpoint(checkpoint, learner, state)

                    _take_average(kept, model, learner, config, given, epoch)
                    # A model that sees whole pictures judges in the precision it learns in, which is faster than float32.
                    judging = kept if config.crop or config.ema else model
                    whole = given is batches
                    logits = judge(judging, data.validation) if whole else seen.judge(judging, last_still(config))
                    if not np.isfinite(logits).all():
                        raise no_number(f"after the last step of epoch {epoch + 1}", config)
                    row = state.judged(data.validation.labels, logits, last_rate(learner.optimizer))
                    if row.validation_auc > state.best or config.keep == "last":
                        _keep(kept, folder)
                    state.end_epoch(row)
                    write_history(folder, config.model, state.history)
                    # Last of all: a run that is killed before this does the epoch's end once more.
                    save_checkpoint(checkpoint, learner, state)
                    if watcher:
                        watcher.on_epoch(row)
        return Outcome(folder, tuple(state.history), finished=True, keep=config.keep)


def _start_from(model: Any, run: Path) -> None:
    known = load(run / MODEL)
    try:
        model.set_weights(known.get_weights())
    except ValueError as error:
        raise UnmaskError(
            f"The weights of {run}, a {known.name} at {known.input_shape[1]} px, do not fit {model.name} at "
            f"{model.input_shape[1]} px.",
            hint="Start from a run of the same --model; one that ends in Flatten must have the same size, too.",
            code="start-differs",
        ) from error


def _take_average(
    kept: Any, model: Any, learner: Any, config: TrainConfig, batches: Batches | Kept, epoch: int
) -> None:
    """Gives `kept` the weights of the model in training, or their average where the run has one."""

    def pictures() -> Iterator[NDArray[np.uint8]]:
        with closing(batches.of_epoch(epoch)) as made:
            for batch in itertools.islice(made, NORM_BATCHES):
                yield batch.images

    with averaged_weights(learner, config, pictures()):
        kept.set_weights(model.get_weights())


def _keep(model: Any, folder: Path) -> None:
    """Writes `model.keras` in one step; Keras itself only saves to a name that ends so."""
    part = folder / f".{MODEL}.part.keras"
    model.save(part)
    with atomic_write(folder / MODEL, durable=True) as file:
        file.write(part.read_bytes())
    part.unlink()
