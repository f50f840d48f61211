"""About half the size: the kernels of a detector's convolutions in 16 bits, and everything computed in 32 as before.

Nearly all of a backbone's numbers are kernels (of `cnn`'s they are not: its dense layer has them). In float16 each is off by
0.05 %, or by 3e-8 where it is tiny. The graph holds them in 16 bits with a `Cast` behind each, which the runtime does once, when
it loads them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

# Below this many numbers a kernel is not worth a node.
WORTH_IT = 1024


def round_kernels(model: Any) -> None:
    """Rounds every convolution's kernel to float16, in place.

    A normalisation right after a convolution is multiplied into its kernel first, as the exporter would do with the rounded
    one: what is rounded here is what the graph holds.

    Args:
        model: A float32 Keras model of `unmask.models`, or several as one (`unmask.train.ensemble`).
    """
    import keras

    kinds = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)
    every = _layers(model)
    for layer in every:
        if isinstance(layer, keras.layers.BatchNormalization) and layer.scale and layer.center:
            before = layer.input._keras_history[0]
            if isinstance(before, kinds) and not before.use_bias and len(before._outbound_nodes) == 1:
                _fold(before, layer)
    for layer in every:
        if isinstance(layer, kinds):
            layer.set_weights([_rounded(layer.get_weights()[0]), *layer.get_weights()[1:]])


def halve(graph: Any) -> None:
    """Keeps the kernels of an ONNX model's convolutions in float16, in place.

    Args:
        graph: Made from a model that went through `round_kernels`; another one's logits would change a little.
    """
    from onnx import TensorProto, helper, numpy_helper

    kernels = {node.input[1] for node in graph.graph.node if node.op_type == "Conv"}
    casts = []
    for weight in graph.graph.initializer:
        half = _in_half(numpy_helper.to_array(weight)) if weight.name in kernels else None
        if half is None:
            continue
        name = weight.name
        weight.CopyFrom(numpy_helper.from_array(half, f"{name}_half"))
        casts.append(helper.make_node("Cast", [f"{name}_half"], [name], f"{name}_cast", to=TensorProto.FLOAT))
    nodes = [*casts, *graph.graph.node]
    del graph.graph.node[:]
    graph.graph.node.extend(nodes)


def _layers(model: Any) -> list[Any]:
    """A model's layers, with those of models within it."""
    import keras

    inner = ([layer, *_layers(layer)] if isinstance(layer, keras.Model) else [layer] for layer in model.layers)
    return [layer for layers in inner for layer in layers]


def _fold(convolution: Any, norm: Any) -> None:
    gamma, beta, mean, variance = (np.asarray(part, np.float64) for part in norm.get_weights())
    scale = gamma / np.sqrt(variance + norm.epsilon)
    (kernel,) = convolution.get_weights()
    # Depthwise: (rows, columns, channels, multiplier), whose last two are the map's channels; else (rows, columns, in, out).
    along = scale.reshape(kernel.shape[2:]) if kernel.shape[2] * kernel.shape[3] == len(scale) else scale
    convolution.set_weights([(kernel * along).astype(np.float32)])
    ones = np.ones_like(scale)
    parts = (ones, beta - mean * scale, 0 * ones, ones - norm.epsilon)
    norm.set_weights([part.astype(np.float32) for part in parts])


def _rounded(kernel: Any) -> Any:
    half = _in_half(kernel)
    return kernel if half is None else half.astype(np.float32)


def _in_half(kernel: Any) -> Any:
    """The kernel in float16; None where that is not worth it, or where a number is larger than float16 knows."""
    if kernel.size < WORTH_IT:
        return None
    with np.errstate(over="ignore"):
        half = kernel.astype(np.float16)
    return half if np.isfinite(half).all() else None
