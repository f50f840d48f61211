"""Three pictures to try the page with. All are drawings by `unmask.demo`: no person is in them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import cv2
import numpy as np

from unmask.demo import draw_face
from unmask.image.encode import encode_jpeg

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Sample:
    """A picture to try.

    Attributes:
        name: In its address and as its file's name, without the ending.
        title: Below it.
        description: For those who do not see it.
    """

    name: str
    title: str
    description: str


SAMPLES = (
    Sample("drawn-face", "A drawn face", "Drawing of a face before a plain wall"),
    Sample(
        "blended-face", "A softer face blended in", "The same drawing with the face of another, softer, blended into it"
    ),
    Sample("two-faces", "Both, side by side", "The two drawings side by side"),
)


@cache
def sample_jpeg(name: str) -> bytes | None:
    """A sample as a JPEG file; the same bytes every time. None if there is no such sample."""
    if name == "drawn-face":
        return encode_jpeg(draw_face(7), 92)
    if name == "blended-face":
        return encode_jpeg(_blended(), 92)
    if name == "two-faces":
        pair = [cv2.resize(face, (384, 384), interpolation=cv2.INTER_AREA) for face in (draw_face(7), _blended())]
        return encode_jpeg(np.concatenate([np.asarray(face, dtype=np.uint8) for face in pair], axis=1), 92)
    return None


@cache
def _blended() -> NDArray[np.uint8]:
    """A face with a softer one laid over it, under a soft mask.

    So face swaps are made: the new face comes from a generator of low resolution, is enlarged, and blended in (Li et al.,
    "Face X-ray", CVPR 2020, section 3). Here both faces are drawings.
    """
    below = draw_face(7)
    above = cv2.GaussianBlur(draw_face(3), (0, 0), 6.0)
    mask = np.zeros((512, 512), np.float32)
    cv2.ellipse(mask, (256, 280), (100, 130), 0.0, 0.0, 360.0, 1.0, -1)
    soft = np.asarray(cv2.GaussianBlur(mask, (0, 0), 4.0))[..., None]
    mixed = below * (1.0 - soft) + np.asarray(above) * soft
    return np.asarray(np.clip(np.rint(mixed), 0, 255), dtype=np.uint8)
