"""Where training reads its pictures: a prepared folder, or straight from a dataset's folders."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unmask.data.folder import open_folder
from unmask.data.landmarks import landmarks
from unmask.data.prepared import PREPARED, Prepared, load_prepared
from unmask.data.reconstructed import open_reconstructions
from unmask.errors import UnmaskError

# The report's, for pictures straight from folders.
DEFAULT_SIZE = 128

Indexes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Source:
    """One split, to be read in any order and by several threads at once.

    Attributes:
        split: `Train`, `Validation` or `Test`.
        size: Side S of the pictures.
        paths: Of each picture, relative to the dataset.
        labels: 0 real, 1 fake, int64 (N,).
        groups: Pictures of one group are not independent; (N,) strings, empty where the dataset has none.
        origins: Where a picture comes from, (N,) strings, likewise.
        read: Indexes (n,) -> uint8 (n, S, S, 3), RGB.
        find_landmarks: () -> float32 (N, 5, 2), pixels, as `unmask.data.landmarks`; None where they are not kept.
        find_reconstructions: () -> indexes (n,) -> what autoencoders rebuilt of these pictures, uint8 (n, S, S, 3), as
            `unmask.data.reconstructed`; None where there is no place for it.
    """

    split: str
    size: int
    paths: tuple[str, ...]
    labels: NDArray[np.int64]
    groups: NDArray[np.str_]
    origins: NDArray[np.str_]
    read: Callable[[Indexes], NDArray[np.uint8]]
    find_landmarks: Callable[[], NDArray[np.float32]] | None = None
    find_reconstructions: Callable[[], Callable[[Indexes], NDArray[np.uint8]]] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def taken(self, indexes: Indexes) -> Source:
        """These pictures only, in this order."""
        points, rebuilt = self.find_landmarks, self.find_reconstructions
        return Source(
            self.split,
            self.size,
            tuple(self.paths[index] for index in indexes),
            self.labels[indexes],
            self.groups[indexes],
            self.origins[indexes],
            lambda some: self.read(indexes[some]),
            None if points is None else lambda: points()[indexes],
            None if rebuilt is None else lambda: _of_some(rebuilt(), indexes),
        )


def open_source(data: str | Path, split: str, size: int | None = None, *, both_classes: bool = True) -> Source:
    """Opens one split.

    Args:
        data: A prepared folder or a dataset folder.
        split: `Train`, `Validation` or `Test`.
        size: Side that the model takes; None for whatever is there.
        both_classes: Whether a class without pictures is an error.

    Raises:
        UnmaskError: No such data or split, a class without pictures, or a prepared folder of another size.
    """
    folder = Path(data)
    source = _from_prepared(load_prepared(folder), split, size) if (folder / PREPARED).is_file() else None
    source = source or _from_folders(folder, split, size)
    for label, name in enumerate(("Real", "Fake")):
        if both_classes and not (source.labels == label).any():
            raise UnmaskError(
                f"{split} of {folder} has no {name.lower()} pictures.",
                hint=f"Put pictures into {split}/{name} and prepare again; two classes are needed to tell them apart.",
                code="class-missing",
            )
    return source


def digest(rows: Iterable[tuple[object, ...]]) -> str:
    """A name for what a run learned from, such as (path, label) of each picture: SHA-256, hexadecimal.

    Pictures are known by their paths; reading every pixel again would take as long as an epoch.
    """
    found = hashlib.sha256()
    for row in rows:
        found.update(json.dumps(row).encode() + b"\n")
    return found.hexdigest()


def _from_prepared(prepared: Prepared, split: str, size: int | None) -> Source:
    if size not in (None, prepared.size):
        raise UnmaskError(
            f"The pictures in {prepared.folder} are {prepared.size} px wide, not {size}.",
            hint=f"Name a folder with pictures of {size} px, or leave --size out; unmask prepare --size {size} makes one.",
            code="size-differs",
        )
    entries, images = prepared.entries(split), prepared.images(split)

    def read(indexes: Indexes) -> NDArray[np.uint8]:
        return np.ascontiguousarray(images[indexes])

    return Source(
        split,
        prepared.size,
        tuple(entry.path for entry in entries),
        prepared.labels(split),
        np.array([entry.group for entry in entries], np.str_),
        np.array([entry.source for entry in entries], np.str_),
        read,
        lambda: landmarks(prepared, split),
        lambda: open_reconstructions(prepared, split),
    )


def _of_some(read: Callable[[Indexes], NDArray[np.uint8]], indexes: Indexes) -> Callable[[Indexes], NDArray[np.uint8]]:
    return lambda some: read(indexes[some])


def _from_folders(folder: Path, split: str, size: int | None) -> Source:
    opened = open_folder(folder, split, size or DEFAULT_SIZE)
    return Source(
        split,
        opened.size,
        opened.paths,
        opened.labels,
        np.array(opened.groups, np.str_),
        np.array(opened.sources, np.str_),
        opened.read,
    )
