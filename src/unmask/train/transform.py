"""What happens to a batch before the model sees it: fakes made of real pictures, then augmentation of all, then a window.

Windows at the pictures' own scale are the cheaper way to a high resolution, and a network that never sees a face in the
same place finds it harder to learn pictures by heart (Touvron et al., "Fixing the train-test resolution discrepancy",
NeurIPS 2019; Chai et al., "What makes fake images detectable?", ECCV 2020, on why local traces carry over).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unmask.data.augment import AUGMENTATIONS
from unmask.data.batches import Batch, Transform
from unmask.data.fakes import make_fakes
from unmask.data.source import Source
from unmask.train.config import TrainConfig


def transform_of(config: TrainConfig, source: Source | None = None) -> Transform | None:
    """The transformation that a configuration asks for; None for none.

    Args:
        config: Names the augmentation, the share of real pictures to make fakes of, and the side of the window.
        source: Whose landmarks the fakes follow; without it, or where it knows none, those of the average face.
    """
    augment, share, side = AUGMENTATIONS[config.augment], config.blend, config.crop
    if augment is None and not share and side is None:
        return None
    points = source.find_landmarks() if share and source is not None and source.find_landmarks else None

    def transform(
        images: NDArray[np.uint8], labels: NDArray[np.int64], indexes: NDArray[np.int64], generator: np.random.Generator
    ) -> Batch:
        if share:
            found = None if points is None else points[indexes]
            images, labels, masks = make_fakes(images, labels, share, generator, found)
            if config.localise:  # a fourth channel moves along with the pixels
                images = np.concatenate([images, np.rint(masks * 255).astype(np.uint8)[..., None]], axis=-1)
        if augment is not None:
            images = augment(images, generator, side)
        elif side is not None:
            images = windows(images, side, generator)
        return Batch(images, labels) if images.shape[-1] == 3 else Batch(images[..., :3], labels, images[..., 3])

    return transform


def windows(images: NDArray[np.uint8], side: int, generator: np.random.Generator) -> NDArray[np.uint8]:
    """A square window of each picture, at a place drawn for each.

    Args:
        images: uint8 (N, S, S, C).
        side: Of the windows, pixels, at most S.
        generator: Where chance comes from.

    Returns:
        uint8 (N, side, side, C).
    """
    corners = generator.integers(0, images.shape[1] - side + 1, (len(images), 2)).tolist()
    cut = [image[top : top + side, left : left + side] for image, (top, left) in zip(images, corners, strict=True)]
    return np.stack(cut)
