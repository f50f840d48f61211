"""One split to learn from or to judge: of a prepared folder, or straight from a dataset's folders."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmask.data.landmarks import landmarks
from unmask.data.layout import SPLITS, files_in, find_layout
from unmask.data.manifest import Origin, Row, read_origins, unmatched
from unmask.data.prepared import PREPARED, Prepared, load_prepared, verify_pixels
from unmask.data.reading import MIN_FILE_BYTES
from unmask.errors import UnmaskError
from unmask.image.read import read_whole_image
from unmask.image.resize import resize

# The report's, for pictures straight from folders.
DEFAULT_SIZE = 128

# What was done to make a fake, by its family: a part of a real picture changed, or all of it generated.
CHANGED, GENERATED = 1, 2
KIND_OF_FAMILY = {"swap": CHANGED, "reenactment": CHANGED, "gan": GENERATED, "diffusion": GENERATED}

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
        pixels: SHA-256 of the prepared pixels as they were written; empty where it is not known.
        verify: () -> nothing, or an `UnmaskError` where the prepared pixels are not those that were written.
        methods: How each was made, as the dataset's manifest says, (N,) strings; None where there is none.
        families: To which kind of fakes that belongs, likewise.
    """

    split: str
    size: int
    paths: tuple[str, ...]
    labels: NDArray[np.int64]
    groups: NDArray[np.str_]
    origins: NDArray[np.str_]
    read: Callable[[Indexes], NDArray[np.uint8]]
    find_landmarks: Callable[[], NDArray[np.float32]] | None = None
    pixels: str = ""
    verify: Callable[[], None] = lambda: None
    methods: NDArray[np.str_] | None = None
    families: NDArray[np.str_] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def taken(self, indexes: Indexes) -> Source:
        """These pictures only, in this order.

        Args:
            indexes: int64 (n,).
        """
        points = self.find_landmarks
        return replace(
            self,
            paths=tuple(self.paths[index] for index in indexes),
            labels=self.labels[indexes],
            groups=self.groups[indexes],
            origins=self.origins[indexes],
            read=lambda some: self.read(indexes[some]),
            find_landmarks=None if points is None else lambda: points()[indexes],
            methods=None if self.methods is None else self.methods[indexes],
            families=None if self.families is None else self.families[indexes],
        )

    def kinds(self, indexes: Indexes, labels: NDArray[np.int64]) -> NDArray[np.int64]:
        """`CHANGED` or `GENERATED` for fakes of which that is known, else 0.

        Args:
            indexes: int64 (n,).
            labels: int64 (n,), of the same pictures as they are learned from: real ones may have become fakes by a change.
        """
        families = [""] * len(indexes) if self.families is None else self.families[indexes].tolist()
        known = np.array([KIND_OF_FAMILY.get(family, 0) for family in families], np.int64)
        return np.where(labels == 0, 0, np.where(self.labels[indexes] == 0, CHANGED, known))

    def listed(self, path: Path) -> Indexes:
        """Where the pictures of a list are in this split, in the list's order; those that are not in it are passed over.

        Args:
            path: A CSV file with a column `path`, such as `unmask mine` writes.

        Returns:
            int64 (n,).

        Raises:
            UnmaskError: No such file, no column `path`, an empty list, or none of its pictures is in the split.
        """
        try:
            with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
                rows = list(csv.DictReader(file))
        except (OSError, csv.Error) as error:
            raise UnmaskError(
                f"The list of pictures {path} cannot be read: {error}.",
                hint="Make one with: unmask mine RUN --data prepared/",
                code="no-list",
            ) from None
        if not rows:
            raise _bad_list(f"{path} lists no pictures.", "Leave it out, or name another list.")
        if "path" not in rows[0]:
            raise _bad_list(f"{path} has no column path.", "Use a list that `unmask mine` wrote.")
        places = {name: index for index, name in enumerate(self.paths)}
        found = [places[row["path"]] for row in rows if row["path"] in places]
        if not found:
            raise _bad_list(
                f"None of the {len(rows)} pictures of {path} is in {self.split}.",
                "Use a list of the same data that the run learns from.",
            )
        return np.array(found, np.int64)


def open_source(
    data: str | Path,
    split: str,
    size: int | None = None,
    *,
    both_classes: bool = True,
    on_note: Callable[[str], None] = lambda note: None,
) -> Source:
    """Opens one split.

    Args:
        data: A prepared folder or a dataset folder.
        split: `Train`, `Validation` or `Test`.
        size: Side that the model takes, pixels; None for whatever is there.
        both_classes: Whether a class without pictures is an error.
        on_note: Told what a person should know of a dataset folder, the same for each of its splits.

    Raises:
        UnmaskError: No such data or split, a class without pictures, or a prepared folder of another size. From `read`
            of a dataset folder: a picture that cannot be read. Training does not go on without it.
    """
    folder = Path(data)
    if (folder / PREPARED).is_file():
        source = _from_prepared(load_prepared(folder), split, size)
    else:
        source = _from_folders(folder, split, size or DEFAULT_SIZE, on_note)
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
    return Source(
        split,
        prepared.size,
        tuple(entry.path for entry in entries),
        prepared.labels(split),
        read=lambda indexes: np.ascontiguousarray(images[indexes]),
        find_landmarks=lambda: landmarks(prepared, split),
        pixels=prepared.sha256.get(split, ""),
        verify=lambda: verify_pixels(prepared, [split]),
        **_origins(entries),
    )


def _from_folders(dataset: Path, split: str, size: int, on_note: Callable[[str], None]) -> Source:
    """Lists a split; no picture is read yet. Files that are too small are left out, as `unmask prepare` does."""
    layout = find_layout(dataset)
    if split not in layout.splits:
        raise UnmaskError(
            f"{dataset} has no {split} split, only {', '.join(layout.splits)}.",
            hint=f"Add {split}/Real and {split}/Fake, or choose one of {', '.join(SPLITS)}.",
            code="split-missing",
        )
    origins = read_origins(layout.root)
    for note in (*layout.notes, *unmatched(layout.root, origins)):
        on_note(note)
    files = [
        (folder.folder / name, folder.label)
        for folder in layout.folders
        if folder.split == split
        for name in files_in(folder.folder)
    ]
    files = [(path, label) for path, label in files if path.is_file() and path.stat().st_size >= MIN_FILE_BYTES]
    paths = tuple(path.relative_to(layout.root).as_posix() for path, _ in files)

    def read(indexes: Indexes) -> NDArray[np.uint8]:
        images = np.empty((len(indexes), size, size, 3), np.uint8)
        for place, index in enumerate(indexes):
            try:
                images[place] = resize(read_whole_image(files[int(index)][0]).pixels, size)
            except UnmaskError as error:
                raise UnmaskError(
                    f"{error.message} (while reading {split} straight from its folder)",
                    hint="Take the file out, or run unmask prepare first, which lists and leaves out what cannot be read.",
                    code=error.code,
                ) from error
        return images

    labels = np.array([label for _, label in files], np.int64)
    found = [origins.get(path, Origin()) for path in paths]
    return Source(split, size, paths, labels, read=read, **_origins(found))


def _origins(found: Sequence[Row | Origin]) -> dict[str, Any]:
    """What `Source` holds of where pictures come from, by its names for it."""
    cells = {"groups": "group", "origins": "source", "methods": "method", "families": "family"}
    return {name: np.array([getattr(row, cell) for row in found], np.str_) for name, cell in cells.items()}


def _bad_list(message: str, hint: str) -> UnmaskError:
    return UnmaskError(message, hint=hint, code="bad-list")
