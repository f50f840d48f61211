"""Batches as a pure function of (seed, epoch, step): a run that was stopped goes on with the same ones.

No generator has a state to save. The order of an epoch comes from (seed, epoch), and what is done to a batch comes
from (seed, epoch, step), however many threads make them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from unmask.data.source import Source
from unmask.errors import UnmaskError


class Batch(NamedTuple):
    """Pictures uint8 (n, S, S, 3), labels int64 (n,), where it is known how much of each pixel is fake: uint8 (n, S, S), and the
    kinds of the fakes, int64 (n,), as `Source.kinds` says."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    masks: NDArray[np.uint8] | None = None
    kinds: NDArray[np.int64] | None = None


# Pictures (n, S, S, 3) and labels (n,), their places in the source (n,), a generator to draw from -> the same shapes.
Transform = Callable[[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64], np.random.Generator], Batch]
# Epoch, a generator to draw from -> places in the source, in the epoch's order.
Choose = Callable[[int, np.random.Generator], NDArray[np.int64]]

# Of the first epoch's batches, the share that may hold one class only. A small batch now and then is chance.
MAX_ONE_CLASS_SHARE = 0.1

# Batches that wait, finished, for the model.
AHEAD = 4


@dataclass(frozen=True, slots=True)
class Batches:
    """The batches of a run.

    Attributes:
        source: Pictures and labels.
        batch_size: Pictures a step; the last batch of an epoch has what is left.
        seed: Of order and transformation.
        transform: Augmentation, applied to each batch; None for none.
        workers: Threads that make batches ahead of their use.
        choose: Which pictures an epoch has, in their order; None for all, shuffled.
    """

    source: Source
    batch_size: int
    seed: int
    transform: Transform | None = None
    workers: int = 2
    choose: Choose | None = None

    def order(self, epoch: int) -> NDArray[np.int64]:
        """Places in the source, in the order of an epoch: int64 (n,)."""
        generator = np.random.default_rng((self.seed, epoch))
        return self.choose(epoch, generator) if self.choose else generator.permutation(len(self.source))

    def steps(self, epoch: int = 0) -> int:
        """Batches in an epoch."""
        return -(-len(self.order(epoch)) // self.batch_size)

    def batch(self, epoch: int, step: int, order: NDArray[np.int64] | None = None) -> Batch:
        """One batch.

        Args:
            epoch: Counted from 0.
            step: In the epoch, counted from 0.
            order: `order(epoch)`, where it is known already.
        """
        order = self.order(epoch) if order is None else order
        indexes = order[step * self.batch_size : (step + 1) * self.batch_size]
        images, labels = self.source.read(indexes), self.source.labels[indexes]
        batch = Batch(images, labels)
        if self.transform is not None:
            batch = self.transform(images, labels, indexes, np.random.default_rng((self.seed, epoch, step)))
        return batch._replace(kinds=self.source.kinds(indexes, batch.labels))

    def of_epoch(self, epoch: int, first: int = 0) -> Generator[Batch, None, None]:
        """The batches of an epoch from step `first` on, made ahead by threads, given in order."""
        order = self.order(epoch)
        last = -(-len(order) // self.batch_size)
        waiting: deque[Future[Batch]] = deque()
        pool = ThreadPoolExecutor(self.workers, thread_name_prefix="unmask-batch")
        try:
            for step in range(first, last):
                waiting.append(pool.submit(self.batch, epoch, step, order))
                if len(waiting) > AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def check_classes(self) -> None:
        """Refuses data whose batches would mostly hold one class, from which nothing can be learned.

        Raises:
            UnmaskError: More than `MAX_ONE_CLASS_SHARE` of the first epoch's full batches hold one class only.
        """
        labels = self.source.labels[self.order(0)]
        full = labels[: len(labels) // self.batch_size * self.batch_size].reshape(-1, self.batch_size)
        fakes = full.sum(axis=1)
        share = float(((fakes == 0) | (fakes == self.batch_size)).mean()) if len(full) else 0.0
        if share > MAX_ONE_CLASS_SHARE:
            real, fake = np.bincount(self.source.labels, minlength=2)
            raise UnmaskError(
                f"{share:.0%} of the batches of {self.batch_size} hold pictures of one class only "
                f"({real} real and {fake} fake pictures in all).",
                hint="Use a larger --batch-size, or a set with about as many real as fake pictures.",
                code="one-class-batches",
            )
