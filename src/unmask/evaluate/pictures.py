"""The pictures to judge on, with their truth: a dataset's split, or a prepared folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unmask.data.layout import LABELS, SPLITS, files_in, find_classes, find_splits, split_called, wrong_layout
from unmask.data.manifest import read_origins, unmatched
from unmask.data.prepared import PREPARED, load_prepared
from unmask.errors import UnmaskError
from unmask.finding import Failure
from unmask.image.read import read_whole_image

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture and what is known of it.

    Attributes:
        path: Relative to the dataset's root, such as ``Test/Real/one.jpg``.
        label: 0 real, 1 fake.
        source: Where it comes from; empty where no manifest says.
        method: How it was made; likewise.
        group: Pictures of one group are not independent; likewise.
        failure: Why there are no pixels, where that is known beforehand (rejected by `unmask prepare`).
    """

    path: str
    label: int
    source: str = ""
    method: str = ""
    group: str = ""
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Pictures:
    """What an evaluation runs on.

    Attributes:
        name: Of the split or folder, for the report.
        split: `Train`, `Validation` or `Test`; None where the folder does not say.
        items: Real before fake, in the order of the files.
        read: Index of a picture -> its pixels, uint8 (H, W, 3), RGB; raises `UnmaskError` where it cannot be read.
        files: The files themselves, one for each picture; None for a prepared folder.
        notes: What a reader of the report should know of these pictures.
    """

    name: str
    items: tuple[Picture, ...]
    read: Callable[[int], Pixels]
    files: tuple[Path, ...] | None = None
    notes: tuple[str, ...] = ()
    split: str | None = None

    def __len__(self) -> int:
        return len(self.items)


def open_pictures(data: str | Path, split: str = "Test") -> Pictures:
    """Finds the pictures and their truth; reads no pixels yet.

    Args:
        data: A split's folder (``Dataset/Test`` with ``Real`` and ``Fake`` in it), a dataset's folder, or a folder
            written by `unmask prepare`. A `manifest.csv` beside the folders adds source, method and group.
        split: Which split of a dataset or prepared folder; a split's own folder needs none. The other splits are not
            looked at. One class is enough.

    Raises:
        UnmaskError: There is no such folder, split or picture, or two folders for one class.
    """
    folder = Path(data)
    split = split_called(split) or split
    if not folder.is_dir():
        raise UnmaskError(
            f"{folder} is not a folder",
            hint="Name Dataset/Test with Real and Fake in it, or a folder made by `unmask prepare`.",
            code="no-dataset",
        )
    if (folder / PREPARED).is_file():
        found = _from_prepared(folder, split)
    else:
        found = _from_split_folder(folder) or _from_dataset(folder, split)
    if not found.items:
        raise UnmaskError(
            f"{folder} holds no pictures",
            hint="Put pictures into Real and Fake inside it.",
            code="no-pictures",
        )
    return found


def _from_prepared(folder: Path, split: str) -> Pictures:
    prepared = load_prepared(folder)
    images = prepared.images(split)
    rejected = (row for row in prepared.manifest if row.split == split and row.row is None)
    items = tuple(
        Picture(
            row.path, row.label, row.source, row.method, row.group, _rejected(row.reason) if row.row is None else None
        )
        for row in (*prepared.entries(split), *rejected)
    )
    return Pictures(
        split,
        items,
        lambda index: np.ascontiguousarray(images[index]),
        notes=(f"Read from a prepared folder of {prepared.size} px (crop: {prepared.crop}).",),
        split=split,
    )


def _rejected(reason: str) -> Failure:
    return Failure(
        reason or "rejected",
        f"rejected by unmask prepare: {reason or 'no reason given'}",
        "See manifest.csv in the prepared folder.",
    )


def _from_split_folder(folder: Path) -> Pictures | None:
    # Its own place, but not that of what it may be a link to: there it may have another name.
    folder = Path(os.path.abspath(folder))
    classes, notes = find_classes(folder)
    return _from_folders(folder.name, split_called(folder.name), folder.parent, classes, notes) if classes else None


def _from_dataset(folder: Path, split: str) -> Pictures:
    root, splits, notes = find_splits(folder)
    if split not in splits:
        raise UnmaskError(
            f"{folder} has no split {split}, only {', '.join(name for name in SPLITS if name in splits)}",
            hint="Name another with --split, or give the folder of the split itself.",
            code="no-split",
        )
    if not splits[split]:
        raise wrong_layout(root, f"{split} has neither Real nor Fake in it", code="class-missing")
    return _from_folders(split, split, root, splits[split], notes)


def _from_folders(name: str, split: str | None, root: Path, classes: dict[str, Path], notes: list[str]) -> Pictures:
    folders = sorted(((path, LABELS[which]) for which, path in classes.items()), key=lambda found: found[1])
    origins = read_origins(root)
    # A manifest in the split's own folder names its files from there.
    nearer = read_origins(folders[0][0].parent) if folders[0][0].parent.resolve() != root.resolve() else {}
    items, files = [], []
    for folder, label in folders:
        for inside in files_in(folder):
            file = folder / inside
            near = f"{folder.name}/{inside}"
            path = f"{folder.parent.relative_to(root).as_posix()}/{near}".removeprefix("./")
            source, method, group, _ = origins.get(path) or nearer.get(near) or ("", "", "", "")
            items.append(Picture(path, label, source, method, group))
            files.append(file)
    notes += unmatched(root, origins) + unmatched(folders[0][0].parent, nearer)
    if not any(item.group for item in items):
        notes.append(
            "No manifest names groups: every picture counts as independent, and intervals are too short if several "
            "show one clip or person."
        )
    return Pictures(
        name,
        tuple(items),
        lambda index: read_whole_image(files[index]).pixels,
        files=tuple(files),
        notes=tuple(notes),
        split=split,
    )
