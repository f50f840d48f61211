"""In a picture that has lost its fine detail, what is seen counts less.

A small face that was enlarged, a blurred one or a frame of a strongly compressed clip has lost the traces by which a fake is
told, and what is left of a real one looks like a generator's smoothness: such real faces have the highest logits of all. If the
thresholds alone had to hold for them, they would be far too careful for sharp pictures. So the graph itself divides the logit
by a number that is 1 for sharp pictures and higher for soft ones, which is a temperature that goes by the picture (Guo et al.,
"On Calibration of Modern Neural Networks", ICML 2017). How soft a picture is says its detail of one pixel beside that of two,
the two finest scales of a Haar wavelet.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

# A picture of this ratio is half soft. Pictures of Validation have 0.58 in the median; 90 % of them after H.264 at CRF 40 have
# 0.44 to 0.49, blurred by 1 px 0.52 to 0.55, once 52 px high 0.52 to 0.53.
HALF_SOFT, STEEPNESS = 0.534, 0.0125
# By how much more than by 1 the logit of a soft picture may be divided: one of these, chosen on Validation.
WEIGHTS = tuple(step / 5 for step in range(16))


def softness(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """How soft pictures are.

    Args:
        images: uint8 (N, S, S, 3), RGB; S at least 4.

    Returns:
        float64 (N,), from 0 (sharp) to 1 (without fine detail).
    """

    def halved(pictures: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The mean of every four pixels, and how far these are from it, in the mean."""
        side = pictures.shape[1] // 2
        fours = pictures[:, : 2 * side, : 2 * side].reshape(-1, side, 2, side, 2)
        mean = fours.mean(axis=(2, 4), keepdims=True)
        return mean[:, :, 0, :, 0], np.abs(fours - mean).mean(axis=(1, 2, 3, 4))

    half, fine = halved(images.mean(axis=3, dtype=np.float32))
    _, coarse = halved(half)
    ratio = fine / (coarse + np.float32(1e-6))
    return np.asarray(0.5 - 0.5 * np.tanh((ratio - HALF_SOFT) / (2 * STEEPNESS)), np.float64)


def calibrated_graph(graph: bytes, centre: float, weight: float) -> bytes:
    """The same graph with the logit (raw - `centre`) / (1 + `weight` * `softness`); map and distance stay.

    Args:
        graph: An ONNX model from `unmask.export.graph.to_onnx`.
        centre: What to take from each logit.
        weight: One of `WEIGHTS`; with 0 nothing is divided.
    """
    model = onnx.load_from_string(graph)
    for node in model.graph.node:
        for names in (node.input, node.output):
            names[:] = ["raw_logit" if name == "logit" else name for name in names]

    def constant(name: str, value: object, kind: type = np.float32) -> str:
        model.graph.initializer.append(numpy_helper.from_array(np.array(value, kind), name))
        return name

    def add(operator: str, *inputs: str, gives: str, **settings: Any) -> str:
        model.graph.node.append(helper.make_node(operator, inputs, [gives], gives, **settings))
        return gives

    centred = add("Sub", "raw_logit", constant("centre", centre), gives="centred" if weight else "logit")
    if weight:
        kernels = constant("fours", (np.eye(4) - 0.25).reshape(4, 1, 2, 2))

        def detail(of: str, name: str) -> str:
            """How far pixels are from the mean of their four, in the mean."""
            apart = add("Conv", of, kernels, gives=f"{name}_apart", strides=[2, 2])
            return add("ReduceMean", add("Abs", apart, gives=f"{name}_size"), gives=name, axes=[1, 2, 3], keepdims=0)

        pixels = add("Cast", "image", gives="pixels", to=TensorProto.FLOAT)
        grey = add("ReduceMean", pixels, gives="grey", axes=[3], keepdims=0)
        whole = add("Unsqueeze", grey, constant("channel", [1], np.int64), gives="whole")
        half = add("AveragePool", whole, gives="half", kernel_shape=[2, 2], strides=[2, 2])
        coarse = add("Add", detail(half, "coarse"), constant("tiny", 1e-6), gives="some_coarse")
        ratio = add("Div", detail(whole, "fine"), coarse, gives="ratio")
        above = add("Sub", ratio, constant("half_soft", HALF_SOFT), gives="above")
        soft = add("Sigmoid", add("Div", above, constant("steepness", -STEEPNESS), gives="steps"), gives="soft")
        more = add("Mul", soft, constant("weight", weight), gives="more")
        add("Div", centred, add("Add", more, constant("unit", 1.0), gives="divisor"), gives="logit")
    return bytes(model.SerializeToString(deterministic=True))
