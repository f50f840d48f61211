"""RGB pixels -> face boxes -> square crops.

The face finder is CenterFace (Xu et al., "CenterFace: Joint Face Detection and Alignment Using Face as Point",
arXiv:1911.03599, 2019), shipped as `faces/centerface.onnx`; it works offline.
`docs/measurements/face_finder.md` says why this one.
A YuNet file, where the user has one, works in its place.
"""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from unmask.errors import UnmaskError
from unmask.face.network import CenterFace, Face, FaceNetwork, YuNet
from unmask.finding import Box

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["CROP_MARGIN", "Face", "FaceFinder", "crop_square", "cut", "is_already_cropped"]

SHIPPED_MODEL = Path(__file__).with_name("centerface.onnx")
SHIPPED_SHA256 = "37c10e0cf9cc15115976e0728a1ee9c0218b583354287f9df1e198e842d9c46c"

# The search runs on a smaller copy of the picture. A face of fewer than 40 px tells too little to be judged, and the
# finder needs about 24 px to see one, so this scale loses nothing that matters ...
SEARCH_SCALE = 24 / 40
# ... but the longer side of the copy is at least this, which takes about 5 ms ...
SEARCH_SIDE_MIN = 160
# ... and at most this: about 65 ms on one thread ...
SEARCH_SIDE_MAX = 640
# ... unless no face in it is larger than this: then a large picture is searched once more, closer, in four times the
# time. The second search alone would not do: the finder starts to miss faces of more than 700 px.
SMALL_FACE = 64
CLOSER_SIDE_MAX = 1280

# A picture is its own crop where the crop would be at least this share of its longer side ...
CROPPED_SHARE = 0.85
# ... and where it is nearly square: shorter side over longer side.
CROPPED_SQUARENESS = 0.9
# The margin that the training pictures were cropped with: side of the square over the longer side of the face.
CROP_MARGIN = 1.3


class FaceFinder:
    """Finds all faces in a picture. Safe to share between threads.

    Attributes:
        name: ``centerface`` or ``yunet``.
        sha256: Of the model file.

    Example:
        >>> import numpy as np
        >>> FaceFinder.load().find(np.zeros((200, 300, 3), np.uint8))
        []
    """

    def __init__(self, network: FaceNetwork, sha256: str) -> None:
        self.name = network.name
        self.sha256 = sha256
        self._network = network

    @classmethod
    def load(cls, model: Path | None = None, *, threads: int = 1) -> FaceFinder:
        """Load a face finder.

        Args:
            model: None for the shipped CenterFace; or a CenterFace file as `benchmarks/build_face_finder.py` writes it,
                or OpenCV's YuNet (`face_detection_yunet_2023mar.onnx`).
            threads: Threads for one search; YuNet uses OpenCV's own.

        Raises:
            UnmaskError: If the file is missing, damaged or of another kind.
        """
        path = Path(model) if model is not None else SHIPPED_MODEL
        try:
            data = path.read_bytes()
        except OSError as error:
            raise UnmaskError(
                f"cannot read the face finder {path}: {error.strerror or error}",
                hint="Install unmask again." if model is None else "Check the path of the face finder's file.",
                code="no-face-finder",
            ) from error
        sha256 = hashlib.sha256(data).hexdigest()
        if model is None and sha256 != SHIPPED_SHA256:
            raise UnmaskError(
                f"the face finder {path} was changed: its sha256 is {sha256}",
                hint="Install unmask again.",
                code="changed-face-finder",
            )
        network: FaceNetwork = YuNet(path) if "yunet" in path.name.lower() else CenterFace(data, path, threads)
        return cls(network, sha256)

    def find(self, pixels: NDArray[np.uint8]) -> list[Face]:
        """Find the faces in a picture.

        Args:
            pixels: uint8 (H, W, 3), RGB, upright.

        Returns:
            Faces with a score of at least `face_network.MIN_SCORE`, largest first.

        Raises:
            UnmaskError: If `pixels` is something else.
        """
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
            raise UnmaskError(
                f"not RGB pixels: an array of {pixels.dtype} and shape {pixels.shape}",
                hint="Pass a uint8 array of height x width x 3, as unmask.read_image gives.",
                code="not-pixels",
            )
        longer = max(pixels.shape[:2])
        side = search_side(longer, SEARCH_SIDE_MAX)
        faces = self._find(pixels, side / longer)
        if longer * SEARCH_SCALE > SEARCH_SIDE_MAX:
            largest = max((max(face.width, face.height) for face in faces), default=0.0)
            if largest * side / longer < SMALL_FACE:
                faces = self._find(pixels, search_side(longer, CLOSER_SIDE_MAX) / longer) or faces
        return sorted(faces, key=lambda face: (face.width * face.height, face.score), reverse=True)

    def _find(self, pixels: NDArray[np.uint8], scale: float) -> list[Face]:
        height, width = pixels.shape[:2]
        small = (max(1, round(width * scale)), max(1, round(height * scale)))
        shrunk = cv2.resize(pixels, small, interpolation=cv2.INTER_AREA) if scale < 1 else pixels
        x, y = width / small[0], height / small[1]
        return [
            Face(
                left=face.left * x,
                top=face.top * y,
                width=face.width * x,
                height=face.height * y,
                score=face.score,
                landmarks=tuple((px * x, py * y) for px, py in face.landmarks),
            )
            for face in self._network(np.asarray(shrunk, np.uint8))
        ]


def search_side(longer: int, largest: int) -> int:
    """The longer side of the copy that is searched: a multiple of 32 px or, never enlarged, that of the picture.

    Args:
        longer: The longer side of the picture.
        largest: The result is at most this.
    """
    wanted = math.ceil(longer * SEARCH_SCALE / 32) * 32
    return min(longer, max(SEARCH_SIDE_MIN, min(wanted, largest)))


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
        width: Of the picture.
        height: Of the picture.
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
    """
    height, width = pixels.shape[:2]
    bottom, right = box.top + box.height, box.left + box.width
    if box.left >= 0 and box.top >= 0 and right <= width and bottom <= height:
        return pixels[box.top : bottom, box.left : right].copy()
    rows = _mirrored(np.arange(box.top, bottom), height)
    columns = _mirrored(np.arange(box.left, right), width)
    return np.ascontiguousarray(pixels[rows[:, None], columns])


def _mirrored(index: NDArray[np.int_], length: int) -> NDArray[np.int_]:
    """Where an index outside 0..length - 1 comes to lie, if the axis is mirrored at both ends again and again."""
    if length == 1:
        return np.zeros_like(index)
    last = length - 1
    return last - np.abs(last - index % (2 * last))
