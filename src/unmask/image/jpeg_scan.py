"""Which rows of a JPEG picture are not in its file, though a decoder gives pixels for them.

libjpeg fills up with grey, or goes on with what comes next, where entropy-coded data are cut, lost or overwritten. Only
files that give cause are looked at: the decoder warned, a long run of zero bytes stands in a scan, or scans are absent.
A sequential picture is then walked through Huffman code by Huffman code (ITU-T T.81, annex F.2), which tells the rows; of a
progressive or arithmetic-coded one, all rows lack something.

Bytes that decode without a warning to as many blocks as those whose place they took are not found: only the picture itself
could tell them, and it may have walls.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from unmask.image.jpeg import (
    ARITHMETIC,
    ARITHMETIC_PROGRESSIVE,
    BASELINE,
    DHT,
    DRI,
    EXTENDED,
    SOS,
    Frame,
    Jpeg,
    Segment,
)
from unmask.image.limits import MOST_SCAN_BYTES_WALKED, ZERO_RUN

Rows = tuple[int, int]
"""First row and the one behind the last."""

_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
_ZEROS = bytes(ZERO_RUN)


def missing_rows(jpeg: Jpeg, warned: bool) -> list[Rows]:
    """Rows of pixels, not turned, that the file does not hold; none for the usual file.

    Args:
        jpeg: A file that was taken apart and decoded.
        warned: Whether its decoder warned.
    """
    frame = jpeg.frame
    assert frame is not None
    everything = [(0, frame.height)]
    if not _all_scans_are_there(jpeg, frame):
        return everything
    zeros = any(jpeg.data.find(_ZEROS, scan.end, scan.scan_end) >= 0 for scan in jpeg.scans)
    if not (warned or zeros):
        return []
    if frame.marker not in (BASELINE, EXTENDED):
        coded_by_arithmetic = frame.marker in (ARITHMETIC, ARITHMETIC_PROGRESSIVE)
        return everything if warned or coded_by_arithmetic else []
    if sum(scan.scan_end - scan.end for scan in jpeg.scans) > MOST_SCAN_BYTES_WALKED:
        return everything if warned else []
    return _walk_scans(jpeg, frame)


def _all_scans_are_there(jpeg: Jpeg, frame: Frame) -> bool:
    """Whether every coefficient of every component comes in some scan, to its last bit."""
    # Of 64 coefficients, the bits still to come; 16 is more than any coefficient has.
    to_come = {identifier: [16] * 64 for identifier, _, _ in frame.components}
    for scan in jpeg.scans:
        header = jpeg.data[scan.start : scan.end]
        count = header[0] if header else 0
        if len(header) < 1 + 2 * count + 3:
            return False
        first, last, low = header[1 + 2 * count], header[2 + 2 * count], header[3 + 2 * count] & 15
        if frame.marker in (BASELINE, EXTENDED, ARITHMETIC):
            first, last, low = 0, 63, 0
        for identifier in header[1 : 1 + 2 * count : 2]:
            for place in range(first, min(last, 63) + 1):
                if identifier in to_come:
                    to_come[identifier][place] = low
    return not any(any(bits) for bits in to_come.values())


@dataclass(slots=True)
class _Table:
    """A Huffman table: for every 16 bits, the length of the code that they begin with and its symbol; 0 for none."""

    codes: list[int]
    first: int

    @classmethod
    def of(cls, told: bytes) -> _Table:
        """A table from how many codes there are of each length and then their symbols; more codes than fit are passed over."""
        symbols = told[16:]
        codes: list[int] = []
        at = 0
        for length, count in enumerate(told[:16], start=1):
            for symbol in symbols[at : at + count]:
                if len(codes) < 1 << 16:
                    codes += [length << 8 | symbol] * (1 << 16 - length)
            at += count
        codes = codes[: 1 << 16]
        return cls(codes + [0] * ((1 << 16) - len(codes)), symbols[0] if symbols else 0)


def _walk_scans(jpeg: Jpeg, frame: Frame) -> list[Rows]:
    told: dict[int, bytes] = {}
    # Built for a scan that names them: a file may define a million tables, or the same ones before every scan.
    build = lru_cache(maxsize=8)(_Table.of)
    restart_interval = 0
    missing: list[Rows] = []
    for piece in jpeg.pieces:
        payload = jpeg.data[piece.start : piece.end]
        if piece.marker == DHT:
            at = 0
            while at + 17 <= len(payload):
                end = at + 17 + sum(payload[at + 1 : at + 17])
                told[payload[at]] = payload[at + 1 : end]
                at = end
        elif piece.marker == DRI:
            restart_interval = int.from_bytes(payload[:2], "big")
        elif piece.marker == SOS:
            missing += _Scan.of(jpeg, frame, piece, lambda number: build(told.get(number, b""))).missing(
                restart_interval
            )
    return missing


@dataclass(slots=True)
class _Scan:
    """One scan of a sequential picture.

    Attributes:
        data: Its entropy-coded bytes, with restart markers and stuffed zeros.
        blocks: The tables of each block of an MCU: DC and AC.
        across: MCUs in a row.
        down: Rows of MCUs.
        rows: Pixel rows in an MCU.
        height: Of the picture, in pixels.
    """

    data: bytes
    blocks: list[tuple[_Table, _Table]]
    across: int
    down: int
    rows: int
    height: int

    @classmethod
    def of(cls, jpeg: Jpeg, frame: Frame, piece: Segment, table: Callable[[int], _Table]) -> _Scan:
        header = jpeg.data[piece.start : piece.end]
        factors = {identifier: (across, down) for identifier, across, down in frame.components}
        most_across = max(across for across, _ in factors.values()) or 1
        most_down = max(down for _, down in factors.values()) or 1
        wanted = [(header[at], header[at + 1]) for at in range(1, 1 + 2 * header[0], 2)]
        alone = len(wanted) == 1  # a scan of one component has its own blocks as MCUs (T.81, A.2.2)
        blocks = []
        for identifier, numbers in wanted:
            across, down = factors.get(identifier, (1, 1))
            pair = (table(numbers >> 4), table(0x10 | numbers & 15))
            blocks += [pair] * (1 if alone else across * down)
        across, down = factors.get(wanted[0][0], (1, 1)) if alone else (1, 1)
        mcus_across = -(-frame.width * across // (8 * most_across))
        mcus_down = -(-frame.height * down // (8 * most_down))
        rows = 8 * most_down // max(1, down)
        data = jpeg.data[piece.end : piece.scan_end]
        return cls(data, blocks, mcus_across, mcus_down, rows, frame.height)

    def missing(self, restart_interval: int) -> list[Rows]:
        """Rows that are not there, interval by interval."""
        count = self.across * self.down
        if not restart_interval:
            good, sure = self._whole_mcus(self.data, count)
            if not sure:
                return [(0, self.height)]
            return [self._rows(good, count)] if good < count else []
        intervals = -(-count // restart_interval)
        missing: list[Rows] = []
        markers = list(_RESTART.finditer(self.data))
        edges = [0, *(marker.end() for marker in markers), len(self.data) + 2]
        interval = 0
        for number, (begin, end) in enumerate(pairwise(edges)):
            if number:
                # Restart markers count from 0 to 7 and over again; a gap in the numbers is as many intervals lost. Whether
                # the one before the gap is itself or the last of the lost, nobody can tell.
                lost = (self.data[begin - 1] - 0xD0 - interval) % 8
                # Too far for the decoder, which goes on as if none were lost: all that follows is displaced.
                if lost > 2:
                    return [*missing, self._rows(interval, intervals, restart_interval)]
                missing += [self._rows(interval, interval + 1 + lost, restart_interval)] if lost else []
                interval += 1 + lost
            if interval >= intervals:
                return [(0, self.height)]
            size = min(restart_interval, count - interval * restart_interval)
            good, sure = self._whole_mcus(self.data[begin : end - 2], size)
            if good < size or not sure:
                missing.append(self._rows(interval, interval + 1, restart_interval))
        if interval + 1 < intervals:
            # A whole turn of numbers lost in the middle looks like the end of the file lost, and displaces what follows.
            if missing:
                return [(min(first for first, _ in missing), self.height)]
            whole_turns = (intervals - interval - 1) % 8 == 0
            return [(0, self.height) if whole_turns else self._rows(interval + 1, intervals, restart_interval)]
        return missing

    def _rows(self, first: int, behind: int, each: int = 1) -> Rows:
        top = first * each // self.across * self.rows
        bottom = -(-min(behind * each, self.across * self.down) // self.across) * self.rows
        return min(top, self.height - 1), min(bottom, self.height)

    def _whole_mcus(self, data: bytes, count: int) -> tuple[int, bool]:
        """How many of `count` MCUs come whole, and whether that is sure.

        Where the data end just before the last MCU, or between two as only a whole scan does, or more than padding is left
        behind the last, something slipped or was lost on the way, and nobody knows where.
        """
        data = data.replace(b"\xff\0", b"\xff")
        bits = 8 * len(data)
        # Zeros stand for flat blocks where the shortest code means the end of a block, and nowhere else.
        zeros_mean_nothing = any(ac.first for _, ac in self.blocks)
        zeros = data.find(_ZEROS) if zeros_mean_nothing else -1
        bad_from = 8 * zeros if zeros >= 0 else bits
        padded = data + bytes(4)
        at = 0
        for mcu in range(count):
            begin = at
            for dc, ac in self.blocks:
                code = dc.codes[int.from_bytes(padded[at >> 3 : (at >> 3) + 3], "big") >> 8 - (at & 7) & 0xFFFF]
                place = 1 if code else 65
                at += (code >> 8) + (code & 15)
                while place < 64:
                    code = ac.codes[int.from_bytes(padded[at >> 3 : (at >> 3) + 3], "big") >> 8 - (at & 7) & 0xFFFF]
                    at += (code >> 8) + (code & 15)
                    if code & 15:
                        place += (code >> 4 & 15) + 1
                    elif code & 0xFF == 0xF0:
                        place += 16
                    else:
                        place = 64 if code else 65
                if zeros < 0 and (at > bad_from or place > 64) and _is_padding(data, begin):
                    return mcu, False
                if at > bad_from:
                    return mcu, zeros >= 0 or count - mcu >= count // 8
                # No such code, or more coefficients than a block has: what went wrong lies a little before.
                if place > 64:
                    return max(0, mcu - 2 * self.across), True
        left = data[-(-at // 8) :]
        return count, len(set(left)) <= 1


def _is_padding(data: bytes, at: int) -> bool:
    """Whether only the ones that fill up a scan's last byte come behind a bit."""
    left = 8 * len(data) - at
    return left == 0 or (0 < left < 8 and data[-1] & (1 << left) - 1 == (1 << left) - 1)
