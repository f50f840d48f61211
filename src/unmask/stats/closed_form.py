"""Intervals from a formula rather than from resampling, for few pictures: they assume how errors spread."""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist
from typing import Final

LEVEL: Final = 0.95
_Z: Final = NormalDist().inv_cdf((1 + LEVEL) / 2)


def wilson_interval(value: float, size: float) -> tuple[float, float]:
    """Wilson's 95 % interval of a share (Wilson, "Probable Inference", JASA 1927).

    Args:
        value: The share, 0..1.
        size: How many independent pictures or groups it is of, above 0.

    Returns:
        Lower and upper end, 0..1.

    >>> low, high = wilson_interval(0.0, 10)
    >>> round(low, 3), round(high, 3)
    (0.0, 0.278)
    """
    square = _Z**2
    middle = (value + square / (2 * size)) / (1 + square / size)
    reach = sqrt(square * value * (1 - value) / size + (square / (2 * size)) ** 2) / (1 + square / size)
    return max(0.0, middle - reach), min(1.0, middle + reach)


def area_interval(value: float, reals: float, fakes: float) -> tuple[float, float]:
    """Newcombe's 95 % interval of an area under the ROC curve, which holds for few pictures of a class too.

    The areas from which the one seen is no further than chance takes it, with the variance that Hanley and McNeil
    (Radiology 1982) give an area, evened out between the classes (Newcombe, Statistics in Medicine 2006, method 5).

    Args:
        value: The area, 0..1.
        reals: How many independent real pictures or groups of them, above 0.
        fakes: Likewise.

    Returns:
        Lower and upper end, 0..1.

    >>> low, high = area_interval(0.9, 20, 30)
    >>> round(low, 2), round(high, 2)
    (0.76, 0.96)
    """
    from scipy.optimize import brentq

    both = (reals + fakes) / 2 - 1

    def reach(area: float) -> float:
        spread = 1 + both * (1 - area) / (2 - area) + both * area / (1 + area)
        return _Z * sqrt(area * (1 - area) * spread / (reals * fakes))

    # The variance is 0 at 0 and at 1, so a root is looked for between them.
    smallest, largest = 1e-12, 1 - 1e-12
    low = brentq(lambda area: value - area - reach(area), smallest, min(value, largest)) if value > 0 else 0.0
    high = brentq(lambda area: area - value - reach(area), max(value, smallest), largest) if value < 1 else 1.0
    return float(low), float(high)
