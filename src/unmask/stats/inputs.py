"""What every measure asks of its input, checked once and in the same words."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmask.errors import UnmaskError


class UndefinedMeasureError(UnmaskError):
    """What was asked for does not exist for these rows: one class only, a score that is no number, no rows."""


def _checked_labels(labels: ArrayLike) -> NDArray[np.int64]:
    array: NDArray[Any] = np.asarray(labels)
    if array.ndim != 1:
        raise UnmaskError(
            f"labels have the shape {array.shape}, not one value a picture",
            hint="Pass a one-dimensional array of 0 (real) and 1 (fake).",
            code="bad-labels",
        )
    if array.size == 0:
        raise UndefinedMeasureError("there are no rows", hint="Pass at least one judged picture.", code="no-rows")
    if array.dtype.kind not in "biuf" or not np.isin(array, (0, 1)).all():
        raise UnmaskError(
            "labels hold something other than 0 and 1",
            hint="Use 0 for real and 1 for fake.",
            code="bad-labels",
        )
    return array.astype(np.int64)


def checked_pair(
    labels: ArrayLike, values: ArrayLike, *, both_classes: bool = False, probabilities: bool = False
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Labels and one finite number for each of them.

    Args:
        labels: (N,), 0 (real) or 1 (fake), numbers or truth values.
        values: (N,), scores or logits.
        both_classes: Refuse a set that lacks one of the classes.
        probabilities: Refuse values outside 0..1.

    Returns:
        int64 (N,) and float64 (N,).

    Raises:
        UndefinedMeasureError: No rows, a value that is no number, or one class where two are needed.
        UnmaskError: Shapes that do not match, labels other than 0 and 1, probabilities outside 0..1.

    >>> checked_pair([0, 1], [0.2, 0.9])
    (array([0, 1]), array([0.2, 0.9]))
    """
    checked = _checked_labels(labels)
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.shape != checked.shape:
        raise UnmaskError(
            f"{checked.size} labels but scores of shape {numbers.shape}",
            hint="Pass one score for each label.",
            code="length-mismatch",
        )
    wrong = int(np.count_nonzero(~np.isfinite(numbers)))
    if wrong:
        raise UndefinedMeasureError(
            f"{wrong} of {numbers.size} scores are no finite number",
            hint="Leave those pictures out and report them as failed; look for a detector that overflows.",
            code="not-a-number",
        )
    if probabilities and (numbers.min() < 0 or numbers.max() > 1):
        raise UnmaskError(
            f"scores reach from {numbers.min():g} to {numbers.max():g}, outside 0 to 1",
            hint="Turn logits into probabilities first: unmask.verdict.probability(logits, temperature).",
            code="not-a-probability",
        )
    if both_classes:
        require_both_classes(checked)
    return checked, numbers


def require_both_classes(labels: NDArray[np.int64]) -> None:
    """Refuses labels (N,) that are all real or all fake, with an `UndefinedMeasureError`."""
    fakes = int(labels.sum())
    if fakes in (0, labels.size):
        raise UndefinedMeasureError(
            f"all {labels.size} pictures are {'real' if fakes == 0 else 'fake'}",
            hint="Add pictures of the other class; this measure compares the two.",
            code="one-class",
        )
