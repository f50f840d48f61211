"""Dataset folder -> one `.npy` of pixels a split, and a manifest that says what became of every file.

A picture is rejected, with a reason, if its content is no picture in a known format, if the file has fewer than 2,500
bytes, if it is smaller than 64 x 64, or if it does not decode. The output is the same, byte for byte, for any number
of workers, and a job that was killed goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask import __version__
from unmask.data.journal import JOURNAL, Block, Journal
from unmask.data.layout import SPLITS, ClassFolder, Layout, files_in, find_layout
from unmask.data.manifest import BEFORE_FIX, MANIFEST, REMOVED, Row, read_origins, write_manifest
from unmask.data.parallel import in_order
from unmask.data.prepared import AUDIT_PAGE, FORMAT, PREPARED, Prepared, load_prepared
from unmask.errors import UnmaskError
from unmask.face.crop import CROP_MARGIN, crop_faces, cut
from unmask.face.finder import FaceFinder
from unmask.image.jpeg_tables import jpeg_tables
from unmask.image.limits import LIMITS
from unmask.image.read import read_whole_image
from unmask.image.resize import resize
from unmask.output.csv_table import RowWriter
from unmask.system.cores import available_cores

__all__ = ["Crop", "Progress", "load_prepared", "prepare"]

# Smaller files than this were thrown out of the dataset behind the report that the project reproduces.
MIN_FILE_BYTES = 2_500
# Sides that make sense to a model; above, a dataset of 140,000 pictures no longer fits on a disk.
MIN_SIZE, MAX_SIZE = 16, 1024
# Files a task. Blocks bound what a kill can cost and what waits in memory, whatever the size of the dataset.
BLOCK = 32

FACTS = "facts.csv"
FACT_COLUMNS = ("path", "format", "file_bytes", "jpeg_quality", "jpeg_tables")

Crop = Literal["none", "face"]
Progress = Callable[[int, int], None]
_Fact = tuple[str, int, int | None, str]


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
        UnmaskError: Unusable layout or settings, or `out` holds something else.
    """
    if not MIN_SIZE <= size <= MAX_SIZE:
        raise UnmaskError(
            f"A size of {size} is not possible.", hint=f"Choose a size from {MIN_SIZE} to {MAX_SIZE}.", code="bad-size"
        )
    if crop not in ("none", "face"):
        raise UnmaskError(f"There is no crop {crop!r}.", hint="Use none or face.", code="bad-crop")
    layout = find_layout(dataset)
    tasks, fingerprint = _plan(layout, size, crop)
    if _finished(out, fingerprint):
        return load_prepared(out)
    _require_usable(out, dataset, overwrite)
    out.mkdir(parents=True, exist_ok=True)
    (out / PREPARED).unlink(missing_ok=True)
    recipe = _Recipe(size, crop, read_origins(layout.root))
    counts = {split: {"real": 0, "fake": 0, "rejected": 0} for split in layout.splits}
    with Journal(out, fingerprint, size) as journal:
        if journal.done == 0:
            _clear(out)
        total, seen = sum(len(task.names) for task in tasks), sum(len(task.names) for task in tasks[: journal.done])
        if progress:
            progress(seen, total)
        room = (BLOCK, size, size, 3)
        for block, pixels in in_order(
            tasks[journal.done :], partial(_work, recipe), room, workers or available_cores()
        ):
            journal.append(block, pixels[: block.accepted])
            seen += len(block.rows)
            if progress:
                progress(seen, total)
        write_manifest(out / MANIFEST, _rows(journal, counts))
        _write_facts(out / FACTS, journal)
        journal.finish(layout.splits)
        info = {
            "format": FORMAT,
            "size": size,
            "crop": crop,
            "crop_margin": CROP_MARGIN if crop == "face" else None,
            "counts": counts,
            "dataset": layout.root.resolve().as_posix(),
            "made_with": {"unmask": __version__, "opencv": cv2.__version__},
            "fingerprint": fingerprint,
        }
        part = out / (PREPARED + ".part")
        part.write_text(json.dumps(info, indent=2) + "\n", encoding="utf-8")
        part.replace(out / PREPARED)
        journal.remove()
    return load_prepared(out)


