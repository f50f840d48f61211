"""From face boxes to what a detector is shown: the one rule, for pictures, datasets and clips alike.

A face's crop is the square around its box, `margin` times its longer side. Faces too small to judge are left out, and
what makes a crop worse evidence than others is noted with it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from unmask.face.network import Face
from unmask.finding import Box, Note
from unmask.image.read import Image
from unmask.image.resize import resize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# The margin that the training pictures were cropped with: side of the square over the longer side of the face.
CROP_MARGIN = 1.3
# A face with fewer pixels than this has lost every trace that a detector could read; it is not judged at all.
SMALLEST_FACE = 32
# Below this the answer stands, with a warning: the detector learned from faces of about 100 px and more.
SMALL_FACE = 80
# A box that the face finder itself doubts does not decide for the whole picture where a surer one is there.
CONFIDENT_FACE = 0.6
# More of the crop than this was mirrored at the picture's border.
CUT_OFF = 0.15
# A picture is its own crop where the crop would be at least this share of its longer side ...
CROPPED_SHARE = 0.85
# ... and where it is nearly square: shorter side over longer side.
CROPPED_SQUARENESS = 0.9
# A picture taken whole, its shorter side under this share of the longer, has no likeness to a face once squeezed square.
SQUEEZED = 0.5
# In a picture that is a crop of one face, a box of less than this share of that face's area is somebody behind it, most
# often cut off by the border. Such a face raised the score of 51 of 54 real crops that show one, and of 2 of 46 fake ones
# (docs/measurements/bystanders.md). Two faces side by side in a square picture are of nearly one size.
BYSTANDER_AREA = 0.5
BYSTANDER = Note("bystander", "This picture is a crop of a larger face; this one beside it does not decide.")


@dataclass(frozen=True, slots=True)
class Crop:
    """A face that can be judged, and what to cut for it.

    Attributes:
        face: As it was found; None where the whole picture is taken for the face.
        box: The face, in whole pixels.
        square: What the detector is shown; it may leave the picture, which is then mirrored.
        notes: What to keep in mind about this face.
    """

    face: Face | None
    box: Box
    square: Box
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class Crops:
    """What there is to judge in a picture.

    Attributes:
        kept: Largest face first.
        too_small: Faces left out because they have fewer than `SMALLEST_FACE` pixels.
        notes: What to keep in mind about the picture as a whole.
        damaged: Whether pixels are missing from the picture, and nothing to judge is left of it.
    """

    kept: tuple[Crop, ...]
    too_small: int = 0
    notes: tuple[Note, ...] = ()
    damaged: bool = False

    def whole_in(self, image: Image) -> Crops:
        """Those in whose square no pixels are missing: no verdict rests on what a decoder made up.

        Args:
            image: That the crops are of.
        """
        if not image.missing:
            return self
        whole = tuple(crop for crop in self.kept if not image.lacks(crop.square))
        left_out = len(self.kept) - len(whole)
        if all(BYSTANDER in crop.notes for crop in whole):
            return replace(self, kept=(), damaged=True)
        note = Note("faces-damaged", f"{_faces(left_out)} left out: pixels are missing there.")
        return replace(self, kept=whole, notes=(*self.notes, note) if left_out else self.notes)

    def largest(self, count: int | None) -> Crops:
        """The first few only, with a note if that leaves some out; all of them where `count` is None."""
        left_out = 0 if count is None else len(self.kept[count:])
        if not left_out:
            return self
        note = Note("faces-left-out", f"{_faces(left_out)} not judged, as asked.")
        return Crops(self.kept[:count], self.too_small, (*self.notes, note))


def crop_faces(pixels: NDArray[np.uint8], faces: Sequence[Face], margin: float = CROP_MARGIN) -> Crops:
    """What to cut for the faces of a picture.

    Args:
        pixels: uint8 (H, W, 3), RGB, the whole picture.
        faces: Found in it, largest first.
        margin: Side of a crop over the longer side of its face.

    Returns:
        The crops in the order of the faces, without those of faces that are too small.
    """
    height, width = pixels.shape[:2]
    large = [face for face in faces if max(face.width, face.height) >= SMALLEST_FACE]
    kept = [_crop(face, width, height, margin) for face in large]
    main = large[0] if large else None
    if main and main.score >= CONFIDENT_FACE and is_already_cropped(main, width, height):
        kept[1:] = [_bystander(kept[0], beside) for beside in kept[1:]]
    too_small = len(faces) - len(large)
    if not too_small:
        return Crops(tuple(kept))
    note = Note("faces-too-small", f"{_faces(too_small)} under {SMALLEST_FACE} px left out: too small to judge.")
    return Crops(tuple(kept), too_small, (note,))


def whole_picture(pixels: NDArray[np.uint8]) -> Crops:
    """The picture, uint8 (H, W, 3), taken for one face as it is."""
    height, width = pixels.shape[:2]
    whole = Box(0, 0, width, height)
    note = Note("squeezed", "This picture is far from square, and was squeezed to be taken for one face.")
    squeezed = min(height, width) < SQUEEZED * max(height, width)
    return Crops((Crop(None, whole, whole),), notes=(note,) if squeezed else ())


def cut_crops(pixels: NDArray[np.uint8], crops: Sequence[Crop], side: int) -> NDArray[np.uint8]:
    """A detector's input.

    Args:
        pixels: uint8 (H, W, 3), RGB, the picture that the crops are of.
        crops: At least one.
        side: Of the detector's input in pixels.

    Returns:
        uint8 (N, side, side, 3).
    """
    return np.stack([resize(cut(pixels, crop.square), side) for crop in crops])


def crop_square(face: Face, margin: float = CROP_MARGIN) -> Box:
    """The square to cut for a face: centred on its box, side = `margin` x its longer side. May leave the picture."""
    side = max(1, round(margin * max(face.width, face.height)))
    return Box(
        left=round(face.left + (face.width - side) / 2),
        top=round(face.top + (face.height - side) / 2),
        width=side,
        height=side,
    )


def is_already_cropped(face: Face, width: int, height: int, margin: float = CROP_MARGIN) -> bool:
    """Whether a picture is a face crop already, so that it is its own crop.

    Cropping it once more would only add mirrored border. True where the picture is nearly square
    (`CROPPED_SQUARENESS`) and the crop for its face would be at least `CROPPED_SHARE` of its longer side.

    Args:
        face: The largest face in the picture.
        width, height: Of the picture.
        margin: Of the crop, as for `crop_square`.
    """
    longer, shorter = max(width, height), min(width, height)
    if shorter < CROPPED_SQUARENESS * longer:
        return False
    return crop_square(face, margin).width >= CROPPED_SHARE * longer


def cut(pixels: NDArray[np.uint8], box: Box) -> NDArray[np.uint8]:
    """Cut a box out of a picture; where it leaves the picture, the picture is mirrored at its border.

    The mirror is that of `cv2.BORDER_REFLECT_101` (the border pixel itself is not repeated), of the whole picture, as
    often as needed.

    Args:
        pixels: uint8 (H, W, 3).
        box: What to cut.

    Returns:
        uint8 (box.height, box.width, 3), contiguous, a copy.

    Example:
        >>> cut(np.arange(12, dtype=np.uint8).reshape(2, 2, 3), Box(-1, 0, 3, 1))[0, :, 0].tolist()
        [3, 0, 3]
    """
    height, width = pixels.shape[:2]
    rows = _mirrored(np.arange(box.top, box.top + box.height), height)
    columns = _mirrored(np.arange(box.left, box.left + box.width), width)
    # What lies inside the picture is copied as it is, which is many times as fast as pixel by pixel.
    top, bottom = max(0, -box.top), min(box.height, height - box.top)
    left, right = max(0, -box.left), min(box.width, width - box.left)
    if top >= bottom or left >= right:
        return np.ascontiguousarray(pixels[rows[:, None], columns])
    found = np.empty((box.height, box.width, 3), pixels.dtype)
    found[top:bottom, left:right] = pixels[rows[top] : rows[bottom - 1] + 1, columns[left] : columns[right - 1] + 1]
    for beside in (slice(0, left), slice(right, None)):
        found[top:bottom, beside] = pixels[rows[top:bottom, None], columns[beside]]
    for across in (slice(0, top), slice(bottom, None)):
        found[across] = pixels[rows[across, None], columns]
    return found


def _crop(face: Face, width: int, height: int, margin: float) -> Crop:
    box = Box(round(face.left), round(face.top), round(face.width), round(face.height))
    whole = Box(0, 0, width, height)
    square = whole if is_already_cropped(face, width, height, margin) else crop_square(face, margin)
    notes = []
    side = round(max(face.width, face.height))
    if side < SMALL_FACE:
        notes.append(Note("small-face", f"This face is only {side} px high; fine traces may be lost."))
    if face.score < CONFIDENT_FACE:
        notes.append(Note("doubtful-face", "The face finder is not sure that this is a face."))
    across = min(square.left + square.width, width) - max(square.left, 0)
    down = min(square.top + square.height, height) - max(square.top, 0)
    if across * down < (1.0 - CUT_OFF) * square.width * square.height:
        notes.append(Note("face-at-border", "This face is cut off by the picture's border; the rest was mirrored."))
    return Crop(face, box, square, tuple(notes))


def _bystander(main: Crop, beside: Crop) -> Crop:
    """The other face with a note, if it is much smaller than the one that the picture is a crop of."""
    if beside.box.width * beside.box.height >= BYSTANDER_AREA * main.box.width * main.box.height:
        return beside
    return replace(beside, notes=(*beside.notes, BYSTANDER))


def _faces(count: int) -> str:
    return "1 face" if count == 1 else f"{count} faces"


def _mirrored(index: NDArray[np.int_], length: int) -> NDArray[np.int_]:
    """Where an index outside 0..length - 1 comes to lie, if the axis is mirrored at both ends again and again."""
    if length == 1:
        return np.zeros_like(index)
    last = length - 1
    return last - np.abs(last - index % (2 * last))
