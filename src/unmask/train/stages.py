"""What learns when, and how fast: the stages of a run, its optimizer and its learning rates."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmask.data.batches import Batch
from unmask.models import MIDDLE, OVERVIEW, TOWER, backbone_layers
from unmask.train.config import TrainConfig
from unmask.train.kept_features import after

# Share of a stage's steps in which a cosine schedule rises to its learning rate.
WARM_UP = 0.05


@dataclass(frozen=True, slots=True)
class Stage:
    """Epochs with one optimizer.

    Attributes:
        first: First epoch, counted from 0.
        end: Epoch after the last.
        backbone: Whether the layers before the last spatial map learn.
        learning_rate: At its highest.
    """

    first: int
    end: int
    backbone: bool
    learning_rate: float


def stages_of(config: TrainConfig) -> tuple[Stage, ...]:
    """One stage, or two for fine-tuning: the head first, so that its random start does not spoil the backbone."""
    if config.tune in ("all", "frozen"):
        return (Stage(0, config.epochs, config.tune == "all", config.learning_rate),)
    turn = config.frozen_epochs
    then = Stage(turn, config.epochs, True, config.fine_tune_learning_rate)
    return (Stage(0, turn, False, config.learning_rate), then) if turn else (then,)


def keeps_features(stage: Stage, config: TrainConfig) -> bool:
    """Whether a stage learns from what its still backbone once said (see `unmask.train.kept_features`)."""
    return bool(config.feature_copies) and (config.tune == "last" or not stage.backbone)


def last_still(config: TrainConfig) -> str:
    """The name of the last layer that no stage of a run with kept features changes."""
    if config.tune == "last":
        return MIDDLE
    return OVERVIEW if config.model == "clip_vit_b16_whole" else TOWER


def prepare_model(
    model: Any, stage: Stage, config: TrainConfig, steps_per_epoch: int
) -> tuple[Any, Callable[[Batch], NDArray[np.float32]]]:
    """Compiles a model for a stage: sets what learns, a fresh optimizer and the loss.

    Args:
        model: A `keras.Model` from pictures to logits (N, 1).
        stage: Of `stages_of(config)`.
        config: All settings.
        steps_per_epoch: Batches an epoch.

    Returns:
        What is to be trained: the model, or one around it that says more (`unmask.train.localise.with_places`,
        `unmask.train.kinds.with_kinds`), or only what comes after the part whose features are kept
        (`unmask.train.kept_features`); and what a batch should give.
    """
    import keras

    from unmask.train import kinds, localise

    _set_trainable(model, stage, config)
    loss: Any = keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=config.label_smoothing)
    metric: Any = keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)
    learner: Any = model
    targets: Callable[[Batch], NDArray[np.float32]] = localise.targets_of
    if config.localise:
        learner = localise.with_places(model)
        loss = localise.localising_loss(loss, config.localise)
        metric = keras.metrics.MeanMetricWrapper(localise.accuracy, "accuracy")
        targets = partial(localise.targets_of, places=int(learner.output_shape[-1]) - 1)
    elif kinds.has_kinds(model):
        learner, targets = kinds.with_kinds(model), kinds.targets_of
        loss = kinds.kinds_loss(config.label_smoothing)
        metric = keras.metrics.MeanMetricWrapper(kinds.accuracy, "accuracy")
    if keeps_features(stage, config):
        learner = after(learner, last_still(config))
    learner.compile(
        optimizer=_optimizer(config, stage.learning_rate, (stage.end - stage.first) * steps_per_epoch),
        loss=loss,
        metrics=[metric],
        # On a CPU, TensorFlow's own kernels (oneDNN) are two to four times as fast as XLA's convolutions.
        jit_compile=False if keras.backend.backend() == "tensorflow" else "auto",
    )
    learner.optimizer.build(learner.trainable_variables)
    return learner, targets


def last_rate(optimizer: Any) -> float:
    """The learning rate of the step that was taken last; Keras' own `learning_rate` is that of the next one."""
    import keras

    rate = optimizer.get_config()["learning_rate"]
    if isinstance(rate, dict):
        rate = keras.optimizers.schedules.deserialize(rate)(optimizer.iterations - 1)
    return float(keras.ops.convert_to_numpy(rate))


@contextmanager
def averaged_weights(model: Any, config: TrainConfig, batches: Iterable[NDArray[np.uint8]]) -> Iterator[None]:
    """The model with the moving average of its weights, where the run keeps one; put back afterwards, Keras' seeds too.

    The statistics of batch normalisation belong to the weights of the last few steps, and do not fit the average while
    the learning rate is high: they are measured anew (Izmailov et al., "Averaging Weights Leads to Wider Optima and
    Better Generalization", UAI 2018, section 3.2).

    Args:
        model: In training.
        config: Whether there is an average.
        batches: Pictures, uint8 (n, S, S, 3), as the model learns from, to measure the statistics on.
    """
    if not config.ema:
        yield
        return
    import keras

    before = [np.array(keras.ops.convert_to_numpy(variable)) for variable in model.variables]
    model.optimizer.finalize_variable_values(model.trainable_variables)
    try:
        _measure_norms(model, batches)
        yield
    finally:
        for variable, value in zip(model.variables, before, strict=True):
            variable.assign(value)


def _measure_norms(model: Any, batches: Iterable[NDArray[np.uint8]]) -> None:
    """Sets the statistics of every normalisation that learns them to the mean over these batches."""
    import keras

    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable]
    momenta = [layer.momentum for layer in norms]
    try:
        for number, images in enumerate(batches if norms else (), 1):
            for layer in norms:
                layer.momentum = 1 - 1 / number  # a moving average with this momentum is the mean so far
            model(images, training=True)
    finally:
        for layer, momentum in zip(norms, momenta, strict=True):
            layer.momentum = momentum


def _set_trainable(model: Any, stage: Stage, config: TrainConfig) -> None:
    import keras

    moving = config.batch_norm == "moving" or (config.batch_norm == "auto" and config.backbone_weights == "none")
    still = backbone_layers(model, MIDDLE) if config.tune == "last" else []
    for layer in backbone_layers(model):
        is_norm = isinstance(layer, keras.layers.BatchNormalization)
        # A BatchNormalization that does not learn runs in inference mode, on its stored statistics.
        learns = isinstance(layer, keras.layers.LayerNormalization) if config.tune == "norms" else moving or not is_norm
        layer.trainable = stage.backbone and learns and layer not in still
        if is_norm:
            layer.momentum = config.batch_norm_momentum


def _optimizer(config: TrainConfig, learning_rate: float, steps: int) -> Any:
    import keras

    rate: Any = learning_rate
    if config.schedule == "cosine":
        warm_up = max(1, round(WARM_UP * steps))
        rate = keras.optimizers.schedules.CosineDecay(
            0.0, max(1, steps - warm_up), warmup_target=learning_rate, warmup_steps=warm_up
        )
    average = {"use_ema": True, "ema_momentum": config.ema} if config.ema else {}
    if config.optimizer == "adamw":
        return keras.optimizers.AdamW(rate, weight_decay=config.weight_decay, **average)
    return keras.optimizers.Adam(rate, **average)
