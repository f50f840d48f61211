"""A smaller file: the kernels of a detector's convolutions and dense layers in 16 bits or in 8, and everything computed in 32.

Nearly all of a detector's numbers are kernels.

In 16 bits (float16) each is off by 0.05 %, or by 3e-8 where it is tiny. In 8 bits a number is a whole one from -127 to 127, times
a factor that each output channel has for itself, so it is off by 0.4 % of its channel's largest at most (symmetric quantisation
of weights by channel: Krishnamoorthi, "Quantizing deep convolutional networks for efficient inference: A whitepaper", 2018). The
kernels of depthwise convolutions, few numbers that lie far apart, stay in 16 bits then.

The graph holds them so, with a `Cast` behind each, in 8 bits a `DequantizeLinear`, which the runtime does once, when it loads
them. It is not a `Cast` and a `Mul`: what each of the two gives would be kept until all kernels are done, in twice the memory.
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


def pack_kernels(graph: bytes, bits: KernelBits) -> bytes:
    """Keeps the kernels of a graph's convolutions and dense layers in fewer bits.

    Args:
        graph: An ONNX model with kernels in float32.
        bits: Of a number; 32 leaves the graph as it is.

    Returns:
        The smaller ONNX model. Its logits differ a little from the graph's: calibrate and judge this one.

    Raises:
        ValueError: Another number of bits than 8, 16 or 32.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    if bits not in get_args(KernelBits):
        raise ValueError(f"kernels have 8, 16 or 32 bits, not {bits}")
    if bits == 32:
        return graph
    model = onnx.load_from_string(graph)
    # Kernel -> its axis of output channels, or None for a depthwise one.
    axes: dict[str, int | None] = {}
    for node in model.graph.node:
        if node.op_type == "Conv":
            groups = next((attribute.i for attribute in node.attribute if attribute.name == "group"), 1)
            axes[node.input[1]] = 0 if groups == 1 else None
        elif node.op_type == "MatMul":
            axes[node.input[1]] = 1
    nodes, factors = [], []
    for weight in model.graph.initializer:
        name, kernel = weight.name, numpy_helper.to_array(weight)
        if name not in axes or kernel.ndim not in (2, 4) or kernel.size < WORTH_IT or not np.isfinite(kernel).all():
            continue
        axis = axes[name]
        if bits == 8 and axis is not None:
            whole, factor = _in_eight(kernel, axis)
            weight.CopyFrom(numpy_helper.from_array(whole, f"{name}_whole"))
            factors.append(numpy_helper.from_array(factor.reshape(-1), f"{name}_factor"))
            names = [f"{name}_whole", f"{name}_factor"]
            nodes.append(helper.make_node("DequantizeLinear", names, [name], f"{name}_dequantize", axis=axis))
        elif np.abs(kernel).max() <= np.finfo(np.float16).max:
            weight.CopyFrom(numpy_helper.from_array(kernel.astype(np.float16), f"{name}_half"))
            nodes.append(helper.make_node("Cast", [f"{name}_half"], [name], f"{name}_cast", to=TensorProto.FLOAT))
    model.graph.initializer.extend(factors)
    nodes += model.graph.node
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return bytes(model.SerializeToString(deterministic=True))


def _in_eight(kernel: Any, axis: int) -> tuple[Any, Any]:
    """A kernel as int8, and the float32 factors to multiply it with, one for each place along the axis of output channels."""
    others = tuple(place for place in range(kernel.ndim) if place != axis)
    largest = np.abs(kernel).max(axis=others, keepdims=True)
    # A channel of numbers next to 0 becomes 0: the factor of its own would be none that float32 knows to all its digits.
    factor = (np.where(largest > TINY, largest, 1) / LARGEST).astype(np.float32)
    return np.rint(kernel / factor).astype(np.int8), factor
