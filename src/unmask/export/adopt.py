"""Other people's Keras models: the report's own `.h5`, or any binary face classifier of one output (or two).

What such a file does not say, the person has to: how its pictures were scaled, and which class is 1. Its last layer's
sigmoid is taken off, since a calibrated probability needs the logit, and its scaling moves into the graph.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

from unmask.errors import UnmaskError
from unmask.export.keras2 import modernised
from unmask.models import load, unreadable
from unmask.models.head import find_head, made_by

# What the model was fed, as factor and offset on 0..255.
SCALINGS = {"0..1": (1 / 255, 0.0), "-1..1": (1 / 127.5, -1.0), "0..255": (1.0, 0.0)}


def adopt(path: Path, *, input_scaling: str, label_order: str) -> Any:
    """Reads a Keras file as one of our own: from uint8 pictures to the logit of *fake*.

    Args:
        path: A `.h5` or `.keras` file.
        input_scaling: A key of `SCALINGS`.
        label_order: Its classes 0 and 1, "real-fake" or "fake-real".

    Returns:
        A float32 `keras.Model` from uint8 (N, S, S, 3), RGB, to logits (N, 1).

    Raises:
        UnmaskError: The file cannot be read, runs code of its own, or is no classifier of one square picture into two
            classes.
    """
    model = _load(path)
    side = _side(model, path)
    before, kernel, bias = _last_layer(model, path)
    if label_order == "fake-real":
        kernel, bias = -kernel, -bias
    last = keras.layers.Dense(1, name="logit")
    candidate = keras.Model(model.inputs, last(before))
    last.set_weights([kernel, bias])

    factor, offset = SCALINGS[input_scaling]
    image = keras.Input((side, side, 3), dtype="uint8", name="image")
    scaled = keras.layers.Rescaling(factor, offset, name="scale")(image)
    head = find_head(candidate)
    if head is None:
        logit = candidate(scaled)
    else:  # stays visible as single layers, so that Grad-CAM can be written out
        logit = head.applied_to(keras.Model(candidate.inputs, head.spatial_map, name="body")(scaled))
    if logit.shape[0] is not None:  # where only its input says so, any number goes
        raise _unfit(path, f"it takes {logit.shape[0]} pictures at a time, and no other number")
    return keras.Model(image, logit, name="adopted")


def _load(path: Path) -> Any:
    if not path.is_file():
        raise UnmaskError(
            f"There is no file {path}.", hint="Name a .h5 or .keras file, or a run folder.", code="no-model"
        )
    try:
        with tempfile.TemporaryDirectory(prefix="unmask-") as folder:
            model = load(modernised(path, Path(folder)))
    except Exception as error:  # which names the copy, if it is of `load`
        raise unreadable(path, error.__cause__ if isinstance(error.__cause__, Exception) else error) from error
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.Normalization):
            # As tensors they would become inputs of the graph.
            layer.mean = keras.ops.convert_to_numpy(layer.mean)
            layer.variance = keras.ops.convert_to_numpy(layer.variance)
    return model


def _side(model: Any, path: Path) -> int:
    shapes = [tuple(tensor.shape) for tensor in model.inputs]
    if len(shapes) != 1 or len(shapes[0]) != 4 or shapes[0][3] != 3 or shapes[0][1] != shapes[0][2]:
        raise _unfit(path, f"it takes {shapes}, not one square picture in colour")
    if shapes[0][1] is None:
        raise _unfit(path, "the size of its input is not fixed")
    return int(shapes[0][1])


def _last_layer(model: Any, path: Path) -> tuple[Any, Any, Any]:
    """What goes into the last dense layer, and the weights of the logit of class 1 against class 0."""
    activations = keras.activations
    layer, sources = made_by(model.outputs[0])
    curves = []
    if isinstance(layer, keras.layers.Activation):
        curves.append(layer.activation)
        layer, sources = made_by(sources[0])
    if not isinstance(layer, keras.layers.Dense):
        raise _unfit(path, f"it ends in {type(layer).__name__}, not in a dense layer")
    if len(sources[0].shape) != 2:
        raise _unfit(path, "its last layer answers for places and not for the picture")
    curves = [curve for curve in (layer.activation, *curves) if curve is not activations.linear]
    if len(curves) > 1:
        raise _unfit(path, "it ends in two activations")
    curve, tensor = curves[0] if curves else activations.linear, sources[0]
    kernel = keras.ops.convert_to_numpy(layer.kernel)
    bias = keras.ops.convert_to_numpy(layer.bias) if layer.use_bias else np.zeros(layer.units, np.float32)
    if layer.units == 1 and curve in (activations.sigmoid, activations.linear):
        return tensor, kernel, bias
    if layer.units == 2 and curve in (activations.softmax, activations.linear):
        return tensor, kernel[:, 1:] - kernel[:, :1], bias[1:] - bias[:1]
    name = getattr(curve, "__name__", str(curve))
    raise _unfit(path, f"it ends in {layer.units} outputs with {name}")


def _unfit(path: Path, what: str) -> UnmaskError:
    return UnmaskError(
        f"{path} is no real/fake classifier that can be adopted: {what}.",
        hint="It must take one square RGB picture and end in Dense(1) with a sigmoid or Dense(2) with a softmax.",
        code="unfit-model",
    )
