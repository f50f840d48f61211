"""Dataset folder -> one `.npy` of pixels a split, and a manifest that says what became of every file.

A picture is rejected, with a reason, if its content is no picture in a known format, if the file has fewer than 2,500
bytes, if it is smaller than 64 x 64, or if it does not decode. Of a clip some frames are taken, as if they were pictures. The
output is the same, byte for byte, for any number of workers, and a job that was killed goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, dataclass, replace
from functools import partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask import __version__
from unmask.data.clips import read_frames
from unmask.data.journal import JOURNAL, Block, Journal
from unmask.data.layout import SPLITS, ClassFolder, Layout
from unmask.data.manifest import (
    BEFORE_FIX,
    COLUMNS,
    MANIFEST,
    REMOVED,
    Origin,
    Row,
    read_origins,
    write_manifest,
    write_table,
)
from unmask.data.parallel import in_order
from unmask.data.prepared import AUDIT_PAGE, FACTS, FORMAT, PREPARED, Prepared, load_prepared
from unmask.data.reading import Crop, FileFacts, read_file
from unmask.data.split import Files, find_files
from unmask.errors import UnmaskError
from unmask.face.crop import CROP_MARGIN, SMALLEST_FACE
from unmask.system.atomic import atomic_write, sweep
from unmask.system.cores import available_cores
from unmask.system.lock import LOCK, locked
from unmask.video.kinds import is_clip
from unmask.video.limits import CLIP_LIMITS

# Sides that make sense to a model; above, a dataset of 140,000 pictures no longer fits on a disk.
MIN_SIZE, MAX_SIZE = 16, 1024
# Files a task; bounds what a kill can cost and what waits in memory.
BLOCK = 32
# Of a clip; its neighbouring frames are nearly the same picture.
FRAMES_PER_CLIP = 16

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class _Task:
    class_folder: ClassFolder
    names: tuple[str, ...]
    clip: bool


@dataclass(frozen=True, slots=True)
class _Recipe:
    size: int
    crop: Crop
    frames_per_clip: int
    root: Path
    origins: dict[str, Origin]


def prepare(
    dataset: Path,
    out: Path,
    *,
    size: int = 128,
    crop: Crop = "none",
    frames_per_clip: int = FRAMES_PER_CLIP,
    shares: Sequence[int] | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
    on_note: Callable[[str], None] = lambda note: None,
    overwrite: bool = False,
) -> Prepared:
    """Prepares a dataset for training.

    Args:
        dataset: Folder of the layout `Train|Validation|Test / Real|Fake`, or what `find_layout` understands.
        out: Folder to write to. An interrupted job goes on; a finished one of the same files and settings is returned as it is.
        size: Side of the pictures in pixels, 16..1024.
        crop: `none` takes the whole picture; `face` the largest face, and rejects pictures and frames without one.
        frames_per_clip: Taken of each clip, evenly spread, 1..2000; all of a clip that has fewer.
        shares: Of Train, Validation and Test, for a dataset of two folders, Real and Fake; see `unmask.data.split`.
        workers: Pictures or clips at a time; None for one a core.
        progress: Called with (files done, files in all) as blocks finish.
        on_note: Told what a person should know of the layout.
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
    if not 1 <= frames_per_clip <= CLIP_LIMITS.max_sampled:
        hint = f"Choose 1 to {CLIP_LIMITS.max_sampled:,}."
        raise UnmaskError(f"{frames_per_clip} frames of each clip are not possible.", hint=hint, code="bad-frames")
    layout, files = find_files(dataset, shares)
    for note in layout.notes:
        on_note(note)
    fingerprint = _fingerprint(layout, files, size, crop, frames_per_clip)
    finished = _finished(out, fingerprint)
    if finished and not (out / JOURNAL).exists():
        return load_prepared(out)
    if not finished:
        _require_usable(out, dataset, layout, overwrite)
    recipe = _Recipe(size, crop, frames_per_clip, layout.root, read_origins(layout.root))
    try:
        with locked(out, "unmask prepare"):
            # Another process may have been at work since.
            if _finished(out, fingerprint):
                (out / JOURNAL).unlink(missing_ok=True)  # it was killed just before that
            else:
                _require_usable(out, dataset, layout, overwrite)
                report = progress or (lambda *_: None)
                _do(_plan(files), recipe, layout.splits, out, fingerprint, workers or available_cores(), report)
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
    splits: tuple[str, ...],
    out: Path,
    fingerprint: str,
    workers: int,
    progress: Progress,
) -> None:
    """What is left of the job, in a folder that nobody else writes to."""
    (out / PREPARED).unlink(missing_ok=True)
    sweep(out, MANIFEST, FACTS, PREPARED)
    counts = {split: {"real": 0, "fake": 0, "rejected": 0} for split in splits}
    with Journal(out, fingerprint, recipe.size) as journal:
        if journal.done == 0:
            _clear(out)
        total, seen = sum(len(task.names) for task in tasks), sum(len(task.names) for task in tasks[: journal.done])
        progress(seen, total)
        most = max(recipe.frames_per_clip if task.clip else BLOCK for task in tasks)
        room, todo = (most, recipe.size, recipe.size, 3), tasks[journal.done :]
        done = in_order(todo, partial(_work, recipe), room, workers)
        for task, (block, pixels) in zip(todo, done, strict=True):
            journal.append(block, pixels[: block.accepted])
            seen += len(task.names)
            progress(seen, total)
        write_manifest(out / MANIFEST, _rows(journal, counts))
        facts = ([cells[0], *cells[len(COLUMNS) :]] for block in journal.blocks() for cells in block.rows)
        write_table(out / FACTS, ("path", *FileFacts._fields), facts)
        info = {
            "format": FORMAT,
            "size": recipe.size,
            "crop": recipe.crop,
            "crop_margin": CROP_MARGIN if recipe.crop == "face" else None,
            "frames_per_clip": recipe.frames_per_clip,
            "counts": counts,
            "dataset": recipe.root.resolve().as_posix(),
            "made_with": {"unmask": __version__, "opencv": cv2.__version__},
            "fingerprint": fingerprint,
            "sha256": journal.finish(splits),
        }
        with atomic_write(out / PREPARED, "w", durable=True) as file:
            file.write(json.dumps(info, indent=2) + "\n")
        journal.remove()


