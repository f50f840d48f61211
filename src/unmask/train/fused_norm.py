"""Batch normalisation as TensorFlow's one operation: what Keras computes, in less time on a processor.

Keras writes BatchNormalization (Ioffe and Szegedy, ICML 2015) as a chain of additions and products, each of which reads and
writes the whole map, and MobileNetV2's wide maps do not fit into the cache: a step on pictures of 128 px took 55 to 59 ms of
processor time a picture, and 40 to 43 ms with the one operation (turn by turn on 2 cores of an AMD EPYC). On JAX, XLA makes
one operation of the chain; on PyTorch it is taken as it is.
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
        import tensorflow as tf

        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs, self.gamma.value, self.beta.value, epsilon=self.epsilon
        )
        # Its variance divides by n - 1; Keras keeps the one that divides by n.
        count = tf.cast(tf.size(inputs) / tf.shape(inputs)[-1], tf.float32)
        for moving, batch in ((self.moving_mean, mean), (self.moving_variance, variance * (count - 1) / count)):
            moving.assign(moving * self.momentum + batch * (1 - self.momentum))
        return outputs


def with_fused_norm(model: Any) -> Any:
    """The same model, faster to train on TensorFlow; unchanged on other backends.

    Args:
        model: A `keras.Model` with 4-D maps.

    Returns:
        A model with the same weights in the same order and the same layer names; the same one if there is nothing to fuse.
    """

    def fuses(layer: Any) -> bool:
        return type(layer) is layers.BatchNormalization and layer.scale and layer.center and layer.axis in (-1, 3)

    if keras.backend.backend() != "tensorflow" or not any(fuses(layer) for layer in model.layers):
        return model

    def copy(layer: Any) -> Any:
        return (FusedBatchNormalization if fuses(layer) else type(layer)).from_config(layer.get_config())

    fused = keras.models.clone_model(model, clone_function=copy)
    fused.set_weights(model.get_weights())
    return fused
