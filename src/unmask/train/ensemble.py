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
from unmask.train.gradcam import JOINED_MAP, MEAN_LOGIT, Head, find_head, member_outputs


def ensemble(models: Sequence[Any]) -> Any:
    """One model that answers with the mean logit.

    Args:
        models: One or more float32 Keras models from uint8 (N, S, S, 3) to logits (N, 1), of one size S and with heads of
            the known form (`unmask.train.gradcam`).

    Returns:
        A `keras.Model` of the same form, on copies of the weights; a single model as it is. Their last spatial maps become
        one, from which the explanations and the distance to the training pictures are made.

    Raises:
        UnmaskError: Their inputs, or their last spatial maps, differ in size.
    """
    if len(models) == 1:
        return models[0]
    side = _one(models, [model.inputs[0].shape[1] for model in models], "pictures of different sizes")
    image = keras.Input((side, side, 3), dtype="uint8", name="image")
    heads = [_head(copied(model, image, f"_{number}")) for number, model in enumerate(models, 1)]
    _one(models, [head.spatial_map.shape[1:3] for head in heads], "last maps of different sizes")
    joined = keras.layers.Concatenate(name=JOINED_MAP)([head.spatial_map for head in heads])
    logits, first = [], 0
    for head in heads:
        end = first + head.spatial_map.shape[-1]
        logits.append(head.applied_to(joined[..., first:end]))
        first = end
    return keras.Model(image, keras.layers.Average(name=MEAN_LOGIT)(logits), name="ensemble")


def last_layers(model: Any) -> list[Any]:
    """The layers that make the logit: the last one, or the last one of each model of an ensemble."""
    return [tensor._keras_history[0] for tensor in member_outputs(model)]


def copied(model: Any, image: Any, suffix: str) -> Any:
    """The model on another input, with names of its own, as no two layers of a model may share one.

    Args:
        model: A functional Keras model.
        image: A `keras.Input` for the copy.
        suffix: Of the layers' names; empty where the copy is alone in its model.
    """

    def renamed(layer: Any) -> Any:
        return type(layer).from_config({**layer.get_config(), "name": layer.name + suffix})

    copy = keras.models.clone_model(model, input_tensors=image, clone_function=renamed)
    copy.set_weights(model.get_weights())
    return copy


def _one(models: Sequence[Any], values: Sequence[Any], what: str) -> Any:
    if any(value != values[0] for value in values):
        found = ", ".join(f"{model.name} {value}" for model, value in zip(models, values, strict=True))
        raise UnmaskError(
            f"These models have {what} and cannot be put together: {found}.",
            hint="Put runs of one --model and one --size together.",
            code="models-differ",
        )
    return values[0]


def _head(model: Any) -> Head:
    head = find_head(model)
    if head is None:
        raise UnmaskError(
            f"The model {model.name} has no head of the known form and cannot be put together with others.",
            hint="Use an architecture of unmask.models.",
            code="unknown-head",
        )
    return head
