"""A step of training and a prediction, each in the way that is fast on the backend in use."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmask.train.config import TrainConfig
from unmask.train.replay import Replayed, Step, can_replay, replayed_step


def training_step(model: Any, config: TrainConfig) -> Step:
    """(images, labels) -> (loss, accuracy), where the model has learned from them.

    Args:
        model: Compiled by `prepare_model`, and loaded where a run goes on.
        config: As `prepare_model` had it.
    """
    if can_replay(model):
        return replayed_step(model, config)

    def step(images: NDArray[np.uint8], labels: NDArray[np.int64]) -> tuple[float, float]:
        logs = model.train_on_batch(images, labels.astype(np.float32)[:, None], return_dict=True)
        return float(logs["loss"]), float(logs["accuracy"])

    return step


class Predictor:
    """Asks a model, and may be kept while the model learns on.

    Args:
        model: A `keras.Model`.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self._replayed = _replayed_answer(model) if can_replay(model) else None

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Images (n, S, S, 3) -> logits (n, 1)."""
        if self._replayed is None:
            return np.asarray(self.model.predict_on_batch(images))
        return np.asarray(self._replayed(images)[0].cpu().numpy())


def _replayed_answer(model: Any) -> Replayed:
    import torch

    def answer(images: Any) -> list[Any]:
        with torch.no_grad():
            return [model(images, training=False).float()]

    return Replayed(answer, model)
