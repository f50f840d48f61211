"""The network behind `unmask.face.finder.FaceFinder`: RGB pixels -> face boxes, at the size that the pixels come in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from unmask.errors import UnmaskError
from unmask.system.budget import Budget
from unmask.system.private import import_onnxruntime
from unmask.system.python import pip_install

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Below this score a box is no face.
MIN_SCORE = 0.5
# Boxes that overlap by more than this (intersection over union) are one face; CenterFace's own value.
MAX_OVERLAP = 0.3
# Pixels that are searched at a time by all threads together: eight copies of 640 x 640, in 550 MB.
SEARCHING_PIXELS = 8 * 640 * 640

_SEARCHING = Budget(SEARCHING_PIXELS)

Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Face:
    """A face in a picture.

    Attributes:
        left, top, width, height: Its box in pixels. It may reach beyond the picture where the face does.
        score: The finder's confidence, 0..1.
        landmarks: (x, y) of the eye on the left of the picture, the eye on the right, nose tip, left and right corner
            of the mouth; empty if the finder gives none.
    """

    left: float
    top: float
    width: float
    height: float
    score: float
    landmarks: Points = ()


class CenterFace:
    """CenterFace: every cell of a map, one to 4 x 4 pixels, is a possible centre of a face. Safe to share between threads.

    Args:
        model: The ONNX graph that `benchmarks/build_face_finder.py` writes.
        threads: For one search.

    Raises:
        UnmaskError: ONNX Runtime cannot load the graph.
    """

    _STRIDE = 4
    _MULTIPLE = 32  # what the sides of its input must be multiples of
    _OUTPUTS = ("heatmap", "scale", "offset", "landmarks")
    # Searching 1280 x 1280 pixels takes 270 MB. ONNX Runtime keeps what it once needed, which is quick for small searches,
    # but above so many pixels the memory is given back, or a server would hold the most it ever needed.
    _LASTING = 512 * 512
    _LARGEST = 7.0  # exp(7) x 4 px: beyond any picture searched; keeps odd input from overflowing

    def __init__(self, model: bytes, threads: int) -> None:
        onnxruntime = import_onnxruntime()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime has a class of its own for every status
            raise UnmaskError(
                f"ONNX Runtime {onnxruntime.__version__} cannot load the face finder",
                hint=f"Run `{pip_install('--upgrade onnxruntime')}`.",
                code="not-a-face-finder",
            ) from error
        self._session: Any = session
        self._give_back = onnxruntime.RunOptions()
        self._give_back.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")

    def __call__(self, pixels: NDArray[np.uint8]) -> list[Face]:
        """Faces in uint8 (H, W, 3) RGB pixels with a score of at least `MIN_SCORE`, in any order."""
        height, width = pixels.shape[:2]
        padded = [-(-side // self._MULTIPLE) * self._MULTIPLE for side in (height, width)]
        image = np.zeros((1, 3, *padded), np.float32)  # padded, not stretched: faces keep their shape
        image[0, :, :height, :width] = pixels.transpose(2, 0, 1)
        options = self._give_back if padded[0] * padded[1] > self._LASTING else None
        with _SEARCHING.take(padded[0] * padded[1]):
            heatmap, scale, offset, landmarks = self._session.run(self._OUTPUTS, {"image": image}, options)

        row, column = np.nonzero(heatmap[0, 0] >= MIN_SCORE)
        if not row.size:
            return []
        scores = heatmap[0, 0, row, column]
        # Pairs come as (y, x), (height, width).
        cell = np.stack([row, column], axis=1)
        size = np.exp(np.minimum(scale[0][:, row, column].T, self._LARGEST)) * self._STRIDE
        centre = (cell + offset[0][:, row, column].T + 0.5) * self._STRIDE
        corner = centre - size / 2
        # Landmarks are relative to the box.
        points = landmarks[0][:, row, column].T.reshape(-1, 5, 2) * size[:, None] + corner[:, None]

        boxes = np.concatenate([corner[:, ::-1], size[:, ::-1]], axis=1)
        kept = cv2.dnn.NMSBoxes(boxes.tolist(), scores.tolist(), MIN_SCORE, MAX_OVERLAP)
        return [_face(boxes[i], float(scores[i]), points[i, :, ::-1]) for i in np.asarray(kept, int).ravel()]


def _face(box: NDArray[Any], score: float, points: NDArray[Any]) -> Face:
    left, top, width, height = (float(value) for value in box)
    return Face(left, top, width, height, score, tuple((float(x), float(y)) for x, y in points))
