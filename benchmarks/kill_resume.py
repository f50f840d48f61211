"""Is anything lost by a kill -9? Writes `docs/measurements/kill_resume.md`.

    python benchmarks/kill_resume.py [--kills 20] [--minutes 12] [--seed 0]

Each verb runs on generated pictures to the end, unbroken. Then it is started again in a new folder, killed with SIGKILL at a
moment drawn by chance, looked at, started again, and what it leaves is compared with what the unbroken run left. Every other
moment is drawn from the time that the verb works, the others from its operations on files (opened to write, renamed, deleted),
right before one: there the windows are in which a file or a folder is neither the old nor the new.

The verbs run in forks of this process, which has imported what they need, so that a run costs its work and not TensorFlow's
import.
"""

from __future__ import annotations

import argparse
import csv
import json
import mmap
import multiprocessing
import os
import pickle
import random
import signal
import sys
import tempfile
import time
import tomllib
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from machine import ROOT, hardware, table, today, write

CHECKPOINT_EVERY = 2
SETTINGS = {"epochs": 3, "batch_size": 16, "checkpoint_every": CHECKPOINT_EVERY, "augment": "light"}
OLD_TABLE = "path,verdict\nan earlier run,real\n"
FORK = multiprocessing.get_context("fork")
SIDE_BY_SIDE = (("prepare", "check"), ("train",), ("mine",))
# What a verb may write before its output is whole; nobody takes it for that.
WORKING = (".part", "journal.jsonl")


@dataclass(frozen=True)
class Verb:
    """One verb, as it is started, looked at and compared.

    Attributes:
        unit: What it counts.
        start: Starts it in a folder, or goes on; told of progress through the function.
        same: Whether a folder is that of the unbroken run.
        answers: Files that, where they are there, must be those of the unbroken run, at any moment.
        costs: How much of what was done may have to be done again.
        before: Makes the folder ready.
        kept: How much of the work a folder holds, where the next start does not go on but begins again.
    """

    unit: str
    start: Callable[[Path, Callable[[], None]], object]
    same: Callable[[Path, Path], bool]
    answers: tuple[str, ...] = ()
    costs: int = 0
    before: Callable[[Path], object] = lambda folder: None
    kept: Callable[[Path], int] | None = None


@dataclass(frozen=True)
class Kill:
    """One kill and what came of it.

    Attributes:
        moment: When, in words.
        said: How much it had said was done.
        lost: How much of that had to be done again, or for `check` is not in the file beside the table.
        wrong: Files under a final name that are not whole, or not what the unbroken run gave.
        alike: Whether the second start left what the unbroken run left.
    """

    moment: str
    said: int
    lost: int
    wrong: list[str]
    alike: bool


@dataclass(frozen=True)
class Ended:
    """How a run ended: its exit status or minus the signal, what it said was done, its file operations, its seconds."""

    status: int
    said: int
    operations: int
    seconds: float


class Counts:
    """Two numbers that a forked process and its parent share."""

    def __init__(self) -> None:
        self._cells = np.frombuffer(mmap.mmap(-1, 16), np.int64)
        self.said, self.operations = 0, 0

    said = property(lambda self: int(self._cells[0]), lambda self, value: self._cells.__setitem__(0, value))
    operations = property(lambda self: int(self._cells[1]), lambda self, value: self._cells.__setitem__(1, value))


def run(verb: Verb, folder: Path, *, operation: int = 0, said: int = -1, delay: float = 0) -> Ended:
    """Runs a verb in a forked process, which is killed before that operation, or so long after it has said so much."""
    counts, begun = Counts(), time.perf_counter()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            for stream, path in ((1, os.devnull), (2, folder.with_suffix(".log"))):
                os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream)
            sys.addaudithook(lambda event, values: count_operation(event, values, folder, counts, operation))

            def tell() -> None:
                counts.said += 1

            verb.start(folder, tell)
            status = 0
        except SystemExit as end:
            status = int(end.code or 0)
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            os._exit(status)
    ended, status = 0, 0
    while said >= 0 and not ended and counts.said < said:
        time.sleep(0.001)
        ended, status = os.waitpid(child, os.WNOHANG)
    if said >= 0 and not ended:
        time.sleep(delay)
        os.kill(child, signal.SIGKILL)
    if not ended:
        _, status = os.waitpid(child, 0)
    seconds = time.perf_counter() - begun
    return Ended(os.waitstatus_to_exitcode(status), counts.said, counts.operations, seconds)


