"""Grad-CAM as plain forward operations, so that one run of an exported graph gives the answer and its map.

Grad-CAM (Selvaraju et al., ICCV 2017) is ReLU(sum_k alpha_k A_k), where A is the last spatial map and alpha_k the
mean over its positions of d logit / d A_k. Behind A there are only pooling or flatten, dense and ReLU, whose
derivatives are products with constants and with "was it positive?". Written out, they need no autodiff.

A mean over positions commutes with a matrix product, so behind Flatten the dense layer's weights are averaged once,
here, and the graph does not carry a transposed copy of its largest matrix.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import layers, ops

from unmask.models.head import Head, is_relu


def grad_cam(heads: Sequence[Head]) -> Any:
    """Grad-CAM of the logit of *fake*.

    Args:
        heads: Of a model, or of several whose logits' mean is the logit; maps of one size.

    Returns:
        Symbolic tensor (N, h, w), not negative, not normalised.
    """
    parts = [ops.sum(head.spatial_map * _channel_weights(head), axis=-1) for head in heads]
    return ops.relu(sum(parts[1:], parts[0]) / len(parts))


def _channel_weights(head: Head) -> Any:
    """alpha_k of a head's own logit, (N, 1, 1, C)."""
    height, width, channels = head.spatial_map.shape[1:]
    gradient = ops.ones_like(head.steps[-1].after)
    for index in reversed(range(1, len(head.steps))):
        layer = head.steps[index].layer
        if is_relu(layer):
            gradient = gradient * ops.cast(head.steps[index].after > 0, "float32")
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


def _slope(layer: Any) -> Any:
    """A batch normalisation in inference is a line; this is its slope, one number a channel."""
    variance = ops.convert_to_numpy(layer.moving_variance)
    scale = ops.convert_to_numpy(layer.gamma) if layer.scale else np.ones_like(variance)
    return (scale / np.sqrt(variance + layer.epsilon)).astype(np.float32)
