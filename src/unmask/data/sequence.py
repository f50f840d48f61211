"""Batches for `keras.Model.fit`: from folders (`ImageSequence`) or from a prepared folder (`PreparedSequence`).

What a batch holds is a function of (seed, epoch, index) and of nothing else: the same run gives the same batches,
with any number of workers. Give `fit` the callback `FollowEpoch(sequence)`, and a run that goes on with
`initial_epoch=k` gets the batches it would have got unbroken.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from unmask.data.folder import open_folder
from unmask.data.prepared import Prepared
from unmask.errors import UnmaskError
from unmask.system.cores import available_cores

Augment = Callable[[NDArray[np.uint8], np.random.Generator], NDArray[np.uint8]]
Batch = tuple[NDArray[np.uint8], NDArray[np.float32]]


class _Sequence(keras.utils.PyDataset):  # type: ignore[misc]
    """Order, batching and augmentation; where the pictures come from is a matter of the subclass."""

    def __init__(
        self,
        labels: NDArray[np.int64],
        *,
        batch_size: int,
        shuffle: bool,
        augment: Augment | None,
        seed: int,
        epoch: int,
        workers: int | None,
    ) -> None:
        if batch_size < 1:
            raise UnmaskError(
                f"A batch of {batch_size} is not possible.", hint="Use at least 1.", code="bad-batch-size"
            )
        super().__init__(workers=workers or available_cores(), use_multiprocessing=False)
        self.labels = labels
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.augment = augment
        self.seed = seed
        self.epoch = epoch
        self.followed = False

    @abstractmethod
    def pictures(self, indexes: NDArray[np.int64]) -> NDArray[np.uint8]:
        """uint8 (n, S, S, 3)."""

    def __len__(self) -> int:
        return -(-len(self.labels) // self.batch_size)

    def __getitem__(self, index: int) -> Batch:
        """Batch `index` of the present epoch: uint8 (n, S, S, 3) and float32 (n,), 1 for fake."""
        epoch = self.epoch
        chosen = self.order(epoch)[index * self.batch_size : (index + 1) * self.batch_size]
        images = self.pictures(chosen)
        if self.augment is not None:
            images = self.augment(images, np.random.default_rng((self.seed, epoch, index)))
        return images, self.labels[chosen].astype(np.float32)

    def order(self, epoch: int) -> NDArray[np.int64]:
        """Indexes of the pictures in the order of an epoch."""
        if not self.shuffle:
            return np.arange(len(self.labels))
        return np.random.default_rng((self.seed, epoch)).permutation(len(self.labels))

    def on_epoch_end(self) -> None:
        # Keras calls this once or twice before the first epoch as well: each epoch is new, but which is not certain.
        if not self.followed:
            self.epoch += 1


class FollowEpoch(keras.callbacks.Callback):  # type: ignore[misc]
    """Tells a sequence which epoch `fit` is in, so that its batches depend on nothing else.

    Args:
        sequence: An `ImageSequence` or a `PreparedSequence`.
    """

    def __init__(self, sequence: _Sequence) -> None:
        super().__init__()
        self.sequence = sequence
        sequence.followed = True

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.sequence.epoch = epoch


class ImageSequence(_Sequence):
    """Batches straight from a dataset folder, decoded as they are needed by `workers` threads.

    Args:
        dataset: Folder of the layout `Train|Validation|Test / Real|Fake`.
        split: Which of the three.
        size: Side S of the pictures.
        batch_size: Pictures a batch; the last may be smaller.
        shuffle: A new order each epoch.
        augment: Changes a batch; called as `augment(images, generator)`.
        seed: Of order and augmentation.
        epoch: To begin with; set it to go on with an earlier run.
        workers: Threads; None for one a core.

    Raises:
        UnmaskError: Wrong layout or batch size; from `batch[i]`, a picture that cannot be read.
    """

    def __init__(
        self,
        dataset: str | Path,
        split: str,
        *,
        size: int = 128,
        batch_size: int = 32,
        shuffle: bool = True,
        augment: Augment | None = None,
        seed: int = 1,
        epoch: int = 0,
        workers: int | None = None,
    ) -> None:
        self.source = open_folder(Path(dataset), split, size)
        super().__init__(
            self.source.labels,
            batch_size=batch_size,
            shuffle=shuffle,
            augment=augment,
            seed=seed,
            epoch=epoch,
            workers=workers,
        )

    def pictures(self, indexes: NDArray[np.int64]) -> NDArray[np.uint8]:
        return self.source.read(indexes)


class PreparedSequence(_Sequence):
    """Batches from a prepared folder; nothing is decoded any more.

    Args:
        prepared: From `load_prepared`.
        split: `Train`, `Validation` or `Test`.
        batch_size, shuffle, augment, seed, epoch, workers: As of `ImageSequence`.
    """

    def __init__(
        self,
        prepared: Prepared,
        split: str,
        *,
        batch_size: int = 32,
        shuffle: bool = True,
        augment: Augment | None = None,
        seed: int = 1,
        epoch: int = 0,
        workers: int | None = None,
    ) -> None:
        self.images: Any = prepared.images(split)
        super().__init__(
            prepared.labels(split),
            batch_size=batch_size,
            shuffle=shuffle,
            augment=augment,
            seed=seed,
            epoch=epoch,
            workers=workers,
        )

    def pictures(self, indexes: NDArray[np.int64]) -> NDArray[np.uint8]:
        return np.ascontiguousarray(self.images[indexes])
