"""The five landmarks of every prepared picture, found once and kept beside the pixels."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from unmask.data.prepared import Prepared, chunks
from unmask.face.finder import FaceFinder
from unmask.system.atomic import atomic_write
from unmask.system.cores import available_cores


def landmarks(prepared: Prepared, split: str) -> NDArray[np.float32]:
    """Landmarks of a split's pictures: (x, y) in pixels of the prepared picture, as `unmask.face.finder.Face` orders them.

    The first call takes a few milliseconds a picture and writes `<Split>.landmarks.npy` into the prepared folder.

    Returns:
        float32 (N, 5, 2), in the order of `prepared.images(split)`; NaN where no face was found.
    """
    cache = prepared.folder / f"{split}.landmarks.npy"
    whole, written = prepared.pixels(split), (prepared.folder / f"{split}.npy").stat().st_mtime_ns
    if cache.is_file() and cache.stat().st_mtime_ns >= written:
        known: NDArray[np.float32] = np.load(cache, allow_pickle=False)
        if known.shape == (len(whole), 5, 2):
            return known[prepared.rows(split)]
    finder = FaceFinder.load()
    found = np.empty((len(whole), 5, 2), np.float32)

    def look(image: NDArray[np.uint8]) -> NDArray[np.float32]:
        faces = finder.find(np.ascontiguousarray(image))
        known = bool(faces) and len(faces[0].landmarks) == 5
        return np.array(faces[0].landmarks, np.float32) if known else np.full((5, 2), np.nan, np.float32)

    with ThreadPoolExecutor(available_cores(), thread_name_prefix="landmarks") as pool:
        for start, chunk in chunks(whole):
            found[start : start + len(chunk)] = list(pool.map(look, chunk))
    with atomic_write(cache) as file:
        np.save(file, found)
    return found[prepared.rows(split)]
