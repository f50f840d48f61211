"""The architectures. Each is a file with `features(inputs)` and `head(map)`, put together here.

A new one: write `models/<name>.py` with those two functions and add its name to `ARCHITECTURES`.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from unmask.errors import UnmaskError
from unmask.system.private import keep_keras_out_of_home

keep_keras_out_of_home()  # before any architecture imports Keras

# Name -> smallest input side. Keras is imported only when a model is built.
ARCHITECTURES = {"cnn": 22, "mobilenetv2": 32, "efficientnetv2b0": 32, "clip_vit_b16": 224, "clip_vit_b16_whole": 224}
# Those on CLIP's image tower, which take one size only.
TRANSFORMERS = ("clip_vit_b16", "clip_vit_b16_whole")

# Where a backbone does not reach to the last spatial map, its last layer has the first of these names; and the layer before its
# last blocks, where these can learn alone, the second. The third is what a head makes of the tower before it learns anything, and
# the fourth what of it is left once that is damped which real pictures differ by.
TOWER, MIDDLE, OVERVIEW, DAMPED = "tower", "middle", "overview", "damped"

# Weights that a person may ask for by name; anything else is a file.
_NAMED_WEIGHTS = ("none", "imagenet")


def build(
    architecture: str,
    input_size: int,
    *,
    weights: str | os.PathLike[str] = "none",
    precision: str = "float32",
    blocks: int | None = None,
) -> Any:
    """A detector to be trained: pictures in, logits out, scaling inside.

    Args:
        architecture: A key of `ARCHITECTURES`.
        input_size: Side S of the square input in pixels.
        weights: Where a backbone starts: ``none`` (random), ``imagenet`` (Keras downloads them, if it has them) or a
            ``.weights.h5`` file of that backbone without its classifier; for CLIP's tower a ``.npz``, see `clip_vit_b16`.
        precision: ``float32`` or ``mixed_bfloat16`` (weights and logit stay float32).
        blocks: Of a transformer, how many from the first on; None for as many as the architecture takes by itself.

    Returns:
        A `keras.Model` from uint8 (N, S, S, 3), RGB, to float32 logits (N, 1); positive is fake. The layers
        of the backbone are named by `backbone_layers`.

    Raises:
        UnmaskError: An unknown architecture, a size that is too small, weights that do not fit.
    """
    start = check_architecture(architecture, input_size, weights)

    import keras

    module = importlib.import_module(f"unmask.models.{architecture}")
    with _dtype_policy(precision):
        inputs = keras.Input((input_size, input_size, 3), dtype="uint8", name="image")
        try:
            spatial_map = module.features(inputs, start, **({} if blocks is None else {"blocks": blocks}))
        except Exception as error:
            cannot_download = type(error) is Exception  # Keras' own
            if not (cannot_download or isinstance(error, ValueError | OSError)):
                raise
            raise UnmaskError(
                f"The weights {start} {'cannot be had' if cannot_download else f'do not fit {architecture}'}: "
                f"{str(error).splitlines()[0]}",
                hint="Give the weights of the same backbone without its classifier, or none.",
                code="backbone-weights",
            ) from error
        return keras.Model(inputs, module.head(spatial_map), name=architecture)


def load(path: Path) -> Any:
    """A model that Keras saved, the layers of `build` among those that it may have.

    Raises:
        UnmaskError: The file is not there or damaged, or it runs code of its own.
    """
    import keras

    importlib.import_module("unmask.models.clip_vit_b16_whole")  # makes its layers known to Keras
    try:
        return keras.models.load_model(path, compile=False)
    except MemoryError:
        raise
    except Exception as error:  # whatever Keras meets in a damaged file
        raise unreadable(path, error) from error


def unreadable(path: Path, error: Exception) -> UnmaskError:
    """What to say of a file from which Keras could not read a model."""
    return UnmaskError(
        f"{path} cannot be read as a Keras model: {(str(error).strip() or repr(error)).splitlines()[0]}",
        hint=getattr(error, "hint", None)
        or "It must be a whole model saved by Keras (.h5 or .keras), without layers that hold code.",
        code="bad-model",
    )


def backbone_layers(model: Any, last: str = TOWER) -> list[Any]:
    """What `frozen` keeps still: the layers up to the one named `TOWER`, or else up to the last spatial map.

    Args:
        model: One that `build` made.
        last: The name of another layer to end with.
    """
    from unmask.models.head import find_head, made_by

    head, layers = find_head(model), list(model.layers)
    assert head is not None
    end = next((layer for layer in layers if layer.name == last), made_by(head.spatial_map)[0])
    return layers[: layers.index(end) + 1]


def check_architecture(architecture: str, input_size: int, weights: str | os.PathLike[str] = "none") -> str:
    """Refuses what `build` cannot build, without Keras.

    Args:
        architecture, input_size, weights: As of `build`.

    Returns:
        Where the backbone starts, as text.

    Raises:
        UnmaskError: An unknown architecture, a size that is too small, or a file of weights that is not there.
    """
    if architecture not in ARCHITECTURES:
        raise UnmaskError(
            f"There is no architecture named {architecture}.",
            hint=f"Choose one of {', '.join(ARCHITECTURES)}.",
            code="unknown-architecture",
        )
    if input_size < ARCHITECTURES[architecture]:
        raise UnmaskError(
            f"{architecture} cannot take pictures of {input_size} px.",
            hint=f"Use a size of at least {ARCHITECTURES[architecture]} px.",
            code="input-too-small",
        )
    if architecture in TRANSFORMERS and input_size != ARCHITECTURES[architecture]:
        raise UnmaskError(
            f"{architecture} cannot take pictures of {input_size} px.",
            hint="It knows 14 x 14 places of 16 px: prepare pictures with --size 224.",
            code="input-too-large",
        )
    start = os.fspath(weights)
    if start not in _NAMED_WEIGHTS and not Path(start).is_file():
        raise UnmaskError(
            f"The backbone weights {start} are not there.",
            hint="Give the path of a file of weights, imagenet, or none.",
            code="backbone-weights",
        )
    return start


@contextmanager
def _dtype_policy(precision: str) -> Iterator[None]:
    """keras.applications takes no dtype, so the policy is set around the building and put back."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
