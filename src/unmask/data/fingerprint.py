"""Fingerprints that stay nearly the same when a picture is saved again, scaled or mirrored."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.data.prepared import Subset, chunks

# Bits a row and rows of the difference hash: 16 x 16 = 256 bits, four 64-bit words.
GRID = 16
WORDS = GRID * GRID // 64
# Side of the small grey picture that confirms what the hash suspects.
THUMBNAIL = 32


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """Fingerprints of N pictures.

    Attributes:
        hashes: Difference hash, uint64 (N, 4).
        mirrored: The same of the picture mirrored left to right.
        thumbnails: Grey, uint8 (N, 32, 32).
    """

    hashes: NDArray[np.uint64]
    mirrored: NDArray[np.uint64]
    thumbnails: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.hashes)

    @classmethod
    def room(cls, count: int) -> Fingerprints:
        """Room for the fingerprints of so many pictures."""
        return cls(
            np.empty((count, WORDS), np.uint64),
            np.empty((count, WORDS), np.uint64),
            np.empty((count, THUMBNAIL, THUMBNAIL), np.uint8),
        )


def fingerprints(images: NDArray[np.uint8] | Subset, out: Fingerprints | None = None, first: int = 0) -> Fingerprints:
    """Fingerprints of pictures, read in chunks, so memory-mapped ones stay on disk.

    Args:
        images: uint8 (N, S, S, 3).
        out: Room to write them to; None for new room.
        first: Where in it.
    """
    result = Fingerprints.room(len(images)) if out is None else out
    for start, chunk in chunks(images):
        for place, image in enumerate(chunk, first + start):
            grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
            result.hashes[place] = difference_hash(grey)
            result.mirrored[place] = difference_hash(grey[:, ::-1])
            result.thumbnails[place] = cv2.resize(grey, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)
    return result


def difference_hash(grey: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """The dHash of a grey picture (N. Krawetz, "Kind of Like That", 2013) with 256 bits: is each cell's right
    neighbour brighter? uint64 (4,)."""
    small = cv2.resize(grey, (GRID + 1, GRID), interpolation=cv2.INTER_AREA)
    words: NDArray[np.uint64] = np.packbits(small[:, 1:] > small[:, :-1]).view(np.uint64)
    return words


def likeness(thumbnails: NDArray[np.uint8], others: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Correlation of thumbnails, pair by pair: uint8 (P, 32, 32) twice -> float64 (P,), -1..1.

    Two plain pictures have no structure to compare; they count as alike (1), a plain one and another as not alike (0).
    """
    first, second = (part.reshape(len(part), -1).astype(np.float64) for part in (thumbnails, others))
    first -= first.mean(axis=1, keepdims=True)
    second -= second.mean(axis=1, keepdims=True)
    products = np.einsum("ij,ij->i", first, second)
    length, other_length = (np.linalg.norm(part, axis=1) for part in (first, second))
    both_plain = ((length == 0) & (other_length == 0)).astype(np.float64)
    lengths = length * other_length
    return np.asarray(np.divide(products, lengths, out=both_plain, where=lengths > 0))
