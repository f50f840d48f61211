"""Model files of Keras 2, made readable by Keras 3.

Keras 2 wrote into a layer's configuration what Keras 3 no longer takes, such as `groups` of a depthwise convolution, and it
counted the calls of a nested model from 1. Only the description of the layers is changed, in a copy, and nothing of the file
is run: a key that a layer does not know goes where its value asks for nothing, or has no effect on a trained model.
"""

from __future__ import annotations

import inspect
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from unmask.errors import UnmaskError

# Values that ask for nothing; 1 is that of `groups`.
_ASKS_NOTHING: tuple[Any, ...] = (None, False, 1, "", [], {})
# Whatever the value: how a layer begins, learns or is computed, not what it computes when it has learned.
_OF_NO_EFFECT = (
    *("_initializer", "_regularizer", "_constraint", "renorm_momentum", "renorm_clipping"),
    *("fused", "implementation", "experimental_autocast", "rng_type"),
)
_RENAMED = {("InputLayer", "batch_input_shape"): "batch_shape", ("LeakyReLU", "alpha"): "negative_slope"}
# Layers that are code, or operations of TensorFlow outside of any layer.
_CODE = ("Lambda", "TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer")
# Layers that do nothing once a model has learned, and that no graph can hold.
_AUGMENTATION = tuple(f"Random{what}" for what in ("Flip", "Rotation", "Zoom", "Translation", "Contrast", "Brightness"))
# Arithmetic with a constant, as in a backbone's `preprocess_input`: what it multiplies by, and what it then adds.
_ARITHMETIC: dict[str, Callable[[Any], tuple[Any, Any]]] = {
    "math.truediv": lambda constant: (1 / constant, 0 * constant),
    "math.multiply": lambda constant: (constant, 0 * constant),
    "math.subtract": lambda constant: (constant**0, -constant),
    "math.add": lambda constant: (constant**0, constant),
    "__operators__.add": lambda constant: (constant**0, constant),
    "nn.bias_add": lambda constant: (constant**0, constant),
}
# What every layer of Keras 3 takes besides its own arguments.
_EVERY_LAYER = {
    "name", "trainable", "dtype", "autocast", "activity_regularizer", "input_shape", "batch_shape", "batch_input_shape",
    "input_dtype", "build_config", "module", "registered_name",
}  # fmt: skip


def modernised(path: Path, folder: Path) -> Path:
    """A copy of a model file that Keras 3 can read.

    Args:
        path: A `.h5` or `.keras` file.
        folder: Where to put the copy.

    Returns:
        The copy; the file itself where it holds no description of layers.

    Raises:
        UnmaskError: A layer asks for something that Keras 3 cannot do.
        OSError: The file cannot be read.
    """
    copy = folder / path.name
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as old, zipfile.ZipFile(copy, "w") as new:
            for item in old.infolist():
                data = old.read(item)
                new.writestr(item, json.dumps(cleaned(json.loads(data))) if item.filename == "config.json" else data)
        return copy
    import h5py

    shutil.copyfile(path, copy)
    with h5py.File(copy, "r+") as file:
        written = file.attrs.get("model_config")
        if written is None:
            return path
        file.attrs["model_config"] = json.dumps(cleaned(json.loads(written)))
    return copy


def cleaned(description: Any) -> Any:
    """The description of a model, or of a part of it, with nothing that Keras 3 refuses.

    Args:
        description: What was read from JSON.

    Raises:
        UnmaskError: A layer asks for something that Keras 3 cannot do.
    """
    if isinstance(description, list):
        return [cleaned(part) for part in description]
    if not isinstance(description, dict):
        return description
    if description.get("class_name") in ("Policy", "PolicyV1", "DTypePolicy"):
        name = str(description["config"]["name"])
        return "float32" if name.startswith("mixed_") else name  # its weights are; and no graph computes in bfloat16
    found = {name: cleaned(part) for name, part in description.items()}
    if isinstance(found.get("module"), str):
        functional = found.get("class_name") in ("Functional", "Model")
        found["module"] = "keras.src.models.functional" if functional else found["module"].replace("tf_keras", "keras")
    if found.get("class_name") == "Sequential":
        found["config"] = _with_input(found["config"])
    elif found.get("class_name") in _AUGMENTATION:
        kept = {name: value for name, value in found["config"].items() if name in _EVERY_LAYER}
        found |= {"class_name": "Identity", "config": kept}
    elif found.get("class_name") in _CODE:
        return _as_rescaling(found)
    elif isinstance(found.get("config"), dict):
        if "output_layers" in found["config"]:
            _count_calls_from_0(found["config"])
        _drop_unknown(found["config"], found.get("class_name"))
    if "class_name" in found and isinstance(found.get("config"), dict) and isinstance(found["config"].get("name"), str):
        found["config"]["name"] = _allowed(found["config"]["name"])
    return found


def _allowed(name: str) -> str:
    """A layer's name without the slashes that Keras 3 refuses."""
    return name.replace("/", "_")


