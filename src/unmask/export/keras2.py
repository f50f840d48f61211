"""Model files of Keras 2, made readable by Keras 3.

Keras 2 wrote into a layer's configuration what Keras 3 no longer takes, such as `groups` of a depthwise convolution. Only the
description of the layers is changed, in a copy, and nothing of the file is run: a key that a layer does not know goes where its
value asks for nothing, or has no effect on a trained model.
"""

from __future__ import annotations

import inspect
import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

from unmask.errors import UnmaskError

# Values that ask for nothing; 1 is that of `groups`.
_ASKS_NOTHING: tuple[Any, ...] = (None, False, 1, "", [], {})
# Whatever the value: how a layer begins, learns or is computed, not what it computes when it has learned.
_OF_NO_EFFECT = (
    *("_initializer", "_regularizer", "_constraint", "renorm_momentum", "renorm_clipping"),
    *("fused", "implementation", "experimental_autocast", "rng_type"),
)
_RENAMED = {("InputLayer", "batch_input_shape"): "batch_shape", ("LeakyReLU", "alpha"): "negative_slope"}
# What every layer of Keras 3 takes besides its own arguments.
_EVERY_LAYER = {
    *(
        "name",
        "trainable",
        "dtype",
        "autocast",
        "activity_regularizer",
        "input_shape",
        "batch_shape",
        "batch_input_shape",
    ),
    *("input_dtype", "build_config", "module", "registered_name"),
}


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
    if description.get("class_name") in ("Policy", "PolicyV1"):
        return description["config"]["name"]
    found = {name: cleaned(part) for name, part in description.items()}
    if isinstance(found.get("module"), str):
        functional = found.get("class_name") in ("Functional", "Model")
        found["module"] = "keras.src.models.functional" if functional else found["module"].replace("tf_keras", "keras")
    if found.get("class_name") == "Sequential":
        found["config"] = _with_input(found["config"])
    elif isinstance(found.get("config"), dict):
        _drop_unknown(found["config"], found.get("class_name"))
    return found


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
                raise UnmaskError(
                    f"Its layer {config.get('name', class_name)} asks for {name}={config[name]!r}, which Keras 3 cannot do.",
                    hint="Build the model again with Keras 3, load the weights into it, and save it.",
                    code="bad-model",
                )
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
