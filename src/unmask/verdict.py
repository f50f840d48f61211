"""From the detector's raw output to one of three answers.

A logit becomes a probability by temperature scaling (Guo et al., "On Calibration of Modern Neural Networks", ICML
2017), and a probability becomes real, unsure or fake by two thresholds. Temperature and thresholds are chosen on
Validation pictures (`unmask.stats.calibration`) and travel in the bundle; nothing here learns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unmask.errors import UnmaskError
from unmask.finding import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from unmask.finding import ClipFinding, FaceFinding, Finding

# From the least suspicious answer to the most.
SUSPICION = {Verdict.REAL: 0, Verdict.UNSURE: 1, Verdict.FAKE: 2}
# Notes of faces that do not decide for a picture where there is another.
UNDECIDING = frozenset({"doubtful-face", "bystander"})


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Where *unsure* begins and ends.

    Attributes:
        real_below: A calibrated P(fake) below this is *real*.
        fake_above: A calibrated P(fake) above this is *fake*. Everything from one to the other is *unsure*.

    Raises:
        UnmaskError: If not 0 <= real_below <= fake_above <= 1.
    """

    real_below: float
    fake_above: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.real_below <= self.fake_above <= 1.0:
            raise UnmaskError(
                f"thresholds must hold 0 <= real_below <= fake_above <= 1, got {self.real_below} and {self.fake_above}",
                hint="Export the detector again; its calibration is not usable.",
                code="bad-thresholds",
            )


def probability(logits: ArrayLike, temperature: float) -> NDArray[np.float64]:
    """Calibrated P(fake) = sigmoid(logit / temperature), without overflow for any finite logit.

    Args:
        logits: Raw detector outputs, any shape; positive is fake.
        temperature: Above 0; 1 leaves the logit as it is.

    Returns:
        float64, the shape of `logits`, 0..1.
    """
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * scaled)))


def at_base_rate(score: float, share: float, of_calibration: float = 0.5) -> float:
    """P(fake) among pictures of which another share is fake than among those by which it was calibrated.

    Bayes' rule: the odds of the score, times those of the share, over those of the calibration (Saerens et al., "Adjusting the
    outputs of a classifier to new a priori probabilities", Neural Computation 2002, section 2.2).

    Args:
        score: Calibrated P(fake), 0..1.
        share: Of somebody's pictures that is fake, above 0 and below 1.
        of_calibration: The same of the pictures by which the score was calibrated.

    Returns:
        0..1.

    Example:
        >>> round(at_base_rate(0.99, 0.05), 2)
        0.84
    """
    fake = score * share / of_calibration
    real = (1.0 - score) * (1.0 - share) / (1.0 - of_calibration)
    return fake / (fake + real)


def decide(score: float, thresholds: Thresholds, *, outside_training: bool = False) -> Verdict:
    """The answer for one calibrated P(fake); exactly on a threshold is *unsure*.

    Args:
        score: P(fake), 0..1.
        thresholds: Where *unsure* begins and ends.
        outside_training: Whether the picture is unlike those that the detector learned from. Nobody is accused by what
            a detector says of such a picture: *fake* becomes *unsure*.
    """
    if score < thresholds.real_below:
        return Verdict.REAL
    if score > thresholds.fake_above and not outside_training:
        return Verdict.FAKE
    return Verdict.UNSURE


def deciding_face(faces: Sequence[FaceFinding]) -> FaceFinding | None:
    """The face whose verdict and score are the picture's: the most suspicious of those that the finder is sure of.

    Args:
        faces: Of one picture.

    Returns:
        One of them; None where there is none. Doubtful faces and bystanders decide only where all are such.
    """
    return max(faces, key=_suspicion, default=None)


def by_suspicion(faces: Sequence[FaceFinding]) -> list[tuple[int, FaceFinding]]:
    """Faces of one picture with their numbers, which count from 1 in the order given: first the one that decides, then on by
    suspicion; doubtful faces and bystanders last.
    """
    return sorted(enumerate(faces, start=1), key=lambda numbered: _suspicion(numbered[1]), reverse=True)


def suspicion(finding: Finding | ClipFinding) -> float:
    """By what answers are put in order, the most suspicious first: fake 2 to 3, unsure 1 to 2, real 0 to 1, none -1."""
    return SUSPICION[finding.verdict] + (finding.score or 0.0) if finding.verdict else -1.0


def counts(face: FaceFinding) -> bool:
    """Whether a face may decide for its picture."""
    return UNDECIDING.isdisjoint(note.code for note in face.notes)


def _suspicion(face: FaceFinding) -> tuple[bool, int, float]:
    # A face outside training can have the higher score, but must not hide another that is called fake.
    return counts(face), SUSPICION[face.verdict], face.score
