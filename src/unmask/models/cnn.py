"""`cnn`: the report's network from scratch. Three 3x3 convolutions, Flatten, one hidden layer.

At 128 px: 128 -> 63 -> 30 -> 14, then 14 * 14 * 128 = 25,088 -> 128 -> 1. The report ends in a sigmoid; here the
model ends in the logit and the loss is computed from logits. Both are the same function and the same gradient,
since cross-entropy of sigmoid(z) is softplus(z) - y z; from logits it does not saturate, and a calibrated
probability needs the logit anyway.
"""

from __future__ import annotations

from typing import Any

from keras import layers

FILTERS = (32, 64, 128)


def features(inputs: Any, weights: str = "none") -> Any:
    """The last spatial map: scale to 0..1, then (3x3 valid convolution, ReLU, max-pool 2) three times.

    Args:
        inputs: uint8 tensor (N, S, S, 3), S >= 22.
        weights: Ignored; there is no backbone to load.

    Returns:
        Tensor (N, h, w, 128), ReLU-positive; h = w = 14 for S = 128.
    """
    del weights
    x = layers.Rescaling(1 / 255, name="scale")(inputs)
    for index, filters in enumerate(FILTERS, start=1):
        x = layers.Conv2D(filters, 3, activation="relu", name=f"convolution_{index}")(x)
        x = layers.MaxPooling2D(2, name=f"pool_{index}")(x)
    return x


def head(spatial_map: Any) -> Any:
    """Flatten, Dense 128 ReLU, Dropout 0.5, Dense 1: the logit, without the report's sigmoid."""
    x = layers.Flatten(name="flatten")(spatial_map)
    x = layers.Dense(128, activation="relu", name="hidden")(x)
    x = layers.Dropout(0.5, name="dropout")(x)
    return layers.Dense(1, dtype="float32", name="logit")(x)
