"""Where the numbers of faces stand on a picture: near their boxes, beside faces where there is room, never over each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from unmask.finding import Box

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# More faces than this get smaller numbers.
FEW = 6


def stroke(width: int, height: int) -> float:
    """Width of a box's line that is seen at any size, in pixels of a picture of this size."""
    return max(width, height) / 220


def face_tags(boxes: Sequence[Box], width: int, height: int) -> list[Box]:
    """Where each face's number stands: above its box, else as near to it as there is room.

    Args:
        boxes: Of the faces, in pixels of the picture.
        width: Of the picture.
        height: Of the picture.

    Returns:
        One for each box, inside of the picture. Two cover each other only where the picture has no room left.
    """
    if not boxes:
        return []
    size = stroke(width, height) * (1.0 if len(boxes) <= FEW else 0.7)
    wide, high = round((17 if len(boxes) < 10 else 23) * size), round(11 * size)
    faces, shape = _corners(boxes), np.array([wide, high])
    placed: list[Box] = []
    for box in boxes:
        home = np.array([min(max(box.left, 0), max(0, width - wide)), box.top - high - round(size)])
        spots = home + _steps(box, wide, high, round(size))
        inside = (spots >= 0).all(axis=1) & (spots + shape <= (width, height)).all(axis=1)
        spots = spots[inside] if inside.any() else np.maximum(home, 0)[None]
        tags = np.concatenate([spots, spots + shape], axis=1)
        far = np.abs(spots - home).sum(axis=1)
        cost = far + 6 * _overlap(tags, faces) / high + 1e6 * (_overlap(tags, _corners(placed)) > 0)
        left, top = spots[int(cost.argmin())].tolist()
        placed.append(Box(left, top, wide, high))
    return placed


def around(box: Box, tag: Box) -> Box:
    """The smallest box around two."""
    left, top = min(box.left, tag.left), min(box.top, tag.top)
    right = max(box.left + box.width, tag.left + tag.width)
    bottom = max(box.top + box.height, tag.top + tag.height)
    return Box(left, top, right - left, bottom - top)


def _steps(box: Box, wide: int, high: int, gap: int) -> NDArray[np.int64]:
    """Ways from above a box to places below, beside and inside of it, and half a tag at a time to all sides, int64 (N, 2)."""
    across = sorted(
        {*(step * (wide // 2) for step in range(-4, 5)), max(0, box.width - wide), -(wide + gap), box.width + gap}
    )
    down = sorted({*(step * (high // 2) for step in range(-6, 7)), high + gap, high + 2 * gap + box.height})
    return np.stack(np.meshgrid(across, down), axis=-1).reshape(-1, 2)


def _corners(boxes: Sequence[Box]) -> NDArray[np.int64]:
    """Left, top, right and bottom, int64 (N, 4)."""
    found = [(box.left, box.top, box.left + box.width, box.top + box.height) for box in boxes]
    return np.array(found, np.int64).reshape(-1, 4)


def _overlap(some: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many pixels of each of some rectangles (N, 4) lie in others (M, 4), int64 (N,)."""
    begin = np.maximum(some[:, None, :2], others[None, :, :2])
    end = np.minimum(some[:, None, 2:], others[None, :, 2:])
    return np.asarray(np.maximum(end - begin, 0).prod(axis=2).sum(axis=1))
