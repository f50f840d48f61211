"""How far a picture is from those that a detector learned from, as one more output of its graph.

The distance is that of Mahalanobis to the nearer of the two classes, with one covariance for both (Lee et al., "A Simple
Unified Framework for Detecting Out-of-Distribution Samples", NeurIPS 2018, section 2.1), between globally averaged last
spatial maps, also where the head flattens its map: what is averaged does not ask where in the crop a thing was.

Each channel is divided by its spread within the classes. The covariance is shrunk (Ledoit and Wolf, J. Multivariate
Analysis 2004) and then kept in low rank, so that a bundle does not grow by a matrix of all channels: `DIRECTIONS`
eigenvectors with their own variances, and one variance for everything else (Tipping and Bishop, "Probabilistic Principal
Component Analysis", 1999, equation 8). What lies beside the kept directions counts, as in ViM (Wang et al., CVPR 2022),
and counts most: training pictures hardly vary there, so a picture that does is a strange one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from unmask.data.source import Source
from unmask.export.parity import batches
from unmask.models.head import Head, find_heads

# Eigenvectors that are kept. With 1280 channels they are 330 kB of a bundle; all of them would be 6.6 MB.
DIRECTIONS = 64
# Pictures of each class that are looked at, spread evenly over Train: enough for a covariance in low rank.
PICTURES_OF_A_CLASS = 600
# No channel's spread is taken for smaller than this share of the mean one: a channel that hardly ever wakes in training
# must not decide alone.
SMALLEST_SPREAD = 0.01
# A variance below this share of the largest one is rounding.
ROUNDING = 1e-9
# Share of the Validation pictures that may be called outside.
OUTSIDE_SHARE = 0.01

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class FeatureStatistics:
    """Where the pooled features of training pictures lie; C channels, k directions.

    Attributes:
        means: float32 (2, C), of real and of fake pictures.
        spreads: float32 (C,), standard deviations about the class's mean, above 0.
        directions: float32 (C, k), orthonormal columns, of features divided by `spreads`; the widest first.
        variances: float32 (k,), of such features about their class's mean, along each direction.
        rest_variance: The same for any direction at right angles to these, above 0.
    """

    means: Floats
    spreads: Floats
    directions: Floats
    variances: Floats
    rest_variance: float


def pooled_features(heads: Sequence[Head]) -> Any:
    """The last spatial maps, averaged over their places.

    Args:
        heads: Of a model, or of several that answer together.

    Returns:
        Symbolic tensor (N, C), with the channels of all heads.
    """
    parts = [ops.mean(head.spatial_map, axis=(1, 2)) for head in heads]
    return parts[0] if len(parts) == 1 else ops.concatenate(parts, axis=-1)


def measure_features(model: Any, source: Source) -> FeatureStatistics | None:
    """Statistics of the pooled features of some pictures.

    Args:
        model: A float32 Keras model from uint8 (N, S, S, 3) to logits.
        source: Train; at most `PICTURES_OF_A_CLASS` of each class are read, the same ones every time.

    Returns:
        None where the features say nothing (see `fit_statistics`), or the head is not of the known form.
    """
    heads = find_heads(model)
    if heads is None:
        return None
    pooled = keras.Model(model.inputs[0], pooled_features(heads))
    chosen = np.concatenate([_spread(np.flatnonzero(source.labels == label)) for label in (0, 1)])
    few = source.taken(chosen)
    features = np.concatenate([np.asarray(pooled.predict_on_batch(images)) for images in batches(few)])
    return fit_statistics(features, few.labels)


def fit_statistics(features: Floats, labels: NDArray[np.int64]) -> FeatureStatistics | None:
    """Means, and the shrunk covariance within the classes in low rank.

    Args:
        features: (N, C).
        labels: (N,), 0 real, 1 fake, both there.

    Returns:
        None for fewer than two channels, features that do not vary, or some that are no numbers.
    """
    from sklearn.covariance import LedoitWolf

    channels = features.shape[1]
    exact = features.astype(np.float64)
    if channels < 2 or not np.isfinite(exact).all():
        return None
    means = np.stack([exact[labels == label].mean(axis=0) for label in (0, 1)])
    apart = exact - means[labels]
    spreads = apart.std(axis=0)
    spreads = np.maximum(spreads, SMALLEST_SPREAD * spreads.mean())
    if not spreads.min() > np.finfo(np.float32).tiny:
        return None
    variances, vectors = np.linalg.eigh(LedoitWolf(assume_centered=True).fit(apart / spreads).covariance_)
    if not variances[0] > ROUNDING * variances[-1]:
        # Nothing was shrunk: along some direction the features do not vary at all, and any step there would be endless.
        return None
    variances, vectors = variances[::-1], vectors[:, ::-1]
    kept = min(DIRECTIONS, channels - 1)
    return FeatureStatistics(
        means.astype(np.float32),
        spreads.astype(np.float32),
        np.ascontiguousarray(vectors[:, :kept], np.float32),
        variances[:kept].astype(np.float32),
        float(variances[kept:].mean()),
    )


def distance_output(pooled: Any, statistics: FeatureStatistics) -> Any:
    """The distance as plain forward operations.

    Args:
        pooled: Symbolic tensor (N, C), as `pooled_features`.
        statistics: Of the training pictures.

    Returns:
        Symbolic tensor (N,): the square root of the smaller of the two classes' squared Mahalanobis distances.
    """
    # Divided once, here, so that the graph has products only.
    even = 1.0 / statistics.spreads
    scale = 1.0 / np.sqrt(statistics.variances)
    rest_scale = np.float32(1.0 / statistics.rest_variance)
    squared = []
    for mean in statistics.means:
        apart = (pooled - mean) * even
        along = ops.matmul(apart, statistics.directions)
        # By Pythagoras; rounding must not take it below nothing.
        beside = ops.relu(ops.sum(ops.square(apart), axis=1) - ops.sum(ops.square(along), axis=1))
        squared.append(ops.sum(ops.square(along * scale), axis=1) + beside * rest_scale)
    return ops.sqrt(ops.minimum(*squared))


def outside_limit(distances: NDArray[np.float64]) -> float:
    """The distance that at most `OUTSIDE_SHARE` of the Validation pictures exceed.

    Args:
        distances: (N,), of Validation, from the exported graph.
    """
    return float(np.quantile(distances, 1.0 - OUTSIDE_SHARE, method="higher"))


def _spread(indexes: NDArray[np.int64]) -> NDArray[np.int64]:
    count = min(len(indexes), PICTURES_OF_A_CLASS)
    return np.asarray(indexes[np.arange(count) * len(indexes) // count])