def _fingerprint(layout: Layout, files: Files, size: int, crop: str, frames_per_clip: int) -> str:
    """Of files and settings."""
    rule = [CROP_MARGIN, SMALLEST_FACE] if crop == "face" else []
    job = hashlib.sha256(json.dumps([FORMAT, __version__, size, crop, frames_per_clip, *rule]).encode())
    for folder, names in files:
        for name in names:
            status = _status(folder.folder / name)
            line = f"{folder.split}/{folder.label}/{name}\0{status.st_size}\0{status.st_mtime_ns}\n"
            job.update(line.encode(errors="surrogateescape"))
    origins = layout.root / MANIFEST
    if origins.is_file():
        job.update(origins.read_bytes())
    return job.hexdigest()


def _plan(files: Files) -> list[_Task]:
    """The work in the order of the output: pictures in blocks, each clip by itself."""
    tasks = []
    for folder, names in files:
        kinds = [(is_clip(folder.folder / name), name) for name in names]
        for clip, run in groupby(kinds, itemgetter(0)):
            alike, step = tuple(name for _, name in run), 1 if clip else BLOCK
            tasks += [_Task(folder, alike[start : start + step], clip) for start in range(0, len(alike), step)]
    return tasks


def _work(recipe: _Recipe, task: _Task, room: NDArray[np.uint8]) -> Block:
    """Prepares the files of a task; their pixels come to lie at the beginning of `room`."""
    rows: list[list[object]] = []
    accepted = 0
    prefix = task.class_folder.folder.relative_to(recipe.root).as_posix()
    for name in task.names:
        path, file = f"{prefix}/{name}", task.class_folder.folder / name
        origin = recipe.origins.get(path, Origin())
        row = Row(path, task.class_folder.split, task.class_folder.label, **origin._asdict())
        if task.clip:
            found = read_frames(file, row, recipe.size, recipe.crop, recipe.frames_per_clip)
        else:
            found = [read_file(file, row, recipe.size, recipe.crop)]
        for row, facts, picture in found:
            if picture is not None:
                room[accepted] = picture
                accepted += 1
            rows.append([*astuple(row), *facts])
    return Block(task.class_folder.split, rows, accepted, zlib.crc32(room[:accepted].data if accepted else b""))


def _rows(journal: Journal, counts: dict[str, dict[str, int]]) -> Iterator[Row]:
    """The manifest's rows, read back from the journal; counts them on the way."""
    for block in journal.blocks():
        count = counts[block.split]
        for cells in block.rows:
            row = Row(*cells[: len(COLUMNS)])  # type: ignore[arg-type]
            number = None if row.reason else count["real"] + count["fake"]
            count["rejected" if row.reason else "fake" if row.label else "real"] += 1
            yield replace(row, row=number)


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
