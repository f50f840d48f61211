"""MesoNet's Meso-4 for `peers.py`, whose published weights are a file that you bring: `MESO4_WEIGHTS=Meso4_DF.h5`.

Built from the description in Afchar, Nozick, Yamagishi and Echizen, "MesoNet: a Compact Facial Video Forgery Detection Network",
WIFS 2018, section III-A; neither the weights nor the authors' code are part of this repository. Needs the extra `train`.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from unmask.image.read import read_image
from unmask.image.resize import resize

SIDE = 256
PARAMETERS = 27_977  # as the paper gives it; a network of another size is not Meso-4


def predict(path: str) -> float:
    """P(fake) of a face crop; the published weights answer 1 for real."""
    pixels = resize(read_image(Path(path)).pixels, SIDE)
    return 1 - float(_network().predict_on_batch(pixels[None] / np.float32(255))[0, 0])


@cache
def _network() -> Any:
    """Four blocks of convolution, batch normalisation and pooling, then one hidden layer of 16."""
    import keras
    from keras import layers

    inputs = keras.Input((SIDE, SIDE, 3))
    x = inputs
    for filters, kernel, pool in ((8, 3, 2), (8, 5, 2), (16, 5, 2), (16, 5, 4)):
        x = layers.Conv2D(filters, kernel, padding="same", activation="relu")(x)
        x = layers.BatchNormalization()(x)
        x = layers.MaxPooling2D(pool, padding="same")(x)
    x = layers.Dropout(0.5)(layers.Flatten()(x))
    x = layers.LeakyReLU(negative_slope=0.1)(layers.Dense(16)(x))
    outputs = layers.Dense(1, activation="sigmoid")(layers.Dropout(0.5)(x))
    model = keras.Model(inputs, outputs, name="meso4")
    trained = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    if trained != PARAMETERS:
        raise SystemExit(f"this network has {trained:,} trained parameters, Meso-4 has {PARAMETERS:,}")
    model.load_weights(os.environ["MESO4_WEIGHTS"])
    return model
