"""Does the exported graph say what Keras says? Nothing else leaves the house."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmask.data.source import Source
from unmask.errors import UnmaskError
from unmask.export.soft import softness
from unmask.system.private import import_onnxruntime

# Largest difference of a logit between Keras and the graph, and how many pictures it is looked for on.
PARITY, PICTURES = 1e-3, 200
# Pictures at once.
BATCH = 64

Outputs = dict[str, NDArray[np.float64]]


def few_pictures(source: Source | None, size: int) -> Source:
    """What Keras and the graph are compared on.

    Args:
        source: Up to `PICTURES` from all over it, so that both classes are among them; None for noise.
        size: Side of the pictures, pixels.
    """
    if source is not None:
        return source.taken(np.linspace(0, len(source) - 1, min(len(source), PICTURES)).astype(np.int64))
    images = np.random.default_rng(0).integers(0, 256, (BATCH, size, size, 3), dtype=np.uint8)
    names = np.full(BATCH, "")
    return Source("Noise", size, ("",) * BATCH, np.arange(BATCH) % 2, names, names, lambda indexes: images[indexes])


def keras_logits(model: Any, source: Source) -> NDArray[np.float64]:
    """Logits (N,) of a Keras model from uint8 (N, S, S, 3).

    Raises:
        UnmaskError: Some of them are no numbers.
    """
    parts = [np.asarray(model.predict_on_batch(images)).reshape(-1) for images in batches(source)]
    logits = np.concatenate(parts).astype(np.float64)
    check_numbers(logits)
    return logits


def graph_runner(graph: bytes) -> Callable[[Source], Outputs]:
    """Runs an exported graph as the bundle's readers will.

    Args:
        graph: An ONNX model from `unmask.export.graph.to_onnx`.

    Returns:
        A function from pictures to float64 (N,) by output's name, the map left out; and as "softness" how soft they are.
    """
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs() if output.name != "cam"]

    def run(source: Source) -> Outputs:
        parts = [(*session.run(names, {"image": images}), softness(images)) for images in batches(source)]
        each = zip((*names, "softness"), zip(*parts, strict=True), strict=True)
        found = {name: np.concatenate(values) for name, values in each}
        check_numbers(found["logit"])
        return {name: values.astype(np.float64) for name, values in found.items()}

    return run


def check_numbers(logits: NDArray[Any]) -> None:
    """Refuses a model that gives NaN or infinity.

    Raises:
        UnmaskError: It does, and for how many pictures.
    """
    broken = int((~np.isfinite(logits)).sum())
    if broken:
        raise UnmaskError(
            f"The model gives no numbers: its logit is NaN or infinite for {broken} of {len(logits)} pictures.",
            hint="Its weights hold NaN or infinity, as after a training that went astray; train again at a lower rate.",
            code="no-numbers",
        )


def check_parity(expected: NDArray[np.float64], found: NDArray[np.float64]) -> None:
    """Refuses a graph whose logits are not those of the model.

    Args:
        expected: (N,), of Keras.
        found: (N,), of the graph, for the same pictures.

    Raises:
        UnmaskError: They differ by more than `PARITY` somewhere.
    """
    difference = float(np.abs(expected - found).max())
    if difference > PARITY:
        raise UnmaskError(
            f"The exported graph does not agree with the model: logits differ by {difference:.2g}.",
            hint="Please report this, with the architecture and the versions that `unmask doctor` prints.",
            code="parity",
        )


def batches(source: Source) -> Iterator[NDArray[np.uint8]]:
    """All pictures of a source, in order, `BATCH` at a time: uint8 (n, S, S, 3)."""
    for first in range(0, len(source), BATCH):
        yield source.read(np.arange(first, min(first + BATCH, len(source))))
