"""A face drawn by arithmetic, to warm up with and to test with; the pictures to try are in `unmask.demo.samples`.

No person is shown. The drawing is good enough for a face finder; it is no photograph, and the verdict on it means nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDE = 512


def draw_face(seed: int = 7) -> NDArray[np.uint8]:
    """A shaded face before a plain wall.

    Args:
        seed: Picks skin, hair and light.

    Returns:
        uint8 (512, 512, 3), RGB; the same for the same seed.
    """
    import cv2

    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    wall = np.array([120, 135, 140]) + rng.uniform(-25, 25, 3)
    picture = wall + ((x - y) / SIDE * 30)[..., None]
    skin = np.array([224, 172, 138]) * rng.uniform(0.82, 1.05)
    hair = np.array([62, 44, 34]) * rng.uniform(0.5, 1.6)
    light = rng.uniform(-0.25, 0.25)

    def ellipse(cx: float, cy: float, rx: float, ry: float, soft: float = 2.0) -> NDArray[np.float32]:
        distance = np.sqrt(((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2)
        return np.asarray(np.clip((1.0 - distance) * min(rx, ry) / soft + 0.5, 0.0, 1.0), dtype=np.float32)

    def paint(mask: NDArray[np.float32], shade: NDArray[np.float64] | list[float], strength: float = 1.0) -> None:
        nonlocal picture
        weight = (mask * strength)[..., None]
        picture = picture * (1.0 - weight) + np.asarray(shade) * weight

    paint(ellipse(256, 560, 210, 150, 6), [70, 84, 120])  # shoulders
    paint(ellipse(256, 400, 62, 110, 8), skin * 0.80)  # neck
    paint(ellipse(256, 225, 150, 180, 6), hair)
    shading = 1.0 - 0.55 * ((x - 256) / 125 + light) ** 2 * 0.4 - 0.18 * np.clip((y - 270) / 160, -1, 1) ** 2
    paint(ellipse(256, 262, 118, 158, 4), skin * shading[..., None])
    paint(ellipse(256, 118, 122, 62, 10), hair)  # fringe
    for side in (-1, 1):
        eye = 256 + side * 50
        paint(ellipse(eye, 240, 34, 24, 14), skin * 0.62, 0.55)  # socket
        paint(ellipse(eye, 244, 24, 11, 2), [238, 236, 232])
        paint(ellipse(eye, 244, 11, 11, 1.5), [70, 58, 44])
        paint(ellipse(eye, 244, 5, 5, 1), [14, 12, 12])
        paint(ellipse(eye + 4, 240, 2.4, 2.4, 1), [250, 250, 250])
        paint(ellipse(eye, 234, 27, 5, 3), hair * 0.5, 0.8)  # lid
        paint(ellipse(eye, 212, 34, 7, 5), hair, 0.9)  # brow
        paint(ellipse(256 + side * 62, 305, 30, 24, 20), [226, 128, 112], 0.22)  # cheek
        paint(ellipse(256 + side * 11, 312, 8, 5, 3), skin * 0.42, 0.8)  # nostril
    paint(ellipse(256, 275, 12, 46, 10), np.minimum(skin * 1.12, 255), 0.55)  # ridge of the nose
    paint(ellipse(256, 318, 24, 9, 9), skin * 0.6, 0.45)
    paint(ellipse(256, 356, 43, 15, 4), [176, 84, 84])
    paint(ellipse(256, 353, 42, 3, 2), [96, 36, 40])
    paint(ellipse(256, 378, 26, 5, 6), skin * 0.65, 0.5)
    picture = cv2.GaussianBlur(picture.astype(np.float32), (0, 0), 1.1)
    grain = cv2.GaussianBlur(rng.normal(0.0, 9.0, (SIDE, SIDE, 1)).astype(np.float32), (0, 0), 0.8)
    return np.asarray(np.clip(np.rint(picture + grain[..., None]), 0, 255), dtype=np.uint8)
