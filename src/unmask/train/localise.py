"""Learning where a picture is fake, from fakes that were made for it and whose masks are known.

After Face X-ray (Li et al., "Face X-ray for More General Face Forgery Detection", CVPR 2020). A logit that is a mean over places
says of each place how much it adds. The places of a made fake are taken for a choice of one of them, with chances by softmax, and
the loss is the cross-entropy to its mask: what is fake shall add more than what is not, however large it is. Pictures without a
mask ask for nothing.
"""

from __future__ import annotations

from typing import Any

import cv2
import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from unmask.data.batches import Batch
from unmask.models.head import find_head


def with_places(model: Any) -> Any:
    """The same model with one more output for each place of its last spatial map: what the place adds to the logit.

    Args:
        model: A `keras.Model` from uint8 (N, S, S, 3) to logits (N, 1) whose head is a mean over places and one dense layer.

    Returns:
        A `keras.Model` to float32 (N, 1 + h * w) that shares the model's layers.
    """
    head = find_head(model)
    assert head is not None
    assert len(head.steps) == 2
    each = head.steps[1].layer(head.spatial_map)
    places = layers.Reshape((-1,), dtype="float32", name="places")(each)
    joined = layers.Concatenate(dtype="float32", name="logit_and_places")([model.outputs[0], places])
    return keras.Model(model.inputs, joined, name=model.name)


def localising_loss(plain: Any, weight: float) -> Any:
    """The loss for `with_places` and `targets_of`.

    Args:
        plain: The loss of the logit, such as `keras.losses.BinaryCrossentropy`.
        weight: Of the loss of the places.

    Returns:
        A function of targets and outputs, each (N, 1 + h * w).
    """

    def loss(targets: Any, outputs: Any) -> Any:
        masks = targets[:, 1:]
        covered = ops.sum(masks, axis=1, keepdims=True)
        wanted = masks / ops.maximum(covered, 1e-6)
        surprise = -ops.sum(wanted * ops.log_softmax(outputs[:, 1:], axis=1), axis=1)
        known = ops.maximum(ops.sum(ops.cast(covered > 0, "float32")), 1.0)
        return plain(targets[:, :1], outputs[:, :1]) + weight * ops.sum(surprise) / known

    return loss


def accuracy(targets: Any, outputs: Any) -> Any:
    """Whether the logit alone is on the right side of 0: (N,)."""
    return ops.cast(ops.equal(outputs[:, 0] > 0, targets[:, 0] > 0.5), "float32")


def targets_of(batch: Batch, places: int = 0) -> NDArray[np.float32]:
    """What a batch should give.

    Args:
        batch: Pictures and labels, with masks or without.
        places: h * w of a square map; 0 for a model that says nothing of places.

    Returns:
        float32 (N, 1 + places): labels, then the share of each place that is fake.
    """
    labels = batch.labels.astype(np.float32)[:, None]
    if not places:
        return labels
    side = round(places**0.5)
    masks = np.zeros((len(labels), places), np.float32)
    for index, mask in enumerate(() if batch.masks is None else batch.masks):
        if mask.any():
            masks[index] = cv2.resize(mask, (side, side), interpolation=cv2.INTER_AREA).reshape(-1) / np.float32(255)
    return np.concatenate([labels, masks], axis=1)
