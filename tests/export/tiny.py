"""Models that are quick to export, with everything that a backbone has."""

from __future__ import annotations

from typing import Any

import numpy as np

SIDE = 32


def noise(count: int, side: int = SIDE) -> Any:
    """Pictures that are no two alike."""
    return np.random.default_rng(1).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def tiny_model(seed: int = 3, side: int = SIDE) -> Any:
    """Convolutions, a depthwise one among them, with normalisation; global average pooling and a hidden layer.

    Normalisation has factors nowhere 0 or 1, and the statistics of some pictures, as in a trained model.
    """
    import keras
    from keras import layers

    keras.utils.set_random_seed(seed)
    image = keras.Input((side, side, 3), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1.0, name="scale")(image)
    for name, layer in {
        "first": layers.Conv2D(48, 3, strides=4, padding="same", use_bias=False, name="first"),
        "deep": layers.DepthwiseConv2D(5, padding="same", use_bias=False, name="deep"),
        "last": layers.Conv2D(64, 1, use_bias=False, name="last"),
    }.items():
        x = layers.BatchNormalization(name=f"{name}_norm", momentum=0.0)(layer(x))
        x = layers.ReLU(name=f"{name}_relu")(x)
    x = layers.Dense(16, activation="relu", name="hidden")(layers.GlobalAveragePooling2D(name="pool")(x))
    model = keras.Model(image, layers.Dense(1, name="logit")(x), name="tiny")
    random = np.random.default_rng(seed)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.gamma.assign(random.uniform(0.5, 2, layer.gamma.shape))
            layer.beta.assign(random.normal(0, 0.3, layer.beta.shape))
    model(noise(16, side), training=True)
    return model


def run_graph(graph: bytes, images: Any, *names: str) -> list[Any]:
    """Outputs of an exported graph, by name."""
    import onnxruntime

    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    return list(session.run(list(names), {"image": images}))


def autodiff_grad_cam(model: Any, images: Any) -> Any:
    """Grad-CAM of the logit by automatic differentiation; of a model with one head, or with several whose mean it is."""
    import keras
    import tensorflow as tf

    from unmask.models.head import find_heads

    heads = find_heads(model)
    assert heads is not None
    maps = keras.Model(model.inputs, [head.spatial_map for head in heads])([images], training=False)
    maps = [tf.convert_to_tensor(found) for found in (maps if isinstance(maps, list) else [maps])]
    with tf.GradientTape() as tape:
        tape.watch(maps)
        logit = keras.Model([head.spatial_map for head in heads], model.outputs[0])(maps, training=False)
    weights = [tf.reduce_mean(gradient, axis=(1, 2), keepdims=True) for gradient in tape.gradient(logit, maps)]
    return tf.nn.relu(sum(tf.reduce_sum(a * w, axis=-1) for a, w in zip(maps, weights, strict=True))).numpy()
