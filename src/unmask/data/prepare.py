"""Dataset folder -> one `.npy` of pixels a split, and a manifest that says what became of every file.

A picture is rejected, with a reason, if its content is no picture in a known format, if the file has fewer than 2,500
bytes, if it is smaller than 64 x 64, or if it does not decode. The output is the same, byte for byte, for any number
of workers, and a job that was killed goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask import __version__
from unmask.data.journal import JOURNAL, Block, Journal
from unmask.data.layout import SPLITS, ClassFolder, Layout, files_in, find_layout
from unmask.data.manifest import BEFORE_FIX, COLUMNS, MANIFEST, REMOVED, Row, open_table, read_origins, write_manifest
from unmask.data.parallel import in_order
from unmask.data.prepared import AUDIT_PAGE, FACTS, FORMAT, PREPARED, Prepared, load_prepared
from unmask.data.reading import Crop, FileFacts, read_file
from unmask.errors import UnmaskError
from unmask.face.crop import CROP_MARGIN, SMALLEST_FACE
from unmask.output.csv_table import RowWriter
from unmask.system.atomic import atomic_write, sweep
from unmask.system.cores import available_cores
from unmask.system.lock import LOCK, locked

__all__ = ["Crop", "Progress", "load_prepared", "prepare"]

# Sides that make sense to a model; above, a dataset of 140,000 pictures no longer fits on a disk.
MIN_SIZE, MAX_SIZE = 16, 1024
# Files a task. Blocks bound what a kill can cost and what waits in memory, whatever the size of the dataset.
BLOCK = 32

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class _Task:
    split: str
    label: int
    folder: Path
    prefix: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Recipe:
    size: int
    crop: Crop
    origins: dict[str, tuple[str, str, str]]


def prepare(
    dataset: Path,
    out: Path,
    *,
    size: int = 128,
    crop: Crop = "none",
    workers: int | None = None,
    progress: Progress | None = None,
    overwrite: bool = False,
) -> Prepared:
    """Prepares a dataset for training.

    Args:
        dataset: Folder of the layout `Train|Validation|Test / Real|Fake`, or what `find_layout` understands.
        out: Folder to write `<Split>.npy`, `manifest.csv`, `facts.csv` and `prepared.json` to. A job that was
            interrupted there goes on; a finished one with the same files and settings is returned as it is.
        size: Side of the pictures in pixels, 16..1024.
        crop: `none` takes the whole picture; `face` the largest face, and rejects pictures without one.
        workers: Pictures at a time; None for one a core.
        progress: Called with (files done, files in all) as blocks finish.
        overwrite: Replace what another job left in `out`, and what `unmask audit` wrote about it.

    Raises:
        UnmaskError: Unusable layout or settings; `out` holds something else, is in use, or cannot be written to.
    """
    if not MIN_SIZE <= size <= MAX_SIZE:
        raise UnmaskError(
            f"A size of {size} is not possible.", hint=f"Choose a size from {MIN_SIZE} to {MAX_SIZE}.", code="bad-size"
        )
    if crop not in ("none", "face"):
        raise UnmaskError(f"There is no crop {crop!r}.", hint="Use none or face.", code="bad-crop")
    layout = find_layout(dataset)
    tasks, fingerprint = _plan(layout, size, crop)
    finished = _finished(out, fingerprint)
    if finished and not (out / JOURNAL).exists():
        return load_prepared(out)
    if not finished:
        _require_usable(out, dataset, layout, overwrite)
    recipe = _Recipe(size, crop, read_origins(layout.root))
    try:
        with locked(out, "unmask prepare"):
            # Another process may have been at work since.
            if _finished(out, fingerprint):
                (out / JOURNAL).unlink(missing_ok=True)  # it was killed just before that
            else:
                _require_usable(out, dataset, layout, overwrite)
                _do(tasks, recipe, layout, out, fingerprint, workers or available_cores(), progress)
    except OSError as error:
        raise UnmaskError(
            f"{out} cannot be written: {error.strerror or error}.",
            hint="Make room, or name a folder that you may write to. The same command goes on where it stopped.",
            code="bad-output",
        ) from error
    return load_prepared(out)


def _do(
    tasks: list[_Task],
    recipe: _Recipe,
    layout: Layout,
    out: Path,
    fingerprint: str,
    workers: int,
    progress: Progress | None,
) -> None:
    """What is left of the job, in a folder that nobody else writes to."""
    (out / PREPARED).unlink(missing_ok=True)
    sweep(out, MANIFEST, FACTS, PREPARED)
    counts = {split: {"real": 0, "fake": 0, "rejected": 0} for split in layout.splits}
    with Journal(out, fingerprint, recipe.size) as journal:
        if journal.done == 0:
            _clear(out)
        total, seen = sum(len(task.names) for task in tasks), sum(len(task.names) for task in tasks[: journal.done])
        if progress:
            progress(seen, total)
        room = (BLOCK, recipe.size, recipe.size, 3)
        for block, pixels in in_order(tasks[journal.done :], partial(_work, recipe), room, workers):
            journal.append(block, pixels[: block.accepted])
            seen += len(block.rows)
            if progress:
                progress(seen, total)
        write_manifest(out / MANIFEST, _rows(journal, counts))
        _write_facts(out / FACTS, journal)
        info = {
            "format": FORMAT,
            "size": recipe.size,
            "crop": recipe.crop,
            "crop_margin": CROP_MARGIN if recipe.crop == "face" else None,
            "counts": counts,
            "dataset": layout.root.resolve().as_posix(),
            "made_with": {"unmask": __version__, "opencv": cv2.__version__},
            "fingerprint": fingerprint,
            "sha256": journal.finish(layout.splits),
        }
        with atomic_write(out / PREPARED, "w", durable=True) as file:
            file.write(json.dumps(info, indent=2) + "\n")
        journal.remove()


def _plan(layout: Layout, size: int, crop: str) -> tuple[list[_Task], str]:
    """The work in blocks, in the order of the output, and a fingerprint of files and settings."""
    tasks = []
    rule = [CROP_MARGIN, SMALLEST_FACE] if crop == "face" else []
    job = hashlib.sha256(json.dumps([FORMAT, __version__, size, crop, *rule]).encode())
    for folder in layout.folders:
        names = tuple(files_in(folder.folder))
        for name in names:
            status = _status(folder.folder / name)
            line = f"{folder.split}/{folder.label}/{name}\0{status.st_size}\0{status.st_mtime_ns}\n"
            job.update(line.encode(errors="surrogateescape"))
        tasks += [_task(layout, folder, names[start : start + BLOCK]) for start in range(0, len(names), BLOCK)]
    origins = layout.root / MANIFEST
    if origins.is_file():
        job.update(origins.read_bytes())
    return tasks, job.hexdigest()


def _task(layout: Layout, folder: ClassFolder, names: tuple[str, ...]) -> _Task:
    prefix = folder.folder.relative_to(layout.root).as_posix()
    return _Task(folder.split, folder.label, folder.folder, prefix, names)


def _work(recipe: _Recipe, task: _Task, room: NDArray[np.uint8]) -> Block:
    """Prepares the files of a task; their pixels come to lie at the beginning of `room`."""
    rows: list[list[object]] = []
    accepted = 0
    for name in task.names:
        path = f"{task.prefix}/{name}"
        source, method, group = recipe.origins.get(path, ("", "", ""))
        row = Row(path, task.split, task.label, source=source, method=method, group=group)
        row, facts, picture = read_file(task.folder / name, row, recipe.size, recipe.crop)
        if picture is not None:
            room[accepted] = picture
            accepted += 1
        rows.append([*astuple(row), *facts])
    return Block(task.split, rows, accepted, zlib.crc32(room[:accepted].data if accepted else b""))


def _rows(journal: Journal, counts: dict[str, dict[str, int]]) -> Iterator[Row]:
    """The manifest's rows, read back from the journal; counts them on the way."""
    for block in journal.blocks():
        count = counts[block.split]
        for cells in block.rows:
            row = Row(*cells[: len(COLUMNS)])  # type: ignore[arg-type]
            number = None if row.reason else count["real"] + count["fake"]
            count["rejected" if row.reason else "fake" if row.label else "real"] += 1
            yield replace(row, row=number)


