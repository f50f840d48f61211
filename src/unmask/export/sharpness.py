"""How much each model of an ensemble counts, by how sharp the picture is.

A blur takes the fine traces away on which a model of sharp pictures relies, and a model that knows blurred ones knows less of the
others. Which of them to believe can be seen on the picture itself, so each picture has weights of its own (a mixture of
experts: Jacobs et al., "Adaptive Mixtures of Local Experts", Neural Computation, 1991; here the gate is fixed).

Sharpness is log((d2 + 0.02) / (d1 + 2)), where d1 and d2 are the mean squares of the first and of the second differences of the
grey picture at half its side, in grey levels, along rows and along columns, summed. A blur takes more from d2. At half the
side, what compression and faint grain add to a blurred picture weighs little (with grain of 4 grey levels it counts as half
blurred); the numbers that are added let a picture without any detail count as blurred. It is measured on the whole crop, scaled
to half the detector's input.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

# Half-way between the weights for sharp and those for blurred pictures, and the step on either side that makes it 73 to 27.
# Of every seventh picture of Validation that the shipped detector was chosen on, 256 px, 95 % have -0.5 and more as they are, and
# 95 % -0.9 and less under a blur of 2 px, -0.8 and less when JPEG of quality 75 follows. For other sizes it was not measured.
TURN, STEP = -0.75, 0.08

# To d1 and d2.
_ADDED = 2.0, 0.02


def sharpness(image: Any) -> Any:
    """Sharpness (N, 1) of pictures (N, S, S, 3), 0..255, S at least 6; see above."""
    grey = ops.mean(ops.cast(image, "float32"), axis=-1, keepdims=True)
    half = ops.average_pool(grey, 2)[..., 0]
    down, across = half[:, 1:] - half[:, :-1], half[:, :, 1:] - half[:, :, :-1]
    first = _mean_square(down) + _mean_square(across)
    second = _mean_square(down[:, 1:] - down[:, :-1]) + _mean_square(across[:, :, 1:] - across[:, :, :-1])
    return ops.log((second + _ADDED[1]) / (first + _ADDED[0]))


class Shares(keras.layers.Layer):  # type: ignore[misc]
    """Pictures (N, S, S, 3) -> how much each of M models counts, (N, M), with a sum of 1.

    Args:
        sharp: M numbers above 0, for sharp pictures; only their ratios matter.
        blurred: The same for blurred ones; None for those of `sharp`.
    """

    def __init__(self, sharp: Sequence[float], blurred: Sequence[float] | None = None, **settings: Any) -> None:
        super().__init__(**settings)
        self.sharp, self.blurred = (_shares(part) for part in (sharp, sharp if blurred is None else blurred))

    def call(self, image: Any) -> Any:
        sharp, blurred = (np.asarray([part], np.float32) for part in (self.sharp, self.blurred))
        gate = ops.sigmoid((TURN - sharpness(image)) / STEP)
        return sharp + gate * (blurred - sharp)


class WeightedMean(keras.layers.Layer):  # type: ignore[misc]
    """M logits (N, 1), and last the shares (N, M) -> their mean (N, 1), each weighed by its share."""

    def call(self, inputs: Sequence[Any]) -> Any:
        *logits, shares = inputs
        return ops.sum(ops.concatenate(logits, axis=-1) * shares, axis=-1, keepdims=True)


def _mean_square(values: Any) -> Any:
    return ops.mean(ops.square(values), axis=(1, 2))[:, None]


def _shares(weights: Sequence[float]) -> list[float]:
    whole = math.fsum(weights)
    return [weight / whole for weight in weights]
