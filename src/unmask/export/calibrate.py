"""From the raw logits of Validation to probabilities and thresholds, for a bundle. No other split is looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from unmask.bundle import Policy
from unmask.errors import UnmaskError
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

# How many times as many as a policy allows may be called fake by the upper end of the interval, and of pictures that were worn on
# their way; and how many times as many fakes that were once small may be called real.
UPPER_END, WORN_UPPER_END, SMALL_MISSED = 2.0, 3.0, 2.0

# Where nobody gave pictures to choose by: only very sure answers, and the bundle says why.
UNCALIBRATED = Policy(
    real_below=0.1,
    fake_above=0.9,
    chosen_by="not calibrated: no pictures were given to choose them on, nor to see that its labels are not the other way round",
)


@dataclass(frozen=True, slots=True)
class Calibration:
    """What turns a logit into an answer.

    Attributes:
        centre: To be taken from every logit, so that 0 is where real and fake are equally likely.
        temperature: Divides the logit then.
        policies: Thresholds by name.
    """

    centre: float = 0.0
    temperature: float = 1.0
    policies: dict[str, Policy] = field(default_factory=lambda: {DEFAULT_POLICY: UNCALIBRATED})

    def centred(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """Raw logits (N,) as the finished bundle gives them, to the last digit."""
        return (logits.astype(np.float32) - np.float32(self.centre)).astype(np.float64)


def calibrate(
    logits: NDArray[np.float64],
    labels: NDArray[np.int64],
    sources: NDArray[np.str_],
    *,
    groups: NDArray[np.str_] | None = None,
    worn: Mapping[str, tuple[NDArray[np.float64], NDArray[np.str_]]] = MappingProxyType({}),
    small: Mapping[str, NDArray[np.float64]] = MappingProxyType({}),
    fake_share: float | None = None,
) -> Calibration:
    """Centre (`fit_centre`), temperature (`fit_temperature`) and the thresholds of every policy (`choose_thresholds`).

    Args:
        logits: (N,), of Validation, from the exported graph.
        labels: (N,), 0 real or 1 fake.
        sources: (N,), where each picture comes from; no source may fare much worse than all together.
        groups: (N,), pictures of one are not independent; see `safe_above`.
        worn: By delivery, logits and groups of real pictures that came that way, (n,) each; see `unmask.export.worn`.
        small: By the side that they once had, logits of fake pictures, (n,) each; see there.
        fake_share: Of the pictures for which logits of 0 are as likely real as fake already, the share that is fake: the centre
            stays 0, and with it the graph as it is. None to look for the centre.

    Raises:
        UnmaskError: Real pictures are ranked above fake ones: the labels are the other way round.
    """
    auc = roc_auc(labels, logits)
    if auc < WRONG_WAY_ROUND:
        raise UnmaskError(
            f"The model ranks real pictures above fake ones (AUC {auc:.3f} on Validation).",
            hint="Its classes are the other way round: change --label-order. For a run, check the folders' names.",
            code="labels-swapped",
        )
    centre = fit_centre(logits, labels) if fake_share is None else 0.0
    temperature = fit_temperature(logits - centre, labels, fake_share=fake_share)

    def scored(found: NDArray[np.float64]) -> NDArray[np.float64]:
        return probability(Calibration(centre).centred(found), temperature)

    scores = scored(logits)
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
        worn_upper = WORN_UPPER_END * limits.max_false_accusation
        reals, theirs = scores[labels == 0], None if groups is None else groups[labels == 0]
        fake_above = max(
            thresholds.fake_above,
            safe_above(reals, theirs, upper),
            *(safe_above(scored(found), theirs, worn_upper) for found, theirs in worn.values()),
        )
        real_below = min(
            thresholds.real_below, *(share_under(scored(found), missed_small) for found in small.values()), 1.0
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
        held = [way for way, (found, theirs) in worn.items() if can_hold(theirs, len(found), worn_upper)]
        if held:
            said.append(f"by the upper end {worn_upper:.1%} of real ones called fake after: {', '.join(held)}")
        if others := [way for way in worn if way not in held]:
            said.append(
                f"of real ones in too few groups to show {worn_upper:.1%}, none called fake after: {', '.join(others)}"
            )
        if small:
            said.append(f"{missed_small:.1%} of fake ones called real that were once as small as {', '.join(small)}")
        policies[name] = Policy(real_below=real_below, fake_above=fake_above, chosen_by="; ".join(said))
    return Calibration(centre, temperature, policies)
