"""The faces of a picture and many answers by suspicion, and which face decided; apart from `wording`, which loads no NumPy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unmask.finding import Verdict
from unmask.verdict import by_suspicion, counts, suspicion

if TYPE_CHECKING:
    from unmask.finding import Finding

__all__ = ["because", "by_suspicion", "suspicion"]


def because(finding: Finding) -> str:
    """Which of several faces decided, in a sentence; empty where there is one face or none."""
    faces = finding.faces
    if len(faces) < 2:
        return ""
    number = by_suspicion(faces)[0][0]
    fit = sum(map(counts, faces))
    if fit == 1:
        return f"Because of face {number}, the only one that counts."
    among = f"of {len(faces)}" if fit in (0, len(faces)) else f"of the {fit} that count"
    if finding.verdict is Verdict.REAL:
        return f"Even face {number}, the most suspicious {among}, is called real."
    return f"Because of face {number}, the most suspicious {among}."
