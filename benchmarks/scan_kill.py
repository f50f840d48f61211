"""Does a scan that is killed again and again end with what an unbroken one finds? Writes `docs/measurements/scan_kill.md`.

    python benchmarks/scan_kill.py [--kills 20] [--pictures 400] [--seed 0] [--write]

Scans generated pictures once to the end. Then it scans them into another folder, is killed with SIGKILL at a moment drawn by
chance, starts again with the same command, is killed again, and so on; at last it goes on to the end, and both tables are
compared, row for row. The scans run in forks of this process, which has imported what they need.
"""

from __future__ import annotations

import argparse
import os
import random
import select
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from machine import ROOT, hardware, table, today, write
from unmask.checking import Detector
from unmask.scan import results
from unmask.scan.judging import Asked
from unmask.scan.run import scanning

# Rows in a part, a thousand in earnest: so that kills fall before, into and after the writing of many.
ROWS_A_PART = 10
UNSTABLE = ("checked", "seconds")


@dataclass(frozen=True)
class Kill:
    """One kill.

    Attributes:
        moment: When, in words.
        shown: Rows that this start had shown.
        kept: Rows in the table afterwards, of this start and of those before.
        lost: Of the rows that were shown, those that the table lacks.
        broken: Parts that cannot be read.
    """

    moment: str
    shown: int
    kept: int
    lost: int
    broken: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--pictures", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    from tests.toy_bundle import write_toy_bundle

    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        names = make(folder / "pictures", options.pictures)
        asked = Asked(Detector.load(write_toy_bundle(folder / "toy"), threads=1), face_search=False)
        begin = time.perf_counter()
        scan(folder, "whole", asked)
        seconds = time.perf_counter() - begin
        whole = rows_in(folder / "whole")
        kills = [kill(folder, asked, chance, len(whole), options.kills - number) for number in range(options.kills)]
        scan(folder, "broken", asked)
        broken = rows_in(folder / "broken")
    times = Counter(row["path"] for row in broken)
    twice = sum(count - 1 for count in times.values())
    alike = comparable(whole) == comparable(broken)
    assert len(whole) == names, f"{len(whole)} rows of {names} pictures"
    text = page(kills, len(whole), len(broken), twice, alike, seconds)
    write("scan_kill.md", text) if options.write else print(text)
    if not alike:
        raise SystemExit("not the same")


def make(folder: Path, count: int) -> int:
    """Pictures, a tenth of them copies of others, bad files, and two tars; gives how many rows they are."""
    from tests.scan.pictures import picture, write_tar

    folder.mkdir()
    single = count // 2
    for number in range(single):
        (folder / f"{number:04}.png").write_bytes(picture(1 + number % (single * 9 // 10)))
    (folder / "bad.jpg").write_text("no picture")
    (folder / "empty.jpg").touch()
    half = (count - single) // 2
    for shard, first in (("one.tar", 10_000), ("two.tar", 20_000)):
        write_tar(folder / shard, [(f"{number}.png", picture(number)) for number in range(first, first + half)])
    return single + 2 + 2 * half


def start(folder: Path, out: str, asked: Asked) -> tuple[int, int]:
    """Scans in a forked process; gives it, and where the names of its rows are to be read."""
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        status = 1
        try:
            results.ROWS_A_PART = ROWS_A_PART
            with scanning([str(folder / "pictures")], folder / out, asked, workers=1) as work:
                for row in work.rows:
                    os.write(writing, f"{row['path']}\n".encode())
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    return process, reading


def scan(folder: Path, out: str, asked: Asked) -> None:
    """To the end."""
    process, reading = start(folder, out, asked)
    while os.read(reading, 1 << 16):
        pass
    os.close(reading)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0


def kill(folder: Path, asked: Asked, chance: random.Random, pictures: int, left: int) -> Kill:
    """A start that is killed: after so many rows and so many milliseconds, or before the first row."""
    rest = pictures - len(rows_in(folder / "broken"))
    process, reading = start(folder, "broken", asked)
    # On average the even share of what is left; some kills fall before any row.
    wanted = chance.randrange(max(1, 2 * rest // (left + 1)))
    delay, shown = chance.uniform(0, 0.05 if wanted else 2.0), b""
    while shown.count(b"\n") < wanted and (more := os.read(reading, 1 << 12)):
        shown += more
    time.sleep(delay)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    while select.select([reading], [], [], 0)[0] and (more := os.read(reading, 1 << 16)):
        shown += more
    os.close(reading)
    names = shown.decode().splitlines()
    broken = sum(not is_whole(part) for part in (folder / "broken" / results.PARTS).glob("*.parquet"))
    kept = {row["path"] for row in rows_in(folder / "broken")}
    moment = f"{1000 * delay:.0f} ms after row {wanted}" if wanted else f"{delay:.2f} s after the start"
    return Kill(moment, len(names), len(kept), sum(name not in kept for name in names), broken)


def is_whole(part: Path) -> bool:
    import pyarrow.parquet as pq

    try:
        pq.read_table(part)
    except (OSError, ValueError):
        return False
    return True


def rows_in(out: Path) -> list[dict[str, Any]]:
    """All rows of a table, whatever else is in its folder."""
    return [row for part in results.batches_of(out / results.PARTS, None) for row in part]


def comparable(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    kept = [{name: value for name, value in row.items() if name not in UNSTABLE} for row in rows]
    return sorted(kept, key=lambda row: str(row["path"]))


def page(kills: list[Kill], whole: int, broken: int, twice: int, alike: bool, seconds: float) -> str:
    rows = [
        [str(number), one.moment, str(one.shown), str(one.lost), str(one.kept), str(one.broken)]
        for number, one in enumerate(kills, start=1)
    ]
    verdict = "equal to" if alike else "NOT EQUAL TO"
    unreadable = sum(one.broken for one in kills)
    return f"""\
# Is a scan that is killed again and again complete?

One scan of {whole:,} pictures, killed with SIGKILL {len(kills)} times and started again each time by the same command, then
left to go on to its end: **{broken:,} rows, {twice} of them there twice, and {verdict} those of an unbroken scan, row for row**
(but for `checked` and `seconds`, the times). {unreadable} parts could not be read after a kill.

Generated pictures of 72 px, some of them twice, half of them in two tars, two of them unreadable, judged by the small detector of
the tests in one process; unbroken they took {seconds:.0f} s. Moments are drawn by chance: so many rows after a start and some
milliseconds more, or before the first row. A part of the table is written every {ROWS_A_PART} rows here (every thousand rows or
every minute in earnest), so what was shown and is not in the table yet is one part at most.

{table(["kill", "when", "rows shown since the start", "of these not in the table", "rows in the table", "broken parts"], rows)}
{hardware()}, {today()}; written by `benchmarks/scan_kill.py`.
"""


if __name__ == "__main__":
    main()
