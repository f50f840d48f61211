"""Is a run that was killed the same run? Writes `docs/measurements/kill_resume.md`.

    python benchmarks/kill_resume.py [--kills 10] [--seed 0]

Trains the report's CNN on generated pictures to the end, unbroken. Then starts the same training again, kills it with
SIGKILL at a step drawn by chance, resumes it, and compares every weight, bit by bit; so many times. The same with
`unmask mine` on that run, whose lists and scores are compared.
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
from unmask.train.mining import mine

class Watcher:
    def on_step(self, state, steps):
        print("step", flush=True)
    def on_epoch(self, row):
        pass

folder, data, trained = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
if trained:
    mine(Path(trained), Path(data), folder, epochs=1, watcher=Watcher())
elif (folder / "run.toml").exists():
    resume(folder, watcher=Watcher())
else:
    train(make_config(data=data, **%r), folder, watcher=Watcher())
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
        whole, mined = Path(name) / "whole", Path(name) / "mined"
        rows = []
        for what, unbroken, trained, same in (("train", whole, None, same_run), ("mine", mined, whole, same_lists)):
            steps = run(unbroken, data, trained)
            for number in range(1, arguments.kills + 1):
                folder, at = Path(name) / f"{what}-{number}", chance.randrange(1, steps)
                reached = run(folder, data, trained, kill_at=at)
                again = run(folder, data, trained)
                verdict = "the same" if same(folder, unbroken) else "different"
                rows.append([f"{what} {number}", f"{reached} of {steps}", str(steps - again), verdict])
                print(rows[-1], flush=True)
    alike = sum(row[-1] == "the same" for row in rows)
    head = ["", "killed after step", "went on from step", "what came out"]
    write(
        "kill_resume.md",
        "# Is a run that was killed the same run?\n\n"
        f"{alike} of {len(rows)} runs killed with SIGKILL and started again ended bit by bit like the unbroken one: of `unmask "
        "train` `model.keras`, the optimizer, the losses and accuracies of every epoch; of `unmask mine` its lists and scores. "
        f"The report's CNN at 32 px, {SETTINGS}, on {hardware()}, {today()}.\n\n"
        + table(head, rows)
        + "\nWritten by `benchmarks/kill_resume.py`.\n",
    )


def run(folder: Path, data: Path, trained: Path | None, kill_at: int | None = None) -> int:
    """Starts or resumes a run, or the mining of one; returns how many steps it took before it ended or was killed."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}", "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-c", CHILD % SETTINGS, str(folder), str(data), str(trained or "")]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)
    assert child.stdout is not None
    taken, delay = 0, random.Random(kill_at).uniform(0, 0.02)
    for line in child.stdout:
        if line.strip() != "step":
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


def same_lists(folder: Path, whole: Path) -> bool:
    return all((folder / name).read_bytes() == (whole / name).read_bytes() for name in ("scores.csv", "hard.csv"))


def same_run(folder: Path, whole: Path) -> bool:
    import keras

    with np.load(folder / "last.npz") as found, np.load(whole / "last.npz") as expected:
        states = all(np.array_equal(found[name], expected[name]) for name in expected.files if name != "position")
    models = [keras.models.load_model(path / "model.keras", compile=False).get_weights() for path in (folder, whole)]
    weights = all(np.array_equal(mine, theirs) for mine, theirs in zip(*models, strict=True))
    histories = numbers(folder / "history.csv") == numbers(whole / "history.csv")
    return states and weights and histories


def numbers(path: Path) -> list[dict[str, str]]:
    """All of a history but the times."""
    with path.open() as file:
        return [
            {name: value for name, value in row.items() if name not in ("seconds", "images_per_second")}
            for row in csv.DictReader(file)
        ]


if __name__ == "__main__":
    main()
