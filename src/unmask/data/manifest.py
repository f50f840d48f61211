"""The table beside the pixels: one row a picture or frame of the dataset, accepted or rejected."""

from __future__ import annotations

import csv
import os
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

from unmask.errors import UnmaskError
from unmask.output.csv_table import RowWriter
from unmask.system.atomic import atomic_write

MANIFEST = "manifest.csv"
# What `unmask audit --fix` keeps: the manifest as `prepare` wrote it, and the rows taken out of it since.
BEFORE_FIX = "manifest.before-fix.csv"
REMOVED = "removed.csv"


@dataclass(frozen=True, slots=True)
class Row:
    """One picture of the dataset, or one frame of a clip.

    Attributes:
        path: Relative to the dataset's root, `/` between the parts; of a frame see `frame_paths`.
        split: `Train`, `Validation` or `Test`.
        label: 0 real, 1 fake; from the folder's name.
        row: Index in the split's `.npy`; None for a rejected file.
        sha256: Of the file's bytes; empty where they could not be read. Of a frame: of its pixels before any crop.
        width: Of the picture as it is shown (EXIF rotation applied), before any crop; None where it is not known.
        height: As `width`.
        source: Where the picture comes from, copied from the dataset's own manifest; empty if it has none.
        method: How a fake was made; likewise.
        group: Pictures of one group are not independent; likewise, but for frames, whose group is their clip's path then.
        reason: Why the file was rejected, as a short kebab-case name; empty if it was accepted.
        family: To which kind of fakes its method belongs, copied as `source`; empty, too, in manifests of older versions.
    """

    path: str
    split: str
    label: int
    row: int | None = None
    sha256: str = ""
    width: int | None = None
    height: int | None = None
    source: str = ""
    method: str = ""
    group: str = ""
    reason: str = ""
    family: str = ""


COLUMNS = tuple(field.name for field in fields(Row))


class Origin(NamedTuple):
    """What a dataset's own manifest says of a picture or clip: the cells of the same names in `Row`."""

    source: str = ""
    method: str = ""
    group: str = ""
    family: str = ""


# A moment of a clip, as in a media fragment (W3C, Media Fragments URI 1.0, section 4.2.1).
_FRAME = re.compile(r"(.+)#t=\d+\.\d+", re.DOTALL)


def frame_paths(clip: str, times: Sequence[float]) -> list[str]:
    """What the rows of a clip's frames are called.

    Args:
        clip: Its path.
        times: Of the frames, in seconds, no two the same.

    Example:
        >>> frame_paths("Real/a.mp4", [0, 1.2]), frame_paths("a.mp4", [0.001, 0.002])
        (['Real/a.mp4#t=0.00', 'Real/a.mp4#t=1.20'], ['a.mp4#t=0.001', 'a.mp4#t=0.002'])
    """
    digits = next((digits for digits in (2, 3) if len({round(time, digits) for time in times}) == len(times)), 6)
    return [f"{clip}#t={time:.{digits}f}" for time in times]


def clip_of(path: str) -> str | None:
    """The clip whose frame a row is, by the row's path; None for a picture.

    Example:
        >>> clip_of("Real/a.mp4#t=1.20"), clip_of("Real/a.jpg")
        ('Real/a.mp4', None)
    """
    found = _FRAME.fullmatch(path)
    return found[1] if found else None


def write_manifest(path: Path, rows: Iterable[Row]) -> None:
    """Writes rows as CSV (UTF-8, `\\n` line ends) in one step: the file is whole or not there.

    Args:
        path: Of the manifest.
        rows: In the order of the pixels that they belong to.
    """
    write_table(path, COLUMNS, map(attrgetter(*COLUMNS), rows))


def write_table(path: Path, columns: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """As `write_manifest`, for any columns; paths in the rows need not be UTF-8."""
    with atomic_write(path, "w", newline="", errors="surrogateescape") as file:
        writer = RowWriter(file)
        writer.writerow(columns)
        writer.writerows(rows)


def read_manifest(path: Path) -> Iterator[Row]:
    """Reads the rows of a manifest, one at a time.

    Raises:
        UnmaskError: The file is missing, has other columns, or a cell that is not of its type.
    """
    if not path.is_file():
        raise UnmaskError(
            f"There is no manifest {path}.",
            hint="Make one with: unmask prepare Dataset/ --out prepared/",
            code="no-manifest",
        )
    with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
        reader = csv.DictReader(file)
        try:
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ()) and name != "family"]
            if missing:
                raise UnmaskError(
                    f"{path} has no column {', '.join(missing)}.",
                    hint="Run unmask prepare again; this is not a manifest it wrote.",
                    code="bad-manifest",
                )
            for cells in reader:
                yield _row(cells)
        except (csv.Error, TypeError, ValueError) as error:
            raise UnmaskError(
                f"{path}, line {reader.reader.line_num}, cannot be read: {error}.",
                hint="Run unmask prepare again, or take back the last change to the file.",
                code="bad-manifest",
            ) from error


def read_origins(root: Path) -> dict[str, Origin]:
    """Origins by path, from a `manifest.csv` beside a dataset's folders; empty if there is none.

    Paths as Windows writes them, and such as begin with `./`, are understood.

    Raises:
        UnmaskError: The file is not CSV with a `path` column.
    """
    path = root / MANIFEST
    if not path.is_file():
        return {}
    try:
        with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
            reader = csv.DictReader(file)
            if "path" not in (reader.fieldnames or ()):
                raise UnmaskError(
                    f"{path} has no column named path.",
                    hint="Give it the columns path, source, method, group, family, or move it away.",
                    code="bad-manifest",
                )
            return {
                posixpath.normpath((cells["path"] or "").replace("\\", "/")): Origin(
                    *(cells.get(name) or "" for name in Origin._fields)
                )
                for cells in reader
            }
    except csv.Error as error:
        raise UnmaskError(
            f"{path} is not CSV: {error}.",
            hint="Save it as comma-separated text, or move it away.",
            code="bad-manifest",
        ) from error


def unmatched(root: Path, origins: Mapping[str, object]) -> list[str]:
    """A note where rows of a dataset's own manifest name no file, so that nothing comes of what they say; else none.

    Args:
        root: The folder that the manifest lies in.
        origins: By path, as `read_origins` gives them.
    """
    missing = [path for path in origins if not os.path.isfile(f"{root}/{path}")]
    if not missing:
        return []
    return [f"{len(missing):,} of {len(origins):,} rows of {MANIFEST} name no file, such as {missing[0]}."]


def _row(cells: dict[str, str]) -> Row:
    label = int(cells["label"])
    if label not in (0, 1):
        raise ValueError(f"label {label} is neither 0 (real) nor 1 (fake)")
    # Spreadsheets leave out the last cells of a row where they are empty.
    values: dict[str, Any] = {name: cells.get(name) or "" for name in COLUMNS}
    values |= {name: int(values[name]) if values[name] else None for name in ("row", "width", "height")}
    return Row(**{**values, "label": label})
