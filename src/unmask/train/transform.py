"""What happens to a batch before the model sees it: fakes made of real pictures, then augmentation of all, then a window.

Windows at the pictures' own scale are the cheaper way to a high resolution, and a network that never sees a face in the
same place finds it harder to learn pictures by heart (Touvron et al., "Fixing the train-test resolution discrepancy",
NeurIPS 2019; Chai et al., "What makes fake images detectable?", ECCV 2020, on why local traces carry over).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from unmask.data.augment import AUGMENTATIONS
from unmask.data.blend import blend_batch
from unmask.data.reconstructed import reconstruct_batch
from unmask.errors import UnmaskError
from unmask.train.batches import Batch, Change
from unmask.train.config import TrainConfig
from unmask.train.source import Source


def change_of(config: TrainConfig, source: Source | None = None) -> Change | None:
    """The change that a configuration asks for; None for none.

    Args:
        config: Names the augmentation, the shares of real pictures to make fakes of, and the side of the window.
        source: Whose landmarks the blends follow; without it, or where it knows none, those of the average face.

    Raises:
        UnmaskError: Fakes of what autoencoders rebuilt are wanted, and the source has nothing that was rebuilt.
    """
    augment, share, side = AUGMENTATIONS[config.augment], config.blend, config.crop
    if augment is None and not share and not config.reconstruct and side is None:
        return None
    makes_fakes = share > 0 or config.reconstruct > 0
    points = source.find_landmarks() if makes_fakes and source is not None and source.find_landmarks else None
    rebuilt = _reconstructions(source) if config.reconstruct else None

    def change(
        images: NDArray[np.uint8], labels: NDArray[np.int64], indexes: NDArray[np.int64], generator: np.random.Generator
    ) -> Batch:
        marks = None if points is None else points[indexes]
        if rebuilt is not None:
            images, labels = reconstruct_batch(
                images, labels, config.reconstruct, generator, lambda at: rebuilt(indexes[at : at + 1])[0], marks
            )
        if share:
            images, labels = blend_batch(images, labels, share, generator, marks)
        if augment is not None:
            return augment(images, generator, side), labels
        return (images if side is None else windows(images, side, generator)), labels

    return change


def _reconstructions(source: Source | None) -> Callable[[NDArray[np.int64]], NDArray[np.uint8]]:
    if source is None or source.find_reconstructions is None:
        raise UnmaskError(
            "What autoencoders rebuild is kept in a prepared folder, and these pictures come straight from a dataset's.",
            hint="Prepare them first: unmask prepare Dataset/ --out prepared/, then unmask reconstruct prepared/",
            code="no-reconstructions",
        )
    return source.find_reconstructions()


def windows(images: NDArray[np.uint8], side: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """A square window of each picture, at a place drawn for each.

    Args:
        images: uint8 (N, S, S, 3).
        side: Of the windows, pixels, at most S.
        rng: Where chance comes from.

    Returns:
        uint8 (N, side, side, 3).
    """
    corners = rng.integers(0, images.shape[1] - side + 1, (len(images), 2)).tolist()
    cut = [image[top : top + side, left : left + side] for image, (top, left) in zip(images, corners, strict=True)]
    return np.stack(cut)