def _write_facts(path: Path, journal: Journal) -> None:
    with open_table(path) as file:
        writer = RowWriter(file)
        writer.writerow(("path", *FileFacts._fields))
        for block in journal.blocks():
            writer.writerows([cells[0], *cells[len(COLUMNS) :]] for cells in block.rows)


def _status(path: Path) -> os.stat_result:
    """Of the picture, where the path is a link to one; of the link itself, where that leads nowhere."""
    try:
        return path.stat()
    except OSError:
        return path.lstat()


def _finished(out: Path, fingerprint: str) -> bool:
    try:
        info = json.loads((out / PREPARED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(info, dict) and info.get("fingerprint") == fingerprint


def _clear(out: Path) -> None:
    """Deletes what an earlier job and its audit left: another manifest's fix or split must not outlive it."""
    pixels = [f"{split}{ending}" for split in SPLITS for ending in (".npy", ".landmarks.npy")]
    for name in (*pixels, MANIFEST, FACTS, BEFORE_FIX, REMOVED, AUDIT_PAGE):
        (out / name).unlink(missing_ok=True)


def _require_usable(out: Path, dataset: Path, layout: Layout, overwrite: bool) -> None:
    """Refuses an output folder in which something would be lost."""
    if out.exists() and not out.is_dir():
        raise UnmaskError(f"{out} is a file.", hint="Name a new folder for --out.", code="bad-output")
    resolved = out.resolve()
    inside = [folder.folder.resolve() for folder in layout.folders]
    # Where a manifest of the dataset's own may lie, which ours must not replace.
    own = {dataset.resolve(), layout.root.resolve(), *(folder.folder.parent.resolve() for folder in layout.folders)}
    if resolved in own or any(resolved.is_relative_to(folder) for folder in inside):
        raise UnmaskError(
            f"{out} is part of the dataset itself.",
            hint="Name a folder outside the dataset for --out.",
            code="bad-output",
        )
    if overwrite or not out.exists():
        return
    if (out / PREPARED).is_file():
        raise UnmaskError(
            f"{out} holds another prepared dataset, or the dataset has changed since.",
            hint="Name another folder for --out, or replace it with --overwrite.",
            code="output-exists",
        )
    if not (out / JOURNAL).is_file() and any(path.name != LOCK for path in out.iterdir()):
        raise UnmaskError(f"{out} is not empty.", hint="Name a new folder for --out.", code="output-exists")
