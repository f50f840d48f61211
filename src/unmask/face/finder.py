"""RGB pixels -> face boxes.

The face finder is CenterFace (Xu et al., "CenterFace: Joint Face Detection and Alignment Using Face as Point",
arXiv:1911.03599, 2019), shipped as `face/centerface.onnx`; it works offline. `docs/measurements/face_finder.md` says why
this one.
"""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from unmask.errors import UnmaskError
from unmask.face.network import CenterFace, Face

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Face", "FaceFinder"]

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
CLOSER_BELOW = 64
CLOSER_SIDE_MAX = 1280
# Where no search has found anything, the picture may be a close-up, with a face so large and so sharp that the finder sees
# skin and no face. So a last look, at 3 ms, at a copy of this longer side with a grey border around it ...
CLOSE_UP_SIDE = 128
CLOSE_UP_BORDER = 32
# ... in which only a face of at least this share of the picture's longer side counts: the false alarms at that size (2 in
# 980 pictures without a face) were all smaller, and a face so small would have been found before.
CLOSE_UP_SHARE = 0.5


class FaceFinder:
    """Finds all faces in a picture. Safe to share between threads.

    Attributes:
        name: Of the network.
        sha256: Of its file.

    Example:
        >>> import numpy as np
        >>> FaceFinder.load().find(np.zeros((200, 300, 3), np.uint8))
        []
    """

    name = "centerface"

    def __init__(self, network: CenterFace, sha256: str) -> None:
        self.sha256 = sha256
        self._network = network

    @classmethod
    def load(cls, *, threads: int = 1) -> FaceFinder:
        """Load the face finder that is shipped with the package.

        Args:
            threads: Threads for one search.

        Raises:
            UnmaskError: If its file is missing or was changed.
        """
        try:
            model = SHIPPED_MODEL.read_bytes()
        except OSError as error:
            raise UnmaskError(
                f"cannot read the face finder {SHIPPED_MODEL}: {error.strerror or error}",
                hint="Install unmask again.",
                code="no-face-finder",
            ) from error
        sha256 = hashlib.sha256(model).hexdigest()
        if sha256 != SHIPPED_SHA256:
            raise UnmaskError(
                f"the face finder {SHIPPED_MODEL} was changed: its sha256 is {sha256}",
                hint="Install unmask again.",
                code="changed-face-finder",
            )
        return cls(CenterFace(model, threads), sha256)

    def find(self, pixels: NDArray[np.uint8]) -> list[Face]:
        """Find the faces in a picture.

        Args:
            pixels: uint8 (H, W, 3), RGB, upright.

        Returns:
            Faces with a score of at least `unmask.face.network.MIN_SCORE`, largest first.

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
            if largest * side / longer < CLOSER_BELOW:
                faces = self._find(pixels, search_side(longer, CLOSER_SIDE_MAX) / longer) or faces
        if not faces:
            seen = self._find(pixels, min(1.0, CLOSE_UP_SIDE / longer), CLOSE_UP_BORDER)
            faces = [face for face in seen if max(face.width, face.height) >= CLOSE_UP_SHARE * longer]
        return sorted(faces, key=lambda face: (face.width * face.height, face.score), reverse=True)

    def _find(self, pixels: NDArray[np.uint8], scale: float, border: int = 0) -> list[Face]:
        height, width = pixels.shape[:2]
        small = (max(1, round(width * scale)), max(1, round(height * scale)))
        shrunk = cv2.resize(pixels, small, interpolation=cv2.INTER_AREA) if scale < 1 else pixels
        if border:
            shrunk = cv2.copyMakeBorder(shrunk, border, border, border, border, cv2.BORDER_CONSTANT, value=(127,) * 3)
        x, y = width / small[0], height / small[1]
        return [
            Face(
                left=(face.left - border) * x,
                top=(face.top - border) * y,
                width=face.width * x,
                height=face.height * y,
                score=face.score,
                landmarks=tuple(((px - border) * x, (py - border) * y) for px, py in face.landmarks),
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