def _as_rescaling(layer: dict[str, Any]) -> dict[str, Any]:
    """Arithmetic with a constant as a layer; any other code is refused."""
    config, nodes = layer["config"], layer.get("inbound_nodes", [])
    arithmetic = _ARITHMETIC.get(str(config.get("function"))) if layer["class_name"] == "TFOpLambda" else None
    if arithmetic is not None and len(nodes) == 1:
        *source, asked = nodes[0]
        constant = np.asarray(asked.get("y", asked.get("bias")))
        if constant.dtype.kind in "if" and asked.get("data_format") in (None, "NHWC"):
            scale, offset = arithmetic(constant.astype(float))
            settings = {name: config[name] for name in ("name", "trainable", "dtype") if name in config}
            settings |= {"name": _allowed(config["name"]), "scale": scale.tolist(), "offset": offset.tolist()}
            kind = {"module": "keras.layers", "class_name": "Rescaling", "registered_name": None}
            return layer | kind | {"config": settings, "inbound_nodes": [[[*source, {}]]]}
    if layer["class_name"] == "Lambda":
        raise _refused(config, "Lambda", "is a Lambda: code, which is not run from a file")
    raise _refused(config, layer["class_name"], "is a bare operation of TensorFlow, which Keras 3 cannot read")


def _count_calls_from_0(config: dict[str, Any]) -> None:
    """Names the calls of a functional model's layers as Keras 3 does; in Keras 2 a nested model's first was number 1."""
    layers = config["layers"]
    nodes = [node for layer in layers for node in layer["inbound_nodes"]]
    if not any(isinstance(node, list) for node in nodes):
        return
    sources = [source for node in nodes for source in node]
    inputs, outputs = (
        [ends] if isinstance(ends[0], str) else ends for ends in (config["input_layers"], config["output_layers"])
    )
    for layer in layers:
        used = [source for source in sources if source[0] == layer["name"]]
        given = [source for source in outputs if source[0] == layer["name"]]
        calls = len(layer["inbound_nodes"])
        if "layers" in layer["config"] and max(source[1] for source in used + given) == calls:
            # Keras 3 itself counts from 1 where a functional model gives the output.
            for source in used + (given if layer["class_name"] == "Sequential" else []):
                source[1] -= 1
        layer["name"] = _allowed(layer["name"])
    for source in (*sources, *inputs, *outputs):
        source[0] = _allowed(source[0])
    # A list of one tensor stays a list in Keras 3, and few layers take one.
    config["input_layers"] = inputs[0] if len(inputs) == 1 else inputs
    config["output_layers"] = outputs[0] if len(outputs) == 1 else outputs


def _refused(config: dict[str, Any], class_name: Any, why: str) -> UnmaskError:
    return UnmaskError(
        f"Its layer {config.get('name', class_name)} {why}.",
        hint="Build the model again from layers of Keras 3 alone, load the weights into it, and save it.",
        code="bad-model",
    )


def _with_input(config: Any) -> Any:
    """A sequential model's description that begins with an input layer; early ones were a list of layers."""
    config = {"name": "sequential", "layers": config} if isinstance(config, list) else config
    others = [layer for layer in config["layers"] if layer["class_name"] != "InputLayer"]
    shapes = [layer["config"].pop("batch_input_shape", None) for layer in others]
    if len(others) == len(config["layers"]) and shapes[0] is not None:
        shape = shapes[0]
        config["layers"].insert(0, {"class_name": "InputLayer", "config": {"batch_shape": shape, "name": "input"}})
    return config


def _drop_unknown(config: dict[str, Any], class_name: Any) -> None:
    import keras

    for (layer, old), new in _RENAMED.items():
        if layer == class_name and old in config:
            config[new] = config.pop(old)
    axis = config.get("axis")
    if class_name == "BatchNormalization" and isinstance(axis, list) and len(axis) == 1:
        config["axis"] = axis[0]
    known = _arguments(keras.layers, class_name, keras.layers.Layer)
    if known is not None:
        for name in [name for name in config if name not in known | _EVERY_LAYER]:
            if config[name] not in _ASKS_NOTHING and not name.endswith(_OF_NO_EFFECT):
                raise _refused(config, class_name, f"asks for {name}={config[name]!r}, which Keras 3 cannot do")
            del config[name]
    for room, kind in (
        (keras.initializers, keras.initializers.Initializer),
        (keras.regularizers, keras.regularizers.Regularizer),
        (keras.constraints, keras.constraints.Constraint),
    ):
        known = _arguments(room, class_name, kind)
        for name in [] if known is None else [name for name in config if name not in known]:
            del config[name]


def _arguments(room: Any, class_name: Any, kind: type) -> set[str] | None:
    """What a class of Keras takes; None where there is none of this name and kind."""
    found = getattr(room, class_name, None) if isinstance(class_name, str) else None
    if not inspect.isclass(found) or not issubclass(found, kind):
        return None
    own = [part for part in found.__mro__ if issubclass(part, kind) and part is not kind and "__init__" in vars(part)]
    return {name for part in own for name in inspect.signature(vars(part)["__init__"]).parameters}
