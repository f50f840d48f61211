"""From the raw logits of Validation to probabilities and thresholds, for a bundle. No other split is looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from unmask.bundle import Policy
from unmask.errors import UnmaskError
from unmask.export.soft import WEIGHTS
from unmask.stats.calibration import (
    DEFAULT_POLICY,
    POLICIES,
    WORST_SOURCE,
    can_hold,
    choose_thresholds,
    fit_centre,
    fit_temperature,
    safe_above,
    share_under,
)
from unmask.stats.metrics import roc_auc
from unmask.verdict import probability

# An AUC on Validation below this is no weak model but one with its classes swapped.
WRONG_WAY_ROUND = 0.4

# How many times as many as a policy allows may be called fake by the upper end of the interval, as they are and worn on their
# way; and how many times as many fakes that were once small may be called real.
UPPER_END, SMALL_MISSED = 2.0, 2.0

# Where nobody gave pictures to choose by: only very sure answers, and the bundle says why.
UNCALIBRATED = Policy(
    real_below=0.1,
    fake_above=0.9,
    chosen_by="not calibrated: no pictures were given to choose them on, nor to see that its labels are not the other way round",
)


class Seen(NamedTuple):
    """What a graph says of pictures: raw logits (N,), how soft they are (N,), see `unmask.export.soft`, and their groups (N,)."""

    logits: NDArray[np.float64]
    softness: NDArray[np.float64]
    groups: NDArray[np.str_] | None = None


@dataclass(frozen=True, slots=True)
class Calibration:
    """What turns a logit into an answer.

    Attributes:
        centre: To be taken from every logit, so that 0 is where real and fake are equally likely.
        soft_weight: By 1 and so many times how soft a picture is, its logit is divided then.
        temperature: Divides all logits last.
        policies: Thresholds by name.
    """

    centre: float = 0.0
    soft_weight: float = 0.0
    temperature: float = 1.0
    policies: dict[str, Policy] = field(default_factory=lambda: {DEFAULT_POLICY: UNCALIBRATED})

    def logits(self, seen: Seen) -> NDArray[np.float64]:
        """Raw logits (N,) as the graph of the finished bundle gives them."""
        centred = (seen.logits.astype(np.float32) - np.float32(self.centre)).astype(np.float64)
        return centred / (1.0 + self.soft_weight * seen.softness)

    def scores(self, seen: Seen) -> NDArray[np.float64]:
        """P(fake) (N,)."""
        return probability(self.logits(seen), self.temperature)


def calibrate(
    seen: Seen,
    labels: NDArray[np.int64],
    sources: NDArray[np.str_],
    *,
    worn: Mapping[str, Seen] = MappingProxyType({}),
    small: Mapping[str, Seen] = MappingProxyType({}),
    fake_share: float | None = None,
) -> Calibration:
    """Centre (`fit_centre`), weight of softness, temperature (`fit_temperature`) and thresholds (`choose_thresholds`).

    The weight is the one with which the default policy finds most of the fakes, as they are and once small.

    Args:
        seen: Of Validation, by the exported graph.
        labels: (N,), 0 real or 1 fake.
        sources: (N,), where each picture comes from; no source may fare much worse than all together.
        worn: By delivery, real pictures that came that way; see `unmask.export.worn`.
        small: By the side that they once had, fake pictures; see there.
        fake_share: Of the pictures for which logits of 0 are as likely real as fake already, the share that is fake: the centre
            stays 0, and with it the graph as it is. None to look for centre and weight.

    Raises:
        UnmaskError: Real pictures are ranked above fake ones: the labels are the other way round.
    """
    auc = roc_auc(labels, seen.logits)
    if auc < WRONG_WAY_ROUND:
        raise UnmaskError(
            f"The model ranks real pictures above fake ones (AUC {auc:.3f} on Validation).",
            hint="Its classes are the other way round: change --label-order. For a run, check the folders' names.",
            code="labels-swapped",
        )
    centre = fit_centre(seen.logits, labels) if fake_share is None else 0.0
    fakes = [Seen(seen.logits[labels == 1], seen.softness[labels == 1]), *small.values()]

    def with_weight(weight: float) -> Calibration:
        known = Calibration(centre, weight)
        known = replace(known, temperature=fit_temperature(known.logits(seen), labels, fake_share=fake_share))
        return replace(known, policies=_policies(known, seen, labels, sources, worn, small))

    def found(calibration: Calibration) -> int:
        above = calibration.policies[DEFAULT_POLICY].fake_above
        return sum(int((calibration.scores(each) > above).sum()) for each in fakes)

    weights = WEIGHTS if fake_share is None and worn else (0.0,)
    return max(map(with_weight, weights), key=found)


def _policies(
    known: Calibration,
    seen: Seen,
    labels: NDArray[np.int64],
    sources: NDArray[np.str_],
    worn: Mapping[str, Seen],
    small: Mapping[str, Seen],
) -> dict[str, Policy]:
    scores = known.scores(seen)
    real, fake = np.bincount(labels, minlength=2)
    policies: dict[str, Policy] = {}
    for name, limits in POLICIES.items():
        thresholds = choose_thresholds(
            scores,
            labels,
            max_false_accusation=limits.max_false_accusation,
            max_missed_fake=limits.max_missed_fake,
            sources=sources,
        )
        upper, missed_small = UPPER_END * limits.max_false_accusation, SMALL_MISSED * limits.max_missed_fake
        reals, theirs = scores[labels == 0], None if seen.groups is None else seen.groups[labels == 0]
        fake_above = max(
            thresholds.fake_above,
            safe_above(reals, theirs, upper),
            *(safe_above(known.scores(way), way.groups, upper) for way in worn.values()),
        )
        real_below = min(
            thresholds.real_below, *(share_under(known.scores(once), missed_small) for once in small.values()), 1.0
        )
        by_upper_end = f"{upper:.1%} by the upper end of its interval over groups"
        if not can_hold(theirs, len(reals), upper):
            by_upper_end = f"in fact none: too few groups to show {by_upper_end}"
        said = [
            f"Validation ({real} real, {fake} fake pictures): at most {limits.max_false_accusation:.1%} of the real ones "
            f"called fake, {by_upper_end}",
            f"at most {limits.max_missed_fake:.1%} of the fake ones called real",
            f"in no source more than {WORST_SOURCE:g} times as many",
        ]
        held = [delivery for delivery, way in worn.items() if can_hold(way.groups, len(way.logits), upper)]
        if held:
            said.append(f"by the upper end {upper:.1%} of real ones called fake after: {', '.join(held)}")
        if others := [delivery for delivery in worn if delivery not in held]:
            said.append(
                f"of real ones in too few groups to show {upper:.1%}, none called fake after: {', '.join(others)}"
            )
        if small:
            said.append(f"{missed_small:.1%} of fake ones called real that were once as small as {', '.join(small)}")
        if known.soft_weight:
            said.append(f"logits of soft pictures divided by up to {1 + known.soft_weight:g}")
        policies[name] = Policy(real_below=real_below, fake_above=fake_above, chosen_by="; ".join(said))
    return policies
