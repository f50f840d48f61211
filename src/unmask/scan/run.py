"""A scan from its sources to its results: on this machine, or by handing the work to Ray."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from unmask import __version__
from unmask.checking.faces import refuse_max_faces
from unmask.errors import UnmaskError
from unmask.scan.judging import Asked, Judges
from unmask.scan.results import JOB, PARTS, SUMMARY, Results
from unmask.scan.sources import Work, work_of
from unmask.system.cores import available_cores
from unmask.system.lock import locked
from unmask.system.python import install_extra

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from unmask.scan.rows import Row


@dataclass(slots=True)
class Scan:
    """A scan that is under way.

    Attributes:
        rows: What this run finds, a row a picture, as soon as it is safe to show; iterate to do the work.
        before: How many rows earlier runs have left in the folder.
        left_out: Files that were left out so far: hidden, a desktop's own, links to other folders.
    """

    rows: Generator[Row]
    before: int
    left_out: int = 0


@contextmanager
def scanning(
    sources: Sequence[str],
    out: Path,
    asked: Asked,
    *,
    column: str | None = None,
    workers: int | None = None,
    ray: str | None = None,
    own: Sequence[str] = (),
) -> Iterator[Scan]:
    """Scan, or go on with a scan: what has a row in the folder already is not looked at again.

    Args:
        sources: Paths, folders, patterns, lists, tars, Parquet files, and addresses of them; see docs/scan.md.
        out: Folder of the results, on this machine; its table is the Parquet files in `out/parts`.
        asked: Of the detector. Another detector or policy is another scan and wants another folder.
        column: Of Parquet files, the one with paths or bytes; None for the only one that can be meant.
        workers: Processes that judge; None for one a core. On a cluster, None for all of its cores.
        ray: "local", or the address of a Ray cluster; None to work without Ray.
        own: Further files that are written meanwhile, and so left out.

    Yields:
        The scan; rows that it was iterated for are in the results when the block ends, however it does.

    Raises:
        UnmaskError: The folder holds another scan, is in use or not on this machine, a source cannot be listed, a package is
            missing, or the detector is unfit. Never for a picture or clip.
    """
    if find_spec("pyarrow") is None:
        hint = f"Install it, {install_extra('scan')}"
        raise UnmaskError("results are Parquet files, and pyarrow is not installed", hint=hint, code="no-package")
    if re.match(r"[A-Za-z][\w+.-]+:[/\\]", str(out)):  # a Path has one slash where an address has two
        hint = "Name a folder here with --out, and copy the results there later."
        raise UnmaskError(f"{out} is an address, and no folder of this machine", hint=hint, code="bad-output")
    if str(out).encode(errors="ignore").decode() != str(out):
        hint = "Name another folder with --out."
        raise UnmaskError(
            f"{out} is a name that is no UTF-8, and pyarrow opens no such file", hint=hint, code="bad-output"
        )
    refuse_max_faces(asked.max_faces)
    if workers is not None and workers < 1:
        raise UnmaskError(f"{workers} workers make no sense", hint="Give 1 or more.", code="bad-workers")
    with locked(out, "unmask scan"), Results(out, _job(asked, column)) as results:

        def left() -> Iterator[Work]:
            for work in work_of(sources, column=column, own=_own(out, own)):
                if work is None:
                    scan.left_out += 1
                elif rest := results.rest(work):
                    yield rest

        def rows() -> Generator[Row]:
            if ray is None:
                with Judges(asked, workers or available_cores()) as judges:
                    yield from _kept(judges.rows((item for work in left() for item in work.items()), results.known))
            else:
                from unmask.scan.on_ray import rows_on_ray

                asked.detector.release()  # each worker loads its own
                yield from _kept(rows_on_ray(left(), asked, address=ray, workers=workers))

        def _kept(found: Iterator[Row]) -> Iterator[Row]:
            for row in found:
                results.add(row)
                yield row

        scan = Scan(rows(), results.before)
        try:
            yield scan
        finally:
            scan.rows.close()


def count(sources: Sequence[str], out: Path, column: str | None = None, own: Sequence[str] = ()) -> int | None:
    """How many pictures there are in all; None where tars are among them, which tell only when they are read."""
    total = 0
    for work in work_of(sources, column=column, own=_own(out, own)):
        if work is not None:
            if work.count is None:
                return None
            total += work.count
    return total


def _own(out: Path, own: Sequence[str]) -> list[str]:
    # Also by name, for where the results are put into the folder that is scanned.
    return [*own, str(out), *(str(out / name) for name in (PARTS, JOB, *SUMMARY))]


def _job(asked: Asked, column: str | None) -> dict[str, object]:
    detector = asked.detector
    return {
        "unmask": __version__,
        "detector": detector.label,
        "bundle_sha256": detector.bundle.sha256,
        "policy": detector.policy,
        "face_search": asked.face_search,
        "max_faces": asked.max_faces,
        "clips": asdict(asked.sampling),
        "column": column,
    }
