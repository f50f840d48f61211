"""Plain folders `Real` and `Fake` -> Train, Validation and Test, dealt by group, the same way each time."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from unmask.data.layout import LABELS, SPLITS, ClassFolder, Layout, files_in, find_classes, find_layout, wrong_layout
from unmask.data.manifest import Origin, read_origins, unmatched
from unmask.errors import UnmaskError

Files = list[tuple[ClassFolder, tuple[str, ...]]]


def parse_shares(text: str) -> tuple[int, int, int]:
    """The shares of Train, Validation and Test.

    Args:
        text: Three whole numbers that add up to 100, such as ``80/10/10``; the last may be 0.

    Raises:
        UnmaskError: ``bad-split``.
    """
    found = re.fullmatch(r"(\d+)/(\d+)/(\d+)", text)
    train, validation, test = map(int, found.groups()) if found else (0, 0, 0)
    if train + validation + test != 100 or not (train and validation):
        raise UnmaskError(
            f"{text!r} is no way to split a dataset.",
            hint="Give the percentages of Train, Validation and Test, such as --split 80/10/10.",
            code="bad-split",
        )
    return train, validation, test


def find_files(dataset: Path, shares: Sequence[int] | None = None) -> tuple[Layout, Files]:
    """The files of a dataset by split and class: as its folders say, or, with `shares`, as `split_folders` deals them."""
    if shares:
        layout, files = split_folders(dataset, shares)
    else:
        layout = find_layout(dataset)
        files = [(folder, tuple(files_in(folder.folder))) for folder in layout.folders]
    notes = unmatched(layout.root, read_origins(layout.root))
    return replace(layout, notes=(*layout.notes, *notes)), files


def split_folders(dataset: Path, shares: Sequence[int]) -> tuple[Layout, Files]:
    """Deals the files of two class folders to the splits.

    A group goes to one split as a whole: what a `manifest.csv` beside the folders puts into one group, or else a single
    file (of a clip, all frames). Groups of real files only, of fake ones only and of both are dealt by themselves, in an
    order that follows from their names alone, so that each split gets its share of each, and the same one each time.

    Args:
        dataset: Folder with Real and Fake in it.
        shares: Of Train, Validation and Test, in percent.

    Returns:
        The layout, and the names of each split's files of each class.

    Raises:
        UnmaskError: ``wrong-layout`` for anything else than two class folders, ``too-few`` where a split would get
            nothing of a class.
    """
    folders, notes = find_classes(dataset) if dataset.is_dir() else ({}, [])
    if set(folders) != set(LABELS):
        raise wrong_layout(dataset, "--split deals the files of two folders, Real and Fake, which are not here")
    origins = read_origins(dataset)
    groups: dict[str, list[tuple[str, str]]] = {}
    for name, folder in folders.items():
        for file in files_in(folder):
            path = f"{folder.relative_to(dataset).as_posix()}/{file}"
            group = origins.get(path, Origin()).group
            groups.setdefault(f"group {group}" if group else f"file {path}", []).append((name, file))
    dealt: dict[tuple[str, str], list[str]] = {(split, name): [] for split in SPLITS for name in LABELS}
    for kind in ({"real"}, {"fake"}, {"real", "fake"}):
        alike = [files for _, files in sorted(groups.items(), key=_chance) if {name for name, _ in files} == kind]
        total, before = sum(map(len, alike)), 0
        for files in alike:
            middle = 100 * (before + len(files) / 2) / total
            split = SPLITS[(middle >= shares[0]) + (middle >= shares[0] + shares[1])]
            before += len(files)
            for name, file in files:
                dealt[split, name].append(file)
    wanted = [split for split, share in zip(SPLITS, shares, strict=True) if share]
    found = [
        (ClassFolder(split, label, folders[name]), tuple(sorted(dealt[split, name])))
        for split in wanted
        for name, label in LABELS.items()
    ]
    for each, names in found:
        if not names:
            raise UnmaskError(
                f"{each.split} would get nothing of {each.folder.name}: there are too few groups.",
                hint="Add pictures, or make that split's share larger.",
                code="too-few",
            )
    if all(len(files) == 1 for files in groups.values()):
        notes.append(
            "Every file was dealt by itself. Where several show one person, put them into one group, in a manifest.csv with "
            "the columns path and group: otherwise Test looks better than it is."
        )
    return Layout(dataset, tuple(folder for folder, _ in found), tuple(notes)), found


def _chance(item: tuple[str, object]) -> bytes:
    return hashlib.sha256(item[0].encode(errors="surrogateescape")).digest()
