"""Hard examples: which training pictures a model of the same kind gets wrong when it has not learned from them.

The score of a picture that was learned from says little: a model can know it by heart. So Train is cut into parts,
whole groups in one part, and each part is scored by a model that was trained, with the run's own settings, on the other
parts. What is then confidently put into the other class, by that model and by the run's own model that did learn from
it, is called probably mislabelled; what else is put into the other class, worst first, is hard.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmask.data.prepared import Prepared, load_prepared
from unmask.data.source import Source, digest, open_source
from unmask.errors import UnmaskError
from unmask.models import load
from unmask.stats.metrics import roc_auc
from unmask.system.atomic import atomic_write, is_left_over, sweep
from unmask.system.lock import LOCK, locked
from unmask.train.backend import load_keras
from unmask.train.config import CONFIG_FILE, TrainConfig, read_run
from unmask.train.hard_examples import Mined, judged_examples, write_examples, write_rows
from unmask.train.loop import MODEL, Watcher, judge, resume, train

# Says that a folder was made here, and what its parts belong to.
JOB = "mining.json"

# What is written into the folder, and may be left half-written by a kill.
WRITTEN = (JOB, "part-*", "hard.*", "mislabelled.*", "scores.csv")


def mine(
    run: Path,
    data: Path,
    out: Path | None = None,
    *,
    top: int = 500,
    folds: int = 2,
    epochs: int | None = None,
    watcher: Watcher | None = None,
    progress: Callable[[str], None] | None = None,
) -> Mined:
    """Finds hard examples of a run's training pictures.

    Args:
        run: The run folder.
        data: The prepared folder it learned from.
        out: Where to write: a new folder, or one of an earlier call, which is gone on with; None for `mined/` in the run
            folder. Nothing is ever deleted there.
        top: How many hard examples to list, at most.
        folds: Parts that Train is cut into; one model is trained for each, and its run is kept as `part-1/` and so on.
        epochs: Of these models; None for as many as the run had.
        watcher: Told how their training goes.
        progress: Told in words what is being done.

    Returns:
        What was found.

    Raises:
        UnmaskError: No such run or data, too few groups for that many parts, a folder that holds something else or is
            in use, or it was interrupted.
    """
    if top < 1 or folds < 2:
        raise UnmaskError(
            f"Mining with --top {top} and --folds {folds} is not possible.",
            hint="Use --top 1 or more and --folds 2 or more.",
            code="bad-mining",
        )
    config = read_run(run)
    if not (run / MODEL).is_file():
        raise UnmaskError(
            f"{run} has no {MODEL} yet.", hint=f"Finish it first: unmask train --resume {run}", code="run-unfinished"
        )
    prepared = load_prepared(data)
    # Whole groups are held out, and they may all be of one class.
    source = open_source(data, "Train", config.size, both_classes=False)
    fold = assign_folds(
        [group or path for group, path in zip(source.groups, source.paths, strict=True)], folds, config.seed
    )
    shorter = _shorter(config, data, epochs)
    job = json.dumps(_job(shorter, prepared, folds), indent=2, sort_keys=True) + "\n"
    folder = out or run / "mined"
    say = progress or (lambda what: None)
    if not (folder / LOCK).is_file():
        _refuse_foreign(folder, job)
    with locked(folder, "unmask mine"):
        _refuse_foreign(folder, job)
        sweep(folder, *WRITTEN)
        with atomic_write(folder / JOB, "w") as file:
            file.write(job)
        load_keras()
        logits = np.empty(len(source))
        for number in range(folds):
            say(f"part {number + 1} of {folds}: training without it")
            logits[fold == number] = _held_out(shorter, source, fold == number, folder / f"part-{number + 1}", watcher)
        say("scoring with the run's own model")
        found = judged_examples(prepared.entries("Train"), source.labels, logits, _judge(run, source))
        return write_examples(folder, source, found, top, roc_auc(source.labels, logits))


def assign_folds(groups: Iterable[str], folds: int, seed: int) -> NDArray[np.int64]:
    """Deals whole groups out at random, so that the parts come out about equal.

    Large groups are dealt first and each goes where the fewest pictures are.

    Args:
        groups: Of each picture.
        folds: How many parts.
        seed: Of chance.

    Returns:
        The number of its part for each picture, int64 (N,), 0..folds - 1.

    Raises:
        UnmaskError: Fewer groups than parts.
    """
    names, member, sizes = np.unique(list(groups), return_inverse=True, return_counts=True)
    if len(names) < folds:
        raise UnmaskError(
            f"Train has only {len(names)} groups; it cannot be cut into {folds} parts.",
            hint="Use fewer --folds, or give the dataset's manifest.csv finer groups.",
            code="too-few-groups",
        )
    order = np.random.default_rng(seed).permutation(len(names))
    order = order[np.argsort(-sizes[order], kind="stable")]
    filled = np.zeros(folds, np.int64)
    part = np.empty(len(names), np.int64)
    for name in order:
        part[name] = filled.argmin()
        filled[part[name]] += sizes[name]
    dealt: NDArray[np.int64] = part[member.ravel()]
    return dealt


def _shorter(config: TrainConfig, data: Path, epochs: int | None) -> TrainConfig:
    """The run's settings, from the beginning, for as many epochs."""
    settings: dict[str, Any] = {
        "data": str(data.resolve()),
        "start": None,
        "hard": None,
        "features_of": None,
        "epochs": epochs or config.epochs,
    }
    # Fewer epochs than the run's may leave nothing for its second stage.
    settings["frozen_epochs"] = min(config.frozen_epochs, settings["epochs"] - 1)
    return config.model_copy(update=settings)


