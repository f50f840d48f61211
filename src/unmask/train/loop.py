"""Training: from prepared pictures to a run folder, one step after the other.

    run.toml            every setting, as resolved
    last.npz            the whole state after the last checkpoint: `resume` goes on from here
    model.keras         the model after its best epoch, by AUC on Validation, or after the last one, in float32
    history.csv, accuracy.png, loss.png, tensorboard/    renewed after each epoch

The same seed on the same processor gives the same weights, and so does a run that was killed and resumed. On a GPU sums may
come in another order, and on PyTorch a resumed run draws another dropout.
"""

from __future__ import annotations

import itertools
import math
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from unmask.errors import UnmaskError
from unmask.models import build
from unmask.train.batches import Batches
from unmask.train.checkpoint import LAST, load_checkpoint, read_position, save_checkpoint
from unmask.train.config import CONFIG_FILE, TrainConfig, read_run, write_config
from unmask.train.history import Epoch, Events, write_history
from unmask.train.interrupt import interruptible
from unmask.train.mined import hard_indexes, with_rehearsal
from unmask.train.precision import choose_precision
from unmask.train.replay import Step
from unmask.train.run_state import Outcome, Position
from unmask.train.sampling import balanced
from unmask.train.source import Source, digest, open_source
from unmask.train.stages import averaged_weights, forget_training_pass, prepare_model, stages_of
from unmask.train.steps import Predictor, training_step
from unmask.train.transform import change_of

MODEL = "model.keras"

# Pictures at once when a model only judges.
JUDGE_BATCH = 64

# Batches on which the statistics of averaged weights are measured.
NORM_BATCHES = 64


class Watcher(Protocol):
    """Is told how training goes; the command line's progress display is one."""

    def on_step(self, position: Position, steps: int) -> None: ...

    def on_epoch(self, row: Epoch) -> None: ...


def train(config: TrainConfig, folder: Path, *, watcher: Watcher | None = None) -> Outcome:
    """Trains a detector.

    Args:
        config: All settings.
        folder: The run folder; new or empty.
        watcher: Told of every step and epoch.

    Returns:
        What it came to. Ctrl-C ends the run after the step under way and keeps everything.

    Raises:
        UnmaskError: The folder holds another run, the data cannot be used, the loss is no number any more, or the
            memory does not suffice.
    """
    # A run that was refused before its first step leaves its settings behind, and may be started again.
    if folder.exists() and (not folder.is_dir() or {path.name for path in folder.iterdir()} - {CONFIG_FILE}):
        raise UnmaskError(
            f"{folder} is not empty.",
            hint=f"Name another folder, or go on with the run in it: unmask train --resume {folder}",
            code="run-exists",
        )
    source = open_source(config.data, "Train", config.size)
    _batches(config, source).check_classes()
    if config.crop is not None and config.crop > source.size:
        raise UnmaskError(
            f"Windows of {config.crop} px do not fit into pictures of {source.size} px.",
            hint="Leave --crop out, or prepare larger pictures: unmask prepare ... --size N",
            code="crop-too-large",
        )
    resolved = config.model_copy(
        update={
            "data": str(Path(config.data).resolve()),
            "size": source.size,
            "precision": choose_precision(config.precision, config.model),
        }
    )
    if config.start is not None:
        if not (Path(config.start) / MODEL).is_file():
            raise UnmaskError(
                f"There is no {MODEL} in {config.start} to start from.",
                hint="Name the folder of a run that has finished an epoch.",
                code="no-run",
            )
        resolved = resolved.model_copy(update={"start": str(Path(config.start).resolve())})
    folder.mkdir(parents=True, exist_ok=True)
    write_config(folder / CONFIG_FILE, resolved)
    return _guarded(resolved, folder, watcher)


def resume(folder: Path, *, watcher: Watcher | None = None) -> Outcome:
    """Goes on with a run that was interrupted or killed, as if it had never stopped.

    Raises:
        UnmaskError: As `train`, or the folder holds no run, or its data has changed.
    """
    return _guarded(read_run(folder), folder, watcher)


def judge(model: Any, source: Source) -> NDArray[np.float64]:
    """Logits (N,) of a whole split, in its order.

    Args:
        model: A `keras.Model`, or a `Predictor` of one where it is asked again and again.
        source: The split.
    """
    predict = model if isinstance(model, Predictor) else Predictor(model)
    parts = [
        predict(source.read(np.arange(first, min(first + JUDGE_BATCH, len(source)))))
        for first in range(0, len(source), JUDGE_BATCH)
    ]
    return np.concatenate(parts).reshape(-1).astype(np.float64)


