"""Several runs as one detector: the mean of their logits.

Runs that began with another seed go wrong on other pictures, so their mean is right more often than any of them, and surer of
itself only where they agree (Lakshminarayanan et al., "Simple and Scalable Predictive Uncertainty Estimation using Deep
Ensembles", NeurIPS 2017). A picture costs as many times as much as there are runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from unmask.errors import UnmaskError
from unmask.train.gradcam import JOINED_MAP, find_head, member_outputs


def ensemble(models: Sequence[Any]) -> Any:
    """One model that answers with the mean logit.

    Args:
        models: One or more float32 Keras models from uint8 (N, S, S, 3) to logits (N, 1), all of the same S. Their layers
            stay visible, so that Grad-CAM can be written out for each.

    Returns:
        A `keras.Model` of the same form, on copies of the weights; a single model as it is.

    Raises:
        UnmaskError: They take pictures of different sizes.
    """
    import keras

    if len(models) == 1:
        return models[0]
    sizes = [int(model.inputs[0].shape[1]) for model in models]
    if len(set(sizes)) > 1:
        raise UnmaskError(
            f"These runs take pictures of different sizes: {', '.join(str(size) for size in sizes)} px.",
            hint="Put runs of one --size together.",
            code="sizes-differ",
        )
    image = keras.Input((sizes[0], sizes[0], 3), dtype="uint8", name="image")
    copies = [_copy(model, image, f"_{number}") for number, model in enumerate(models, 1)]
    logits = _on_joined_map(copies) or [copy.outputs[0] for copy in copies]
    return keras.Model(image, keras.layers.Average(name="mean_logit")(logits), name="ensemble")


def last_layers(model: Any) -> list[Any]:
    """The layers that make the logit: the last one, or the last one of each model of an ensemble."""
    return [tensor._keras_history[0] for tensor in member_outputs(model)]


def _on_joined_map(models: Sequence[Any]) -> list[Any]:
    """The logits, each from its part of all last spatial maps in one; nothing if the maps do not fit together.

    One map is what the explanations and the distance to the training pictures are made of.
    """
    import keras

    heads = [head for head in map(find_head, models) if head is not None]
    if len(heads) < len(models) or len({head.spatial_map.shape[1:3] for head in heads}) > 1:
        return []
    joined = keras.layers.Concatenate(name=JOINED_MAP)([head.spatial_map for head in heads])
    logits, first = [], 0
    for head in heads:
        end = first + head.spatial_map.shape[-1]
        tensor = joined[..., first:end]
        for step in head.steps:
            tensor = step.layer(tensor)
        logits.append(tensor)
        first = end
    return logits


def _copy(model: Any, image: Any, suffix: str) -> Any:
    """The model on another input, with names of its own: no two layers of a model may share one."""
    import keras

    def renamed(layer: Any) -> Any:
        return type(layer).from_config({**layer.get_config(), "name": layer.name + suffix})

    copy = keras.models.clone_model(model, input_tensors=image, clone_function=renamed)
    copy.set_weights(model.get_weights())
    return copy
