"""Batch normalisation in one kernel: what Keras computes, and a whole training step in about two thirds of the time.

Keras writes BatchNormalization (Ioffe and Szegedy, ICML 2015) as a chain of additions and products, each of which reads and
writes the whole map. TensorFlow and PyTorch have it as one operation with its own gradient. On a processor, where
MobileNetV2's wide maps do not fit into the cache, that chain costs more than the convolutions do (`benchmarks/fused_norm.py`).
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers


class FusedBatchNormalization(layers.BatchNormalization):  # type: ignore[misc]
    """`keras.layers.BatchNormalization` over the last axis, with the same weights; differs in training mode only."""

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        if not (training and self.trainable):
            return super().call(inputs, training=training, mask=mask)
        if keras.backend.backend() == "torch":
            return self._on_torch(inputs)
        import tensorflow as tf

        nothing = tf.constant([], tf.float32)
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=self.gamma.value,
            offset=self.beta.value,
            mean=nothing,
            variance=nothing,
            epsilon=self.epsilon,
            is_training=True,
        )
        # The kernel's variance divides by n - 1; Keras keeps the one that divides by n.
        count = tf.cast(tf.size(inputs) / tf.shape(inputs)[-1], tf.float32)
        variance *= (count - 1) / count
        for moving, batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + batch * (1 - self.momentum))
        return outputs

    def _on_torch(self, inputs: Any) -> Any:
        import torch

        maps = inputs.float().permute(0, 3, 1, 2)
        outputs, mean, inverse = torch.native_batch_norm(
            maps, self.gamma.value, self.beta.value, None, None, True, 0.0, self.epsilon
        )
        with torch.no_grad():
            variance = inverse.pow(-2) - self.epsilon
            for moving, batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
                # In place and without Keras, which would copy the momentum to the GPU and wait for it.
                moving.value.mul_(self.momentum).add_(batch * (1 - self.momentum))
        return outputs.permute(0, 2, 3, 1).to(inputs.dtype)


class TorchRescaling(layers.Rescaling):  # type: ignore[misc]
    """`keras.layers.Rescaling` by one number, which Keras would copy to the GPU in every step, and wait for."""

    def call(self, inputs: Any) -> Any:
        return inputs.float().mul(self.scale).add(self.offset)


def with_fused_norm(model: Any) -> Any:
    """The same model, faster to train on TensorFlow and PyTorch; unchanged on JAX, or where there is nothing to fuse.

    Args:
        model: A `keras.Model` with 4-D maps.

    Returns:
        A model with the same weights in the same order and the same layer names.
    """

    def fuses(layer: Any) -> bool:
        return type(layer) is layers.BatchNormalization and layer.scale and layer.center and layer.axis in (-1, 3)

    if keras.backend.backend() == "jax" or not any(fuses(layer) for layer in model.layers):
        return model

    def copy(layer: Any) -> Any:
        kind = FusedBatchNormalization if fuses(layer) else type(layer)
        if kind is layers.Rescaling and keras.backend.backend() == "torch" and _by_numbers(layer):
            kind = TorchRescaling
        return kind.from_config(layer.get_config())

    fused = keras.models.clone_model(model, clone_function=copy)
    fused.set_weights(model.get_weights())
    return fused


def _by_numbers(layer: Any) -> bool:
    return all(isinstance(one, int | float) for one in (layer.scale, layer.offset))
