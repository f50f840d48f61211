"""In a soft picture what is seen counts less.

A small face that was enlarged, or a blurred one, has lost the traces by which a fake is told, and what is left of a real one
looks like a generator's smoothness: such real faces have the highest logits of all. If the thresholds alone had to hold for them,
they would be far too careful for sharp pictures. So the graph itself divides the logit by a number that is 1 for sharp pictures
and higher for soft ones, which is a temperature that goes by the picture (Guo et al., "On Calibration of Modern Neural Networks",
ICML 2017). How sharp it is says the ratio of second to first differences between neighbouring pixels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

# A picture of this ratio is half soft: crops that were once 96 px high, or blurred by 1 px, have some 0.55, sharp ones 0.7 up.
HALF_SOFT, STEEPNESS = 0.64, 0.02
# By how much more than by 1 the logit of a soft picture may be divided: one of these, chosen on Validation.
WEIGHTS = tuple(step / 10 for step in range(11))


def softness(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """How soft pictures are.

    Args:
        images: uint8 (N, S, S, 3), RGB.

    Returns:
        float64 (N,), from 0 (sharp) to 1 (without fine detail).
    """
    grey = images.mean(axis=3, dtype=np.float32)
    first = np.diff(grey, axis=2)
    second = np.diff(first, axis=2)
    ratio = np.abs(second).mean(axis=(1, 2)) / (np.abs(first).mean(axis=(1, 2)) + np.float32(1e-6))
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
        columns, rest = constant("columns", [2], np.int64), constant("rest", [2**31 - 1], np.int64)
        from_first, from_second, before_last = (constant(f"at{end}", [end], np.int64) for end in (0, 1, -1))

        def differences(of: str, name: str) -> str:
            right = add("Slice", of, from_second, rest, columns, gives=f"{name}_right")
            return add(
                "Sub", right, add("Slice", of, from_first, before_last, columns, gives=f"{name}_left"), gives=name
            )

        def size(of: str) -> str:
            return add("ReduceMean", add("Abs", of, gives=f"{of}_abs"), gives=f"{of}_size", axes=[1, 2], keepdims=0)

        pixels = add("Cast", "image", gives="pixels", to=TensorProto.FLOAT)
        grey = add("ReduceMean", pixels, gives="grey", axes=[3], keepdims=0)
        first = differences(grey, "first")
        second = differences(first, "second")
        ratio = add("Div", size(second), add("Add", size(first), constant("tiny", 1e-6), gives="change"), gives="ratio")
        above = add("Sub", ratio, constant("half_soft", HALF_SOFT), gives="above")
        soft = add("Sigmoid", add("Div", above, constant("steepness", -STEEPNESS), gives="steps"), gives="soft")
        more = add("Mul", soft, constant("weight", weight), gives="more")
        add("Div", centred, add("Add", more, constant("unit", 1.0), gives="divisor"), gives="logit")
    return bytes(model.SerializeToString(deterministic=True))
