"""`clip_vit_b16_whole`: the tower of `clip_vit_b16` under a plain head that sees a picture only as a whole.

One hidden layer on the overview (class token, mean and spread of the patches, of both depths) and a logit for each kind of fakes:
faces that were changed, and faces that were generated (see `unmask.train.kinds`). A picture is fake if it is either. The head has
no map, but ranks better than the one that asks every patch, and what it learns from takes 9 kB a picture in place of 600.
`unmask export` puts the two together.
"""

from __future__ import annotations

from typing import Any

from keras import layers

from unmask.models import OVERVIEW
from unmask.models.clip_vit_b16 import HIDDEN, Overview, standardised, tower
from unmask.models.head import KINDS, Either


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
    seen = layers.Dropout(0.2, name="overview_dropout")(standardised(overview, OVERVIEW))
    hidden = layers.Dense(HIDDEN, "relu", dtype="float32", name="hidden")(seen)
    return layers.Reshape((1, 1, HIDDEN), name="map")(hidden)


def head(spatial_map: Any) -> Any:
    """Global average pooling (of the one place), dropout 0.5, Dense 2: a logit for each kind of fakes; and that of either."""
    x = layers.GlobalAveragePooling2D(name="pool")(spatial_map)
    x = layers.Dropout(0.5, name="dropout")(x)
    return Either(dtype="float32", name="logit")(layers.Dense(2, dtype="float32", name=KINDS)(x))
