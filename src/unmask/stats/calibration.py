"""From a raw logit to an honest answer: the temperature and the two thresholds, both chosen on Validation."""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmask.errors import UnmaskError
from unmask.stats.closed_form import wilson_interval
from unmask.stats.inputs import checked_pair
from unmask.stats.resampling import group_index
from unmask.verdict import Thresholds


class Policy(NamedTuple):
    """How often each kind of error may happen on Validation, as shares of its own class (0..1)."""

    max_false_accusation: float
    max_missed_fake: float


DEFAULT_POLICY: Final = "balanced"

POLICIES: Final = MappingProxyType(
    {
        # For a decision that can hurt someone: answers less often.
        "careful": Policy(max_false_accusation=0.005, max_missed_fake=0.02),
        "balanced": Policy(max_false_accusation=0.01, max_missed_fake=0.05),
        # For sifting many pictures before a person looks at the suspicious ones.
        "sensitive": Policy(max_false_accusation=0.05, max_missed_fake=0.02),
    }
)

# In no source may a kind of error be more than so many times as frequent as over all.
WORST_SOURCE: Final = 2.0

# A temperature beyond these says that the logits tell nothing or everything, not how sure the detector is.
_TEMPERATURES: Final = (1e-3, 1e2)


def fit_temperature(logits: ArrayLike, labels: ArrayLike, *, fake_share: float | None = None) -> float:
    """The temperature T for which sigmoid(logit / T) has the smallest negative log-likelihood.

    The likelihood is convex in 1 / T, so there is one minimum, found over log T (Guo et al., "On Calibration of
    Modern Neural Networks", ICML 2017, section 4.2). A temperature changes no ranking and no decision at 0.5.

    Args:
        logits: (N,), any real numbers; positive means fake.
        labels: (N,), 0 real or 1 fake. Take them from Validation, never from Test.
        fake_share: How much the fakes weigh of all, above 0 and below 1; None for as much as they are.

    Returns:
        T in 0.001..100. Exactly 1.0 where the rows cannot tell: all logits are zero, or every one of them has
        the right sign, so that any smaller T would look better still. 100 where they are no better than chance.

    Raises:
        UnmaskError: No rows, one class only, lengths that differ, or a logit that is no number.

    >>> fit_temperature([-2.0, 1.0, 2.0], [0, 1, 1])
    1.0
    """
    from scipy.optimize import minimize_scalar

    checked, numbers = checked_pair(labels, logits, both_classes=True)
    margins = np.where(checked == 1, numbers, -numbers)
    weights = None
    if fake_share is not None:
        weights = np.where(checked == 1, fake_share / checked.mean(), (1 - fake_share) / (1 - checked.mean()))
    if not numbers.any() or margins.min() >= 0:
        return 1.0
    low, high = (math.log(bound) for bound in _TEMPERATURES)

    def loss(log_temperature: float) -> float:
        losses = np.logaddexp(0.0, -margins * math.exp(-log_temperature))
        return float(np.average(losses, weights=weights))

    found = minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-10})
    best = min((low, float(found.x), high), key=loss)
    return math.exp(best)