def _guarded(config: TrainConfig, folder: Path, watcher: Watcher | None) -> Outcome:
    try:
        return _run(config, folder, watcher)
    except Exception as error:
        if not _is_out_of_memory(error):
            raise
        raise UnmaskError(
            f"The memory does not suffice for batches of {config.batch_size} pictures of {config.size} px.",
            hint=f"Halve it: --batch-size {max(1, config.batch_size // 2)}, or use a smaller --size.",
            code="out-of-memory",
        ) from error


def _run(config: TrainConfig, folder: Path, watcher: Watcher | None) -> Outcome:
    import keras

    from unmask.train.fused_norm import with_fused_norm

    source = open_source(config.data, "Train", config.size)
    validation = open_source(config.data, "Validation", config.size)
    batches = _batches(config, source)
    checkpoint = folder / LAST
    going_on = checkpoint.exists()
    data = _data_digest(batches, validation)
    position = Position.from_json(read_position(checkpoint)) if going_on else Position(data=data)
    if position.data and position.data != data:
        raise UnmaskError(
            f"The data of the run {folder} is not what it began with: other pictures, labels or hard examples.",
            hint="Take the change back, or start a new run with the same settings: "
            f"unmask train --config {folder / CONFIG_FILE} --out NEW",
            code="data-changed",
        )

    keras.utils.set_random_seed(config.seed)
    # What a resumed run starts from is in its checkpoint, or else in another run; the backbone's file may be gone by now.
    weights = "none" if going_on or config.start is not None else config.backbone_weights
    model = with_fused_norm(
        build(config.model, config.crop or source.size, weights=weights, precision=config.precision)
    )
    judged = Predictor(
        model if config.crop is None else with_fused_norm(build(config.model, source.size, precision=config.precision))
    )
    if config.start is not None and not going_on:
        _start_from(model, Path(config.start))
    events = Events(folder / "tensorboard")

    with interruptible() as interrupted:
        try:
            for index, stage in enumerate(stages_of(config)):
                if index < position.stage:
                    continue
                prepare_model(model, stage, config, batches.steps())
                if index == position.stage and going_on:
                    load_checkpoint(checkpoint, model)
                position.stage = index
                step = training_step(model, config)
                for _ in range(position.epoch, stage.end):
                    if not _epoch(model, step, batches, position, config, checkpoint, watcher, interrupted):
                        return _stopped(model, batches, position, config, folder)
                    _judge_epoch(model, judged, batches, validation, position, config, folder)
                    write_history(folder, config.model, position.history)
                    events.add(position.history[-1])
                    # Last of all: a run that is killed before this does the epoch's end once more.
                    save_checkpoint(checkpoint, model, position.to_json())
                    if watcher:
                        watcher.on_epoch(position.history[-1])
            return Outcome(folder, tuple(position.history), finished=True, keep=config.keep)
        finally:
            forget_training_pass()
            events.close()


def _start_from(model: Any, run: Path) -> None:
    import keras

    known = keras.models.load_model(run / MODEL, compile=False)
    try:
        model.set_weights(known.get_weights())
    except ValueError as error:
        raise UnmaskError(
            f"The weights of {run}, a {known.name} at {known.input_shape[1]} px, do not fit {model.name} at "
            f"{model.input_shape[1]} px.",
            hint="Start from a run of the same --model; one that ends in Flatten must have the same size, too.",
            code="start-differs",
        ) from error


def _batches(config: TrainConfig, source: Source) -> Batches:
    choose = balanced(source, config.balance) if config.balance else None
    if config.hard is not None:
        choose = with_rehearsal(hard_indexes(Path(config.hard), source), len(source))
    return Batches(source, config.batch_size, config.seed, change_of(config, source), config.workers, choose)


def _data_digest(batches: Batches, validation: Source) -> str:
    """Names what a run learns from and is judged by; an epoch's order tells of other hard examples and sources."""
    parts = [zip(part.paths, part.labels.tolist(), strict=True) for part in (batches.source, validation)]
    return digest((*parts[0], *parts[1], tuple(batches.order(0).tolist())))


