"""Killed at moments of chance, again and again, a scan ends with what an unbroken one finds."""

import random
import subprocess
import sys
import time

import pytest

from tests.scan.pictures import picture, write_tar
from unmask.scan import results

pytestmark = pytest.mark.scan
KILLS = 3
# Parts of two rows, so that a kill can fall before, into and after the writing of one.
PROGRAM = """
import sys
from pathlib import Path
from unmask.checking import Detector
from unmask.scan import results
from unmask.scan.judging import Asked
from unmask.scan.run import scanning
results.ROWS_A_PART = 2
source, out, bundle = sys.argv[1:]
asked = Asked(Detector.load(bundle, threads=1), face_search=False)
with scanning([source], Path(out), asked, workers=1) as scan:
    for row in scan.rows:
        print(row["path"], flush=True)
"""


def rows(out):
    found = [row for part in results.batches_of(out / results.PARTS, None) for row in part]
    return sorted(({k: v for k, v in row.items() if k not in ("seconds", "checked")} for row in found), key=str)


def test_kills_at_any_moment_lose_nothing_and_repeat_nothing(tmp_path, toy_bundle):
    source = tmp_path / "pictures"
    source.mkdir()
    for seed in range(1, 25):
        (source / f"{seed % 20:02}-{seed}.png").write_bytes(picture(seed % 20))
    (source / "bad.jpg").write_text("no picture")
    write_tar(source / "shard.tar", [(f"{seed}.png", picture(seed)) for seed in range(30, 42)])

    def start(out):
        program = [sys.executable, "-c", PROGRAM, str(source), str(out), str(toy_bundle)]
        return subprocess.Popen(program, stdout=subprocess.PIPE, text=True)

    chance = random.Random(7)
    for _ in range(KILLS):
        with start(tmp_path / "broken") as process:
            for _ in range(chance.randrange(1, 10)):
                process.stdout.readline()
            time.sleep(chance.uniform(0, 0.05))
            process.kill()
    for out in (tmp_path / "broken", tmp_path / "whole"):
        with start(out) as process:
            process.communicate(timeout=300)
        assert process.returncode == 0
    assert len(rows(tmp_path / "whole")) == 24 + 1 + 12
    assert rows(tmp_path / "broken") == rows(tmp_path / "whole")
