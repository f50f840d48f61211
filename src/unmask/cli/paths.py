"""What a person names on the command line -> the files to look at, and the reports that may be written."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from unmask.checking.paths import Listed, expand, listed
from unmask.errors import UnmaskError
from unmask.image.sniff import sniff
from unmask.scan.place import place_of, without_account

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from unmask.output.documents import Tally

SAVE_IT = "Save the picture with a browser and check the file."


def is_address(name: str) -> bool:
    """Whether something to check is an address on the web rather than a file."""
    return name.lower().startswith(("http://", "https://"))


def refuse_addresses(names: Iterable[str], *, fetch: bool = False) -> None:
    """Refuse to fetch anything unasked, and addresses that are no web pages.

    Args:
        names: As typed.
        fetch: Whether what is on the web may be fetched.

    Raises:
        UnmaskError: Code ``not-fetched``.
    """
    for name in names:
        if is_address(name):
            if fetch:
                continue
            address = without_account(name)
            what = f"{address} is an address on the web, and nothing is fetched unasked"
            hint = f"{SAVE_IT} Or have it fetched: unmask check --fetch {address}"
        elif (place := place_of(name)).root and not os.path.lexists(name):
            what = f"{place.name} is no file but an address, and of those only http and https are fetched"
            hint = f"Copy the file here. Or scan it, where this can be read: unmask scan {place.name}"
        else:
            continue
        raise UnmaskError(what, hint=hint, code="not-fetched")


def typed(paths: Iterable[str]) -> list[str]:
    """What is named on the command line; - is a list of paths that is sent to this program, see `listed`."""
    return [name for path in paths for name in (_names_on_standard_input() if path == "-" else [path])]


def _names_on_standard_input() -> list[Listed]:
    if sys.stdin is None:
        raise UnmaskError(
            "standard input is closed, and - reads a list of paths from it",
            hint="Give the names of pictures, or send a list: find photos -print0 | unmask check -",
            code="wrong-source",
        )
    return listed(sys.stdin.buffer.read())


def files(names: Iterable[str], outputs: list[Path], tally: Tally) -> Iterator[str]:
    """The files to look at; what is left out is counted in `tally`."""
    for candidate in expand(names, outputs=outputs):
        if candidate.left_out:
            tally.left_out += 1
        else:
            yield candidate.path


def count(names: Iterable[str], outputs: list[Path]) -> int:
    """How many files there are to look at."""
    return sum(not candidate.left_out for candidate in expand(names, outputs=outputs))


def nothing_to_do(what: str) -> UnmaskError:
    """The error where no file is to be looked at."""
    return UnmaskError(
        f"there was nothing to {what}", hint="Give pictures or clips, or a folder with some in it.", code="no-pictures"
    )


def refuse_overwriting(
    names: Iterable[str], files: Iterable[str | os.PathLike[str]], *, overwrite: bool = False
) -> None:
    """Refuse a report that would take the place of a picture, of something to be checked, or of another report.

    Args:
        names: As typed.
        files: What this run is told to write, in order.
        overwrite: Whether a report of an earlier run may be replaced.

    Raises:
        UnmaskError: Code ``bad-output``.
    """
    named = {os.path.realpath(name) for name in names if not os.path.isdir(name)}
    taken: set[str] = set()
    for file in files:
        place, name = os.path.realpath(file), os.fspath(file)
        # A device or a pipe takes any number of reports.
        if place in taken and (os.path.isfile(place) or not os.path.exists(place)):
            raise _bad_output(f"two reports cannot both be written to {name}")
        if place in named:
            raise _bad_output(f"{name} is to be checked, and would be overwritten by the report")
        if _is_picture(place):
            raise _bad_output(f"{name} is a picture or a clip, and would be overwritten by the report")
        if os.path.isdir(place):
            raise _bad_output(f"{name} is a folder")
        if os.path.isfile(place) and os.path.getsize(place) and not overwrite:
            hint = "Name another file, or replace it once the new one is whole: --overwrite."
            raise _bad_output(f"{name} is there already", hint)
        taken.add(place)


def _is_picture(path: str) -> bool:
    if not os.path.isfile(path):  # a device or a pipe is not to be read from
        return False
    try:
        with open(path, "rb") as file:
            start = file.read(4096)
    except OSError:
        return False
    return bool(start) and (sniff(start).format is not None or sniff(start).is_clip)


def _bad_output(message: str, hint: str = "Give the report a file name of its own.") -> UnmaskError:
    return UnmaskError(message, hint=hint, code="bad-output")
