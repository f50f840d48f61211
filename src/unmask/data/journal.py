"""What makes `prepare` safe to kill: pixels are appended, and a block counts only once its line is in the journal.

The journal is a file of JSON lines. The first names the job (a fingerprint of the files and settings); each further
line is one finished block: its rows and the CRC-32 of its pixels. A line is written after the pixels it speaks of, so
whatever was being written at the moment of a kill -9 is cut off on the next start and done again.
"""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

JOURNAL = "journal.jsonl"
# Of its lines; a journal in another one is thrown away.
FORMAT = 2


class Block(NamedTuple):
    """A run of consecutive files of one split, finished.

    Attributes:
        split: The split.
        rows: What is known of each file, as JSON holds it.
        accepted: How many of them have pixels.
        crc: CRC-32 of these pixels.
    """

    split: str
    rows: list[list[object]]
    accepted: int
    crc: int


@dataclass
class Journal:
    """The journal and the pixel files of one job. Use as a context manager.

    Args:
        folder: The output folder; must exist.
        fingerprint: Names the job. A journal of another job is thrown away.
        side: Side of a picture in pixels.
    """

    folder: Path
    fingerprint: str
    side: int
    done: int = field(default=0, init=False)
    _counts: Counter[str] = field(default_factory=Counter, init=False)
    _hashes: dict[str, Any] = field(default_factory=lambda: defaultdict(hashlib.sha256), init=False)
    _pixels: dict[str, BinaryIO] = field(default_factory=dict, init=False)

    def __enter__(self) -> Journal:
        path = self.folder / JOURNAL
        heading = json.dumps({"job": self.fingerprint, "format": FORMAT}).encode() + b"\n"
        keep = self._trusted(path, heading) if path.is_file() else 0
        if keep:
            os.truncate(path, keep)
        else:
            for stale in self.folder.glob("*.npy.part"):
                stale.unlink()
            path.write_bytes(heading)
        self._lines = path.open("ab")
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()
        for file in self._pixels.values():
            file.close()

    def append(self, block: Block, pixels: NDArray[np.uint8]) -> None:
        """Adds a block: pixels first, then the line that makes them count."""
        if block.split not in self._pixels:
            self._pixels[block.split] = self._open(block.split)
        file = self._pixels[block.split]
        data = pixels.data if len(pixels) else b""
        file.write(data)
        file.flush()
        self._lines.write(json.dumps(block._asdict(), separators=(",", ":")).encode() + b"\n")
        self._lines.flush()
        self._count(block, data)

    def blocks(self) -> Iterator[Block]:
        """All blocks so far, in order, read back from disk."""
        with (self.folder / JOURNAL).open("rb") as lines:
            next(lines)
            for line in lines:
                yield Block(**json.loads(line))

    def finish(self, splits: tuple[str, ...]) -> dict[str, str]:
        """Gives the pixel files their headers and names.

        Returns:
            sha256 of each split's pixels, without the header.
        """
        for split in splits:
            file = self._pixels.pop(split, None) or self._open(split)
            file.seek(0)
            file.write(npy_header(self._counts[split], self.side))
            file.close()
            self._part(split).replace(self.folder / f"{split}.npy")
        return {split: self._hashes[split].hexdigest() for split in splits}

    def remove(self) -> None:
        """Deletes the journal: the job is finished and its results are in place."""
        self._lines.close()
        (self.folder / JOURNAL).unlink()

    def _count(self, block: Block, pixels: bytes | memoryview) -> None:
        self._counts[block.split] += block.accepted
        self._hashes[block.split].update(pixels)
        self.done += 1

    def _part(self, split: str) -> Path:
        return self.folder / f"{split}.npy.part"

    def _take_back(self, split: str) -> None:
        """A job that was killed while it gave its files their names goes on with all of its pixels."""
        if not self._part(split).exists() and (self.folder / f"{split}.npy").exists():
            (self.folder / f"{split}.npy").replace(self._part(split))

    def _open(self, split: str) -> BinaryIO:
        """The pixel file of a split, at the end of what counts; anything after that is cut off."""
        path = self._part(split)
        header = npy_header(0, self.side)
        file = path.open("r+b") if path.exists() else path.open("w+b")
        end = len(header) + self._counts[split] * self.side * self.side * 3
        if end == len(header):
            file.truncate(0)
            file.write(header)
        file.truncate(end)
        file.seek(end)
        return file

    def _trusted(self, path: Path, heading: bytes) -> int:
        """Reads as much of a journal as can be believed; returns the length of that part in bytes, 0 for none."""
        picture, start = self.side * self.side * 3, len(npy_header(0, self.side))
        files: dict[str, BinaryIO] = {}
        with ExitStack() as opened, path.open("rb") as lines:
            if lines.readline() != heading:
                return 0
            keep = len(heading)
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                try:
                    block = Block(**json.loads(line))
                    if block.split not in files:
                        self._take_back(block.split)
                        files[block.split] = opened.enter_context(self._part(block.split).open("rb"))
                        files[block.split].seek(start)
                    pixels = files[block.split].read(block.accepted * picture)
                    if len(pixels) < block.accepted * picture or zlib.crc32(pixels) != block.crc:
                        break
                    self._count(block, pixels)
                except (ValueError, TypeError, OSError):
                    break
                keep += len(line)
            return keep


def npy_header(count: int, side: int) -> bytes:
    """The header of a `.npy` file of `count` RGB pictures; its length does not depend on `count`."""
    buffer = BytesIO()
    np.lib.format.write_array_header_1_0(
        buffer, {"descr": "|u1", "fortran_order": False, "shape": (count, side, side, 3)}
    )
    return buffer.getvalue()
