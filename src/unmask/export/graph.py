"""A Keras model as the bytes of `model.onnx`: the same weights always give the same bytes."""

from __future__ import annotations

import hashlib
import tempfile
import warnings
from pathlib import Path
from typing import Any

import keras
import onnx

from unmask.errors import UnmaskError
from unmask.export.gradcam import grad_cam
from unmask.export.occlusion import occlusion_map
from unmask.export.outside import FeatureStatistics, distance_output, pooled_features
from unmask.models.head import find_heads

# Old enough for every runtime in use, new enough for all that the architectures need.
OPSET = 17

# In this order; the last one is there where the distance to the training pictures is known.
OUTPUTS = ("logit", "cam", "distance")


def _explained(model: Any, statistics: FeatureStatistics | None) -> Any:
    """The same model with the outputs of a bundle's graph."""
    heads = find_heads(model)
    # A head of one place sees the picture as a whole: it has no say in where.
    mapped = [head for head in heads or () if head.spatial_map.shape[1] > 1]
    logit = keras.ops.reshape(model.outputs[0], (-1,))
    outputs = [logit, grad_cam(mapped) if mapped else occlusion_map(model)]
    if heads is not None and statistics is not None:
        outputs.append(distance_output(pooled_features(heads), statistics))
    return keras.Model(model.inputs[0], outputs, name="explained")


def to_onnx(model: Any, statistics: FeatureStatistics | None = None) -> bytes:
    """The graph of a detector.

    Args:
        model: A float32 Keras model from uint8 (N, S, S, 3) to logits (N, 1).
        statistics: Of the training pictures' features, see `unmask.export.outside`; left out where the head is not of the known
            form.

    Returns:
        An ONNX model with the input `image`, N free, and the outputs logit (N,), cam (N, h, w) and, with statistics, distance
        (N,). The map explains the logit of *fake*, after ReLU, not normalised: Grad-CAM, or occlusion where the head is of
        another form, or no head has a map of more than one place.

    Raises:
        UnmaskError: Keras runs on another backend than TensorFlow.
    """
    if keras.backend.backend() != "tensorflow":
        raise UnmaskError(
            f"Keras runs on {keras.backend.backend()}, from which no graph can be made.",
            hint="Set KERAS_BACKEND=tensorflow; a model trained on another backend is read all the same.",
            code="wrong-backend",
        )
    with tempfile.TemporaryDirectory(prefix="unmask-") as folder, warnings.catch_warnings():
        path = Path(folder) / "model.onnx"
        whole = _explained(model, statistics)
        signature = [keras.InputSpec(dtype="uint8", shape=whole.inputs[0].shape, name="image")]
        # Keras' converter looks for numpy.object, which numpy warns about.
        warnings.filterwarnings("ignore", message=".*np.object.*", category=FutureWarning)
        whole.export(str(path), format="onnx", verbose=False, input_signature=signature, opset_version=OPSET)
        graph = onnx.load(path)
    _make_canonical(graph)
    onnx.checker.check_model(graph, full_check=True)
    return bytes(graph.SerializeToString(deterministic=True))


def _make_canonical(model: Any) -> None:
    """Removes what the converter happened to write: names with counters, its version, the order of the weights."""
    graph = model.graph
    names = {graph.input[0].name: "image"}
    names |= {output.name: name for output, name in zip(graph.output, OUTPUTS, strict=False)}
    for node in graph.node:
        for name in (*node.input, *node.output):
            if name:
                names.setdefault(name, f"t{len(names)}")
    for index, node in enumerate(graph.node):
        node.name, node.doc_string = f"n{index}", ""
        node.input[:] = [names.get(name, "") for name in node.input]
        node.output[:] = [names[name] for name in node.output]
    for value in (*graph.input, *graph.output):
        value.name = names[value.name]
    # The converter leaves weights behind that no node uses.
    used = [weight for weight in graph.initializer if weight.name in names]
    for weight in used:
        weight.name = names[weight.name]
    _share_equal(graph, used)
    weights = sorted(used, key=lambda weight: int(weight.name[1:]))
    del graph.initializer[:], graph.value_info[:], model.metadata_props[:]
    graph.initializer.extend(weights)
    for value in (*graph.input, *graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "N"
    graph.name, graph.doc_string = "unmask", ""
    model.producer_name, model.producer_version, model.doc_string = "unmask", "", ""


def _share_equal(graph: Any, weights: list[Any]) -> None:
    """Keeps one of weights that are the same to the last bit, as heads of one tower may have."""
    first: dict[bytes, str] = {}
    names = {weight.name: first.setdefault(_content(weight), weight.name) for weight in weights}
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
    weights[:] = [weight for weight in weights if names[weight.name] == weight.name]


def _content(weight: Any) -> bytes:
    unnamed = onnx.TensorProto()
    unnamed.CopyFrom(weight)
    unnamed.name = ""
    return hashlib.sha256(unnamed.SerializeToString(deterministic=True)).digest()
