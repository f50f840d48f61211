"""What the card of a clip in a report is made of: a timeline a person, and key frames as pictures."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from unmask.image.encode import encode_jpeg
from unmask.output.pictures import face_and_heatmap
from unmask.output.timeline_chart import timeline_chart
from unmask.video.timeline import clip_thresholds

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    from numpy.typing import NDArray

    from unmask.checking import ExaminedClip, KeyFrame
    from unmask.detector import Detector

FACE_SIDE = 160


def clip_parts(examined: ExaminedClip, detector: Detector) -> dict[str, Any]:
    """What the template of a clip's card is filled with; its key frames have to be there."""
    finding = examined.finding
    thresholds = clip_thresholds(detector.info, detector.policy)
    return {
        "finding": finding,
        "people": [
            {
                "person": person,
                "chart": timeline_chart(finding, number, thresholds),
                "frames": [_pictures(frame) for frame in most_suspicious(examined.key_frames, number)],
            }
            for number, person in enumerate(finding.people)
        ],
    }


def jpeg_url(pixels: NDArray[np.uint8]) -> str:
    """A picture, uint8 (H, W, 3), as a `data:` URL."""
    return "data:image/jpeg;base64," + base64.b64encode(encode_jpeg(pixels, 85)).decode("ascii")


def most_suspicious(key_frames: Iterable[KeyFrame], person: int) -> list[KeyFrame]:
    """The key frames of one person, given by position, the highest score first."""
    frames = [frame for frame in key_frames if frame.person == person]
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
