"""The folder of results: parts in Parquet, which are the journal as well, and what may go on in the same folder.

A part is written beside its place, forced to the disk and renamed, so that it is there whole or not at all. A picture is done
when its row is in a part; a run that was killed begins with what no part holds. So there is no second file that could say
something else than the results do, and a loss of power costs the work since the last part, at most a minute of it. Which
names and which bytes are in the parts is kept in a nameless SQLite file while a run lasts, and not in memory.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from unmask.errors import UnmaskError
from unmask.output.files import writing
from unmask.scan.place import Place, is_store, place_of
from unmask.scan.rows import Row, schema
from unmask.scan.sources import Work
from unmask.system.atomic import atomic_write, sweep
from unmask.video.refusals import NO_EXTRA

JOB, PARTS, SUMMARY = "scan.json", "parts", ("summary.json", "summary.html")
# A part is written when it has so many rows, or so many seconds after the last one.
ROWS_A_PART = 1_000
SECONDS_A_PART = 60.0
# Of `JOB` and of the columns; a folder in another one is refused.
FORMAT = 1
# Failures that need not be the file's though its bytes were read: no decoder of clips is there, the clip went away meanwhile,
# or memory was short.
_NOT_THEIRS = (
    NO_EXTRA, "decoder-start", "missing", "no-permission", "read-error", "crash", "out-of-memory", "decoder-memory",
)  # fmt: skip


class Results(AbstractContextManager["Results"]):
    """Takes in rows. The caller holds the folder's lock.

    Args:
        folder: Of the results; made if absent.
        job: What a row depends on besides the picture: detector, policy and the like, as JSON holds it.

    Attributes:
        parts: The folder of parts.
        before: How many rows earlier runs have left.

    Raises:
        UnmaskError: The folder holds the results of another job, or a part that cannot be read.
    """

    def __init__(self, folder: Path, job: dict[str, Any]) -> None:
        self.parts = folder / PARTS
        self._file, self._job = folder / JOB, {"format": FORMAT, **job}
        self._origins = _origins_so_far(self._file, self._job)
        self.parts.mkdir(exist_ok=True)
        sweep(self.parts, "*.parquet")
        self._index = sqlite3.connect("")  # nameless: the system takes it away with the process
        self._index.execute("CREATE TABLE seen (path TEXT PRIMARY KEY) WITHOUT ROWID")
        self._index.execute("CREATE TABLE judged (sha256 TEXT PRIMARY KEY, part INTEGER) WITHOUT ROWID")
        self._rows: dict[str, Row] = {}
        self._by_sha256: dict[str, Row] = {}
        self._written = time.monotonic()
        self._number = 0
        self.before = sum(self._take_in(part) for part in sorted(self.parts.glob("*.parquet")))

    def __exit__(self, *ended: object) -> None:
        try:
            self.flush()
        finally:
            self._index.close()

    def rest(self, work: Work) -> Work | None:
        """What is still to be done of a piece of work; None for nothing. Asked again, it is under way and so nothing.

        Raises:
            UnmaskError: Its names can be those of other files that have rows already.
        """
        # A table by itself may name files from the current folder, wherever it lies.
        here = (Place(""),) if work.named and not work.places[0].root else ()
        self._refuse_other_origins(work.places + here)
        if work.shard:
            shard = work.places[0].name
            if not self._is_new(f"{shard}?{work.group}"):
                return None
            done = self._done_in(f"{shard}#", work)
            return None if len(done) == work.count else replace(work, done=done)
        places = tuple(place for place in work.places if self._is_new(place.name))
        return replace(work, places=places, count=len(places)) if places else None

    def known(self, sha256: str) -> Row | None:
        """The row of these bytes, under whatever name they were judged."""
        import pyarrow.parquet as pq

        if row := self._by_sha256.get(sha256):
            return row
        found = self._index.execute("SELECT part FROM judged WHERE sha256 = ?", (sha256,)).fetchone()
        if found is None:
            return None
        rows: list[Row] = pq.read_table(self._part(found[0]), filters=[("sha256", "=", sha256)]).to_pylist()
        return rows[0]

    def add(self, row: Row) -> None:
        """Take in a row; it is safe with the next part.

        Raises:
            UnmaskError: The part cannot be written.
        """
        self._rows[row["path"]] = row
        if row["sha256"]:
            self._by_sha256[row["sha256"]] = row
        if len(self._rows) >= ROWS_A_PART or time.monotonic() - self._written >= SECONDS_A_PART:
            self.flush()

    def flush(self) -> None:
        """Write what there is as a part."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._written = time.monotonic()
        if not self._rows:
            return
        part = self._part(self._number)
        with writing(part), atomic_write(part, durable=True) as file:
            pq.write_table(pa.Table.from_pylist(list(self._rows.values()), schema()), file, compression="zstd")
        self._judged(self._by_sha256, self._number)
        self._number += 1
        self._rows, self._by_sha256 = {}, {}

    def _take_in(self, part: Path) -> int:
        """Counts what a part holds as done, but for failures that are not the file's: they leave, and are tried again."""
        import pyarrow as pa
        import pyarrow.compute as pc
        import pyarrow.parquet as pq

        try:
            table = pq.read_table(part, columns=["path", "sha256", "failure"])
            # What has no hash could not be read; so it is with shards that cannot be opened, or break off.
            unread = pc.and_(pc.is_valid(table["failure"]), pc.is_null(table["sha256"]))
            lost = pc.or_(unread, pc.is_in(table["failure"], pa.array(_NOT_THEIRS)))
            if pc.any(lost).as_py():
                whole = pq.read_table(part).filter(pc.invert(lost))
                with atomic_write(part, durable=True) as file:
                    pq.write_table(whole, file, compression="zstd")
                table = table.filter(pc.invert(lost))
            number = int(part.stem.rpartition("-")[2])
        except (OSError, ValueError) as error:
            raise UnmaskError(
                f"{part} cannot be read: {type(error).__name__}",
                hint="Take the file away; its pictures are then judged again.",
                code="bad-results",
            ) from None
        names = ((path,) for path in table["path"].to_pylist())
        self._index.executemany("INSERT OR IGNORE INTO seen VALUES (?)", names)
        self._judged((sha256 for sha256 in table["sha256"].to_pylist() if sha256), number)
        self._number = max(self._number, number + 1)
        return int(table.num_rows)

    def _done_in(self, prefix: str, work: Work) -> frozenset[str]:
        if work.count is None:
            asked = self._index.execute(
                "SELECT path FROM seen WHERE path > ? AND path < ?", (prefix, f"{prefix[:-1]}$")
            )
            return frozenset(path for (path,) in asked)
        names = (f"{prefix}{work.first + number}" for number in range(work.count))
        look = "SELECT 1 FROM seen WHERE path = ?"
        return frozenset(name for name in names if self._index.execute(look, (name,)).fetchone())

    def _judged(self, hashes: Any, part: int) -> None:
        pairs = ((sha256, part) for sha256 in hashes)
        self._index.executemany("INSERT OR IGNORE INTO judged VALUES (?, ?)", pairs)

    def _is_new(self, name: str) -> bool:
        return self._index.execute("INSERT OR IGNORE INTO seen VALUES (?)", (name,)).rowcount == 1

    def _part(self, number: int) -> Path:
        return self.parts / f"part-{number:06}.parquet"

    def _refuse_other_origins(self, places: tuple[Place, ...]) -> None:
        known = len(self._origins)
        for start, origin in filter(None, map(_origin, places)):
            there = self._origins.setdefault(start, origin)
            if there != origin:
                raise UnmaskError(
                    f"{self._file.parent} holds the results of another scan ({start} lead to {there} there, to {origin} here)",
                    hint="Name another folder with --out, or give the command in the same folder, for the same server, as then.",
                    code="other-scan",
                )
        if len(self._origins) > known:  # before any row depends on it
            _write_job(self._file, {**self._job, "origins": self._origins})


