"""HiResCAM (Draelos and Carin, "Use HiResCAM instead of Grad-CAM", arXiv:2011.08891, 2020) of any exported graph.

Where the head averages the map, it equals Grad-CAM; behind a flattened map it does not, and is faithful where Grad-CAM
smears. Needs the package onnx, to split the graph at its last spatial map.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from unmask.errors import UnmaskError
from unmask.system.private import import_onnxruntime

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.detector import Detector

# Small enough to stay within one linear piece of the head, large enough to rise above float32 rounding.
_NUDGE: Final = 0.004


def hirescam(detector: Detector, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
    """ReLU of the sum over channels of A x d logit / d A, place by place.

    This is how fast the logit changes when the map A is scaled at one place, so a small scaling up and down of each
    place in turn measures it through the head alone. The head is piecewise linear: exact but for rounding.

    Args:
        detector: A loaded detector.
        crops: uint8 (N, S, S, 3), the detector's input.

    Returns:
        float32 (N, h, w), not negative, not normalised.

    Raises:
        UnmaskError: The package onnx is missing, or the graph has no Grad-CAM of the known form.
    """
    body, head = _split_graph(detector.bundle.model)
    maps = []
    for crop in crops:
        spatial, *others = body.run(None, {body.get_inputs()[0].name: crop[None]})
        shape = spatial.shape[1:]
        axes = _spatial_axes(shape, detector.logits_and_maps(crop[None])[1].shape[1:])
        height, width = (shape[axis] for axis in axes)
        scaled = []
        for sign in (1.0, -1.0):
            for row in range(height):
                for column in range(width):
                    one = spatial[0].copy()
                    place: list[Any] = [slice(None)] * 3
                    place[axes[0]], place[axes[1]] = row, column
                    one[tuple(place)] *= 1.0 + sign * _NUDGE
                    scaled.append(one)
        logits = _run_in_parts(head, np.stack(scaled), others)
        up, down = logits.reshape(2, height, width)
        maps.append(np.maximum((up - down) / (2 * _NUDGE), 0.0))
    return np.stack(maps).astype(np.float32)


def _run_in_parts(session: Any, batch: NDArray[np.float32], others: list[Any]) -> NDArray[np.float64]:
    """Logits (n,) of maps (n, ...), all of one picture: what else the head needs, (1, ...) each, is the same for all."""
    name, *names = (one.name for one in session.get_inputs())
    parts = []
    for at in range(0, len(batch), 64):
        part = batch[at : at + 64]
        alike = {other: np.repeat(value, len(part), axis=0) for other, value in zip(names, others, strict=True)}
        parts.append(session.run(None, {name: part, **alike})[0].ravel())
    return np.concatenate(parts).astype(np.float64)


def _spatial_axes(shape: tuple[int, ...], expected: tuple[int, ...]) -> tuple[int, int]:
    # Channels first comes first: that is how ONNX convolutions give their maps.
    if shape[1:] == expected:
        return 1, 2
    if shape[:2] == expected:
        return 0, 1
    raise _no_hirescam("its last spatial map and its heatmap differ in size")


def _split_graph(model: bytes) -> tuple[Any, Any]:
    """The graph up to the last spatial map A, and from there to the logit, as two sessions.

    What the logit needs besides A, such as how much each of several models counts, is given from one to the other.
    """
    try:
        import onnx
        from onnx.utils import Extractor
    except ImportError:
        raise UnmaskError(
            "hirescam needs the package onnx, which is not installed",
            hint="In a clone of Unmask: pip install '.[train]', or use --method occlusion.",
            code="no-onnx",
        ) from None
    onnxruntime = import_onnxruntime()
    graph = onnx.shape_inference.infer_shapes(onnx.load_from_string(model))
    name = _spatial_map(graph.graph)
    cut = [name, *_besides(graph.graph, name)]
    extractor = Extractor(graph)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    parts = []
    for inputs, outputs in (([graph.graph.input[0].name], cut), (cut, ["logit"])):
        try:
            part = extractor.extract_model(inputs, outputs).SerializeToString()
            parts.append(onnxruntime.InferenceSession(part, options, providers=["CPUExecutionProvider"]))
        except Exception as error:
            raise _no_hirescam(str(error).splitlines()[0]) from error
    return parts[0], parts[1]


def _spatial_map(graph: Any) -> str:
    """Name of A: Grad-CAM is ReLU(sum(A x weights)), so A is the computed factor that the logit depends on, too."""
    maker = {output: node for node in graph.node for output in node.output}
    users: dict[str, set[str]] = {}
    for node in graph.node:
        for name in node.input:
            users.setdefault(name, set()).update(node.output)

    def leads_to_logit(start: str) -> bool:
        seen, waiting = set(), [start]
        while waiting:
            name = waiting.pop()
            if name == "logit":
                return True
            if name not in seen:
                seen.add(name)
                waiting += users.get(name, ())
        return False

    at = maker.get("cam")
    while at is not None and at.op_type in ("Relu", "ReduceSum", "Squeeze", "Reshape", "Identity", "Transpose"):
        at = maker.get(at.input[0])
    if at is not None and at.op_type in ("Mul", "MatMul", "Einsum"):
        for name in at.input:
            # The converter reads the batch size off the map before it turns channels last; split before that.
            before = maker[name].input[0] if name in maker and maker[name].op_type == "Transpose" else name
            if before in maker and leads_to_logit(before):
                return str(before)
    raise _no_hirescam("its graph has no Grad-CAM of the known form")


def _besides(graph: Any, spatial_map: str) -> list[str]:
    """What the nodes between A and the logit get that is made of the picture, and not of A."""
    maker = {output: node for node in graph.node for output in node.output}
    of_map, of_picture = {spatial_map}, {graph.input[0].name}
    for node in graph.node:  # each after those that make its inputs
        if of_map.intersection(node.input):
            of_map.update(node.output)
        elif spatial_map not in node.output and of_picture.intersection(node.input):
            of_picture.update(node.output)
    found: dict[str, None] = {}
    waiting, seen = ["logit"], set[str]()
    while waiting:
        name = waiting.pop()
        if name in of_picture:
            found[name] = None
        elif name in of_map - seen - {spatial_map}:
            seen.add(name)
            waiting += maker[name].input
    return list(found)


def _no_hirescam(reason: str) -> UnmaskError:
    return UnmaskError(
        f"hirescam is not possible for this detector: {reason}",
        hint="Use --method gradcam or occlusion.",
        code="no-hirescam",
    )
