"""Learning two kinds of fakes beside each other: faces that were changed, and faces that were generated as a whole.

They betray themselves by different things, and what speaks against one says nothing of the other. Where both are one class, a
generated face without seams is taken for the more real for it, as soon as no such generator was learned. So each kind has a
logit of its own against the real pictures, and of a fake only its own kind is asked (one class against the rest, with the
others left out; cf. the losses for partly known labels of Durand et al., "Learning a Deep ConvNet for Multi-label
Classification with Partial Labels", CVPR 2019). A fake of no known kind must be one or the other.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from unmask.data.batches import Batch
from unmask.data.source import CHANGED, GENERATED
from unmask.models.head import KINDS, either


def has_kinds(model: Any) -> bool:
    """Whether a model has a logit for each kind of fakes."""
    return any(layer.name == KINDS for layer in model.layers)


def with_kinds(model: Any) -> Any:
    """The same model up to the logits of the two kinds, (N, 2); shares its layers."""
    return keras.Model(model.inputs, model.get_layer(KINDS).output, name=model.name)


def targets_of(batch: Batch) -> NDArray[np.float32]:
    """What a batch should give.

    Args:
        batch: With labels, and the kinds of its fakes where they are known.

    Returns:
        float32 (N, 2), for each kind: 1 it is one, 0 it is real, -1 it is not asked. All -1 for a fake of no known kind.
    """
    kinds = np.zeros_like(batch.labels) if batch.kinds is None else batch.kinds
    own = np.stack([kinds == CHANGED, kinds == GENERATED], axis=1)
    return np.where((batch.labels == 0)[:, None], 0.0, np.where(own, 1.0, -1.0)).astype(np.float32)


def kinds_loss(smoothing: float) -> Any:
    """The loss for `with_kinds` and `targets_of`: cross-entropies of what is asked, summed for each picture.

    Args:
        smoothing: How far targets of 0 and 1 are moved towards a half, 0..1.

    Returns:
        A function of targets and outputs, each (N, 2).
    """

    def loss(targets: Any, outputs: Any) -> Any:
        asked = ops.cast(targets >= 0, "float32")
        smooth = targets * (1 - smoothing) + smoothing / 2
        each = ops.sum(asked * (ops.softplus(outputs) - smooth * outputs), axis=1)
        unknown = 1 - ops.max(asked, axis=1)
        whole = either(outputs)[:, 0]
        return ops.mean(each + unknown * (ops.softplus(whole) - (1 - smoothing / 2) * whole))

    return loss


def accuracy(targets: Any, outputs: Any) -> Any:
    """Whether the logit of both together is on the right side of 0: (N,)."""
    return ops.cast(ops.equal(either(outputs)[:, 0] > 0, ops.any(targets != 0, axis=1)), "float32")
