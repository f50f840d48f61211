"""Several runs as one detector: the mean of their logits.

Runs from different seeds make different mistakes, so their mean is usually right more often than any of them, and surer of itself
only where they agree (Lakshminarayanan et al., "Simple and Scalable Predictive Uncertainty Estimation using Deep Ensembles",
NeurIPS 2017). A picture costs as many times as much as there are runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from unmask.errors import UnmaskError
from unmask.models.head import find_heads


def ensemble(models: Sequence[Any]) -> Any:
    """One model that answers with the mean logit.

    Args:
        models: One or more float32 Keras models from uint8 (N, S, S, 3) to logits (N, 1).

    Returns:
        A `keras.Model` of the same form, on copies of the weights; a single model as it is.

    Raises:
        UnmaskError: Their inputs or their last spatial maps differ in size.
    """
    if len(models) == 1:
        return models[0]
    image = keras.Input(models[0].inputs[0].shape[1:], dtype="uint8", name="image")
    sizes = [
        (model.inputs[0].shape[1], *(head.spatial_map.shape[1:3] for head in find_heads(model) or ()))
        for model in models
    ]
    if len(set(sizes)) > 1:
        raise UnmaskError(
            f"These models cannot be put together: their pictures or their last maps differ in size: {sizes}.",
            hint="Put runs of one --model and of one --size together.",
            code="models-differ",
        )
    logits = [_copied(model, image, f"_{number}").outputs[0] for number, model in enumerate(models, 1)]
    return keras.Model(image, keras.layers.Average(name="mean_logit")(logits), name="ensemble")


def _copied(model: Any, image: Any, suffix: str) -> Any:
    """The model on another input, with names of its own, as no two layers of a model may share one."""

    def renamed(layer: Any) -> Any:
        return type(layer).from_config({**layer.get_config(), "name": layer.name + suffix})

    copy = keras.models.clone_model(model, input_tensors=image, clone_function=renamed)
    copy.set_weights(model.get_weights())
    return copy
