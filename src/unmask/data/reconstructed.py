"""Fakes made from a real picture and what an autoencoder rebuilt of it.

Generators of faces, and the networks that swap them, end in layers that paint a picture from a few numbers. What these leave
in the fine structure is there, too, where such a network paints a real picture anew (Zhang, Karaman and Chang, "Detecting and
Simulating Artifacts in GAN Fake Images", WIFS 2019). Fake and real then show the same person in the same light, and nothing
else tells them apart (Rajan et al., "Aligned Datasets Improve Detection of Latent Diffusion-Generated Images", ICLR 2025).

`unmask reconstruct` trains the autoencoders and keeps what they rebuilt; here it becomes fakes, new ones in every epoch.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.data.augment import saved
from unmask.data.blend import blending_mask, turn_into_fakes
from unmask.data.prepared import Prepared
from unmask.errors import UnmaskError

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]

# Share of the fakes that are rebuilt as a whole; the others within a mask over the face or a part of it.
WHOLE = 0.5
# What is coarser than this is the real picture's, as a share of the side: a small autoencoder also shifts colours, which no
# good generator does.
COARSE = (0.01, 0.024)
# Where the rebuilt picture is softer than the real one it is sharpened, up to so many times: softness is not to tell.
SHARPEST = 1.8
# The prepared pictures came as JPEG files, and so must these.
QUALITY = (75, 95)


def reconstructions_file(split: str) -> str:
    """Name of the file in a prepared folder: as `<Split>.npy`, in its order, and only zeros where nothing was rebuilt."""
    return f"{split}.reconstructed.npy"


def open_reconstructions(prepared: Prepared, split: str) -> Callable[[NDArray[np.int64]], Pixels]:
    """What was rebuilt of a split's pictures.

    Returns:
        Indexes (n,) into `prepared.images(split)` -> uint8 (n, S, S, 3), only zeros where there is none.

    Raises:
        UnmaskError: There is nothing, or it is older than the pictures or of another shape.
    """
    pixels, path = prepared.folder / f"{split}.npy", prepared.folder / reconstructions_file(split)
    whole = np.load(pixels, mmap_mode="r", allow_pickle=False)
    stored = None
    if path.is_file() and path.stat().st_mtime_ns >= pixels.stat().st_mtime_ns:
        with contextlib.suppress(ValueError):
            stored = np.load(path, mmap_mode="r", allow_pickle=False)
    if stored is None or (stored.shape, stored.dtype) != (whole.shape, whole.dtype):
        raise UnmaskError(
            f"No autoencoder has rebuilt the pictures in {prepared.folder} as they are.",
            hint=f"Let it: unmask reconstruct {prepared.folder}",
            code="no-reconstructions",
        )
    rebuilt, rows = stored, prepared.rows(split)
    return lambda indexes: np.ascontiguousarray(rebuilt[rows[indexes]])


def reconstructed_fake(image: Pixels, rebuilt: Pixels, landmarks: Floats | None, rng: np.random.Generator) -> Pixels:
    """A fake: the rebuilt picture's fine structure over what is coarse in the real one.

    Args:
        image: uint8 (S, S, 3), RGB, a real face crop.
        rebuilt: uint8 (S, S, 3), what an autoencoder made of it.
        landmarks: float32 (5, 2), pixels, as `unmask.data.blend.self_blend`; None, or with NaN in it, for the average face.
        rng: Where chance comes from.

    Returns:
        uint8 (S, S, 3), as read from a JPEG file.
    """
    side = image.shape[0]
    real, made = image.astype(np.float32), rebuilt.astype(np.float32)
    made += (real - made) * np.float32(rng.uniform(0.0, 0.3))
    reach = side * rng.uniform(*COARSE)
    coarse, own = cv2.GaussianBlur(real, (0, 0), reach), made - cv2.GaussianBlur(made, (0, 0), reach)
    sharper = min(SHARPEST, float((real - coarse).std()) / max(float(own.std()), 1.0))
    fake = coarse + own * np.float32(1 + (sharper - 1) * rng.uniform(0.5, 1.0))
    if rng.random() >= WHOLE:
        fake = real + (fake - real) * blending_mask(landmarks, side, rng)[..., None]
    pixels = np.clip(np.rint(fake), 0, 255).astype(np.uint8)
    return saved(pixels, ".jpg", [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(*QUALITY, endpoint=True))])


def reconstruct_batch(
    images: Pixels,
    labels: NDArray[np.int64],
    share: float,
    rng: np.random.Generator,
    rebuilt_of: Callable[[int], Pixels],
    landmarks: Floats | None = None,
) -> tuple[Pixels, NDArray[np.int64]]:
    """Turns some of a batch's real pictures into such fakes; as `unmask.data.blend.blend_batch`, and besides:

    Args:
        rebuilt_of: Place in the batch -> what was rebuilt of the picture there, uint8 (S, S, 3); one of only zeros is none,
            and the picture stays real.
    """

    def fake_of(index: int) -> Pixels | None:
        rebuilt = rebuilt_of(index)
        points = None if landmarks is None else landmarks[index]
        return reconstructed_fake(images[index], rebuilt, points, rng) if rebuilt.any() else None

    return turn_into_fakes(images, labels, share, rng, fake_of)
