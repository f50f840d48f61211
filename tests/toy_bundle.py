"""A detector small enough to make in a test: one 8 x 8 convolution, global average pooling, one dense unit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from unmask.bundle import BundleInfo, Policy, TrainingData, write_bundle

if TYPE_CHECKING:
    from pathlib import Path

TERMS = "Made by a test; for nothing else."


def toy_graph(
    side: int = 64, *, weight: float = 3.0, bias: float = 0.1, seed: int = 0, with_distance: bool = False
) -> bytes:
    """The graph. Weight 0 makes every logit equal to the bias; the distance, if any, is the mean brightness, 0..255."""
    rng = np.random.default_rng(seed)
    kernel = rng.normal(0.0, 0.05, (8, 3, 8, 8)).astype(np.float32)
    dense = (rng.normal(0.0, 1.0, 8) * weight).astype(np.float32)
    constants = {
        "scale": np.float32(1 / 255),
        "kernel": kernel,
        "dense": dense[:, None],
        "alpha": dense[None, :, None, None],
        "bias": np.array([bias], np.float32),
        "axis": np.array([1], np.int64),
    }
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["float", "scale"], ["scaled"]),
        helper.make_node("Transpose", ["scaled"], ["channels_first"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["channels_first", "kernel"], ["map"], strides=[8, 8]),
        helper.make_node("Relu", ["map"], ["features"]),
        helper.make_node("GlobalAveragePool", ["features"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "dense"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["column"]),
        helper.make_node("Squeeze", ["column", "axis"], ["logit"]),
        helper.make_node("Mul", ["features", "alpha"], ["weighted"]),
        helper.make_node("ReduceSum", ["weighted", "axis"], ["summed"], keepdims=0),
        helper.make_node("Relu", ["summed"], ["cam"]),
    ]
    outputs = [
        helper.make_tensor_value_info("logit", TensorProto.FLOAT, ["N"]),
        helper.make_tensor_value_info("cam", TensorProto.FLOAT, ["N", side // 8, side // 8]),
    ]
    if with_distance:
        nodes.append(helper.make_node("ReduceMean", ["float"], ["distance"], axes=[1, 2, 3], keepdims=0))
        outputs.append(helper.make_tensor_value_info("distance", TensorProto.FLOAT, ["N"]))
    graph = helper.make_graph(
        nodes,
        "toy",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", side, side, 3])],
        outputs,
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def toy_info(side: int = 64, **changes: object) -> BundleInfo:
    """What the toy bundle says of itself."""
    policies = {
        "careful": Policy(real_below=0.1, fake_above=0.9, chosen_by="hand"),
        "balanced": Policy(real_below=0.4, fake_above=0.6, chosen_by="hand"),
    }
    values: dict[str, object] = {
        "name": "toy",
        "version": "0.1",
        "created": "2026-01-01",
        "architecture": "custom",
        "input_size": side,
        "temperature": 1.0,
        "policies": policies,
        "default_policy": "balanced",
        "training_data": TrainingData(name="none", terms=TERMS, counts={}),
    }
    return BundleInfo.model_validate({**values, **changes})


def write_toy_bundle(
    folder: Path, side: int = 64, *, weight: float = 3.0, bias: float = 0.1, outside_above: float | None = None
) -> Path:
    """A whole bundle on disk. With a limit, crops brighter than that are outside training."""
    graph = toy_graph(side, weight=weight, bias=bias, with_distance=outside_above is not None)
    return write_bundle(folder, toy_info(side, outside_above=outside_above), graph, "# toy\n")
