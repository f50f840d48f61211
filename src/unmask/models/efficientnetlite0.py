"""`efficientnetlite0`: EfficientNet-B0 for plain processors, without squeeze-and-excitation and with ReLU6.

Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML 2019; the Lite variants are
Google's, 2020. Keras has no such backbone, so it is laid out here; its head is that of `mobilenetv2`.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from unmask.errors import UnmaskError
from unmask.models.mobilenetv2 import head

__all__ = ["features", "head"]

# Of each stage: blocks, side of the kernel, stride of the first block, factor of the expansion, channels that come out.
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
STEM, TOP = 32, 1280


def features(inputs: Any, weights: str = "none") -> Any:
    """The last spatial map: scale to about -1..1, then EfficientNet-Lite0 without its classifier.

    Args:
        inputs: uint8 tensor (N, S, S, 3), S >= 32.
        weights: ``none`` or a ``.weights.h5`` file of the same backbone; `benchmarks/lite_weights.py` makes one of the
            published ones.

    Returns:
        Tensor (N, S / 32, S / 32, 1280), within 0..6.

    Raises:
        UnmaskError: ``imagenet``, which Keras does not offer here.
    """
    if weights == "imagenet":
        raise UnmaskError(
            "Keras has no ImageNet weights of efficientnetlite0 to download.",
            hint="In a clone of Unmask, make a file of them with benchmarks/lite_weights.py and name it: "
            "--backbone-weights FILE.weights.h5",
            code="backbone-weights",
        )
    # As the published weights were trained: (pixel - 127) / 128.
    x = layers.Rescaling(1 / 128, offset=-127 / 128, name="scale")(inputs)
    x = _normed(layers.Conv2D(STEM, 3, 2, padding="same", use_bias=False, name="stem")(x), "stem")
    for number, (blocks, kernel, stride, expansion, channels) in enumerate(STAGES, 1):
        for block in range(blocks):
            name = f"block{number}{chr(ord('a') + block)}"
            x = _block(x, kernel, stride if block == 0 else 1, expansion, channels, name)
    x = _normed(layers.Conv2D(TOP, 1, use_bias=False, name="top")(x), "top")
    if weights != "none":
        keras.Model(inputs, x).load_weights(weights)
    return x


def _block(x: Any, kernel: int, stride: int, expansion: int, channels: int, name: str) -> Any:
    """An inverted residual block (MobileNetV2's)."""
    start = x
    if expansion != 1:
        wide = layers.Conv2D(expansion * x.shape[-1], 1, use_bias=False, name=f"{name}_expand")(x)
        x = _normed(wide, f"{name}_expand")
    deep = layers.DepthwiseConv2D(kernel, stride, padding="same", use_bias=False, name=f"{name}_depthwise")(x)
    x = _normed(deep, f"{name}_depthwise")
    x = layers.Conv2D(channels, 1, use_bias=False, name=f"{name}_project")(x)
    x = layers.BatchNormalization(epsilon=1e-3, name=f"{name}_project_norm")(x)
    return layers.Add(name=f"{name}_add")([start, x]) if stride == 1 and start.shape[-1] == channels else x


def _normed(x: Any, name: str) -> Any:
    x = layers.BatchNormalization(epsilon=1e-3, name=f"{name}_norm")(x)
    return layers.ReLU(6.0, name=f"{name}_relu")(x)
