"""The networks behind `unmask.face.finder.FaceFinder`: RGB pixels -> face boxes, at the size that the pixels come in."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import cv2
import numpy as np

from unmask.errors import UnmaskError

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Below this score a box is no face.
MIN_SCORE = 0.5
# Boxes that overlap by more than this (intersection over union) are one face; CenterFace's own value.
MAX_OVERLAP = 0.3

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


class FaceNetwork(Protocol):
    """What a `FaceFinder` searches with. Safe to call from several threads."""

    name: str

    def __call__(self, pixels: NDArray[np.uint8]) -> list[Face]:
        """Faces in uint8 (H, W, 3) RGB pixels, in any order."""
        ...


class CenterFace:
    """CenterFace: every cell of a map, one to 4 x 4 pixels, is a possible centre of a face."""

    name = "centerface"
    _STRIDE = 4
    _MULTIPLE = 32  # what the sides of its input must be multiples of
    _OUTPUTS = ("heatmap", "scale", "offset", "landmarks")
    # Searching 1280 x 1280 pixels takes 270 MB. ONNX Runtime keeps what it once needed, which is quick for small searches,
    # but above so many pixels the memory is given back, or a server would hold the most it ever needed.
    _LASTING = 512 * 512
    _LARGEST = 7.0  # exp(7) x 4 px: beyond any picture searched; keeps odd input from overflowing

    def __init__(self, data: bytes, path: Path, threads: int) -> None:
        import onnxruntime  # here, so that importing this module stays quick

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime has a class of its own for every status
            raise UnmaskError(
                f"{path} is not a face finder: ONNX Runtime cannot load it",
                hint="Give a CenterFace or YuNet .onnx file, or leave the option out to use the shipped face finder.",
                code="not-a-face-finder",
            ) from error
        if {output.name for output in session.get_outputs()} != set(self._OUTPUTS):
            raise UnmaskError(
                f"{path} is a model, but of no known kind of face finder",
                hint="Give a CenterFace file made by benchmarks/build_face_finder.py, or a YuNet file with 'yunet' in "
                "its name; or leave the option out to use the shipped face finder.",
                code="not-a-face-finder",
            )
        self._session: Any = session
        self._give_back = onnxruntime.RunOptions()
        self._give_back.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")

    def __call__(self, pixels: NDArray[np.uint8]) -> list[Face]:
        height, width = pixels.shape[:2]
        padded = [-(-side // self._MULTIPLE) * self._MULTIPLE for side in (height, width)]
        image = np.zeros((1, 3, *padded), np.float32)  # padded, not stretched: faces keep their shape
        image[0, :, :height, :width] = pixels.transpose(2, 0, 1)
        options = self._give_back if padded[0] * padded[1] > self._LASTING else None
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


class YuNet:
    """OpenCV's YuNet (Wu, Peng and Yu, "YuNet: A Tiny Millisecond-level Face Detector", 2023), from a user's file."""

    name = "yunet"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()  # cv2.FaceDetectorYN holds the size of its input: one a thread
        self._detector()

    def _detector(self) -> Any:
        if not hasattr(self._local, "detector"):
            try:
                self._local.detector = cv2.FaceDetectorYN.create(
                    str(self._path), "", (320, 320), MIN_SCORE, MAX_OVERLAP
                )
            except cv2.error as error:
                raise UnmaskError(
                    f"{self._path} is not a YuNet file that OpenCV {cv2.__version__} can load",
                    hint="Use face_detection_yunet_2023mar.onnx from the OpenCV Zoo, or the shipped face finder.",
                    code="not-a-face-finder",
                ) from error
        return self._local.detector

    def __call__(self, pixels: NDArray[np.uint8]) -> list[Face]:
        detector = self._detector()
        detector.setInputSize((pixels.shape[1], pixels.shape[0]))
        _, rows = detector.detect(cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
        if rows is None:
            return []
        # Each row: left, top, width, height, five points, score.
        return [_face(row[:4], float(row[14]), row[4:14].reshape(5, 2)) for row in rows]


def _face(box: NDArray[Any], score: float, points: NDArray[Any]) -> Face:
    left, top, width, height = (float(value) for value in box)
    return Face(left, top, width, height, score, tuple((float(x), float(y)) for x, y in points))
