"""`clip_vit_b16_whole`: the tower of `clip_vit_b16` under a plain head that sees a picture only as a whole.

One hidden layer on the overview (class token, mean and spread of the patches, of both depths) and a logit for each kind of fakes:
faces that were changed, and faces that were generated (see `unmask.train.kinds`). A picture is fake if it is either. What real
pictures differ by most is damped before (`Damped`), so that the head has to learn from the rest. The head has no map, but ranks
better than the one that asks every patch, and what it learns from takes 9 kB a picture in place of 600. `unmask export` puts the
two together.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

from unmask.models import DAMPED, OVERVIEW
from unmask.models.clip_vit_b16 import HIDDEN, Overview, standardised, tower
from unmask.models.head import KINDS, Either

# How many directions of the overview are damped.
DIRECTIONS = 512


@keras.saving.register_keras_serializable("unmask")
class Damped(layers.Layer):  # type: ignore[misc]
    """Takes a share of what an overview has in some directions out of it.

    The directions are those in which real pictures differ most: light, pose, camera, compression. They outweigh the traces of
    fakes by far, and a head that learns from them knows the fakes it has seen and few others. `unmask.train.damping` finds them;
    until then nothing is damped.
    """

    def build(self, shape: Any) -> None:
        """Its weights do not learn."""

        def weight(name: str, *shape: int, start: str = "zeros") -> Any:
            return self.add_weight(shape=shape, initializer=start, trainable=False, name=name)

        self.directions, self.shares = weight("directions", shape[-1], DIRECTIONS), weight("shares", DIRECTIONS)
        self.factor = weight("factor", start="ones")

    def call(self, overview: Any) -> Any:
        """(N, 1, C) -> (N, 1, C)."""
        along = ops.matmul(overview, self.directions) * self.shares
        return (overview - ops.matmul(along, ops.transpose(self.directions))) * self.factor

    def compute_output_shape(self, shape: Any) -> tuple[int | None, ...]:
        """As it comes."""
        return tuple(shape)


def features(inputs: Any, weights: str = "none", blocks: int = 9) -> Any:
    """The hidden features as a spatial map of one place.

    Args:
        inputs, weights, blocks: As of `unmask.models.clip_vit_b16.features`.

    Returns:
        Tensor (N, 1, 1, 256), not negative.

    Raises:
        ValueError: The weights are not those of this tower.
    """
    overview = Overview(dtype="float32", name=OVERVIEW)(tower(inputs, weights, blocks))
    damped = Damped(dtype="float32", name=DAMPED)(standardised(overview, OVERVIEW))
    seen = layers.Dropout(0.2, name="overview_dropout")(damped)
    hidden = layers.Dense(HIDDEN, "relu", dtype="float32", name="hidden")(seen)
    return layers.Reshape((1, 1, HIDDEN), name="map")(hidden)


def head(spatial_map: Any) -> Any:
    """Global average pooling (of the one place), dropout 0.5, Dense 2: a logit for each kind of fakes; and that of either."""
    x = layers.GlobalAveragePooling2D(name="pool")(spatial_map)
    x = layers.Dropout(0.5, name="dropout")(x)
    return Either(dtype="float32", name="logit")(layers.Dense(2, dtype="float32", name=KINDS)(x))
