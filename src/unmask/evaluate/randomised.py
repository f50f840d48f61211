"""The same detector with shuffled weights: what a heatmap must not survive."""

from __future__ import annotations

import tempfile
from collections.abc import Container
from pathlib import Path
from typing import Any, Final

import numpy as np

from unmask.bundle import write_bundle
from unmask.detector import Detector
from unmask.errors import UnmaskError
from unmask.system.python import install_extra

# Share of the convolutions that is shuffled, from those nearest to the answer on down. The head stays as it is:
# the graph holds its weights twice, for the answer and for the map, and the two must go on agreeing.
STAGES: Final = {"last convolution": 0.0, "last half of the convolutions": 0.5, "all convolutions": 1.0}


def shuffled(detector: Detector, stage: str) -> Detector:
    """A detector with convolution weights permuted, those of one of `STAGES`: same numbers, same spread, nothing learned.

    Raises:
        UnmaskError: The package onnx is not installed, or the graph has no convolution.
    """
    try:
        import onnx
        from onnx import numpy_helper
    except ImportError:
        raise UnmaskError(
            "shuffling weights needs the package onnx, which is not installed",
            hint=f"Install it, {install_extra('train')}",
            code="no-onnx",
        ) from None
    model = onnx.load_from_string(detector.bundle.model)
    _unpack(model.graph)
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    heights = _heights(model.graph, weights)
    if not heights:
        raise UnmaskError(
            "the graph has no convolutions to shuffle",
            hint="This test is for convolutional detectors; leave it out for this one.",
            code="no-convolutions",
        )
    levels = sorted(set(heights.values()))
    reached = levels[: max(1, round(STAGES[stage] * len(levels)))]
    random = np.random.default_rng(0)
    for name in (kernel for kernel, height in heights.items() if height in reached):
        values = numpy_helper.to_array(weights[name])
        mixed = random.permutation(values.ravel()).reshape(values.shape)
        weights[name].CopyFrom(numpy_helper.from_array(mixed, weights[name].name))
    with tempfile.TemporaryDirectory(prefix="unmask-") as folder:
        place = write_bundle(Path(folder) / "shuffled", detector.info, model.SerializeToString(), "# shuffled\n")
        return Detector.load(place, threads=detector.threads, policy=detector.policy)


def _unpack(graph: Any) -> None:
    """Makes kernels that are kept in fewer bits (`unmask.export.kernels`) float32 ones: shuffled as they are kept, numbers
    would change places and stay behind the factors of others."""
    from onnx import TensorProto, numpy_helper

    kept = {tensor.name: tensor for tensor in graph.initializer}
    made: dict[str, Any] = {}
    others = []
    for node in graph.node:
        to_float = node.op_type == "Cast" and any(
            attribute.name == "to" and attribute.i == TensorProto.FLOAT for attribute in node.attribute
        )
        if to_float and node.input[0] in kept:
            made[node.output[0]] = numpy_helper.to_array(kept[node.input[0]]).astype(np.float32)
        elif node.op_type == "DequantizeLinear" and set(node.input) <= kept.keys():
            whole, factor = (numpy_helper.to_array(kept[name]) for name in node.input)
            (axis,) = (attribute.i for attribute in node.attribute if attribute.name == "axis")
            made[node.output[0]] = whole * np.moveaxis(factor.reshape(-1, *[1] * (whole.ndim - 1)), 0, axis)
        elif node.op_type == "Mul" and node.input[0] in made and node.input[1] in kept:
            made[node.output[0]] = made[node.input[0]] * numpy_helper.to_array(kept[node.input[1]])
        else:
            others.append(node)
    used = {name for node in others for name in node.input}
    tensors = [tensor for tensor in graph.initializer if tensor.name in used]
    tensors += [numpy_helper.from_array(values, name) for name, values in made.items() if name in used]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(others)
    graph.initializer.extend(tensors)


def _heights(graph: Any, known: Container[str]) -> dict[str, int]:
    """Of every kernel, how many convolutions lie between it and the answer: 0 for the last one, or for the last one of each
    model of an ensemble."""
    below: dict[str, int] = {}
    heights: dict[str, int] = {}
    for node in reversed(graph.node):
        height = max((below.get(name, 0) for name in node.output), default=0)
        if node.op_type == "Conv":
            if node.input[1] in known:
                heights[node.input[1]] = height
            height += 1
        for name in node.input:
            below[name] = max(below.get(name, 0), height)
    return heights
