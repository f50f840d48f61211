"""Small autoencoders that paint the real pictures of Train anew, for `unmask train --reconstruct`.

Two of them, which enlarge as generators do: by transposed convolutions, and by doubling pixels before a convolution. They learn
from windows, so that their size does not depend on the picture's, and are thrown away when every real picture is rebuilt by one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmask.data.journal import npy_header
from unmask.data.prepared import load_prepared
from unmask.data.reconstructed import reconstructions_file
from unmask.errors import UnmaskError

STEPS = 1400
# Pictures a step, and the side of the window that is taken from each, pixels.
BATCH, WINDOW = 8, 64
LEARNING_RATE = 2e-3
# Pictures at once when they are rebuilt.
REBUILT_AT_ONCE = 32
# Halvings of the side, and channels of what is left in the middle: a sixth and an eighth of the picture's numbers.
_KINDS = {"transposed": (2, 8), "doubled": (3, 24)}
_WIDTHS = (24, 48, 96, 96)

Pixels = NDArray[np.uint8]
# What is done, of how much.
Progress = Callable[[str, int, int], None]


def reconstruct(folder: Path, *, steps: int = STEPS, seed: int = 1, progress: Progress | None = None) -> Path:
    """Rebuilds the real pictures of Train and keeps the result in the prepared folder.

    Args:
        folder: Written by `unmask prepare`.
        steps: Of the training of each autoencoder.
        seed: Of their first weights and of what they learn from.
        progress: Is told what is under way, and how much of it is done.

    Returns:
        The file, see `unmask.data.reconstructed.reconstructions_file`.

    Raises:
        UnmaskError: No prepared folder, or no real pictures in Train.
    """
    import keras

    prepared = load_prepared(folder)
    labels, rows = prepared.labels("Train"), prepared.rows("Train")
    prepared.images("Train")  # says so if the file is not as it should be
    whole = np.load(folder / "Train.npy", mmap_mode="r", allow_pickle=False)
    sources = np.array([entry.source for entry in prepared.entries("Train")])
    if not (labels == 0).any():
        raise UnmaskError(
            f"Train of {folder} has no real pictures to rebuild.",
            hint="Put pictures into Train/Real and prepare again.",
            code="class-missing",
        )
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    reals, sources = rows[labels == 0], sources[labels == 0]
    # All sources equally often: a small one is not to be rebuilt badly.
    _, of_source, sizes = np.unique(sources, return_inverse=True, return_counts=True)
    chances = 1.0 / sizes[of_source]
    models = [autoencoder(kind) for kind in _KINDS]
    for model in models:
        _train(model, whole, reals, chances / chances.sum(), steps, rng, progress)

    path = folder / reconstructions_file("Train")
    part = path.with_name(path.name + ".part")
    order = rng.permutation(reals)
    with part.open("wb") as file:
        begin, picture = file.write(npy_header(len(whole), prepared.size)), math.prod(whole.shape[1:])
        # Zeros to begin with. Where the fakes would be they stay: a hole in the file, which takes no room.
        file.truncate(begin + len(whole) * picture)
        for first in range(0, len(order), REBUILT_AT_ONCE):
            some = order[first : first + REBUILT_AT_ONCE]
            for row, made in zip(
                some, rebuilt(models[first // REBUILT_AT_ONCE % len(models)], whole[some]), strict=True
            ):
                file.seek(begin + int(row) * picture)
                file.write(made.tobytes())
            _tell(progress, "rebuilding", first + len(some), len(order))
    part.replace(path)
    return path


def autoencoder(kind: str) -> Any:
    """A network from pictures to pictures, float32 (N, H, W, 3) in -1..1, H and W multiples of 8.

    Args:
        kind: How it enlarges, `transposed` or `doubled`.
    """
    import keras
    from keras import layers

    halvings, channels = _KINDS[kind]

    def convolved(x: Any, width: int, side: int = 3, stride: int = 1) -> Any:
        return layers.LeakyReLU(0.1)(layers.Conv2D(width, side, stride, padding="same")(x))

    image = keras.Input((None, None, 3))
    x = convolved(image, _WIDTHS[0])
    for number in range(1, halvings + 1):
        x = convolved(convolved(x, _WIDTHS[number], 4, 2), _WIDTHS[number])
    x = layers.Conv2D(channels, 3, padding="same")(x)
    x = convolved(x, _WIDTHS[halvings])
    for number in reversed(range(halvings)):
        if kind == "transposed":
            x = layers.LeakyReLU(0.1)(layers.Conv2DTranspose(_WIDTHS[number], 4, 2, padding="same")(x))
        else:
            x = convolved(layers.UpSampling2D(2, interpolation="nearest")(x), _WIDTHS[number])
        x = convolved(x, _WIDTHS[number])
    return keras.Model(image, layers.Conv2D(3, 3, padding="same")(x), name=kind)


def rebuilt(model: Any, images: Pixels) -> Pixels:
    """What an autoencoder makes of pictures: uint8 (N, S, S, 3) -> the same."""
    side = images.shape[1]
    more = -side % 8
    padded = np.pad(images, ((0, 0), (0, more), (0, more), (0, 0)), mode="symmetric")
    found = np.asarray(model.predict_on_batch(_scaled(padded)))[:, :side, :side]
    return np.clip(np.rint((found + 1) * 127.5), 0, 255).astype(np.uint8)


def _train(
    model: Any,
    images: Pixels,
    reals: NDArray[np.int64],
    chances: NDArray[np.float64],
    steps: int,
    rng: np.random.Generator,
    progress: Progress | None,
) -> None:
    import keras

    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps)), loss=_loss)
    side = min(WINDOW, images.shape[1] // 8 * 8)
    for step in range(steps):
        rows = rng.choice(reals, BATCH, p=chances)
        corners = rng.integers(0, images.shape[1] - side + 1, (BATCH, 2))
        cut = [
            images[row, top : top + side, left : left + side] for row, (top, left) in zip(rows, corners, strict=True)
        ]
        batch = _scaled(np.stack(cut))
        model.train_on_batch(batch, batch)
        _tell(progress, model.name, step + 1, steps)


def _loss(wanted: Any, found: Any) -> Any:
    """Mean difference, more for what is fine, and that as strong as it is in the picture: right on average alone is soft."""
    from keras import ops

    def fine(x: Any) -> Any:
        return x - ops.average_pool(x, 3, 1, padding="same")

    fine_wanted, fine_found = fine(wanted), fine(found)
    strength = ops.abs(ops.mean(ops.abs(fine_wanted)) - ops.mean(ops.abs(fine_found)))
    return ops.mean(ops.abs(wanted - found)) + 2 * ops.mean(ops.abs(fine_wanted - fine_found)) + 1.2 * strength


def _scaled(images: Pixels) -> NDArray[np.float32]:
    return (images.astype(np.float32) / 127.5) - 1


def _tell(progress: Progress | None, what: str, done: int, of: int) -> None:
    if progress:
        progress(what, done, of)
