"""A prepared folder, as `unmask prepare` wrote it: pixels in memory-mapped `.npy` files and a manifest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmask.data.journal import JOURNAL
from unmask.data.layout import SPLITS, find_layout
from unmask.data.manifest import MANIFEST, Row, read_manifest
from unmask.errors import UnmaskError

PREPARED = "prepared.json"
# What the files were like before they became pixels, one row a file.
FACTS = "facts.csv"
# Where `unmask audit` writes its page.
AUDIT_PAGE = "audit.html"
FORMAT = 1
# Pictures read at once where all are looked at in turn.
CHUNK = 512


@dataclass(frozen=True, slots=True)
class Subset:
    """Some rows of a memory-mapped array, read when they are asked for. Index it like an array."""

    array: NDArray[np.uint8]
    rows: NDArray[np.int64]

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.rows), *self.array.shape[1:])

    @property
    def dtype(self) -> np.dtype[np.uint8]:
        return self.array.dtype

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> NDArray[np.uint8]:
        chosen: NDArray[np.uint8] = self.array[self.rows[index]]
        return chosen

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        whole = self.array[self.rows]
        return whole if dtype is None else whole.astype(dtype)


@dataclass(frozen=True)
class Prepared:
    """A prepared dataset.

    Attributes:
        folder: Where it is.
        size: Side of the pictures in pixels.
        crop: `none` or `face`.
        dataset: The folder the pictures came from, as an absolute path; it may be gone.
        splits: The splits that exist, in the order Train, Validation, Test.
        sha256: Of each split's pixels as they were written; empty in folders of earlier versions.
    """

    folder: Path
    size: int
    crop: str
    dataset: Path
    splits: tuple[str, ...]
    sha256: dict[str, str] = field(default_factory=dict)

    @cached_property
    def manifest(self) -> tuple[Row, ...]:
        """All rows, rejected files too, in the manifest's order."""
        return tuple(read_manifest(self.folder / MANIFEST))

    @cached_property
    def counts(self) -> dict[str, dict[str, int]]:
        """Pictures by split, then by `real`, `fake` and `rejected`, as the manifest has them now.

        `prepared.json` has those of the day it was written, before any `unmask audit --fix`.
        """
        counts = {split: {"real": 0, "fake": 0, "rejected": 0} for split in self.splits}
        for row in self.manifest:
            if row.split in counts:
                counts[row.split]["rejected" if row.row is None else "fake" if row.label else "real"] += 1
        return counts

    @property
    def pictures(self) -> int:
        """How many there are in all splits, rejected files left out."""
        return sum(len(self.entries(split)) for split in self.splits)

    def entries(self, split: str) -> tuple[Row, ...]:
        """The accepted rows of a split: entry i belongs to `images(split)[i]` and `labels(split)[i]`."""
        if split not in self.splits:
            raise UnmaskError(
                f"{self.folder} has no {split} split, only {', '.join(self.splits)}.",
                hint=f"Add {split}/Real and {split}/Fake to the dataset and run unmask prepare again.",
                code="split-missing",
            )
        return self._accepted[split]

    def images(self, split: str) -> NDArray[np.uint8] | Subset:
        """The pictures of a split, memory-mapped and read-only: uint8, N x S x S x 3, RGB.

        A manifest that leaves rows out (after `unmask audit --fix`) gives a `Subset`, which is indexed the same way.
        """
        rows, array = self.rows(split), self.pixels(split)
        if len(rows) and (rows.min() < 0 or rows.max() >= len(array)):
            raise _broken(self.folder, f"the manifest names row {rows.max()} of {len(array)} in {split}.npy")
        return array if np.array_equal(rows, np.arange(len(array))) else Subset(array, rows)

    def pixels(self, split: str) -> NDArray[np.uint8]:
        """As `images`, but all that lies in the split's `.npy`; `rows` says where in it."""
        path = self.folder / f"{split}.npy"
        try:
            array: NDArray[np.uint8] = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise _broken(self.folder, f"{path.name} cannot be read ({error})") from error
        if array.dtype != np.uint8 or array.shape[1:] != (self.size, self.size, 3):
            raise _broken(self.folder, f"{path.name} holds {array.dtype} {array.shape}")
        return array

    def labels(self, split: str) -> NDArray[np.int64]:
        """0 real, 1 fake, in the order of `images(split)`."""
        return np.array([entry.label for entry in self.entries(split)], np.int64)

    def rows(self, split: str) -> NDArray[np.int64]:
        """Where each entry of a split lies in the split's `.npy`."""
        return np.array([entry.row for entry in self.entries(split)], np.int64)

    @cached_property
    def _accepted(self) -> dict[str, tuple[Row, ...]]:
        rows = [row for row in self.manifest if row.row is not None]
        return {split: tuple(row for row in rows if row.split == split) for split in self.splits}


