"""A model that looks at the middle of its pictures only, which takes it less time.

A crop holds more than the face: at the default margin two fifths of it lie around the face's box. A model that learned on windows
of its pictures answers about the middle of one nearly as well as about the whole.

The last spatial map is laid into the middle of a map of the whole picture, with zeros around, so that explanations still cover
the picture. That makes its mean over positions smaller by a constant factor, which goes into the next layer's kernel: the
logit is the one that the model has for the middle alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from unmask.errors import UnmaskError
from unmask.export.ensemble import copied
from unmask.export.gradcam import find_head


def middle_of(model: Any, middle: int) -> Any:
    """The same model, looking at the middle of its pictures.

    Args:
        model: A float32 Keras model from uint8 (N, S, S, 3) to logits (N, 1), whose head averages over positions before a
            dense layer, and which takes pictures of any size.
        middle: Side of what it is to look at, pixels, one of `sides_of_middles`.

    Returns:
        A `keras.Model` from uint8 (N, S, S, 3) to logits (N, 1), on copies of the weights. Its last spatial map has as many
        places as the model's, and zeros around the middle.

    Raises:
        UnmaskError: A head of another form, or another side.
    """
    head = find_head(model)
    kinds = [type(step.layer) for step in head.steps[:2]] if head is not None else []
    if head is None or kinds != [layers.GlobalAveragePooling2D, layers.Dense]:
        raise UnmaskError(
            f"The model {model.name} cannot look at the middle of its pictures: its head does not average over positions.",
            hint="Leave --middle out; it is for runs of mobilenetv2 and the efficientnets.",
            code="unknown-head",
        )
    side, places = int(model.inputs[0].shape[1]), int(head.spatial_map.shape[1])
    sides = sides_of_middles(side, places)
    if middle not in sides:
        raise UnmaskError(
            f"The model {model.name} of {side} px cannot look at the middle {middle} px.",
            hint=f"Choose one of {', '.join(map(str, sides))}." if sides else "Leave --middle out.",
            code="middle-does-not-fit",
        )
    seen = keras.Input((middle, middle, 3), dtype="uint8", name="image")
    inner = copied(keras.Model(model.inputs[0], head.spatial_map, name=f"{model.name}_backbone"), seen, "")
    # For the layers behind the map: the model's own must not be changed.
    copy = copied(model, keras.Input((side, side, 3), dtype="uint8", name="image"), "")
    own_head = find_head(copy)
    assert own_head is not None

    image = keras.Input((side, side, 3), dtype="uint8", name="image")
    spatial_map = inner(layers.Cropping2D((side - middle) // 2, name="middle")(image))
    # In places of the map. Where it is half a place too much, each place gives a quarter to each of the four that it lies on.
    around = places - int(spatial_map.shape[1])
    whole = layers.ZeroPadding2D((around + 1) // 2, name="around")(spatial_map)
    if around % 2:
        whole = layers.AveragePooling2D(2, strides=1, name="shared")(whole)
    dense = own_head.steps[1].layer
    dense.kernel.assign(dense.kernel * (places / int(spatial_map.shape[1])) ** 2)
    return keras.Model(image, own_head.applied_to(whole), name=model.name)


def middles_of(models: Sequence[Any], middle: int) -> list[Any]:
    """The models as they go together: those of the largest side look at the middle, and those of half the side at all of theirs.

    Args:
        models: As of `unmask.export.ensemble.ensemble`.
        middle: As of `middle_of`.
    """
    sides = [int(model.inputs[0].shape[1]) for model in models]
    return [
        middle_of(model, middle) if side == max(sides) else model for model, side in zip(models, sides, strict=True)
    ]


def sides_of_middles(side: int, places: int) -> list[int]:
    """The sides of middles whose maps can be laid into the map of the whole, smallest first; not under half of `side`.

    Args:
        side: Of the model's pictures, pixels.
        places: Along a side of its last spatial map.
    """
    stride = side // places
    # Each halving rounds up, so only where no side on the way was odd is a place as wide in the middle as in the whole.
    if stride * places != side or stride & (stride - 1):
        return []
    return [size for size in range(stride, side, stride) if 2 * size >= side]