def count_operation(event: str, values: tuple[Any, ...], folder: Path, counts: Counts, last: int) -> None:
    """An audit hook: counts what changes files of the folder, and ends the process right before one of them."""
    if event == "open":
        changes = isinstance(values[2], int) and values[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    else:
        changes = event in ("os.rename", "os.remove", "os.truncate", "os.chmod")
    if changes and isinstance(values[0], str | os.PathLike) and os.fspath(values[0]).startswith(str(folder)):
        counts.operations += 1
        if counts.operations == last:
            os.kill(os.getpid(), signal.SIGKILL)


def half_written(folder: Path) -> list[str]:
    """Files under a final name that are not whole."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")]
    return [path.name for path in files if not path.name.endswith(WORKING) and not is_whole(path)]


def is_whole(path: Path) -> bool:
    try:
        match path.suffix:
            case ".npz" | ".keras":
                return zipfile.ZipFile(path).testzip() is None
            case ".npy":
                return len(np.load(path, allow_pickle=False)) > 0
            case ".json":
                return bool(json.loads(path.read_text()))
            case ".toml":
                return bool(tomllib.loads(path.read_text()))
            case ".png":
                return path.read_bytes().endswith(b"IEND\xaeB`\x82")
            case _:
                return path.read_bytes().endswith(b"\n")
    except (OSError, ValueError, zipfile.BadZipFile):
        return False


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, but the lock, which tells who was there last, and the rows of killed checks, which stay."""
    files = {path.name: path for path in folder.iterdir() if path.is_file() and path.name != ".unmask.lock"}
    return {name: told(path) for name, path in files.items() if not name.startswith("table.csv.")}


def told(path: Path) -> bytes:
    """What is in a file; of a table without the time at which each picture was checked, which is another in each run."""
    if not path.name.startswith("table.csv"):
        return path.read_bytes()
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    head = rows[0] if rows else []
    time_at = head.index("checked") if "checked" in head else len(head)
    return "".join(f"{[*row[:time_at], *row[time_at + 1 :]]}\n" for row in rows).encode()


def verbs_on(work: Path) -> dict[str, Verb]:
    """The four verbs, on pictures that are made here."""
    import cv2
    from tests.data.pictures import write_dataset
    from tests.prepared_faces import write_prepared

    from unmask.cli.main import main as unmask
    from unmask.demo import draw_face
    from unmask.image.encode import encode_png

    dataset, prepared = write_dataset(work / "dataset", 40), write_prepared(work / "prepared", repeat=2)
    faces = [cv2.resize(draw_face(seed), (160, 160), interpolation=cv2.INTER_AREA) for seed in range(10)]
    (work / "faces").mkdir()
    for number in range(60):
        (work / "faces" / f"{number:03}.png").write_bytes(encode_png(np.roll(faces[number % 10], number // 10, axis=1)))

    class Steps:
        def __init__(self, tell: Callable[[], None]) -> None:
            self.tell = tell

        def on_step(self, state: Any, steps: int) -> None:
            self.tell()

        def on_epoch(self, row: Any) -> None:
            pass

    def start_prepare(folder: Path, tell: Callable[[], None]) -> None:
        from unmask.data.prepare import prepare

        seen: list[int] = []

        def progress(done: int, total: int) -> None:
            if seen:  # the first call says where it goes on
                tell()
            seen.append(done)

        prepare(dataset, folder, size=32, workers=2, progress=progress)

    def start_check(folder: Path, tell: Callable[[], None]) -> None:
        from unmask.output.terminal import Lines

        shown = Lines.add
        Lines.add = lambda self, examined: (shown(self, examined), tell())  # type: ignore[assignment,method-assign]
        unmask(["check", str(work / "faces"), "--csv", str(folder / "table.csv"), "--overwrite", "--quiet"])

    def start_train(folder: Path, tell: Callable[[], None]) -> None:
        from unmask.train.config import make_config
        from unmask.train.loop import resume, train

        if (folder / "run.toml").exists():
            resume(folder, watcher=Steps(tell))
        else:
            train(make_config(data=str(prepared), **SETTINGS), folder, watcher=Steps(tell))

    def start_mine(folder: Path, tell: Callable[[], None]) -> None:
        from unmask.train.mining import mine

        mine(work / "trained", prepared, folder, epochs=1, watcher=Steps(tell))

    def old_table(folder: Path) -> None:
        folder.mkdir()
        (folder / "table.csv").write_text(OLD_TABLE)

    return {
        "prepare": Verb(
            "blocks",
            start_prepare,
            lambda found, whole: contents(found) == contents(whole),
            answers=("prepared.json", "manifest.csv", "facts.csv", "Train.npy", "Validation.npy", "Test.npy"),
        ),
        "check": Verb(
            "pictures",
            start_check,
            lambda found, whole: contents(found) == contents(whole),
            answers=("table.csv",),
            before=old_table,
            kept=lambda folder: rows_in(folder, work / "check-unbroken" / "table.csv"),
        ),
        "train": Verb("steps", start_train, same_run, costs=CHECKPOINT_EVERY),
        "mine": Verb(
            "steps",
            start_mine,
            lambda found, whole: contents(found) == contents(whole),
            answers=("hard.csv", "mislabelled.csv", "scores.csv", "hard.png", "mislabelled.png"),
            costs=CHECKPOINT_EVERY,
        ),
    }


def rows_in(folder: Path, whole: Path) -> int:
    """Rows that are those of the unbroken table: of the table, or of the one beside it where it did not come to an end."""
    expected = told(whole).splitlines()
    kept = [
        sum(mine == theirs for mine, theirs in zip(told(path).splitlines(), expected, strict=False))
        for path in folder.glob("table.csv*")
    ]
    return max(0, *(number - 1 for number in kept))  # without the line of headings, which comes with the first row


def same_run(folder: Path, whole: Path) -> bool:
    import h5py

    def weights(run_folder: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        with (
            zipfile.ZipFile(run_folder / "model.keras") as archive,
            h5py.File(archive.open("model.weights.h5")) as file,
        ):
            file.visititems(lambda name, item: found.update({name: item[()]} if isinstance(item, h5py.Dataset) else {}))
        return found

    def numbers(run_folder: Path) -> list[dict[str, str]]:
        with (run_folder / "history.csv").open() as file:
            rows = list(csv.DictReader(file))
        return [{name: row[name] for name in row if name not in ("seconds", "images_per_second")} for row in rows]

    with np.load(folder / "last.npz") as found, np.load(whole / "last.npz") as expected:
        states = all(np.array_equal(found[name], expected[name]) for name in expected.files if name != "position")
    mine, theirs = weights(folder), weights(whole)
    models = mine.keys() == theirs.keys() and all(np.array_equal(mine[name], theirs[name]) for name in theirs)
    names = contents(folder).keys() == contents(whole).keys()
    return states and models and names and numbers(folder) == numbers(whole)


def kill_often(name: str, verb: Verb, work: Path, kills: int, minutes: float, chance: random.Random) -> list[Kill]:
    """Kills a verb so many times while it works."""
    whole = work / f"{name}-unbroken"
    verb.before(whole)
    unbroken = run(verb, whole)
    if unbroken.status not in (0, 1):
        raise SystemExit(f"{name}: {unbroken}\n{whole.with_suffix('.log').read_text()}")
    print(name, unbroken, flush=True)
    found: list[Kill] = []
    tries = 0
    end = time.monotonic() + 60 * minutes
    while len(found) < kills and time.monotonic() < end:
        tries += 1
        folder = work / f"{name}-{tries}"
        verb.before(folder)
        old = [told(folder / answer) for answer in verb.answers if (folder / answer).exists()]
        if len(found) % 2 and unbroken.operations > 10:
            operation = chance.randrange(1, unbroken.operations + 1)
            killed = run(verb, folder, operation=operation)
            moment = f"before file operation {operation} of {unbroken.operations}"
        else:
            killed = run(
                verb, folder, said=chance.randrange(unbroken.said + 1), delay=chance.uniform(0, unbroken.seconds / 10)
            )
            moment = f"after {killed.seconds:.2f} s"
        if killed.status != -signal.SIGKILL:  # it was done before
            continue
        kept, wrong = verb.kept and verb.kept(folder), half_written(folder)
        for answer in filter(lambda answer: (folder / answer).exists(), verb.answers):
            if told(folder / answer) not in (told(whole / answer), *old):
                wrong.append(answer)
        again = run(verb, folder)
        alike = again.status == unbroken.status and verb.same(folder, whole)
        lost = killed.said + again.said - unbroken.said if kept is None else killed.said - kept
        found.append(Kill(moment, killed.said, max(0, lost), wrong, alike))
        print(
            name,
            len(found),
            found[-1],
            "" if alike else f"{again} {folder.with_suffix('.log').read_text()}",
            flush=True,
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20, help="Of each verb.")
    parser.add_argument("--minutes", type=float, default=12, help="After so many a verb is killed no more.")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    with tempfile.TemporaryDirectory(prefix="unmask-bench-") as name:
        work = Path(name)
        verbs = verbs_on(work)

        def kill_each(names: tuple[str, ...]) -> None:
            if names[0] in ("train", "mine"):
                from unmask.train.backend import load_keras

                load_keras()
            if "mine" in names:
                run(verbs["train"], work / "trained")
            for name in names:
                chance = random.Random(f"{arguments.seed} {name}")
                kills = kill_often(name, verbs[name], work, arguments.kills, arguments.minutes, chance)
                (work / f"{name}.pickle").write_bytes(pickle.dumps(kills))

        # Side by side, and those that need no Keras without it.
        processes = [FORK.Process(target=kill_each, args=(names,)) for names in SIDE_BY_SIDE]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        # Written above, by this program, in a folder of its own.
        found = {name: pickle.loads((work / f"{name}.pickle").read_bytes()) for name in verbs}
    write("kill_resume.md", page(found, verbs, arguments.kills))


def page(found: dict[str, list[Kill]], verbs: dict[str, Verb], asked: int) -> str:
    """The page of all kills."""
    good = sum(
        kill.alike and not kill.wrong and kill.lost <= verbs[name].costs
        for name, kills in found.items()
        for kill in kills
    )
    n = sum(map(len, found.values()))
    short = [f"`{name}`" for name, kills in found.items() if len(kills) < asked]
    note = f"Of {', '.join(short)} time allowed fewer than the {asked} kills asked for.\n" if short else ""
    summary = [
        [
            f"`{name}`" if name != "check" else "`check --csv`",
            str(len(kills)),
            f"{max(kill.lost for kill in kills)} (at most {verbs[name].costs}) {verbs[name].unit}",
            str(sum(bool(kill.wrong) for kill in kills)),
            f"{sum(kill.alike for kill in kills)} of {len(kills)}",
        ]
        for name, kills in found.items()
    ]
    rows = [
        [
            f"{name} {number}",
            kill.moment,
            f"{kill.said} {verbs[name].unit}",
            str(kill.lost),
            ", ".join(kill.wrong) or "none",
            "the same" if kill.alike else "different",
        ]
        for name, kills in found.items()
        for number, kill in enumerate(kills, 1)
    ]
    return f"""# Is anything lost by a kill -9?

{good} of {n} runs that were killed with SIGKILL and started again lost nothing, left nothing half-written under a final name, and
ended with what the unbroken run had left; what had to be done again is at most what is promised. On {hardware()}, {today()}.

{table(["", "kills", "most that was lost", "with a half-written or wrong file", "ended like the unbroken run"], summary)}
{note}\
Every other moment is drawn from the time that a verb works, the others from its operations on files (opened to write, renamed,
deleted), right before one; of `check`, which has two, all are drawn from the time. All on generated pictures:

- `prepare`: 240 JPEGs, two workers. Every file of the folder is compared, byte by byte, and that no other is there.
- `check --csv`: 60 drawn faces, over the table of an earlier run (`--overwrite`). After a kill the final name holds that table
  or the whole new one, and the file beside it every row that was shown. The next run begins again; its table is compared, but for
  the column `checked`, the time.
- `train`: the report's CNN at 32 px on 96 pictures, {SETTINGS}.
  Compared, bit by bit, are the model, the optimizer, and the losses and accuracies of every epoch; and that no other file is
  there.
- `mine`: that run, two parts of one epoch. Its lists and sheets are compared, byte by byte, and that no other file is there.

{table(["", "killed", "done then", "lost of that", "half-written or wrong", "after the next start"], rows)}
Written by `benchmarks/kill_resume.py`.
"""


if __name__ == "__main__":
    main()
