"""Batches for `keras.Model.fit`: `model.fit(ImageSequence(folder, batch_size=32), ...)`.

They are those of `unmask.data.batches`, which `unmask train` learns from: a function of (seed, epoch, index) and of nothing
else. Give `fit` the callback `FollowEpoch(sequence)`, and a run that goes on with `initial_epoch=k` gets the batches it
would have got unbroken.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmask.data.batches import Batch, Batches
from unmask.data.source import open_source
from unmask.errors import UnmaskError
from unmask.system.cores import available_cores
from unmask.system.private import keep_keras_out_of_home

keep_keras_out_of_home()
import keras  # noqa: E402

Augment = Callable[[NDArray[np.uint8], np.random.Generator], NDArray[np.uint8]]


class ImageSequence(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches of a dataset folder, decoded as they are needed, or of a folder that `unmask prepare` wrote.

    Args:
        data: A folder of the layout `Train|Validation|Test / Real|Fake`, or a prepared folder.
        split: Which of the three.
        size: Side S of the pictures, pixels; None for that of the prepared ones, or 128.
        batch_size: Pictures a batch; the last may be smaller.
        shuffle: A new order each epoch.
        augment: Changes a batch; called as `augment(images, generator)`, such as `unmask.data.augment.light`.
        seed: Of order and augmentation.
        epoch: To begin with; set it to go on with an earlier run.
        workers: Threads; None for one a core.

    Raises:
        UnmaskError: Wrong layout or batch size; from `sequence[index]`, a picture that cannot be read.

    Example:
        >>> model.fit(ImageSequence("Dataset/", batch_size=32), epochs=5)  # doctest: +SKIP
    """

    def __init__(
        self,
        data: str | Path,
        split: str = "Train",
        *,
        size: int | None = None,
        batch_size: int = 32,
        shuffle: bool = True,
        augment: Augment | None = None,
        seed: int = 1,
        epoch: int = 0,
        workers: int | None = None,
    ) -> None:
        if batch_size < 1:
            raise UnmaskError(
                f"A batch of {batch_size} is not possible.", hint="Use at least 1.", code="bad-batch-size"
            )
        super().__init__(workers=workers or available_cores(), use_multiprocessing=False)
        source = open_source(data, split, size, both_classes=False)
        in_order = np.arange(len(source))
        self.batches = Batches(
            source,
            batch_size,
            seed,
            None if augment is None else lambda images, labels, _, generator: Batch(augment(images, generator), labels),
            choose=None if shuffle else lambda *_: in_order,
        )
        self.epoch = epoch
        self.followed = False

    def __len__(self) -> int:
        """Batches in an epoch."""
        return self.batches.steps()

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Batch `index` of the present epoch: uint8 (n, S, S, 3) and float32 (n,), 1 for fake."""
        batch = self.batches.batch(self.epoch, index)
        return batch.images, batch.labels.astype(np.float32)

    def on_epoch_end(self) -> None:
        """Keras calls this once or twice before the first epoch as well: each epoch is new, but which is not certain."""
        if not self.followed:
            self.epoch += 1


class FollowEpoch(keras.callbacks.Callback):  # type: ignore[misc]
    """Tells a sequence which epoch `fit` is in, so that its batches depend on nothing else.

    Args:
        sequence: The one that `fit` gets.
    """

    def __init__(self, sequence: ImageSequence) -> None:
        super().__init__()
        self.sequence = sequence
        sequence.followed = True

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.sequence.epoch = epoch
