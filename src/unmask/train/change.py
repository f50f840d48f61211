"""What happens to a batch before the model sees it: self-blended fakes first, then augmentation of everything."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unmask.data.augment import AUGMENTATIONS
from unmask.data.blend import blend_batch
from unmask.train.batches import Batch, Change
from unmask.train.config import TrainConfig
from unmask.train.source import Source


def change_of(config: TrainConfig, source: Source | None = None) -> Change | None:
    """The change that a configuration asks for; None for none.

    Args:
        config: Names the augmentation, and the share of real pictures to blend.
        source: Whose landmarks the blends follow; without it, or where it knows none, those of the average face.
    """
    augment, share = AUGMENTATIONS[config.augment], config.blend
    if augment is None and not share:
        return None
    points = source.find_landmarks() if share and source is not None and source.find_landmarks else None

    def change(
        images: NDArray[np.uint8], labels: NDArray[np.int64], indexes: NDArray[np.int64], generator: np.random.Generator
    ) -> Batch:
        if share:
            images, labels = blend_batch(images, labels, share, generator, None if points is None else points[indexes])
        return (images if augment is None else augment(images, generator)), labels

    return change
