"""Grad-CAM as plain forward operations, so that one run of an exported graph gives the answer and its map.

Grad-CAM (Selvaraju et al., ICCV 2017) is ReLU(sum_k alpha_k A_k), where A is the last spatial map and alpha_k the
mean over its positions of d logit / d A_k. Behind A there are only pooling or flatten, dense and ReLU, whose
derivatives are products with constants and with "was it positive?". Written out, they need no autodiff.

A mean over positions commutes with a matrix product, so behind Flatten the dense layer's weights are averaged once,
here, and the graph does not carry a transposed copy of its largest matrix.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from unmask.errors import UnmaskError
from unmask.export.outside import FeatureStatistics, distance_output

# Layers of an ensemble: its models' last spatial maps, concatenated along the channels; how much each model counts, where they
# do not count alike; and the mean of their logits.
JOINED_MAP, SHARES, MEAN_LOGIT = "joined_map", "shares", "mean_logit"

# Side of the grid of grey squares, for a head of another form. 16 squares are 16 more runs of the model.
OCCLUSION_GRID = 4

_INERT = (layers.Dropout, layers.SpatialDropout2D, layers.GaussianNoise, layers.GaussianDropout, layers.Identity)


@dataclass(frozen=True, slots=True)
class Step:
    """One layer of a head: what went in and what came out, as symbolic tensors."""

    layer: Any
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Head:
    """What lies behind the last spatial map: Flatten or global average pooling, then dense layers and ReLUs.

    Attributes:
        spatial_map: Symbolic tensor A, (N, h, w, C).
        steps: From the pooling to the output; layers that do nothing in inference are left out.
    """

    spatial_map: Any
    steps: tuple[Step, ...]

    def applied_to(self, tensor: Any) -> Any:
        """What its layers make of another map."""
        for step in self.steps:
            tensor = step.layer(tensor)
        return tensor


@dataclass(frozen=True, slots=True)
class Heads:
    """The heads of an ensemble's models, or the only one of any other model; the logit is the mean of theirs.

    Attributes:
        spatial_map: Symbolic tensor (N, h, w, C), all their maps, concatenated along the channels.
        members: In this order.
        shares: Symbolic tensor (N, M), how much each of them counts for a picture; None where all count alike.
    """

    spatial_map: Any
    members: tuple[Head, ...]
    shares: Any = None


def find_head(model: Any) -> Head | None:
    """Walks from the output back to the last spatial map.

    Returns:
        The head; None if it is of another form (several branches, other layers, pooling inside a nested model).
    """
    return _head_before(model.outputs[0])


def find_heads(model: Any) -> Heads | None:
    """All heads of a model or of an ensemble; None if one is of another form."""
    outputs = member_outputs(model)
    members = tuple(head for head in map(_head_before, outputs) if head is not None)
    if len(members) < len(outputs):
        return None
    if len(members) == 1:
        return Heads(members[0].spatial_map, members)
    shares = next((layer.output for layer in model.layers if layer.name == SHARES), None)
    return Heads(model.get_layer(JOINED_MAP).output, members, shares)


def member_outputs(model: Any) -> list[Any]:
    """The symbolic logits (N, 1) of an ensemble's models; of any other model its own."""
    output = model.outputs[0]
    layer, node_index, _ = output._keras_history
    if layer.name != MEAN_LOGIT:
        return [output]
    sources = layer._inbound_nodes[node_index].input_tensors
    return [source for source in sources if source._keras_history[0].name != SHARES]


def _head_before(output: Any) -> Head | None:
    tensor, steps = output, list[Step]()
    while len(tensor.shape) != 4:
        layer, node_index, _ = tensor._keras_history
        sources = layer._inbound_nodes[node_index].input_tensors
        if len(sources) != 1 or not _is_known(layer):
            return None
        if not isinstance(layer, _INERT):
            steps.append(Step(layer, sources[0], tensor))
        tensor = sources[0]
    steps.reverse()
    flattened = bool(steps) and isinstance(steps[0].layer, layers.Flatten)
    pooled = bool(steps) and isinstance(steps[0].layer, layers.GlobalAveragePooling2D)
    if flattened and (len(steps) < 2 or not isinstance(steps[1].layer, layers.Dense)):
        return None
    return Head(tensor, tuple(steps)) if flattened or pooled else None


def last_spatial_layer(model: Any) -> Any:
    """The layer that makes the last spatial map.

    Raises:
        UnmaskError: The model has a head of another form.
    """
    head = find_head(model)
    if head is None:
        raise UnmaskError(
            f"The model {model.name} has no head of pooling or flatten, dense and ReLU.",
            hint="Use an architecture of unmask.models.",
            code="unknown-head",
        )
    return head.spatial_map._keras_history[0]


