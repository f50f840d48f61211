"""Faces in sampled frames -> people: which face is the same person's as one before it.

By place alone, never by looks: a face goes on where one was just before (Bewley et al., "Simple Online and Realtime
Tracking", ICIP 2016, without its Kalman filter, since sampled frames lie far apart). Boxes are enlarged before they are
compared, so that a head may move between two samples (Yang et al., "Hard to Track Objects with Irregular Motions and Similar
Appearances? Make It Easier by Buffering the Matching Space", WACV 2023). At a cut every person is lost, and found again only if
the camera comes back to a view that it left: frames are compared by the histograms of their blocks (Nagasaka and Tanaka,
"Automatic video indexing and full-video search for object appearances", 1992).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from unmask.finding import Box

# Added to a box on each side, as a share of its own side, before two are compared (the first stage of Yang et al.).
BUFFER = 0.3
# Overlap over union of two such boxes that may be one person's (SORT's threshold).
SAME_PLACE = 0.3
# Blocks of a frame across and down, and steps of grey in each, that make up its signature.
BLOCKS, STEPS = 4, 8
# Share of a frame that is of another grey than in the frame before, for a cut ... Frames of one shot up to 2 s apart differ by
# up to 0.27 in the six clips that this was chosen by, frames of different ones by at least 0.36.
CUT = 0.32
# ... and at most this share for a view that the camera comes back to.
SAME_VIEW = 0.2
# Views that are remembered.
MOST_VIEWS = 64


def signature(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What a frame looks like from afar.

    Args:
        pixels: uint8 (H, W, 3), RGB.

    Returns:
        float32 (BLOCKS * BLOCKS, STEPS), each row a histogram of grey that sums to 1.
    """
    import cv2

    side = BLOCKS * 16
    grey = cv2.cvtColor(cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    blocks = grey.reshape(BLOCKS, 16, BLOCKS, 16).transpose(0, 2, 1, 3).reshape(BLOCKS * BLOCKS, -1)
    # Each grey counts for the two steps that it lies between, so that a little more light is a little difference.
    place = blocks.astype(np.float32) / 256 * STEPS - 0.5
    low = np.floor(place).astype(int)
    share = place - low
    rows = np.arange(len(blocks))[:, None]
    found = np.zeros((len(blocks), STEPS), np.float32)
    np.add.at(found, (rows, np.clip(low, 0, STEPS - 1)), 1 - share)
    np.add.at(found, (rows, np.clip(low + 1, 0, STEPS - 1)), share)
    return found / np.float32(blocks.shape[1])


def difference(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """How much of a frame is of another grey than in another frame, by their signatures: 0..1."""
    return float(np.abs(one - other).sum() / 2 / len(one))


def overlap(one: Box, other: Box) -> float:
    """Intersection over union of two boxes, each enlarged by `BUFFER`: 0..1."""
    a, b = _enlarged(one), _enlarged(other)
    across = min(a[2], b[2]) - max(a[0], b[0])
    down = min(a[3], b[3]) - max(a[1], b[1])
    if across <= 0 or down <= 0:
        return 0.0
    both = across * down
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def _enlarged(box: Box) -> tuple[float, float, float, float]:
    across, down = BUFFER * box.width, BUFFER * box.height
    return box.left - across, box.top - down, box.left + box.width + across, box.top + box.height + down


def assign(gains: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Pairs rows with columns so that the sum of gains is the largest (Kuhn, "The Hungarian Method", 1955).

    Finds one shortest augmenting path for each row (Jonker and Volgenant, Computing 38, 1987), in O(rows^2 x columns).

    Args:
        gains: (rows, columns); a pair of no gain is not made.

    Returns:
        Row and column of each pair.

    Example:
        >>> assign(np.array([[0.9, 0.8], [0.7, 0.0]]))
        [(0, 1), (1, 0)]
    """
    if gains.shape[0] > gains.shape[1]:
        return sorted((row, column) for column, row in assign(gains.T))
    rows, columns = gains.shape
    # Row 0 and column 0 stand for "not assigned yet"; prices keep all reduced costs at 0 or above.
    row_price, column_price = np.zeros(rows + 1), np.zeros(columns + 1)
    row_of = np.zeros(columns + 1, int)
    for row in range(1, rows + 1):
        row_of[0], column = row, 0
        least, came_from = np.full(columns + 1, np.inf), np.zeros(columns + 1, int)
        done = np.zeros(columns + 1, bool)
        while row_of[column]:
            done[column] = True
            here = row_of[column]
            costs = -gains[here - 1] - row_price[here] - column_price[1:]
            nearer = ~done[1:] & (costs < least[1:])
            least[1:][nearer], came_from[1:][nearer] = costs[nearer], column
            following = int(np.argmin(np.where(done, np.inf, least)))
            step = least[following]
            row_price[row_of[done]] += step
            column_price[done] -= step
            least[~done] -= step
            column = following
        while column:
            row_of[column] = row_of[came_from[column]]
            column = came_from[column]
    pairs = ((row_of[column] - 1, column - 1) for column in range(1, columns + 1) if row_of[column])
    return sorted((int(row), int(column)) for row, column in pairs if gains[row, column] > 0)


@dataclass(slots=True)
class _View:
    """What the camera sees between two cuts."""

    last: NDArray[np.float32]
    people: dict[int, Box] = field(default_factory=dict)


class Tracker:
    """Follows people through the sampled frames of one clip.

    Attributes:
        cuts: How many were seen.
        people: How many were found.
    """

    def __init__(self) -> None:
        self.cuts = self.people = 0
        self._views: list[_View] = []

    def follow(self, look: NDArray[np.float32], boxes: Sequence[Box]) -> list[int]:
        """Take in the next sampled frame.

        Args:
            look: Its `signature`.
            boxes: Of the faces in it.

        Returns:
            The number of each face's person, from 0; no two are equal.
        """
        view = self._view(look)
        known = list(view.people)
        gains = np.array([[overlap(box, view.people[person]) for person in known] for box in boxes], np.float64)
        gains[gains < SAME_PLACE] = 0
        pairs = dict(assign(gains)) if len(boxes) and known else {}
        numbers = []
        for position, box in enumerate(boxes):
            if position in pairs:
                person = known[pairs[position]]
            else:
                person, self.people = self.people, self.people + 1
            view.people[person] = box
            numbers.append(person)
        return numbers

    def _view(self, look: NDArray[np.float32]) -> _View:
        """The view that a frame belongs to, which comes to lie last."""
        if self._views and difference(self._views[-1].last, look) < CUT:
            self._views[-1].last = look
            return self._views[-1]
        self.cuts += bool(self._views)
        nearest = min(self._views, key=lambda view: difference(view.last, look), default=None)
        if nearest is not None and difference(nearest.last, look) < SAME_VIEW:
            self._views = [view for view in self._views if view is not nearest]
            nearest.last = look
        else:
            nearest = _View(look)
        self._views = [*self._views[1 - MOST_VIEWS :], nearest]
        return nearest
