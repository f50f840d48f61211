"""What a person names -> pieces of work, and what is in each: files, members of tars, rows of Parquet files."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from unmask.checking.paths import Listed
from unmask.errors import UnmaskError
from unmask.image.file import printable_name
from unmask.scan.place import Item, Place, is_store, place_of
from unmask.scan.storage import listed_places, open_file, read_list
from unmask.scan.tars import TARS, members

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Files in one piece of work: few enough that losing a worker of a cluster costs seconds.
BUNCH = 32
LISTS = (".txt", ".list", ".lst")
# Read as it is needed; else a whole row group comes into memory, which can be the whole file.
_STREAMED: dict[str, Any] = {"buffer_size": 1 << 20, "pre_buffer": False}
# Of a tar or a Parquet file that cannot be read to its end.
BROKEN = "broken-shard"


@dataclass(frozen=True, slots=True)
class Work:
    """A piece of work.

    Attributes:
        places: Files; of a tar or a Parquet file the one that it is.
        shard: "" for files, "tar" or "parquet".
        group: The row group of a Parquet file.
        first: The number of its first row in the file.
        column: Its column of bytes.
        count: How many pictures there are in it; None where that is not known.
        failure: Why a shard cannot be opened.
        done: Names of those in a shard that have their row already.
        named: Whether a table can hold names, and was named itself, so that they may lead elsewhere.
    """

    places: tuple[Place, ...]
    shard: str = ""
    group: int = 0
    first: int = 0
    column: str = ""
    count: int | None = None
    failure: UnmaskError | None = None
    done: frozenset[str] = field(default=frozenset(), repr=False)
    named: bool = False

    def items(self) -> Iterator[Item]:
        """What is to be judged; a shard that breaks off in the middle ends with an item that says so."""
        if not self.shard:
            yield from (Item(place.name, place, failure=self.failure) for place in self.places)
            return
        inside = members(self.places[0]) if self.shard == "tar" else self._rows()
        try:
            yield from (item for item in inside if item.name not in self.done)
        except UnmaskError as error:
            yield Item(self._whole(), failure=error)
        except Exception as error:  # of tarfile, of pyarrow, and of what reads an address, each with types of its own
            yield Item(self._whole(), failure=_broken(self.places[0], error))

    def _whole(self) -> str:
        return self.places[0].name + (f"#group {self.group}" if self.group else "")

    def _rows(self) -> Iterator[Item]:
        import pyarrow.parquet as pq

        number, name = self.first, self.places[0].name
        with open_file(self.places[0]) as file, pq.ParquetFile(file, **_STREAMED) as table:
            for rows in table.iter_batches(16, row_groups=[self.group], columns=[self.column]):
                for value in rows[0].to_pylist():
                    yield self._row(f"{name}#{number}", value)
                    number += 1

    def _row(self, name: str, value: Any) -> Item:
        if not isinstance(value, dict):
            return Item(name, data=value or b"")
        if value["bytes"] is not None or not value.get("path"):
            return Item(name, data=value["bytes"] or b"")
        if self.named:
            return Item(name, self.places[0].beside(value["path"]))
        hint = "Name the table itself, and another folder for the results."
        failure = f"{printable_name(name)} holds only the name of a file, and its table was not named itself"
        return Item(name, failure=UnmaskError(failure, hint=hint, code="not-named"))


def work_of(sources: Iterable[str], *, column: str | None = None, own: Iterable[str] = ()) -> Iterator[Work | None]:
    """The pieces of work behind what a person names.

    Args:
        sources: Files, folders, patterns and addresses. In them, tars and Parquet files with pictures are opened; a text file
            or a Parquet file with paths is a list of names where it is named itself, so that no folder leads out of itself. A
            `Listed` name is never a list of names.
        column: Of Parquet files, the one with paths or bytes; None for the only one that can be meant.
        own: Places that this run writes.

    Yields:
        Work; None for every file that was left out.

    Raises:
        UnmaskError: A source that was named cannot be listed, or has no such column.
    """
    names: list[str] = []
    lists: list[str] = []
    for source in sources:
        (lists if place_of(source).ends(LISTS) and not isinstance(source, Listed) else names).append(source)
    bunch: list[Place] = []
    addresses = [place for place in map(place_of, names) if place.root]

    def files(places: Iterable[tuple[Place, bool] | None]) -> Iterator[Work | None]:
        for found in places:
            place, is_named = found or (None, False)
            if place is None:
                yield None
            elif place.ends(TARS):
                yield Work((place,), "tar")
            elif place.ends(".parquet"):
                is_named = is_named or any(
                    one == place or (one.root == place.root and fnmatchcase(place.path, one.path)) for one in addresses
                )
                yield from _parquet(place, column, is_named=is_named)
            else:
                bunch.append(place)
                if len(bunch) == BUNCH:
                    yield _bunch(bunch)

    yield from files(listed_places(names, own))
    for source in lists:
        place = place_of(source)
        yield from files((place.beside(name), True) for name in read_list(place))
    if bunch:
        yield _bunch(bunch)


def _bunch(bunch: list[Place]) -> Work:
    work = Work(tuple(bunch), count=len(bunch))
    bunch.clear()
    return work


def _parquet(place: Place, column: str | None, *, is_named: bool) -> Iterator[Work | None]:
    import pyarrow.parquet as pq

    try:
        with open_file(place) as file, pq.ParquetFile(file, **_STREAMED) as table:
            schema = table.schema_arrow
            if not is_named and not any(_holds_bytes(field.type) for field in schema):
                yield None
                return
            chosen = column or _only_column(place, schema)
            if chosen not in schema.names:
                raise _no_column(f"{place.name} has no column {chosen}", schema)
            kind, first = schema.field(chosen).type, 0
            if _holds_bytes(kind):
                for group in range(table.num_row_groups):
                    count = table.metadata.row_group(group).num_rows
                    yield Work((place,), "parquet", group, first, chosen, count, named=is_named and kind.num_fields > 0)
                    first += count
                return
            number = 0
            for rows in table.iter_batches(BUNCH, columns=[chosen]):
                cells = list(enumerate(rows[0].to_pylist(), number))
                number += len(cells)
                if places := tuple(place.beside(str(value)) for _, value in cells if value):
                    yield Work(places, count=len(places))
                shown = place if is_store(place) else Place(place.name)
                if nameless := tuple(Place(f"{shown.path}#{row}", shown.root) for row, value in cells if not value):
                    empty = UnmaskError("it names no file", hint="Fill the cell, or leave out its row.", code="no-name")
                    yield Work(nameless, count=len(nameless), failure=empty)
    except UnmaskError as error:
        if error.code == "no-column" and is_named:
            raise
        yield Work((place,), count=1, failure=error)
    except Exception as error:  # as in `Work.items`
        yield Work((place,), count=1, failure=_broken(place, error))


def _only_column(place: Place, schema: Any) -> str:
    fit = [name for name in schema.names if _holds_bytes(schema.field(name).type)]
    fit = fit or [name for name in schema.names if _holds_text(schema.field(name).type)]
    if len(fit) > 1:
        fit = [name for name in fit if name.lower() in ("image", "path", "file", "url", "uri")]
    if len(fit) != 1:
        raise _no_column(f"which column of {place.name} holds the pictures is not clear", schema)
    return str(fit[0])


def _no_column(message: str, schema: Any) -> UnmaskError:
    return UnmaskError(message, hint=f"Name one with --column: {', '.join(schema.names)}.", code="no-column")


def _holds_bytes(kind: Any) -> bool:
    import pyarrow.types as types

    if types.is_struct(kind):  # as Hugging Face's datasets writes pictures
        return any(part.name == "bytes" and _holds_bytes(part.type) for part in kind)
    return bool(types.is_binary(kind) or types.is_large_binary(kind) or types.is_binary_view(kind))


def _holds_text(kind: Any) -> bool:
    import pyarrow.types as types

    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _broken(place: Place, error: Exception) -> UnmaskError:
    return UnmaskError(
        f"{printable_name(place.name)} cannot be read to its end: {type(error).__name__}",
        hint="Copy it again and give the same command; what could be read of it was judged.",
        code=BROKEN,
    )
