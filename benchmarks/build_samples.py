"""Makes the pictures to try: `src/unmask/demo/pictures/*.jpg`, from two portraits that other packages bring along.

    python -m benchmarks.build_samples

Needs the extras `dev` (scikit-image) and `train` (matplotlib). Prints what the shipped detector says of each.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import matplotlib
import numpy as np
from skimage import data

import unmask
from unmask.demo.samples import SAMPLES
from unmask.face.finder import FaceFinder
from unmask.image.encode import encode_jpeg

OUT = Path(unmask.__file__).parent / "demo" / "pictures"
HEAD = np.s_[0:256, 90:346]  # of the astronaut's portrait
QUALITY = 90
# Outline of the inner face, in the measure of `unmask.data.blend`: distances between the eyes, and from eyes to mouth.
INNER = np.array(
    [(-0.9, -0.45), (0.9, -0.45), (0.95, 0.4), (0.75, 1.0), (0.4, 1.4), (-0.4, 1.4), (-0.75, 1.0), (-0.95, 0.4)]
)


def landmarks(pixels: np.ndarray) -> np.ndarray:
    """Of the largest face: float32 (5, 2), eyes, nose, corners of the mouth."""
    return np.asarray(FaceFinder.load().find(pixels)[0].landmarks, np.float32)


def inner_face(pixels: np.ndarray, points: np.ndarray, softness: float) -> np.ndarray:
    """A mask over the inner face, as soft as this share of the distance between the eyes: float32 (H, W), 0..1."""
    middle, across = points[:2].mean(axis=0), points[1] - points[0]
    outline = middle + INNER[:, :1] * across + INNER[:, 1:] * (points[3:].mean(axis=0) - middle)
    mask = np.zeros(pixels.shape[:2], np.float32)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.rint(outline).astype(np.int32)), 1.0)
    return cv2.GaussianBlur(mask, (0, 0), softness * float(np.linalg.norm(across)))


def swapped(donor: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """The donor's face turned and scaled into the place of the other, with the colours of the place."""
    points = landmarks(pixels)
    matrix, _ = cv2.estimateAffinePartial2D(landmarks(donor), points)
    moved = cv2.warpAffine(donor, matrix, pixels.shape[1::-1], flags=cv2.INTER_AREA)
    mask = inner_face(pixels, points, 0.5)
    lab, place = (cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.float64) for image in (moved, pixels))
    inside = mask > 0.5
    lab = (lab - lab[inside].mean(0)) * (place[inside].std(0) / lab[inside].std(0)) + place[inside].mean(0)
    moved = cv2.cvtColor(np.clip(np.rint(lab), 0, 255).astype(np.uint8), cv2.COLOR_LAB2RGB)
    return cv2.blendLinear(moved, pixels, mask, 1 - mask)


def retouched(pixels: np.ndarray) -> np.ndarray:
    """Smooth skin inside the face, and eyes a good third larger, as filters of telephones make them."""
    points = landmarks(pixels)
    mask = inner_face(pixels, points, 0.08)
    smooth = cv2.blendLinear(cv2.bilateralFilter(pixels, 0, 40, 6), pixels, mask, 1 - mask)
    y, x = np.mgrid[0 : pixels.shape[0], 0 : pixels.shape[1]].astype(np.float32)
    from_x, from_y = x.copy(), y.copy()
    radius = 0.45 * np.linalg.norm(points[1] - points[0])
    for eye_x, eye_y in points[:2]:
        far = np.minimum(np.hypot(x - eye_x, y - eye_y) / radius, 1.0)
        shrink = -0.35 * (1 - far) ** 2
        from_x += (x - eye_x) * shrink
        from_y += (y - eye_y) * shrink
    return cv2.remap(smooth, from_x.astype(np.float32), from_y.astype(np.float32), cv2.INTER_CUBIC)


def main() -> None:
    portrait = np.ascontiguousarray(data.astronaut()[HEAD])
    hopper = unmask.read_image(Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg").pixels
    swap = swapped(hopper, portrait)
    made = {
        "portrait": portrait,
        "swapped-face": swap,
        "retouched-face": retouched(portrait),
        "two-faces": np.hstack([portrait, swap]),
    }
    detector = unmask.Detector.load()
    for sample in SAMPLES:
        path = OUT / f"{sample.name}.jpg"
        path.write_bytes(encode_jpeg(made[sample.name], QUALITY))
        found = detector.check(path, heatmap=False)
        print(path.name, f"{path.stat().st_size:,} bytes", [(str(f.verdict), round(f.score, 3)) for f in found.faces])


if __name__ == "__main__":
    main()
