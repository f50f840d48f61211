"""Crops of faces -> what the detector says of each; for pictures and for frames of clips."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from unmask.errors import UnmaskError
from unmask.explain.heatmap import normalise
from unmask.face.crop import SMALLEST_FACE, Crop
from unmask.finding import OUTSIDE_TRAINING, FaceFinding, Failure, Status
from unmask.verdict import decide, probability

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from unmask.detector import Detector


def judge_faces(
    detector: Detector, cut: NDArray[np.uint8], crops: Sequence[Crop], *, heatmap: bool
) -> tuple[FaceFinding, ...]:
    """The verdict on each of some faces.

    Args:
        detector: That judges.
        cut: uint8 (N, S, S, 3), RGB, from `unmask.face.crop.cut_crops`.
        crops: What was cut.
        heatmap: Whether each comes with its Grad-CAM map.

    Raises:
        UnmaskError: The detector gives no number.
    """
    if not crops:
        return ()
    found = detector.outputs(cut, maps=heatmap)
    if not np.isfinite(found.logits).all():
        raise UnmaskError(
            f"the detector {detector.label} gives no number for a picture that can be read",
            hint="The bundle is damaged or was badly trained; export it again or use another.",
            code="no-score",
        )
    heatmaps = [None] * len(crops) if found.maps is None else [normalise(activation) for activation in found.maps]
    scores = probability(found.logits, detector.info.temperature)
    return tuple(
        FaceFinding(
            box=crop.box,
            crop=crop.square,
            face_score=round(crop.face.score, 4) if crop.face else None,
            logit=float(logit),
            score=float(score),
            verdict=decide(float(score), detector.thresholds, outside_training=bool(outside)),
            notes=(*crop.notes, OUTSIDE_TRAINING) if outside else crop.notes,
            heatmap=relative,
        )
        for crop, logit, score, outside, relative in zip(
            crops, found.logits, scores, found.outside_training, heatmaps, strict=True
        )
    )


def no_face(too_small: bool, where: str = "picture") -> Failure:
    """Why there is no answer where no face can be judged.

    Args:
        too_small: Whether there are faces, all of them too small.
        where: "picture" or "clip".
    """
    if too_small:
        return Failure(
            "faces-too-small",
            f"every face found is under {SMALLEST_FACE} px",
            f"Give a larger version of the {where}.",
        )
    return Failure(
        "no-face",
        "no face found",
        f"Give a {where} in which a face can be seen from the front; for a {where} that is one face, "
        "use --no-face-search.",
    )


def unanswered(detector: Detector, path: str | None, error: UnmaskError, seconds: float) -> dict[str, Any]:
    """What the findings of a picture and of a clip that cannot be read share: the error as their failure, and no score."""
    return {
        "path": path,
        "status": Status.UNREADABLE,
        "verdict": None,
        "score": None,
        "notes": (),
        "failure": Failure(error.code, error.message, error.hint),
        "detector": detector.label,
        "policy": detector.policy,
        "seconds": seconds,
    }


def refuse_max_faces(max_faces: int | None) -> None:
    """Refuses a number of faces that makes no sense."""
    if max_faces is not None and max_faces < 1:
        raise UnmaskError(f"{max_faces} faces make no sense", hint="Give 1 or more.", code="bad-max-faces")
