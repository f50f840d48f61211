"""Generated datasets for the tests: small pictures with some structure, from fixed seeds."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image


def picture(seed: int, side: int = 96) -> NDArray[np.uint8]:
    """A picture of blurred blobs with grain: uint8 (side, side, 3)."""
    rng = np.random.default_rng(seed)
    blobs = rng.integers(0, 256, (7, 7, 3)).astype(np.uint8)
    smooth = cv2.resize(blobs, (side, side), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    return np.clip(smooth + rng.normal(0, 8, (side, side, 3)), 0, 255).astype(np.uint8)


def jpeg(pixels: NDArray[np.uint8], quality: int = 92) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def write_dataset(
    root: Path, count: int = 4, splits: tuple[str, ...] = ("Train", "Validation", "Test"), side: int = 96
) -> Path:
    """`count` pictures a class and split; every one is another picture."""
    seed = 0
    for split in splits:
        for name in ("Real", "Fake"):
            folder = root / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                seed += 1
                (folder / f"{name.lower()}_{number:03}.jpg").write_bytes(jpeg(picture(seed, side)))
    return root
