"""The head of a model: what lies behind its last spatial map.

Which layers are the backbone, what Grad-CAM is computed from, and which features the distance to the training pictures looks at:
all that follows from where the last spatial map is. It is found by walking back from the output.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
from keras import layers, ops

# The layer with a logit for each kind of fakes, where a model has one.
KINDS = "kinds"

_INERT = (layers.Dropout, layers.SpatialDropout2D, layers.GaussianNoise, layers.GaussianDropout, layers.Identity)
_PLAIN = (layers.Flatten, layers.GlobalAveragePooling2D, layers.BatchNormalization)


@keras.saving.register_keras_serializable("unmask")
class Either(layers.Layer):  # type: ignore[misc]
    """The logit that a picture is a fake of one kind or another, from the logits of each against the real pictures."""

    def call(self, kinds: Any) -> Any:
        """(N, 2) -> (N, 1)."""
        return either(kinds)

    def compute_output_shape(self, shape: Any) -> tuple[int | None, ...]:
        """One number a picture."""
        return (shape[0], 1)


def either(kinds: Any) -> Any:
    """log(exp a + exp b) of two logits (N, 2): odds add up where a picture can be one or the other, but not both."""
    first, second = kinds[:, :1], kinds[:, 1:]
    return ops.maximum(first, second) + ops.softplus(-ops.abs(first - second))


@dataclass(frozen=True, slots=True)
class Step:
    """A layer of a head, and what it gives, as a symbolic tensor."""

    layer: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Head:
    """Flatten or global average pooling, then dense layers and ReLUs, up to the logit or the logits of kinds and `Either`.

    Attributes:
        spatial_map: Symbolic tensor A, (N, h, w, C).
        steps: From the pooling to the output; layers that do nothing in inference are left out.
    """

    spatial_map: Any
    steps: tuple[Step, ...]

    def applied_to(self, tensor: Any) -> Any:
        """What its layers make of another map.

        Args:
            tensor: (N, h, w, C).

        Returns:
            The logits, (N, 1).
        """
        for step in self.steps:
            tensor = step.layer(tensor)
        return tensor


def find_head(model: Any) -> Head | None:
    """Walks from a model's output back to its last spatial map.

    Args:
        model: A functional `keras.Model` with one output.

    Returns:
        The head; None if it is of another form (several branches, other layers, pooling inside a nested model).
    """
    return _head_before(model.outputs[0])


def find_heads(model: Any) -> tuple[Head, ...] | None:
    """All heads of a model: several where its logit is the mean of theirs (`unmask.export.ensemble`), else one.

    Args:
        model: A functional `keras.Model` with one output.

    Returns:
        The heads; None if one of them is of another form.
    """
    layer, sources = made_by(model.outputs[0])
    outputs = sources if isinstance(layer, layers.Average) else [model.outputs[0]]
    heads = tuple(head for head in map(_head_before, outputs) if head is not None)
    return heads if len(heads) == len(outputs) else None


def is_relu(layer: Any) -> bool:
    """Whether a layer of a head ends in a ReLU."""
    return isinstance(layer, layers.ReLU) or getattr(layer, "activation", None) is keras.activations.relu


def _head_before(output: Any) -> Head | None:
    tensor, steps = output, list[Step]()
    while len(tensor.shape) != 4:
        layer, sources = made_by(tensor)
        if len(sources) != 1 or not _is_known(layer):
            return None
        if not isinstance(layer, _INERT):
            steps.append(Step(layer, tensor))
        tensor = sources[0]
    steps.reverse()
    first, second, *_ = [*(step.layer for step in steps), None, None]
    flattened = isinstance(first, layers.Flatten) and isinstance(second, layers.Dense)
    pooled = isinstance(first, layers.GlobalAveragePooling2D)
    return Head(tensor, tuple(steps)) if flattened or pooled else None


def made_by(tensor: Any) -> tuple[Any, list[Any]]:
    """The layer that a symbolic tensor comes out of, and the tensors that go into it."""
    layer, node_index, _ = tensor._keras_history
    return layer, layer._inbound_nodes[node_index].input_tensors


def _is_known(layer: Any) -> bool:
    if isinstance(layer, layers.Dense | layers.Activation):
        return layer.activation in (keras.activations.linear, keras.activations.relu)
    if isinstance(layer, layers.ReLU):
        return layer.max_value is None and not layer.negative_slope and not layer.threshold
    return isinstance(layer, (*_PLAIN, *_INERT, Either))
