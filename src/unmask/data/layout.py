"""Where a dataset keeps its pictures: `Train|Validation|Test / Real|Fake`, and the usual ways of misspelling that.

The label comes from the name of the folder and from nothing else. Sorting folder names gives Fake = 0, which is the
opposite of the project's label map, so nothing here ever sorts class folders.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from unmask.errors import UnmaskError

SPLITS = ("Train", "Validation", "Test")
LABELS = {"real": 0, "fake": 1}

_SPLIT_NAMES = {
    **dict.fromkeys(("train", "training", "trains"), "Train"),
    **dict.fromkeys(("validation", "validations", "val", "vali", "valid", "dev"), "Validation"),
    **dict.fromkeys(("test", "tests", "testing"), "Test"),
}
_CLASS_NAMES = {
    **dict.fromkeys(("real", "reals"), "real"),
    **dict.fromkeys(("fake", "fakes"), "fake"),
}
_NOT_PICTURES = {"thumbs.db", "desktop.ini"}
_EXPECTED = """\
  Dataset/
    Train/Real  Train/Fake
    Validation/Real  Validation/Fake
    Test/Real  Test/Fake"""


@dataclass(frozen=True, slots=True)
class ClassFolder:
    """One class of one split.

    Attributes:
        split: `Train`, `Validation` or `Test`.
        label: 0 real, 1 fake.
        folder: Where its pictures are, at any depth.
    """

    split: str
    label: int
    folder: Path


@dataclass(frozen=True, slots=True)
class Layout:
    """What was found in a dataset folder.

    Attributes:
        root: The folder that holds the splits; paths in a manifest are relative to it.
        folders: Real before fake, in the order of `SPLITS`.
        notes: What was read differently from how it is spelt, or left aside; for people.
    """

    root: Path
    folders: tuple[ClassFolder, ...]
    notes: tuple[str, ...] = ()

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that exist, in the order of `SPLITS`."""
        return tuple(dict.fromkeys(folder.split for folder in self.folders))


def find_layout(dataset: Path) -> Layout:
    """Finds the splits and classes of a dataset folder.

    Case, plurals and the usual short names (`train`, `val`, `valid`, `reals`) are understood, and so are
    `Real/Train` for `Train/Real` and one folder too many around it all. Other folders are left aside with a note.

    Args:
        dataset: Folder of the dataset.

    Raises:
        UnmaskError: No splits, two folders for one thing, a class missing, or a class folder without files. The
            message shows what was found and what is expected. Or a folder cannot be listed.
    """
    if not dataset.is_dir():
        raise UnmaskError(
            f"{dataset} is not a folder.",
            hint="Name the folder that holds Train, Validation and Test.",
            code="no-dataset",
        )
    root, found, notes = find_splits(dataset)
    folders = []
    for split in SPLITS:
        if not found.get(split):
            notes.append(f"There is no {split} split.")
            continue
        for name, label in LABELS.items():
            if name not in found[split]:
                raise wrong_layout(root, f"{split} has no {name.capitalize()} folder", code="class-missing")
            folders.append(ClassFolder(split, label, found[split][name]))
    for folder in folders:
        if next(files_in(folder.folder), None) is None:
            raise wrong_layout(root, f"{folder.folder.relative_to(root)} is empty", code="empty-folder")
    return Layout(root, tuple(folders), tuple(notes))


def find_splits(dataset: Path) -> tuple[Path, dict[str, dict[str, Path]], list[str]]:
    """As `find_layout`, for whoever needs one split only: a class may be missing or empty.

    Returns:
        The folder that holds the splits; split -> class (`real`, `fake`) -> folder; what a person should know.

    Raises:
        UnmaskError: No splits, or two folders for one thing.
    """
    root, notes = dataset, list[str]()
    if not (_known(root, _SPLIT_NAMES) or _known(root, _CLASS_NAMES)):
        inner = _subfolders(root)
        if len(inner) == 1 and (_known(inner[0], _SPLIT_NAMES) or _known(inner[0], _CLASS_NAMES)):
            root = inner[0]
            notes.append(f"The dataset was found one folder further in, in {root.name}.")
    found: dict[str, dict[str, Path]] = {}
    if _known(root, _SPLIT_NAMES):
        for split, folder in _match(root, root, _SPLIT_NAMES, notes).items():
            found[split] = _match(root, folder, _CLASS_NAMES, notes)
    else:
        for name, folder in _match(root, root, _CLASS_NAMES, notes).items():
            for split, path in _match(root, folder, _SPLIT_NAMES, notes).items():
                found.setdefault(split, {})[name] = path
    if not any(found.values()):
        plain = _known(root, _CLASS_NAMES)
        hint = "Split them here: give --split 80/10/10, the percentages of Train, Validation and Test." if plain else ""
        raise wrong_layout(root, "no Train, Validation or Test folder with Real and Fake in it", hint=hint)
    return root, found, notes