def batches_of(parts: Path, columns: list[str]) -> Iterator[list[Row]]:
    """The rows of all parts, some at a time.

    Args:
        parts: The folder of parts.
        columns: Which are wanted.
    """
    import pyarrow.parquet as pq

    for part in sorted(parts.glob("*.parquet")):
        yield pq.read_table(part, columns=columns).to_pylist()


def _origin(place: Place) -> tuple[str, str] | None:
    """Which names do not tell themselves where their files are, and what they are looked up in; without any account."""
    if not place.root:
        # That of an empty cell of a table on a web server is an address.
        known = os.path.isabs(place.path) or place_of(place.path).root
        return None if known else ("relative paths", os.getcwd())
    if not is_store(place):
        return None
    start = "/".join(place.name.split("/")[:3])
    address, _, options = place.root.partition("?")
    server = parse_qs(options).get("endpoint_override", [""])[0]
    if address.startswith("s3:"):
        server = server or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL", "")
    elif start.endswith("//"):  # names in HDFS do not hold the name node
        server = address.rpartition("@")[2].rpartition("/")[2]
    return f"paths at {start}", server.rstrip("/").rpartition("/")[2].rpartition("@")[2] or "the default server"


def _write_job(file: Path, job: dict[str, Any]) -> None:
    with writing(file), atomic_write(file, "w", durable=True) as stream:
        stream.write(json.dumps(job, indent=2) + "\n")


def _origins_so_far(file: Path, job: dict[str, Any]) -> dict[str, str]:
    """The origins that the file of a job holds, if it is of the same job; writes the file if there is none."""
    try:
        earlier = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        _write_job(file, job)
        return {}
    except ValueError:
        earlier = {}
    origins: dict[str, str] = earlier.pop("origins", {})
    earlier.setdefault("column", job.get("column"))  # files of before do not hold it
    other = [name for name in {**job, **earlier} if earlier.get(name) != job.get(name)]
    if other:
        told = "; ".join(f"{name} {earlier.get(name)!r} there, {job.get(name)!r} here" for name in other)
        raise UnmaskError(
            f"{file.parent} holds the results of another scan ({told})",
            hint="Name another folder with --out, or give the same detector, policy and options as then.",
            code="other-scan",
        )
    return origins
