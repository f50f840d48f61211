"""What a detector says of a person's faces over time -> one verdict; people -> the verdict of the clip.

Frames of one clip are no independent witnesses: a face that looks odd in one frame looks odd in the next. So the worst frame
decides nothing. The logits are averaged without the extreme ones, one lone frame never accuses, and scores that jump from
one sample to the next, which a fake made by one program does not explain, are no ground to accuse either.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from unmask.finding import OUTSIDE_TRAINING, Note, PersonFinding, Verdict
from unmask.verdict import SUSPICION, counts, decide, probability

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from unmask.bundle import BundleInfo
    from unmask.finding import Moment
    from unmask.verdict import Thresholds

Method = Literal["mean", "trimmed-mean", "median", "top-share"]
MOST_DECISIVE = 3


@dataclass(frozen=True, slots=True)
class Rule:
    """How the faces of one person become one verdict.

    Attributes:
        method: Of the calibrated logits: their mean; the mean without the highest and the lowest `share` of them, at least one of
            each where there are three; their median; the mean of the highest `share`.
        share: Of the logits, 0..0.5; see `method`.
        least_faces: So many sampled faces are needed to call a person fake.
        jump: Scores of neighbouring samples that lie further apart than this jump.
        most_jumps: Where more than this share of neighbours jump, nobody is called fake.
    """

    method: Method = "trimmed-mean"
    share: float = 0.1
    least_faces: int = 3
    jump: float = 0.5
    most_jumps: float = 0.2


RULE = Rule()


def aggregate(logits: ArrayLike, rule: Rule = RULE) -> float:
    """One logit for many.

    Args:
        logits: Calibrated, (N,), N at least 1, in any order.
        rule: Its `method` and `share`.

    Example:
        >>> aggregate([9.0, 1.0, 2.0]), aggregate([9.0, 1.0, 2.0], Rule("mean"))
        (2.0, 4.0)
    """
    found = np.asarray(logits, np.float64)
    return float(found[_counted(found, rule)].mean())


def _counted(logits: NDArray[np.float64], rule: Rule) -> NDArray[np.int64]:
    """Positions of the logits that are averaged, from the highest to the lowest."""
    order = np.argsort(-logits, kind="stable")
    count = len(order)
    few = math.ceil(rule.share * count)
    match rule.method:
        case "median":
            few = (count - 1) // 2
        case "top-share":
            return order[: max(1, few)]
        case "mean":
            few = 0
    return order[few : count - few] if 2 * few < count else order[(count - 1) // 2 : count // 2 + 1]


def jumping(scores: ArrayLike, rule: Rule = RULE) -> float:
    """The share of neighbouring samples between which a score jumps: 0..1, 0 for fewer than two.

    Args:
        scores: P(fake), (N,), in the order of time.
        rule: Its `jump`.
    """
    steps = np.abs(np.diff(np.asarray(scores, np.float64)))
    return float((steps > rule.jump).mean()) if len(steps) else 0.0


def clip_thresholds(info: BundleInfo, policy: str) -> Thresholds:
    """Where *unsure* begins and ends for a person in a clip: the bundle's own for clips, or else those for pictures."""
    return (info.clip_policies.get(policy) or info.policies[policy]).thresholds


def judge(moments: Sequence[Moment], temperature: float, thresholds: Thresholds, rule: Rule = RULE) -> PersonFinding:
    """The verdict on one person.

    Faces that the face finder doubts count only where there are no others, and those unlike the training pictures only where
    there are too few others.

    Args:
        moments: At least one, in the order of time.
        temperature: Divides the logits.
        thresholds: Of `clip_thresholds`.
        rule: How many become one.
    """
    kept, outside = _fit(moments, rule)
    logits = np.array([moments[position].face.logit for position in kept], np.float64) / temperature
    score = float(probability(aggregate(logits, rule), 1.0))
    verdict = decide(score, thresholds, outside_training=outside)
    notes = [OUTSIDE_TRAINING] if outside else []
    if len(kept) < rule.least_faces:
        seen = f"Seen in {_frames(len(kept))} only"
        if len(kept) < len(moments):
            seen = f"Only {len(kept)} of {len(moments)} sampled faces count"
        notes.append(Note("few-samples", f"{seen}: too few to call anyone fake."))
        verdict = min(verdict, Verdict.UNSURE, key=SUSPICION.__getitem__)
    if jumping([moments[position].face.score for position in kept], rule) > rule.most_jumps:
        notes.append(
            Note("scores-jump", "The score jumps from one moment to the next: it says little, and accuses nobody.")
        )
        verdict = min(verdict, Verdict.UNSURE, key=SUSPICION.__getitem__)
    decisive = tuple(kept[position] for position in _counted(logits, rule)[:MOST_DECISIVE].tolist())
    return PersonFinding(verdict=verdict, score=score, moments=tuple(moments), decisive=decisive, notes=tuple(notes))


def _fit(moments: Sequence[Moment], rule: Rule) -> tuple[list[int], bool]:
    """Positions of the faces that count, and whether some of these are unlike the training pictures."""
    every = list(range(len(moments)))
    sure = [at for at in every if counts(moments[at].face)] or every
    alike = [at for at in sure if not moments[at].face.outside_training]
    if len(alike) >= min(rule.least_faces, len(sure)):
        return alike, False
    return sure, True


def most_suspicious_first(people: Sequence[PersonFinding], rule: Rule = RULE) -> tuple[PersonFinding, ...]:
    """The same people in another order: by suspicion, those who were seen often enough to be called fake before all others, and
    last those of whom only doubtful faces were seen, or who are behind somebody. The first decides for the clip.
    """

    def suspicion(person: PersonFinding) -> tuple[int, int, float]:
        counted = sum(counts(moment.face) for moment in person.moments)
        return (counted > 0) + (counted >= rule.least_faces), SUSPICION[person.verdict], person.score

    return tuple(sorted(people, key=suspicion, reverse=True))


def without_heatmaps(person: PersonFinding) -> PersonFinding:
    """The same person, whose faces carry no heatmaps but in the decisive moments."""
    moments = [
        moment if at in person.decisive else replace(moment, face=replace(moment.face, heatmap=None))
        for at, moment in enumerate(person.moments)
    ]
    return replace(person, moments=tuple(moments))


def _frames(count: int) -> str:
    return "1 sampled frame" if count == 1 else f"{count} sampled frames"
