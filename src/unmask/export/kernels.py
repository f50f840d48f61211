"""A smaller file: the kernels of a detector's convolutions in 16 bits or in 8, and everything computed in 32 as before.

Nearly all of a backbone's numbers are kernels (of `cnn`'s they are not: its dense layer has them).

In 16 bits (float16) each is off by 0.05 %, or by 3e-8 where it is tiny. In 8 bits a number is a whole one from -127 to 127, times
a factor that each output channel has for itself, so it is off by 0.4 % of its channel's largest at most (symmetric quantisation
of weights by channel: Krishnamoorthi, "Quantizing deep convolutional networks for efficient inference: A whitepaper", 2018). The
kernels of depthwise convolutions, few numbers that lie far apart, stay in 16 bits then.

The graph holds them so, with a `Cast`, and in 8 bits a `Mul`, behind each, which the runtime does once, when it loads them.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np

KernelBits = Literal[8, 16, 32]

# Below this many numbers a kernel is not worth a node.
WORTH_IT = 1024

# The largest whole number in 8 bits, as far from 0 as the smallest.
LARGEST = 127

# Below this a channel's numbers count as 0 in 8 bits.
TINY = 1e-30


def round_kernels(model: Any, bits: KernelBits) -> None:
    """Rounds every convolution's kernel to what `pack_kernels` keeps of it, in place.

    A normalisation right after a convolution is multiplied into its kernel first, as the exporter would do with the rounded
    one: what is rounded here is what the graph holds.

    Args:
        model: A float32 Keras model of `unmask.models`, or several as one (`unmask.export.ensemble`).
        bits: Of a number; 32 leaves the model as it is.

    Raises:
        ValueError: Another number of bits than 8, 16 or 32.
    """
    import keras

    if bits not in get_args(KernelBits):
        raise ValueError(f"kernels have 8, 16 or 32 bits, not {bits}")
    if bits == 32:
        return
    kinds = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)
    every = _layers(model)
    for layer in every:
        if isinstance(layer, keras.layers.BatchNormalization) and layer.scale and layer.center:
            before = layer.input._keras_history[0]
            if isinstance(before, kinds) and not before.use_bias and len(before._outbound_nodes) == 1:
                _fold(before, layer)
    for layer in every:
        if isinstance(layer, kinds):
            kernel, *others = layer.get_weights()
            alone = isinstance(layer, keras.layers.Conv2D) and layer.groups == 1
            layer.set_weights([_rounded(kernel, 8 if bits == 8 and alone else 16), *others])


def pack_kernels(graph: Any, bits: KernelBits) -> None:
    """Keeps the kernels of an ONNX model's convolutions in fewer bits, in place.

    Args:
        graph: Made from a model that went through `round_kernels`; another one's logits would change a little.
        bits: As there.
    """
    from onnx import TensorProto, helper, numpy_helper

    if bits == 32:
        return
    groups = {
        node.input[1]: next((one.i for one in node.attribute if one.name == "group"), 1)
        for node in graph.graph.node
        if node.op_type == "Conv"
    }
    nodes, factors = [], []
    for weight in graph.graph.initializer:
        if weight.name not in groups:
            continue
        name, kernel = weight.name, numpy_helper.to_array(weight)
        if bits == 8 and groups[name] == 1 and (eight := _in_eight(kernel, axis=0)) is not None:
            whole, factor = eight
            weight.CopyFrom(numpy_helper.from_array(whole, f"{name}_whole"))
            factors.append(numpy_helper.from_array(factor, f"{name}_factor"))
            nodes += [
                helper.make_node("Cast", [f"{name}_whole"], [f"{name}_float"], f"{name}_cast", to=TensorProto.FLOAT),
                helper.make_node("Mul", [f"{name}_float", f"{name}_factor"], [name], f"{name}_mul"),
            ]
        elif (half := _in_half(kernel)) is not None:
            weight.CopyFrom(numpy_helper.from_array(half, f"{name}_half"))
            nodes.append(helper.make_node("Cast", [f"{name}_half"], [name], f"{name}_cast", to=TensorProto.FLOAT))
    graph.graph.initializer.extend(factors)
    nodes += graph.graph.node
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


def _rounded(kernel: Any, bits: int) -> Any:
    """A Keras kernel, whose last axis is the output channels where `bits` is 8."""
    if bits == 8 and (eight := _in_eight(kernel, axis=-1)) is not None:
        whole, factor = eight
        return whole * factor
    half = _in_half(kernel)
    return kernel if half is None else half.astype(np.float32)


def _in_half(kernel: Any) -> Any:
    """The kernel in float16; None where that is not worth it, or where a number is larger than float16 knows."""
    if kernel.size < WORTH_IT:
        return None
    with np.errstate(over="ignore"):
        half = kernel.astype(np.float16)
    return half if np.isfinite(half).all() else None


def _in_eight(kernel: Any, axis: int) -> tuple[Any, Any] | None:
    """The kernel as int8, and the float32 factors to multiply it with, one for each channel along `axis`; None where that is not
    worth it, or where one of its numbers is NaN or infinite.

    What it makes of its own product is the same again, as the largest of each channel stays the largest.
    """
    if kernel.size < WORTH_IT or not np.isfinite(kernel).all():
        return None
    others = tuple(number for number in range(kernel.ndim) if number != axis % kernel.ndim)
    largest = np.abs(kernel).max(axis=others, keepdims=True)
    # A channel of numbers next to 0 becomes 0: the factor of its own would be none that float32 knows to all its digits.
    factor = (np.where(largest > TINY, largest, 1) / LARGEST).astype(np.float32)
    return np.rint(kernel / factor).astype(np.int8), factor
