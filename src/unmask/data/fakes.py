"""Some of a batch's real pictures become fakes, and where each of them is fake is known.

No list of the ways to make a fake is ever complete. These have in common with all that change a part of a picture only that the
part does not quite belong there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unmask.data.blend import Floats, self_blend
from unmask.data.filters import Pixels
from unmask.data.parts import paste_part

# Of the fakes, the share that a part of another face is pasted into; the others are blended with themselves.
PASTED = 0.4
# Share of the pixels that must have been replaced, or else the picture stays real; an eye takes about 0.01.
LEAST = 0.002


def make_fakes(
    images: Pixels,
    labels: NDArray[np.int64],
    share: float,
    rng: np.random.Generator,
    landmarks: Floats | None = None,
    *,
    pasted: float = PASTED,
) -> tuple[Pixels, NDArray[np.int64], Floats]:
    """Turns some of a batch's real pictures into fakes.

    Args:
        images: uint8 (N, S, S, 3), RGB, face crops.
        labels: (N,), 0 real, 1 fake.
        share: Of the real pictures, 0..1; each is chosen by chance.
        rng: Where chance comes from.
        landmarks: float32 (N, 5, 2) in pixels; None for the average face.
        pasted: Share of the fakes that get a part of another picture of the batch (`paste_part`); the others are blended with
            themselves (`self_blend`).

    Returns:
        New pictures and labels, and how much of each pixel was replaced, float32 (N, S, S), 0..1; 0 where nothing was done. What
        came in is not changed.
    """
    chosen = np.flatnonzero((rng.random(len(labels)) < share) & (labels == 0))
    new_images, new_labels = images.copy(), labels.copy()
    masks = np.zeros(images.shape[:3], np.float32)
    for index in chosen.tolist():
        points = None if landmarks is None else landmarks[index]
        if len(images) > 1 and rng.random() < pasted:
            donor = (index + int(rng.integers(1, len(images)))) % len(images)
            theirs = None if landmarks is None else landmarks[donor]
            made, mask = paste_part(images[index], points, images[donor], theirs, rng)
        else:
            made, mask = self_blend(images[index], points, rng)
        if mask.mean() > LEAST:  # landmarks of a profile may leave nothing of it
            new_images[index], masks[index], new_labels[index] = made, mask, 1
    return new_images, new_labels, masks