def explained(model: Any, statistics: FeatureStatistics | None = None) -> Any:
    """The same model with the outputs logit (N,), cam (N, h, w) and, with statistics, distance (N,).

    The map explains the logit of *fake*, after ReLU, not normalised. Where the head is not of the known form, it is
    an occlusion map instead (Zeiler and Fergus, ECCV 2014): how far the logit falls when a square of the picture is
    replaced by the picture's mean colour. An ensemble's last spatial map is that of all its models.

    Args:
        model: From uint8 (N, S, S, 3) to logits (N, 1), in float32.
        statistics: Of the training pictures, for the distance to them; left out where the head is not of the known form.
    """
    logit = model.outputs[0]
    heads = find_heads(model)
    outputs = [ops.reshape(logit, (-1,)), _occlusion(model) if heads is None else _grad_cam(heads)]
    if heads is not None and statistics is not None:
        outputs.append(distance_output(heads.spatial_map, statistics))
    return keras.Model(model.inputs[0], outputs, name="explained")


def _grad_cam(heads: Heads) -> Any:
    # Each head reads its own channels. How much it counts does not depend on its map.
    count = len(heads.members)
    shares = [
        1 / count if heads.shares is None else ops.reshape(heads.shares[:, index], (-1, 1, 1, 1))
        for index in range(count)
    ]
    weights = [_channel_weights(head) * share for head, share in zip(heads.members, shares, strict=True)]
    return ops.relu(ops.sum(heads.spatial_map * ops.concatenate(weights, axis=-1), axis=-1))


def _channel_weights(head: Head) -> Any:
    """alpha_k of a head's own logit, (N, 1, 1, C)."""
    height, width, channels = head.spatial_map.shape[1:]
    gradient = ops.ones_like(head.steps[-1].after)
    for index in reversed(range(1, len(head.steps))):
        step = head.steps[index]
        layer = step.layer
        if _is_relu(layer):
            gradient = gradient * ops.cast(step.after > 0, "float32")
        if isinstance(layer, layers.Dense):
            kernel = ops.convert_to_numpy(layer.kernel)
            if isinstance(head.steps[index - 1].layer, layers.Flatten):
                kernel = kernel.reshape(height, width, channels, -1).mean(axis=(0, 1))
            gradient = ops.matmul(gradient, np.ascontiguousarray(kernel.T))
        elif isinstance(layer, layers.BatchNormalization):
            gradient = gradient * _slope(layer)
    if isinstance(head.steps[0].layer, layers.GlobalAveragePooling2D):
        gradient = gradient / (height * width)
    return ops.reshape(gradient, (-1, 1, 1, channels))


def _occlusion(model: Any) -> Any:
    image = ops.cast(model.inputs[0], "float32")
    mean = ops.mean(image, axis=(1, 2), keepdims=True)
    whole = ops.reshape(model.outputs[0], (-1, 1))
    falls = []
    for square in _squares(image.shape[1]):
        hidden = ops.cast(image * (1 - square) + mean * square, "uint8")
        falls.append(whole - ops.reshape(model(hidden), (-1, 1)))
    return ops.relu(ops.reshape(ops.concatenate(falls, axis=1), (-1, OCCLUSION_GRID, OCCLUSION_GRID)))


def _squares(side: int) -> list[Any]:
    edges = np.linspace(0, side, OCCLUSION_GRID + 1).round().astype(int)
    squares = []
    for row in range(OCCLUSION_GRID):
        for column in range(OCCLUSION_GRID):
            square = np.zeros((1, side, side, 1), np.float32)
            square[:, edges[row] : edges[row + 1], edges[column] : edges[column + 1]] = 1.0
            squares.append(square)
    return squares


def _is_known(layer: Any) -> bool:
    if isinstance(layer, layers.Dense | layers.Activation):
        return layer.activation in (keras.activations.linear, keras.activations.relu)
    if isinstance(layer, layers.ReLU):
        return layer.max_value is None and not layer.negative_slope and not layer.threshold
    plain = (layers.Flatten, layers.GlobalAveragePooling2D, layers.BatchNormalization)
    return isinstance(layer, (*plain, *_INERT))


def _is_relu(layer: Any) -> bool:
    return isinstance(layer, layers.ReLU) or getattr(layer, "activation", None) is keras.activations.relu


def _slope(layer: Any) -> Any:
    """A batch normalisation in inference is a line; this is its slope, one number a channel."""
    variance = ops.convert_to_numpy(layer.moving_variance)
    scale = ops.convert_to_numpy(layer.gamma) if layer.scale else np.ones_like(variance)
    return (scale / np.sqrt(variance + layer.epsilon)).astype(np.float32)
