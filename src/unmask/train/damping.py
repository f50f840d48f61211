"""What real pictures differ by most is damped before a head learns, so that it has to learn from the rest.

Real pictures say in which directions features vary for reasons that have nothing to do with fakes. Within each source, their
covariance has a few hundred strong directions; each is divided by sqrt(1 + its variance / the mean variance), so that the strong
ones become about as weak as the others, and those stay. That is a smoothed form of whitening by the covariance within a class
(Hatch et al., "Within-Class Covariance Normalization for SVM-based Speaker Recognition", Interspeech 2006), of the real class
only: what fakes vary by may be what gives them away. No fake is looked at, and so none that is left out of training either.

A head then finds more fakes of kinds that it never saw, and is sooner wrong about real pictures that were compressed; the shipped
detector has heads of both sorts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmask.models import DAMPED
from unmask.train.kept_features import Kept

# Real pictures whose covariance is measured, at most: as many again say no more.
PICTURES = 16_384


def damp(model: Any, train: Kept) -> None:
    """Sets the directions of a model that damps some (`unmask.models.clip_vit_b16_whole.Damped`); does nothing to another.

    Args:
        model: One of `unmask.models.build`.
        train: What its tower said of Train, an overview of each picture: float16 (N, 1, C).
    """
    layer = next((layer for layer in model.layers if layer.name == DAMPED), None)
    if layer is None:
        return
    original = train.batches.source.labels[train.places]
    real = np.flatnonzero((train.labels == 0) & (original == 0))
    real = real[:: max(1, -(-len(real) // PICTURES))]
    layer.set_weights(
        directions(train.features[real, 0].astype(np.float32), train.batches.source.origins[train.places[real]])
    )


def directions(overviews: NDArray[np.float32], sources: NDArray[np.str_]) -> list[Any]:
    """The strongest directions, which share of each is to be taken out, and how much larger the rest then becomes.

    Args:
        overviews: (N, C), of real pictures.
        sources: (N,), where each comes from: what sources differ by does not count.

    Returns:
        The weights of `Damped`, for overviews whose channels are standardised: float32 (C, `DIRECTIONS`), orthonormal; the shares
        (`DIRECTIONS`,), 0..1; and (), a factor after which channels have a spread of 1 again within a source.
    """
    from sklearn.utils.extmath import randomized_svd

    from unmask.models.clip_vit_b16_whole import DIRECTIONS

    standardised = (overviews - overviews.mean(axis=0)) / (overviews.std(axis=0) + np.float32(1e-3))
    for source in np.unique(sources):
        own = sources == source
        standardised[own] -= standardised[own].mean(axis=0)
    channels, whole = standardised.shape[1], max(float(np.square(standardised).mean(axis=0).sum()), 1e-12)
    _, values, found = randomized_svd(standardised, DIRECTIONS, random_state=0)
    variances = np.zeros(DIRECTIONS)
    variances[: len(values)] = values**2 / len(standardised)  # of few pictures there are fewer
    strongest = np.zeros((channels, DIRECTIONS), np.float32)
    strongest[:, : len(found)] = found.T
    shares = 1 - 1 / np.sqrt(1 + variances * channels / whole)
    left = max(whole - float((variances * (1 - (1 - shares) ** 2)).sum()), 1e-12)
    return [strongest, shares.astype(np.float32), np.float32(np.sqrt(channels / left))]