def _epoch(
    model: Any,
    step: Step,
    batches: Batches,
    position: Position,
    config: TrainConfig,
    checkpoint: Path,
    watcher: Watcher | None,
    interrupted: threading.Event,
) -> bool:
    """The steps of an epoch from where it stands; False if it was interrupted."""
    steps = batches.steps(position.epoch)
    started = time.perf_counter() - position.seconds
    for images, labels in batches.of_epoch(position.epoch, position.step):
        loss, accuracy = step(images, labels)
        if not math.isfinite(loss):
            raise _no_number(f"at step {position.step + 1} of epoch {position.epoch + 1}", config)
        position.step += 1
        position.seen += len(labels)
        position.loss += loss * len(labels)
        position.right += accuracy * len(labels)
        position.seconds = time.perf_counter() - started
        if watcher:
            watcher.on_step(position, steps)
        if interrupted.is_set():
            return False
        if position.step % config.checkpoint_every == 0 and position.step < steps:
            save_checkpoint(checkpoint, model, position.to_json())
    return True


def _judge_epoch(
    model: Any,
    judged: Predictor,
    batches: Batches,
    validation: Source,
    position: Position,
    config: TrainConfig,
    folder: Path,
) -> None:
    """Judges Validation, keeps the model if the settings say so, and moves on to the next epoch.

    `judged` asks the model, or one for whole pictures where the model learns from windows of them.
    """
    import keras
    from sklearn.metrics import roc_auc_score

    with averaged_weights(model, config, _some(batches, position.epoch)):
        if judged.model is not model:
            judged.model.set_weights(model.get_weights())
        logits = judge(judged, validation)
        if not np.isfinite(logits).all():
            raise _no_number(f"after the last step of epoch {position.epoch + 1}", config)
        auc = float(roc_auc_score(validation.labels, logits))
        if auc > position.best or config.keep == "last":
            _keep(model, config, folder)
    labels = validation.labels
    row = Epoch(
        epoch=position.epoch + 1,
        loss=position.loss / position.seen,
        accuracy=position.right / position.seen,
        validation_loss=float((np.logaddexp(0.0, logits) - labels * logits).mean()),
        validation_accuracy=float(((logits > 0) == labels).mean()),
        validation_auc=auc,
        learning_rate=float(keras.ops.convert_to_numpy(model.optimizer.learning_rate)),
        seconds=position.seconds,
        images_per_second=position.seen / max(position.seconds, 1e-9),
    )
    position.history.append(row)
    position.best = max(position.best, auc)
    position.epoch, position.step, position.seen = position.epoch + 1, 0, 0
    position.seconds = position.loss = position.right = 0.0


def _no_number(when: str, config: TrainConfig) -> UnmaskError:
    return UnmaskError(
        f"The loss is no number any more, {when}.",
        hint=f"Start again with a lower --learning-rate than {config.learning_rate:g}, or --precision float32.",
        code="loss-not-a-number",
    )


def _some(batches: Batches, epoch: int) -> Iterator[NDArray[np.uint8]]:
    """Pictures as the model learns from, for what is measured on them and not learned."""
    with closing(batches.of_epoch(epoch)) as made:
        for images, _ in itertools.islice(made, NORM_BATCHES):
            yield images


def _stopped(model: Any, batches: Batches, position: Position, config: TrainConfig, folder: Path) -> Outcome:
    """After Ctrl-C: everything that is there is kept, the model too if no epoch has ended yet."""
    save_checkpoint(folder / LAST, model, position.to_json())
    if not position.history:
        with averaged_weights(model, config, _some(batches, position.epoch)):
            _keep(model, config, folder)
    return Outcome(folder, tuple(position.history), finished=False, keep=config.keep)


def _keep(model: Any, config: TrainConfig, folder: Path) -> None:
    """Writes `model.keras` in float32, whatever the run computes in, in one step."""
    assert config.size is not None
    plain = build(config.model, config.size)
    plain.set_weights(model.get_weights())
    part = folder / f"part.{MODEL}"
    plain.save(part)
    part.replace(folder / MODEL)


def _is_out_of_memory(error: Exception) -> bool:
    """TensorFlow, JAX, PyTorch and numpy each have an own kind of error for it."""
    known = type(error).__name__ in ("ResourceExhaustedError", "OutOfMemoryError")
    return isinstance(error, MemoryError) or known or "RESOURCE_EXHAUSTED" in str(error)
