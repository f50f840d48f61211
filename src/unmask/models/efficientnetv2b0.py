"""`efficientnetv2b0`: a stronger ImageNet backbone (Tan and Le, EfficientNetV2, ICML 2021)."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

# Of ImageNet's pixels in 0..1, red, green, blue: what the published weights were trained on.
MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)


def features(inputs: Any, weights: str = "none") -> Any:
    """The last spatial map: EfficientNetV2-B0 without its classifier.

    Args:
        inputs: uint8 tensor (N, S, S, 3), S >= 32.
        weights: ``imagenet`` (downloads), ``none`` or a ``.weights.h5`` file of the same backbone.

    Returns:
        Tensor (N, S / 32, S / 32, 1280).
    """
    scale = [1 / (255 * deviation) for deviation in DEVIATION]
    offset = [-mean / deviation for mean, deviation in zip(MEAN, DEVIATION, strict=True)]
    scaled = layers.Rescaling(scale, offset, name="scale")(inputs)
    source = None if weights == "none" else weights
    # Its own preprocessing is left out: it is the same line, but Keras cannot export it to ONNX.
    backbone = keras.applications.EfficientNetV2B0(
        input_tensor=scaled, include_top=False, weights=source, include_preprocessing=False
    )
    return backbone.output


def head(spatial_map: Any) -> Any:
    """Global average pooling, Dropout 0.3, Dense 1: the logit. A deep backbone needs no hidden layer."""
    x = layers.GlobalAveragePooling2D(name="pool")(spatial_map)
    x = layers.Dropout(0.3, name="dropout")(x)
    return layers.Dense(1, dtype="float32", name="logit")(x)
