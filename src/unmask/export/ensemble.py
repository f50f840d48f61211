"""Several runs as one detector: the mean of their logits.

Runs from different seeds make different mistakes, so their mean is usually right more often than any of them, and surer of itself
only where they agree (Lakshminarayanan et al., "Simple and Scalable Predictive Uncertainty Estimation using Deep Ensembles",
NeurIPS 2017). A picture costs as many times as much as there are runs; but heads on the same frozen tower share it, and then it
costs hardly more than with one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from unmask.errors import UnmaskError
from unmask.models import DAMPED, TOWER
from unmask.models.head import find_heads, made_by


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
    pictures = {model.inputs[0].shape[1] for model in models}
    # A map of one place is that of a head that sees the picture as a whole: it has no say in where.
    maps = {head.spatial_map.shape[1] for model in models for head in find_heads(model) or ()} - {1}
    if len(pictures) > 1 or len(maps) > 1:
        raise UnmaskError(
            "These models cannot be put together: their pictures or their last maps differ in size: "
            f"{sorted(pictures)}, {sorted(maps)}.",
            hint="Put runs of one --size together, and of one --model or of models whose maps are alike.",
            code="models-differ",
        )
    seen = _one_tower(models, image)
    logits = [
        _copied(model, image, f"_{number}").outputs[0] if seen is None else _head_on(seen, model, f"_{number}")
        for number, model in enumerate(models, 1)
    ]
    return keras.Model(image, keras.layers.Average(name="mean_logit")(logits), name="ensemble")


def _one_tower(models: Sequence[Any], image: Any) -> Any:
    """What a frozen tower says of a picture, if all models have the same one, weight for weight; else None."""
    if not all(any(layer.name == TOWER for layer in model.layers) for model in models):
        return None
    towers = [keras.Model(model.inputs[0], model.get_layer(TOWER).output) for model in models]
    first, *others = [tower.get_weights() for tower in towers]
    if not all(len(other) == len(first) and all(map(np.array_equal, other, first)) for other in others):
        return None
    return _copied(towers[0], image, "").outputs[0]


def _head_on(seen: Any, model: Any, suffix: str) -> Any:
    """The logit of a copy of what comes after a model's tower, on what another one says; layer by layer, as Keras clones only
    from a picture on."""
    known = {id(model.get_layer(TOWER).output): seen}

    def copied(tensor: Any) -> Any:
        if id(tensor) not in known:
            layer, sources = made_by(tensor)
            given = [copied(source) for source in sources]
            if layer.name == DAMPED and not any(np.any(weight) for weight in layer.get_weights()[:2]):
                return given[0]  # nothing is damped, and the graph need not hold many zeros
            copy = _renamed(layer, suffix)
            known[id(tensor)] = copy(given[0] if len(given) == 1 else given)
            copy.set_weights(layer.get_weights())
        return known[id(tensor)]

    return copied(model.outputs[0])


def _copied(model: Any, image: Any, suffix: str) -> Any:
    """The model on another input, with names of its own, as no two layers of a model may share one."""
    copy = keras.models.clone_model(model, input_tensors=image, clone_function=lambda layer: _renamed(layer, suffix))
    copy.set_weights(model.get_weights())
    return copy


def _renamed(layer: Any, suffix: str) -> Any:
    return type(layer).from_config({**layer.get_config(), "name": layer.name + suffix})
