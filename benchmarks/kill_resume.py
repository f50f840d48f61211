"""Is a run that was killed the same run? Writes `docs/measurements/kill_resume.md`.

    python benchmarks/kill_resume.py [--kills 10] [--seed 0]

Trains the report's CNN on generated pictures to the end, unbroken. Then starts the same training again, kills it with
SIGKILL at a step drawn by chance, resumes it, and compares every weight, bit by bit; so many times.
"""

from __future__ import annotations

import argparse
import csv
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np

from machine import ROOT, hardware, table, today, write

SETTINGS = {"epochs": 3, "batch_size": 16, "checkpoint_every": 5, "augment": "light"}

CHILD = """
import sys
from pathlib import Path
from unmask.train.config import make_config
from unmask.train.loop import resume, train

class Watcher:
    def on_step(self, state, steps):
        print(state.epoch * steps + state.step, flush=True)
    def on_epoch(self, row):
        pass

run, data = Path(sys.argv[1]), sys.argv[2]
if (run / "run.toml").exists():
    resume(run, watcher=Watcher())
else:
    train(make_config(data=data, **%r), run, watcher=Watcher())
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    from tests.prepared_faces import write_prepared

    chance = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory(prefix="unmask-bench-") as name:
        data = write_prepared(Path(name) / "prepared", repeat=5)
        whole = Path(name) / "whole"
        steps = run(whole, data)
        rows = []
        for index in range(arguments.kills):
            folder, at = Path(name) / f"run-{index}", chance.randrange(1, steps)
            reached = run(folder, data, kill_at=at)
            again = run(folder, data)
            rows.append([str(index + 1), str(reached), str(steps - again), verdict(folder, whole)])
            print(rows[-1], flush=True)
    same = sum(row[-1] == "the same" for row in rows)
    head = ["", "killed after step", "went on from step", "weights, optimizer, history"]
    write(
        "kill_resume.md",
        "# Is a run that was killed the same run?\n\n"
        f"{same} of {len(rows)} runs killed with SIGKILL and resumed ended bit by bit like the unbroken run of {steps} steps: "
        f"`model.keras`, the optimizer, the losses and accuracies of every epoch. The report's CNN at 32 px, {SETTINGS}, on "
        f"{hardware()}, {today()}.\n\n" + table(head, rows) + "\nWritten by `benchmarks/kill_resume.py`.\n",
    )


def run(folder: Path, data: Path, kill_at: int | None = None) -> int:
    """Starts or resumes a run; returns how many steps it took before it ended or was killed."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-c", CHILD % SETTINGS, str(folder), str(data)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)
    assert child.stdout is not None
    taken, delay = 0, random.Random(kill_at).uniform(0, 0.02)
    for line in child.stdout:
        if not line.strip().isdigit():
            continue
        taken += 1
        if taken == kill_at:
            # Not at the step's end, but somewhere in what follows: the next step, or a file being written.
            threading.Event().wait(delay)
            child.send_signal(signal.SIGKILL)
    child.wait()
    if kill_at is None and child.returncode:
        raise SystemExit(f"the run in {folder} failed with {child.returncode}")
    return taken


def verdict(folder: Path, whole: Path) -> str:
    import keras

    with np.load(folder / "last.npz") as found, np.load(whole / "last.npz") as expected:
        states = all(np.array_equal(found[name], expected[name]) for name in expected.files if name != "position")
    models = [keras.models.load_model(path / "model.keras", compile=False).get_weights() for path in (folder, whole)]
    weights = all(np.array_equal(mine, theirs) for mine, theirs in zip(*models, strict=True))
    histories = numbers(folder / "history.csv") == numbers(whole / "history.csv")
    return "the same" if states and weights and histories else "different"


def numbers(path: Path) -> list[dict[str, str]]:
    """All of a history but the times."""
    with path.open() as file:
        return [
            {name: value for name, value in row.items() if name not in ("seconds", "images_per_second")}
            for row in csv.DictReader(file)
        ]


if __name__ == "__main__":
    main()
