"""The pictures that the face finder is measured on, and the form in which shares are written down."""

from __future__ import annotations

import csv
import math
import random
from pathlib import Path

import cv2
import numpy as np
from skimage import data as samples

from unmask.face.crop import CROP_MARGIN
from unmask.image.read import read_image

SEED = 20
FRAMES_PER_CLIP = 8
WINDOWS = 40  # cut from each picture without a face
NO_FACE = (
    "brick",
    "cell",
    "chelsea",
    "clock",
    "coffee",
    "grass",
    "gravel",
    "horse",
    "hubble_deep_field",
    "immunohistochemistry",
    "logo",
    "microaneurysms",
    "moon",
    "page",
    "retina",
    "rocket",
    "text",
)
GROUNDS = ("brick", "grass", "gravel", "coffee", "rocket")

Pixels = np.ndarray


def share(count: int, n: int) -> str:
    """A share in percent with Wilson's 95 % interval (Wilson, JASA 1927)."""
    z = 1.96
    p = count / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return f"{100 * p:.1f} % ({100 * max(0.0, middle - half):.1f} to {100 * min(1.0, middle + half):.1f})"


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def read_pixels(path: Path) -> Pixels:
    return read_image(path).pixels


def learning_files(faces: Path) -> list[Path]:
    """All pictures of Train and Validation; never of Test."""
    with (faces / "manifest.csv").open(newline="") as file:
        return [faces / row["path"] for row in csv.DictReader(file) if row["split"] in ("Train", "Validation")]


def frames(videos: Path) -> list[Pixels]:
    """Frames at even distances from every clip."""
    found = []
    for path in sorted(videos.glob("*.mp4")):
        clip = cv2.VideoCapture(str(path))
        count = int(clip.get(cv2.CAP_PROP_FRAME_COUNT))
        for k in range(FRAMES_PER_CLIP):
            clip.set(cv2.CAP_PROP_POS_FRAMES, count * (2 * k + 1) // (2 * FRAMES_PER_CLIP))
            read, frame = clip.read()
            if read:
                found.append(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
        clip.release()
    return found


def faceless() -> list[Pixels]:
    """Windows of scikit-image's pictures without a face, at any size and turn, and generated noise and blobs."""
    rng = random.Random(SEED)
    found = []
    for name in NO_FACE:
        image = getattr(samples, name)()
        image = image.astype(np.uint8) * 255 if image.dtype == bool else image
        image = np.dstack([image] * 3) if image.ndim == 2 else image[:, :, :3]
        height, width = image.shape[:2]
        for _ in range(WINDOWS):
            side = rng.randint(64, min(height, width))
            top, left = rng.randint(0, height - side), rng.randint(0, width - side)
            window = np.rot90(image[top : top + side, left : left + side], rng.randint(0, 3))
            target = rng.choice([side, 256, 512])
            found.append(cv2.resize(np.ascontiguousarray(window), (target, target), interpolation=cv2.INTER_CUBIC))
    noise = np.random.default_rng(SEED)
    for k in range(300):
        cells = 256 >> k % 7
        coarse = noise.integers(0, 256, (cells, cells, 3), np.uint8)
        smooth = cv2.INTER_CUBIC if k % 2 else cv2.INTER_NEAREST
        found.append(cv2.resize(coarse, (256, 256), interpolation=smooth))
    return found


def grounds() -> list[Pixels]:
    """Textures and scenes to paste faces into."""
    images = [getattr(samples, name)() for name in GROUNDS]
    return [np.dstack([image] * 3) if image.ndim == 2 else image for image in images]


def pasted(face: Pixels, side: int, ground: Pixels, rng: random.Random) -> tuple[Pixels, int, int]:
    """A copy of `ground` with a picture of a face pasted in, the face itself `side` px high."""
    crop = round(side * CROP_MARGIN)
    way = cv2.INTER_AREA if crop < face.shape[0] else cv2.INTER_CUBIC
    image = ground.copy()
    top, left = rng.randrange(image.shape[0] - crop), rng.randrange(image.shape[1] - crop)
    image[top : top + crop, left : left + crop] = cv2.resize(face, (crop, crop), interpolation=way)
    return image, left + crop // 2, top + crop // 2