def find_classes(folder: Path) -> tuple[dict[str, Path], list[str]]:
    """The class folders of one split's own folder; none where it is something else.

    Returns:
        Class (`real`, `fake`) -> folder; what a person should know.

    Raises:
        UnmaskError: Two folders for one class, or a folder cannot be listed.
    """
    notes: list[str] = []
    classes = _match(folder, folder, _CLASS_NAMES, notes)
    divided = [path for path in classes.values() if _known(path, _SPLIT_NAMES)]
    # Real/Train is a dataset turned inside out, unless files lie beside Train: `files_in` would name those first.
    if divided == [*classes.values()] and all("/" in next(files_in(path), "/") for path in divided):
        return {}, []
    notes += [f"All of {path.name} was taken, also a folder in it that is named like a split." for path in divided]
    return classes, notes


def split_called(name: str) -> str | None:
    """`Train`, `Validation` or `Test` for a folder's name in any spelling that is understood."""
    return _SPLIT_NAMES.get(name.casefold())


def files_in(folder: Path) -> Iterator[str]:
    """Paths of the files below a folder, relative to it, `/` between the parts; hidden files are left out.

    The order is that of the names' code points, folder by folder: the same on every machine. Links to folders are followed, but
    not back to a folder that they lie in.

    Raises:
        UnmaskError: A folder cannot be listed.
    """
    for here, folders, files in os.walk(folder, onerror=_refuse, followlinks=True):
        inside = Path(here).relative_to(folder)
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and not _leads_back(folder, inside / name)
        )
        for name in sorted(files):
            if not name.startswith(".") and name.lower() not in _NOT_PICTURES:
                yield (inside / name).as_posix()


def _leads_back(folder: Path, inside: Path) -> bool:
    """Whether a link leads to a folder that it lies in, as far up as `folder`, or to one around that."""
    link = folder / inside
    if not link.is_symlink():
        return False
    target = link.resolve()
    return any((folder / place).resolve().is_relative_to(target) for place in inside.parents)


def _refuse(error: OSError) -> NoReturn:
    """What is in a folder that cannot be listed would otherwise be missing without a word."""
    raise UnmaskError(
        f"{error.filename} cannot be listed: {error.strerror}.",
        hint="Make it readable for you, or move it out of the dataset.",
        code="unreadable-folder",
    ) from error


def _match(root: Path, folder: Path, names: dict[str, str], notes: list[str]) -> dict[str, Path]:
    """The subfolders that `names` knows, by their proper name."""
    matched: dict[str, Path] = {}
    for path in _subfolders(folder):
        proper = names.get(path.name.casefold())
        if proper is None:
            notes.append(f"{path.relative_to(root)} was left aside.")
        elif proper in matched:
            other = matched[proper].relative_to(root)
            raise wrong_layout(
                root, f"{other} and {path.relative_to(root)} both look like {proper}", code="ambiguous-layout"
            )
        else:
            matched[proper] = path
            if path.name.casefold() != proper.casefold():
                notes.append(f"{path.relative_to(root)} was read as {proper.capitalize()}.")
    return matched


def _known(folder: Path, names: dict[str, str]) -> bool:
    return any(path.name.casefold() in names for path in _subfolders(folder))


def _subfolders(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError as error:
        _refuse(error)


def wrong_layout(root: Path, what: str, code: str = "wrong-layout", hint: str = "") -> UnmaskError:
    """An error that shows what was found and what is expected."""
    return UnmaskError(
        f"The dataset {root} cannot be read: {what}.\nFound:\n{_tree(root)}\nExpected:\n{_EXPECTED}",
        hint=hint or "Rename or move the folders so that they look as expected; labels come from folder names only.",
        code=code,
    )


def _tree(root: Path, width: int = 12) -> str:
    lines = [f"  {root.name}/"]
    for first in _subfolders(root)[:width]:
        lines.append(f"    {first.name}/")
        lines += [f"      {second.name}/" for second in _subfolders(first)[:width]]
    if len(lines) == 1:
        count = sum(1 for _ in root.iterdir())
        lines.append(f"    no folders, {count} file{'' if count == 1 else 's'}")
    return "\n".join(lines)
