"""`mobilenetv2`: an ImageNet backbone under the report's head (Sandler et al., MobileNetV2, CVPR 2018).

The report fed the backbone pixels in 0..1; it was trained on -1..1, and gets that here.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers


def features(inputs: Any, weights: str = "none") -> Any:
    """The last spatial map: scale to -1..1, then MobileNetV2 (width 1.0) without its classifier.

    Args:
        inputs: uint8 tensor (N, S, S, 3), S >= 32.
        weights: ``imagenet`` (downloads), ``none`` or a ``.weights.h5`` file of the same backbone.

    Returns:
        Tensor (N, S / 32, S / 32, 1280), within 0..6.
    """
    scaled = layers.Rescaling(1 / 127.5, offset=-1.0, name="scale")(inputs)
    source = None if weights == "none" else weights
    return keras.applications.MobileNetV2(input_tensor=scaled, include_top=False, weights=source).output


def head(spatial_map: Any) -> Any:
    """Global average pooling, Dense 64 ReLU, Dropout 0.4, Dense 1: the logit, without the report's sigmoid."""
    x = layers.GlobalAveragePooling2D(name="pool")(spatial_map)
    x = layers.Dense(64, activation="relu", name="hidden")(x)
    x = layers.Dropout(0.4, name="dropout")(x)
    return layers.Dense(1, dtype="float32", name="logit")(x)