def fit_centre(logits: ArrayLike, labels: ArrayLike) -> float:
    """The logit c at which a picture is as likely real as fake, by Platt scaling: sigmoid((logit - c) / T) fits best.

    A model that saw more fakes than reals in training, as with self-blended ones, calls too much fake; taking c from its
    logits undoes that. As in Platt, "Probabilistic Outputs for Support Vector Machines" (1999), the targets are a
    little inside of 0 and 1, so that there is a minimum even where no row has the wrong sign.

    Args:
        logits: (N,), any real numbers; positive means fake.
        labels: (N,), 0 real or 1 fake. Take them from Validation, never from Test.

    Returns:
        c, a real number; 0.0 where higher logits do not mean fake, or all are alike.

    Raises:
        UnmaskError: No rows, one class only, lengths that differ, or a logit that is no number.
    """
    from scipy.optimize import minimize

    checked, numbers = checked_pair(labels, logits, both_classes=True)
    real, fake = np.bincount(checked, minlength=2)
    targets = np.where(checked == 1, (fake + 1) / (fake + 2), 1 / (real + 2))
    middle, spread = float(numbers.mean()), float(numbers.std())
    if spread == 0:
        return 0.0
    scaled = (numbers - middle) / spread

    def loss(line: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        fitted = line[0] * scaled + line[1]
        error = 1 / (1 + np.exp(-fitted)) - targets
        value = (np.logaddexp(0.0, fitted) - targets * fitted).mean()
        return float(value), np.array([(error * scaled).mean(), error.mean()])

    slope, height = minimize(loss, np.array([1.0, 0.0]), jac=True, method="BFGS").x
    return middle - spread * float(height / slope) if slope > 0 else 0.0


def choose_thresholds(
    probabilities: ArrayLike,
    labels: ArrayLike,
    *,
    max_false_accusation: float = POLICIES[DEFAULT_POLICY].max_false_accusation,
    max_missed_fake: float = POLICIES[DEFAULT_POLICY].max_missed_fake,
    sources: ArrayLike | None = None,
) -> Thresholds:
    """The two thresholds of the three answers: the widest use of *real* and *fake* that keeps both limits.

    `fake_above` is the smallest score that at most `max_false_accusation` of the real pictures exceed,
    `real_below` the largest score that at most `max_missed_fake` of the fake ones stay under. With sources, at most
    `WORST_SOURCE` times as many of any one source do: a mean may hide a kind of camera whose owners are all accused.
    Where a detector is so good that the two cross, both become the point between them that is nearest to 0.5, which
    keeps both limits too.

    Args:
        probabilities: (N,), calibrated P(fake), 0..1.
        labels: (N,), 0 real or 1 fake. Take them from Validation, never from Test.
        max_false_accusation: Share of real pictures that may be called fake, 0 up to but not including 1. With
            fewer than 1 / share real pictures, none may.
        max_missed_fake: Share of fake pictures that may be called real, likewise.
        sources: (N,) strings, where each picture comes from; None where that is not known.

    Returns:
        The two thresholds, 0..1.

    Raises:
        UnmaskError: A limit outside 0..1, no rows, one class only, or a score that is no probability.

    >>> choose_thresholds([0.1, 0.6, 0.4, 0.9], [0, 0, 1, 1])
    Thresholds(real_below=0.4, fake_above=0.6)
    """
    for name, limit in (("max_false_accusation", max_false_accusation), ("max_missed_fake", max_missed_fake)):
        if not 0 <= limit < 1:
            raise UnmaskError(
                f"{name} is {limit:g}, not a share",
                hint="Give a share from 0 up to 1, for example 0.01 for 1 %.",
                code="bad-share",
            )
    checked, scores = checked_pair(labels, probabilities, both_classes=True, probabilities=True)
    fake_above = -share_under(-scores[checked == 0], max_false_accusation)
    real_below = share_under(scores[checked == 1], max_missed_fake)
    origins = np.asarray([] if sources is None else sources)
    for source in np.unique(origins):
        real, fake = (scores[(origins == source) & (checked == label)] for label in (0, 1))
        if len(real):
            fake_above = max(fake_above, -share_under(-real, WORST_SOURCE * max_false_accusation))
        if len(fake):
            real_below = min(real_below, share_under(fake, WORST_SOURCE * max_missed_fake))
    if fake_above < real_below:
        fake_above = real_below = min(max(0.5, fake_above), real_below)
    return Thresholds(real_below=real_below, fake_above=fake_above)


def safe_above(scores: ArrayLike, groups: NDArray[np.str_] | None, limit: float) -> float:
    """The smallest score that so few real pictures exceed that the true share of them, too, is hardly above a limit.

    The share is held by the upper end of its 95 % interval (Wilson), and a group counts once, however many pictures it has: the
    frames of three clips are three observations and not three hundred.

    Args:
        scores: (N,), calibrated P(fake) of real pictures, 0..1.
        groups: (N,) strings, as of `unmask.stats.resampling.group_index`; None where every picture stands alone.
        limit: Share, 0..1.

    Returns:
        A score; the highest of all where there are too few groups to show so little even if none is accused.

    >>> safe_above([0.1] * 198 + [0.7, 0.9], None, 0.03)
    0.7
    """
    values = np.asarray(scores, np.float64)
    index = group_index(groups, len(values))
    sizes = np.bincount(index)
    order = np.argsort(values)[::-1]
    exceeding = np.concatenate([[0.0], np.cumsum(1.0 / sizes[index][order])]) / len(sizes)
    safe = 0
    for place in range(1, len(values)):
        if wilson_interval(min(exceeding[place], 1.0), len(sizes))[1] > limit:
            break
        safe = place
    return float(values[order[safe]])


def can_hold(groups: NDArray[np.str_] | None, pictures: int, limit: float) -> bool:
    """Whether so many pictures, in groups as of `safe_above`, can show that a share is below a limit, if none counts.

    >>> can_hold(None, 188, 0.02), can_hold(None, 189, 0.02)
    (False, True)
    """
    return wilson_interval(0.0, int(group_index(groups, pictures).max()) + 1)[1] <= limit


def share_under(values: NDArray[np.float64], share: float) -> float:
    """The largest of some numbers that at most a share of them stay under: (N,), 0..1."""
    # The small term undoes binary rounding: 0.29 * 100 is 28.999...
    allowed = min(math.floor(share * values.size + 1e-9), values.size - 1)
    return float(np.partition(values, allowed)[allowed])
