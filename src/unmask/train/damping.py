"""What real pictures differ by most is damped before a head learns, so that it has to learn from the rest.

Real pictures say in which directions features vary for reasons that have nothing to do with fakes: from one picture of a source
to the next (light, pose, camera), and from one copy of the same picture to the next (what happened to it on its way). The
covariance of both has a few hundred strong directions; each is divided by sqrt(1 + its variance / the mean variance), so that
the strong ones become about as weak as the others, and those stay. That is a smoothed form of whitening by the covariance
within a class (Hatch et al., "Within-Class Covariance Normalization for SVM-based Speaker Recognition", Interspeech 2006), of
the real class only: what fakes vary by may be what gives them away. No fake is looked at, and so none that is left out of
training either.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmask.models import DAMPED
from unmask.train.kept_features import Kept

# Real pictures whose covariance is measured, at most: as many again say no more.
PICTURES = 16_384
# How many times as much as what pictures differ by, what their copies differ by counts.
COPIES = 2.5


def damp(model: Any, train: Kept) -> None:
    """Sets the directions of a model that damps some (`unmask.models.clip_vit_b16_whole.Damped`); does nothing to another.

    Args:
        model: One of `unmask.models.build`.
        train: What its tower said of Train, an overview of each picture: float16 (N, 1, C).
    """
    layer = next((layer for layer in model.layers if layer.name == DAMPED), None)
    if layer is None:
        return
    source, places = train.batches.source, train.places
    real = np.flatnonzero((train.labels == 0) & (source.labels[places] == 0))
    few = np.unique(places[real])[:: max(1, -(-len(real) // PICTURES))]  # with all of their copies
    real = real[np.isin(places[real], few)]
    overviews = train.features[real, 0].astype(np.float32)
    layer.set_weights(directions(overviews, source.origins[places[real]], places[real]))


def directions(overviews: NDArray[np.float32], sources: NDArray[np.str_], pictures: NDArray[np.int64]) -> list[Any]:
    """The strongest directions, which share of each is to be taken out, and how much larger the rest then becomes.

    Args:
        overviews: (N, C), of real pictures.
        sources: (N,), where each comes from: what sources differ by does not count.
        pictures: (N,), which are copies of the same picture.

    Returns:
        The weights of `Damped`, for overviews whose channels are standardised: float32 (C, `DIRECTIONS`), orthonormal; the shares
        (`DIRECTIONS`,), 0..1; and (), a factor after which they vary as much as before.
    """
    from sklearn.utils.extmath import randomized_svd

    from unmask.models.clip_vit_b16_whole import DIRECTIONS

    standardised = (overviews - overviews.mean(axis=0)) / (overviews.std(axis=0) + np.float32(1e-3))
    varied = _around(standardised, sources)
    if (copied := np.square(copies := _around(standardised, pictures)).sum()) > 0:
        varied = np.concatenate([varied, copies * np.sqrt(COPIES * np.square(varied).sum() / copied)])
    channels, whole = varied.shape[1], max(float(np.square(varied).sum()), 1e-12)
    _, values, found = randomized_svd(varied, DIRECTIONS, random_state=0)
    shared = np.zeros(DIRECTIONS)
    shared[: len(values)] = values**2  # of few pictures there are fewer
    strongest = np.zeros((channels, DIRECTIONS), np.float32)
    strongest[:, : len(found)] = found.T
    shares = 1 - 1 / np.sqrt(1 + shared * channels / whole)
    left = max(1 - float((shared * (1 - (1 - shares) ** 2)).sum()) / whole, 1e-12)
    return [strongest, shares.astype(np.float32), np.float32(np.sqrt(1 / left))]


def _around(rows: NDArray[np.float32], names: NDArray[Any]) -> NDArray[np.float32]:
    """Each row less the mean of those of its name."""
    _, place, count = np.unique(names, return_inverse=True, return_counts=True)
    sums = np.zeros((len(count), rows.shape[1]), np.float32)
    np.add.at(sums, place, rows)
    return np.asarray(rows - (sums / count[:, None].astype(np.float32))[place])