def _job(config: TrainConfig, prepared: Prepared, folds: int) -> dict[str, Any]:
    """What the scores depend on: settings and data, wherever it is.

    Test plays no part; groups decide who is in which part, and Validation which epoch is the best, unless the last one is kept.
    """
    rows = [row for split in prepared.splits if split != "Test" for row in prepared.entries(split)]
    settings = config.model_dump(mode="json", exclude={"data", "workers", "checkpoint_every"})
    return {"folds": folds, "config": settings, "data": digest((row.path, row.label, row.group) for row in rows)}


def _refuse_foreign(folder: Path, job: str) -> None:
    """Only a folder that mining made is gone on with, and only with the settings and the data that it has parts of."""
    if not folder.exists() or (
        folder.is_dir() and all(path.name == LOCK or is_left_over(path, JOB) for path in folder.iterdir())
    ):
        return
    note = folder / JOB
    if not note.is_file():
        what = "is not empty, and was not made by unmask mine"
    elif note.read_text(encoding="utf-8") != job:
        what = "holds what was mined with other settings or from other data"
    else:
        return
    raise UnmaskError(f"{folder} {what}.", hint="Name another folder with --out.", code="not-ours")


def _held_out(
    config: TrainConfig, source: Source, chosen: NDArray[np.bool_], run: Path, watcher: Watcher | None
) -> NDArray[np.float64]:
    """Logits of the pictures chosen, by a model trained on the others."""
    finished, listing = run.with_suffix(".npy"), run.with_suffix(".csv")
    if finished.is_file():
        known: NDArray[np.float64] = np.load(finished, allow_pickle=False)
        if len(known) == int(chosen.sum()):
            return known
    left_out = chosen.copy()
    if config.leave_out is not None:
        left_out[source.listed(Path(config.leave_out))] = True
    write_rows(listing, ("path",), ((source.paths[index],) for index in np.flatnonzero(left_out)))
    if (run / CONFIG_FILE).is_file():
        outcome = resume(run, data=config.data, watcher=watcher)
    else:
        outcome = train(config.model_copy(update={"leave_out": str(listing.resolve())}), run, watcher=watcher)
    if not outcome.finished:
        raise UnmaskError(
            "Mining was interrupted; what is done is kept.",
            hint="Give the same command again to go on.",
            code="interrupted",
        )
    logits = _judge(run, source.taken(np.flatnonzero(chosen)))
    with atomic_write(finished, durable=True) as file:
        np.save(file, logits)
    return logits


def _judge(run: Path, source: Source) -> NDArray[np.float64]:
    return judge(load(run / MODEL), source)