def _plan(layout: Layout, size: int, crop: str) -> tuple[list[_Task], str]:
    """The work in blocks, in the order of the output, and a fingerprint of files and settings."""
    tasks = []
    job = hashlib.sha256(json.dumps([FORMAT, __version__, size, crop]).encode())
    for folder in layout.folders:
        names = tuple(files_in(folder.folder))
        for name in names:
            facts = _facts(folder.folder / name)
            job.update(
                f"{folder.split}/{folder.label}/{name}\0{facts.st_size}\0{facts.st_mtime_ns}\n".encode(
                    errors="surrogateescape"
                )
            )
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
        row, fact, picture = _read(task.folder / name, row, recipe)
        if picture is not None:
            room[accepted] = picture
            accepted += 1
        rows.append([row.path, row.label, row.sha256, row.width, row.height, source, method, group, row.reason, *fact])
    return Block(task.split, rows, accepted, zlib.crc32(room[:accepted].data if accepted else b""))


def _read(path: Path, row: Row, recipe: _Recipe) -> tuple[Row, _Fact, NDArray[np.uint8] | None]:
    """One file: its row, what is known of the file, and its picture, or None if it is rejected."""
    fact: _Fact = ("", 0, None, "")
    try:
        status = path.stat()
        fact = ("", status.st_size, None, "")
        if not stat.S_ISREG(status.st_mode):
            raise _RejectedError("not-a-file")
        if status.st_size < MIN_FILE_BYTES:
            raise _RejectedError("file-too-small")
        if status.st_size > LIMITS.max_bytes:
            raise _RejectedError("too-many-bytes")
        data = path.read_bytes()
        image = read_whole_image(data)  # refuses anything below 64 x 64, or with missing pixels, among other things
        facts = image.facts
        fact = (facts.format, facts.file_bytes, facts.jpeg_quality, jpeg_tables(data))
        height, width = image.pixels.shape[:2]
        row = replace(row, sha256=facts.sha256, width=width, height=height)
        if recipe.crop == "face":
            return row, fact, _largest_face(image.pixels, recipe.size)
        return row, fact, resize(image.pixels, recipe.size)
    except _RejectedError as rejected:
        reason = str(rejected)
    except UnmaskError as error:
        reason = error.code
    except OSError:
        reason = "unreadable-file"
    return replace(row, sha256=row.sha256 or _sha256(path), reason=reason), fact, None


def _largest_face(pixels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """The largest face, cut as `unmask check` cuts it."""
    crops = crop_faces(pixels, _face_finder().find(pixels))
    if not crops.kept:
        raise _RejectedError("faces-too-small" if crops.too_small else "no-face")
    return resize(cut(pixels, crops.kept[0].square), size)


@cache
def _face_finder() -> FaceFinder:
    return FaceFinder.load()


class _RejectedError(Exception):
    """Carries the reason of a rejection."""


def _sha256(path: Path) -> str:
    try:
        if not path.is_file():  # a pipe would never end
            return ""
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _rows(journal: Journal, counts: dict[str, dict[str, int]]) -> Iterator[Row]:
    """The manifest's rows, read back from the journal; counts them on the way."""
    for block in journal.blocks():
        count = counts[block.split]
        for cells in block.rows:
            path, label, sha256, width, height, source, method, group, reason = cells[:9]
            number = None if reason else count["real"] + count["fake"]
            count["rejected" if reason else "fake" if label else "real"] += 1
            yield Row(
                str(path), block.split, int(str(label)), number, str(sha256), _whole(width), _whole(height),
                str(source), str(method), str(group), str(reason),
            )  # fmt: skip


def _facts(path: Path) -> os.stat_result:
    """Of the picture, where the path is a link to one; of the link itself, where that leads nowhere."""
    try:
        return path.stat()
    except OSError:
        return path.lstat()


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _write_facts(path: Path, journal: Journal) -> None:
    """What the files were like before they became pixels; `unmask audit` asks whether that tells the class."""
    part = path.with_name(path.name + ".part")
    with part.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        writer = RowWriter(file)
        writer.writerow(FACT_COLUMNS)
        for block in journal.blocks():
            writer.writerows([cells[0], *("" if cell is None else cell for cell in cells[9:])] for cells in block.rows)
    part.replace(path)


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


def _require_usable(out: Path, dataset: Path, overwrite: bool) -> None:
    """Refuses an output folder in which something would be lost."""
    if out.exists() and not out.is_dir():
        raise UnmaskError(f"{out} is a file.", hint="Name a new folder for --out.", code="bad-output")
    resolved = out.resolve()
    layout = find_layout(dataset)
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
    if not (out / JOURNAL).is_file() and any(out.iterdir()):
        raise UnmaskError(f"{out} is not empty.", hint="Name a new folder for --out.", code="output-exists")
