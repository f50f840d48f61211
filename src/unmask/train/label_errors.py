"""Which labels are probably wrong: confident learning (Northcutt, Jiang and Chuang, JAIR 2021), for two classes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmask.stats.inputs import checked_pair
from unmask.stats.metrics import roc_auc
from unmask.verdict import probability

# A model that ranks fakes above real pictures less often than this says nothing about labels: its mistakes would be
# called wrong labels.
MIN_AUC = 0.8


def self_confidence(labels: NDArray[np.int64], probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """What the model gives the label a picture has: P(fake) for fakes, P(real) for real pictures; (N,), 0..1."""
    return np.where(labels == 1, probabilities, 1 - probabilities)


def probably_mislabelled(labels: ArrayLike, logits: ArrayLike) -> NDArray[np.bool_]:
    """Pictures that a model confidently puts into the other class.

    A class's threshold is the mean of the probability that its own pictures get for it. A picture counts for a class whose
    threshold it reaches, and for the likelier one if it reaches both (section 3.1, the confident joint): it must look
    more like the other class than that class's pictures do on average, whatever the model's level of confidence. Where
    the model's area under the ROC curve is below 0.8, no label is called wrong.

    Args:
        labels: (N,), 0 real, 1 fake.
        logits: (N,), from models that did not learn from the picture in question; positive means fake.

    Returns:
        (N,), true where the label is probably wrong.

    Raises:
        UnmaskError: Lengths that differ, other labels, logits that are no numbers, or one class only.
    """
    given, numbers = checked_pair(labels, logits, both_classes=True)
    if roc_auc(given, numbers) < MIN_AUC:
        return np.zeros(given.size, np.bool_)
    fake = probability(numbers, 1.0)
    reaches_real = 1 - fake >= float((1 - fake[given == 0]).mean())
    reaches_fake = fake >= float(fake[given == 1].mean())
    as_fake = (given == 0) & reaches_fake & ~(reaches_real & (fake <= 0.5))
    as_real = (given == 1) & reaches_real & ~(reaches_fake & (fake >= 0.5))
    return np.asarray(as_fake | as_real, np.bool_)
