"""Several runs as one detector: the mean of their logits.

Runs from different seeds make different mistakes, so their mean is usually right more often than any of them, and surer of itself
only where they agree (Lakshminarayanan et al., "Simple and Scalable Predictive Uncertainty Estimation using Deep Ensembles",
NeurIPS 2017). A picture costs as many times as much as there are runs.

A run on pictures of half the side gets the picture scaled down, and costs a quarter. What it knows survives a blur that takes the
fine traces, on which the others rely. It knows less of sharp pictures, and so may count less than the others, and more where a
picture is blurred.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras

from unmask.errors import UnmaskError
from unmask.export.gradcam import JOINED_MAP, MEAN_LOGIT, SHARES, Head, find_head, member_outputs
from unmask.export.sharpness import Shares, WeightedMean


def ensemble(
    models: Sequence[Any], weights: Sequence[float] | None = None, blurred_weights: Sequence[float] | None = None
) -> Any:
    """One model that answers with the mean logit.

    Args:
        models: One or more float32 Keras models from uint8 (N, S, S, 3) to logits (N, 1), with heads of the known form
            (`unmask.export.gradcam`). All are of one size S; or some are of half of it, have maps of half the size, and end
            in global pooling.
        weights: How much the logit of each counts, as many as there are models, all above 0; only their ratios matter. None
            lets all count alike.
        blurred_weights: The same for pictures that are blurred (`unmask.export.sharpness`); None for those of `weights`.

    Returns:
        A `keras.Model` of the same form, on copies of the weights; a single model as it is. Their last spatial maps become
        one, from which the explanations and the distance to the training pictures are made.

    Raises:
        UnmaskError: Their inputs, or their last spatial maps, do not go together.
        ValueError: Another number of weights than of models, or one that is not above 0.
    """
    for given in (weights, blurred_weights):
        if given is not None and (len(given) != len(models) or not all(0 < weight < math.inf for weight in given)):
            raise ValueError(f"{len(models)} models need as many weights above 0, not {list(given)}")
    if len(models) == 1:
        return models[0]
    sides = [int(model.inputs[0].shape[1]) for model in models]
    side = max(sides)
    if any(one not in (side, side / 2) for one in sides):
        raise _differ(models, sides, "pictures of different sizes")
    image = keras.Input((side, side, 3), dtype="uint8", name="image")
    heads, maps = [], []
    for number, (model, own) in enumerate(zip(models, sides, strict=True), 1):
        head, spatial_map = (_on if own == side else _on_half)(model, image, f"_{number}")
        heads.append(head)
        maps.append(spatial_map)
    if any(one.shape[1:3] != maps[0].shape[1:3] for one in maps):
        found = [f"{one.shape[1:3]} of {own} px" for one, own in zip(maps, sides, strict=True)]
        raise _differ(models, found, "last maps of different sizes")
    joined = keras.layers.Concatenate(name=JOINED_MAP)(maps)
    logits, first = [], 0
    for head in heads:
        end = first + head.spatial_map.shape[-1]
        logits.append(head.applied_to(joined[..., first:end]))
        first = end
    if weights is None and blurred_weights is None:
        mean = keras.layers.Average(name=MEAN_LOGIT)(logits)
    else:
        shares = Shares([1.0] * len(models) if weights is None else weights, blurred_weights, name=SHARES)(image)
        mean = WeightedMean(name=MEAN_LOGIT)([*logits, shares])
    return keras.Model(image, mean, name="ensemble")


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


def _on(model: Any, image: Any, suffix: str) -> tuple[Head, Any]:
    """The head of a copy of the model on this picture, and its last spatial map."""
    head = _head(copied(model, image, suffix))
    return head, head.spatial_map


def _on_half(model: Any, image: Any, suffix: str) -> tuple[Head, Any]:
    """The same of a model for pictures of half the side; its map is repeated to twice its size, with the same mean."""
    side = int(model.inputs[0].shape[1])
    copy = copied(model, keras.Input((side, side, 3), dtype="uint8", name=f"image{suffix}"), suffix)
    head = _head(copy)
    if not isinstance(head.steps[0].layer, keras.layers.GlobalAveragePooling2D):
        raise UnmaskError(
            f"The model {model.name} for {side} px cannot join one for {2 * side} px: its head does not average over positions.",
            hint="Use mobilenetv2 or an efficientnet for it, or runs of one --size.",
            code="models-differ",
        )
    # As `unmask.image.resize.resize` does it, whose mean of four pixels rounds a half up.
    means = keras.layers.AveragePooling2D(2, name=f"half{suffix}")(keras.ops.cast(image, "float32"))
    small = keras.ops.cast(keras.ops.floor(means + 0.5), "uint8")
    features = keras.Model(copy.inputs[0], head.spatial_map, name=f"features{suffix}")
    return head, keras.layers.UpSampling2D(2, name=f"twice{suffix}")(features(small))


def _differ(models: Sequence[Any], values: Sequence[Any], what: str) -> UnmaskError:
    found = ", ".join(f"{model.name} {value}" for model, value in zip(models, values, strict=True))
    return UnmaskError(
        f"These models have {what} and cannot be put together: {found}.",
        hint="Put runs of one --model together, of one --size or of half of it; with half of it, a --size that 64 divides.",
        code="models-differ",
    )


def _head(model: Any) -> Head:
    head = find_head(model)
    if head is None:
        raise UnmaskError(
            f"The model {model.name} has no head of the known form and cannot be put together with others.",
            hint="Use an architecture of unmask.models.",
            code="unknown-head",
        )
    return head