def load_prepared(folder: Path) -> Prepared:
    """Opens a prepared folder.

    Args:
        folder: Where `unmask prepare` wrote.

    Raises:
        UnmaskError: The folder was not prepared, not finished, or was written by another format version.
    """
    path = folder / PREPARED
    if not path.is_file():
        raise _not_prepared(folder)
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
        version = info["format"]
        if version != FORMAT:
            raise _broken(folder, f"it has format {version}, this version of Unmask reads {FORMAT}")
        splits = tuple(split for split in SPLITS if split in info["counts"])
        sha256 = dict(info.get("sha256", {}))
        return Prepared(folder, int(info["size"]), str(info["crop"]), Path(info["dataset"]), splits, sha256)
    except (ValueError, KeyError, TypeError) as error:
        raise _broken(folder, f"{PREPARED} cannot be read ({error!r})") from error


def verify_pixels(prepared: Prepared, splits: Iterable[str] | None = None) -> None:
    """Makes sure that the pixels are still those that `unmask prepare` wrote: a disk can flip a block and nobody notices.

    It reads the files from end to end, at about 1 GB a second where they are in memory or on a fast disk.

    Args:
        prepared: From `load_prepared`.
        splits: Which; None for all. Those whose sha256 is not known are left out.

    Raises:
        UnmaskError: A file is missing or changed, with the code "prepared-damaged".
    """
    for split in prepared.splits if splits is None else splits:
        path = prepared.folder / f"{split}.npy"
        if split not in prepared.sha256:
            continue
        try:
            with path.open("rb", buffering=0) as file:
                np.lib.format.read_magic(file)
                np.lib.format.read_array_header_1_0(file)
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        except (OSError, ValueError) as error:
            raise _broken(prepared.folder, f"{path.name} cannot be read ({error})") from error
        if sha256 != prepared.sha256[split]:
            raise _broken(prepared.folder, f"the pixels in {path.name} are not those that were written")


def take(images: NDArray[np.uint8] | Subset, indexes: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Some pictures, read from their file and not through the memory map, of which every page touched would stay.

    Args:
        images: From `Prepared.images`.
        indexes: (n,).

    Returns:
        uint8 (n, S, S, 3).
    """
    array, rows = (images.array, images.rows[indexes]) if isinstance(images, Subset) else (images, indexes)
    if not isinstance(array, np.memmap) or array.filename is None:
        return np.ascontiguousarray(array[rows])
    taken = np.empty((len(rows), *array.shape[1:]), np.uint8)
    size = int(np.prod(array.shape[1:]))
    with open(array.filename, "rb", buffering=0) as file:
        for place, row in enumerate(rows):
            file.seek(array.offset + int(row) * size)
            file.readinto(taken[place].data)
    return taken


def chunks(images: NDArray[np.uint8] | Subset) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Pieces of a large array of pictures, with where each begins; one is in memory at a time."""
    for start in range(0, len(images), CHUNK):
        yield start, take(images, np.arange(start, min(start + CHUNK, len(images))))


def _not_prepared(folder: Path) -> UnmaskError:
    """Says what `folder` is, and how to come by a prepared one; preparing needs an empty folder, or an unfinished one."""
    what, hint = f"it has no {PREPARED}", "Name the folder that was given to unmask prepare as --out."
    if not folder.exists():
        what, hint = "it does not exist", f"Make it with: unmask prepare Dataset/ --out {folder}"
    elif (folder / JOURNAL).is_file():
        what = "unmask prepare has not finished it"
        hint = f"Give the same command again, it goes on: unmask prepare Dataset/ --out {folder}"
    elif _is_dataset(folder):
        what = "it is a dataset, whose pictures are still files"
        hint = f"Prepare it first, and name the new folder: unmask prepare {folder} --out prepared/"
    return UnmaskError(f"{folder} is not a prepared folder: {what}.", hint=hint, code="not-prepared")


def _is_dataset(folder: Path) -> bool:
    try:
        find_layout(folder)
    except UnmaskError:
        return False
    return True


def _broken(folder: Path, what: str) -> UnmaskError:
    return UnmaskError(
        f"The prepared folder {folder} is damaged: {what}.",
        hint="Delete the folder and run unmask prepare again.",
        code="prepared-damaged",
    )
