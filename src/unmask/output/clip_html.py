"""What the card of a clip in a page is made of: a timeline a person as points of a drawing, and key frames as pictures."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from unmask.image.encode import encode_jpeg
from unmask.output.pictures import face_and_heatmap
from unmask.video.timeline import clip_thresholds

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from unmask.checking import ExaminedClip, KeyFrame
    from unmask.detector import Detector
    from unmask.finding import ClipFinding, PersonFinding

FACE_SIDE = 160
# Of the drawing, in its own units.
WIDTH, HEIGHT = 640.0, 100.0


def clip_parts(examined: ExaminedClip, detector: Detector) -> dict[str, Any]:
    """What the template of a clip's card is filled with.

    Args:
        examined: With key frames.
        detector: That judged it.
    """
    finding = examined.finding
    return {
        "finding": finding,
        "thresholds": clip_thresholds(detector.info, detector.policy),
        "width": WIDTH,
        "height": HEIGHT,
        "people": [
            {
                "person": person,
                "lines": _points(person, finding),
                "frames": [_pictures(frame) for frame in _most_suspicious(examined, number)],
            }
            for number, person in enumerate(finding.people)
        ],
    }


def jpeg_url(pixels: NDArray[np.uint8]) -> str:
    """A picture, uint8 (H, W, 3), as a `data:` URL."""
    return "data:image/jpeg;base64," + base64.b64encode(encode_jpeg(pixels, 85)).decode("ascii")


def _points(person: PersonFinding, finding: ClipFinding) -> list[list[dict[str, Any]]]:
    """Where each sample lies in the drawing: time to the right, P(fake) up; a new list where the person was not seen between."""
    begin, end = finding.looked_at[0], finding.looked_at[-1]
    span = max(end - begin, 1e-3)
    place = {time: number for number, time in enumerate(finding.looked_at)}
    lines: list[list[dict[str, Any]]] = []
    last = -2
    for at, moment in enumerate(person.moments):
        if place[moment.time] != last + 1:
            lines.append([])
        last = place[moment.time]
        lines[-1].append(
            {
                "x": 8 + (WIDTH - 16) * (moment.time - begin) / span,
                "y": HEIGHT * (1 - moment.face.score),
                "moment": moment,
                "decisive": at in person.decisive,
            }
        )
    return lines


def _most_suspicious(examined: ExaminedClip, person: int) -> list[KeyFrame]:
    frames = [frame for frame in examined.key_frames if frame.person == person]
    return sorted(frames, key=lambda frame: -frame.moment.face.score)


def _pictures(frame: KeyFrame) -> dict[str, Any]:
    box = frame.moment.face.box
    height, width = frame.small.shape[:2]
    left, top = max(0.0, box.left * frame.scale), max(0.0, box.top * frame.scale)
    right = min(float(width), (box.left + box.width) * frame.scale)
    bottom = min(float(height), (box.top + box.height) * frame.scale)
    plain, over = face_and_heatmap(frame.face, frame.moment.face, FACE_SIDE)
    return {
        "moment": frame.moment,
        "frame": jpeg_url(frame.small),
        "plain": jpeg_url(plain),
        "heatmap": jpeg_url(over),
        "box": {
            "left": 100 * left / width,
            "top": 100 * top / height,
            "width": 100 * (right - left) / width,
            "height": 100 * (bottom - top) / height,
        },
    }
