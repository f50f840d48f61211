"""Rows of a CSV file that every reader gets back, whatever the names of the pictures."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from typing import IO


class RowWriter:
    """`csv.writer` with line ends of one byte, which also quotes a carriage return.

    Python before 3.13 quotes only what is part of its own line end; a bare carriage return then ends the line for readers.
    """

    def __init__(self, file: IO[str]) -> None:
        self._plain = csv.writer(file, lineterminator="\n")
        self._quoting = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)

    def writerow(self, row: Iterable[object]) -> None:
        cells = list(row)
        returns = any("\r" in cell for cell in cells if isinstance(cell, str))
        (self._quoting if returns else self._plain).writerow(cells)

    def writerows(self, rows: Iterable[Iterable[object]]) -> None:
        for row in rows:
            self.writerow(row)
