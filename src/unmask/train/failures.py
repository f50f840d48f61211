"""What to tell somebody whose run cannot go on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from unmask.errors import UnmaskError
from unmask.train.config import TrainConfig


def no_number(when: str, config: TrainConfig) -> UnmaskError:
    """Of a loss or a logit that is NaN or infinite; `when` ends the sentence."""
    return UnmaskError(
        f"The loss is no number any more, {when}.",
        hint=f"Start again with a lower --learning-rate than {config.learning_rate:g}, or with precision float32.",
        code="loss-not-a-number",
    )


@contextmanager
def memory_explained(config: TrainConfig) -> Iterator[None]:
    """TensorFlow, JAX, PyTorch and numpy each have an own kind of error for too little memory."""
    try:
        yield
    except Exception as error:
        known = type(error).__name__ in ("ResourceExhaustedError", "OutOfMemoryError")
        if not (isinstance(error, MemoryError) or known or "RESOURCE_EXHAUSTED" in str(error)):
            raise
        raise UnmaskError(
            f"The memory does not suffice for batches of {config.batch_size} pictures of {config.size} px.",
            hint=f"Halve it: --batch-size {max(1, config.batch_size // 2)}, or use a smaller --size.",
            code="out-of-memory",
        ) from error
