"""The verbs `train`, `reconstruct`, `mine` and `export`. Parse, call the library, print."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any, cast

import click

from unmask.cli.say import EXIT_INTERRUPTED
from unmask.errors import UnmaskError
from unmask.models import ARCHITECTURES

_FOLDER = click.Path(path_type=Path)

# Validation AUC under which a finished run is told what often helps.
LEARNED = 0.6


def _shares(_: click.Context, __: click.Parameter, value: str | None) -> tuple[float, ...] | None:
    if value is None:
        return None
    try:
        shares = tuple(float(part) for part in value.split(","))
    except ValueError:
        shares = ()
    if not shares or not all(0 < share < math.inf for share in shares):
        raise click.BadParameter(f"{value!r} is no list of numbers above 0, such as 2,2,1.")
    return shares


@click.command()
@click.option("--data", help="Folder written by `unmask prepare`, or a dataset folder.")
@click.option("--out", type=_FOLDER, help="Run folder to make.")
@click.option("--resume", type=_FOLDER, help="Go on with the run in this folder, as if it had never stopped.")
@click.option("--hard", type=_FOLDER, help="With --resume: train on, on these hard examples (from `unmask mine`).")
@click.option("--start", metavar="RUN", help="Begin a new run with the model of this one, of any size.")
@click.option("--config", type=_FOLDER, help="Settings from a file, such as the run.toml of an earlier run.")
@click.option("--model", type=click.Choice(list(ARCHITECTURES)), help="Architecture. [default: cnn]")
@click.option("--size", type=int, help="Side of the model's input, pixels. [default: that of the pictures]")
@click.option("--frozen", "tune", flag_value="frozen", help="Keep the backbone still; only the head learns.")
@click.option("--fine-tune", "tune", flag_value="fine-tune", help="The head first, then everything.")
@click.option("--frozen-epochs", type=int, help="With --fine-tune: epochs of the first stage. [default: 1]")
@click.option("--fine-tune-learning-rate", type=float, help="Of the second stage, and of --hard. [default: 0.0001]")
@click.option("--backbone-weights", metavar="imagenet|none|PATH", help="Where the backbone starts. [default: none]")
@click.option("--batch-norm", type=click.Choice(["auto", "frozen", "moving"]), help="Of the backbone. [default: auto]")
@click.option(
    "--balance", type=float, help="From 0, sources as they come, through 1, all equally often, to 2. [default: 0]"
)
@click.option("--augment", type=click.Choice(["none", "light", "delivery", "rough", "blurred"]), help="[default: none]")
@click.option("--blend", type=float, help="Share of the real pictures that become self-blended fakes. [default: 0]")
@click.option("--reconstruct", type=float, help="Share that become fakes by `unmask reconstruct`. [default: 0]")
@click.option("--crop", type=int, help="Learn from random windows of this side, pixels. [default: whole pictures]")
@click.option("--epochs", type=int, help="[default: 5]")
@click.option("--batch-size", type=int, help="[default: 32]")
@click.option("--learning-rate", type=float, help="[default: 0.001]")
@click.option("--optimizer", type=click.Choice(["adam", "adamw"]), help="[default: adam]")
@click.option("--schedule", type=click.Choice(["constant", "cosine"]), help="[default: constant]")
@click.option("--weight-decay", type=float, help="With adamw. [default: 0]")
@click.option("--ema", type=float, help="Momentum of a moving average of the weights, e.g. 0.999. [default: none]")
@click.option("--label-smoothing", type=float, help="[default: 0]")
@click.option("--keep", type=click.Choice(["best", "last"]), help="The model of which epoch to keep. [default: best]")
@click.option("--seed", type=int, help="[default: 1]")
@click.option("--precision", type=click.Choice(["auto", "float32", "mixed_bfloat16"]), help="[default: auto]")
@click.option("--checkpoint-every", type=int, help="Steps between checkpoints. [default: 200]")
@click.option("--workers", type=int, help="Threads that read pictures. [default: 2]")
@click.option("--trials", type=_FOLDER, help="Also add the run as a row to this CSV file.")
def train(
    out: Path | None, resume: Path | None, hard: Path | None, config: Path | None, trials: Path | None, **given: Any
) -> None:
    """Train a detector; everything about the run goes into one folder.

    \b
    unmask train --data prepared/ --learning-rate 3e-4 --schedule cosine --out runs/first
    unmask train --resume runs/first
    unmask train --resume runs/first --hard hard.csv --out runs/second

    Ctrl-C ends it after the step under way, with exit status 130.
    """
    settings = {name: value for name, value in given.items() if value is not None}
    if hard is not None and resume is None:
        raise click.UsageError("--hard trains a finished run on: name it with --resume.")
    if resume is not None and config is not None:
        raise click.UsageError("A run has its own settings: leave --config out, or leave --resume out for a new run.")
    if resume is not None and hard is None and (settings or out):
        raise click.UsageError("A run goes on with its own settings: give --resume alone, or with --hard.")
    if resume is not None and "start" in settings:
        raise click.UsageError("--hard starts from the run that --resume names: leave --start out.")
    from unmask.train.backend import load_keras

    load_keras()
    from unmask.train.loop import resume as go_on
    from unmask.train.loop import train as start
    from unmask.train.mined import continued
    from unmask.train.progress import shown
    from unmask.train.trials import add_trial

    with shown() as watcher:
        if resume is not None and hard is None:
            outcome = go_on(resume, watcher=watcher)
        elif resume is not None and hard is not None:
            chosen = continued(resume, hard, **settings)
            outcome = start(chosen, out or resume.with_name(f"{resume.name}-hard"), watcher=watcher)
        else:
            outcome = start(_config(config, settings), _required(out, "--out"), watcher=watcher)
    if trials is not None and outcome.finished:
        add_trial(trials, outcome)
    _report(outcome)
    if not outcome.finished:
        sys.exit(EXIT_INTERRUPTED)


@click.command()
@click.argument("folder", type=_FOLDER)
@click.option("--steps", type=click.IntRange(1), help="Of the training of each autoencoder. [default: 1400]")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
def reconstruct(folder: Path, steps: int | None, seed: int) -> None:
    """Let two small autoencoders rebuild the real pictures of Train, to make fakes of.

    FOLDER was written by `unmask prepare`; what they rebuild is kept there, as large as the real pictures are.

    \b
    unmask reconstruct prepared/
    unmask train --data prepared/ --reconstruct 0.3 --blend 0.3 --out runs/first
    """
    from unmask.train.backend import load_keras

    load_keras()
    from unmask.train.progress import counted
    from unmask.train.reconstruct import STEPS
    from unmask.train.reconstruct import reconstruct as rebuild

    try:
        with counted() as progress:
            path = rebuild(folder, steps=steps or STEPS, seed=seed, progress=progress)
    except KeyboardInterrupt:
        click.echo("Stopped; nothing was changed. The same command begins again.", err=True)
        sys.exit(EXIT_INTERRUPTED)
    click.echo(f"{path}: what was rebuilt. Learn from it: unmask train --data {folder} --reconstruct 0.3")


@click.command()
@click.argument("run", type=_FOLDER)
@click.option("--data", required=True, type=_FOLDER, help="The prepared folder that the run learned from.")
@click.option("--out", type=_FOLDER, help="Folder to write to. [default: RUN/mined]")
@click.option(
    "--top", type=click.IntRange(1), default=500, show_default=True, help="List so many hard examples at most."
)
@click.option("--folds", type=click.IntRange(2), default=2, show_default=True, help="Parts that Train is cut into.")
@click.option("--epochs", type=click.IntRange(1), help="Of the model for each part. [default: the run's]")
def mine(run: Path, data: Path, out: Path | None, top: int, folds: int, epochs: int | None) -> None:
    """List the training pictures that a model like RUN's gets wrong when it has not learned from them.

    Train is cut into parts, and each is scored by a model trained on the others: it takes about as long as (parts - 1)
    runs. Writes hard.csv, mislabelled.csv and a sheet of pictures of each.

    \b
    unmask mine runs/first --data prepared/ --top 500
    unmask train --resume runs/first --hard runs/first/mined/hard.csv
    """
    from unmask.train.backend import load_keras

    load_keras()
    from unmask.train.mining import mine as dig
    from unmask.train.progress import shown

    try:
        with shown() as watcher:
            found = dig(
                run, data, out, top=top, folds=folds, epochs=epochs, watcher=watcher,
                progress=lambda what: click.echo(what, err=True),
            )  # fmt: skip
    except (KeyboardInterrupt, UnmaskError) as error:
        if isinstance(error, UnmaskError) and error.code != "interrupted":
            raise
        click.echo("Stopped; what is done is kept. Go on: give the same command again.", err=True)
        sys.exit(EXIT_INTERRUPTED)
    click.echo(f"{found.n:,} pictures of Train, judged without having been learned from: AUC {found.auc:.3f}")
    more = f", the worst of {found.wrong:,}" if found.wrong > len(found.hard) else ""
    click.echo(f"{len(found.hard):,} hard{more}: {found.folder / 'hard.csv'}, {found.folder / 'hard.png'}")
    if found.can_judge_labels:
        click.echo(f"{len(found.mislabelled):,} probably mislabelled: look at {found.folder / 'mislabelled.png'}")
    else:
        click.echo("No label is called wrong: a model that tells the classes apart so badly cannot know.")


@click.command()
@click.argument("sources", metavar="SOURCE...", type=_FOLDER, nargs=-1, required=True)
@click.option("--out", required=True, type=_FOLDER, help="Folder of the bundle.")
@click.option("--data", help="Where to calibrate and to report. [default: what the runs learned from]")
@click.option("--name", help="Of the detector. [default: architecture and size]")
@click.option("--detector-version", "version", default="1", show_default=True)
@click.option("--data-name", help="What the card calls the pictures. [default: their folder's name]")
@click.option("--terms", help="On what terms the pictures, and so the weights, may be used.")
@click.option(
    "--kernel-bits",
    type=click.Choice(["8", "16", "32"]),
    default="32",
    show_default=True,
    help="Of runs: how many bits to keep of each number in a kernel; 16 make about half the size, 8 a third.",
)
@click.option(
    "--middle",
    type=click.IntRange(min=1),
    metavar="PIXELS",
    help="Of runs: look at the middle of each picture only, 192 of 256 px say, for less time; those of half the side see all.",
)
@click.option(
    "--weights",
    callback=_shares,
    metavar="A,B,...",
    help="Of several runs: how much each counts in the mean, 2,2,1 say. [default: all alike]",
)
@click.option(
    "--blurred-weights",
    callback=_shares,
    metavar="A,B,...",
    help="The same where a picture is blurred. [default: those of --weights]",
)
@click.option("--input-scaling", type=click.Choice(["0..1", "-1..1", "0..255"]), help="For a .h5: what it was fed.")
@click.option("--label-order", type=click.Choice(["real-fake", "fake-real"]), help="For a .h5: its classes 0 and 1.")
def export(
    sources: tuple[Path, ...],
    out: Path,
    data: str | None,
    name: str | None,
    version: str,
    data_name: str | None,
    terms: str | None,
    input_scaling: str | None,
    label_order: str | None,
    kernel_bits: str,
    middle: int | None,
    weights: tuple[float, ...] | None,
    blurred_weights: tuple[float, ...] | None,
) -> None:
    """Make a detector of a trained model: graph, calibration, thresholds, hashes, model card.

    SOURCE is a run folder, or a Keras file (.h5, .keras) of somebody's real/fake classifier. Several run folders, trained
    with different seeds, make one detector that answers with the mean of their logits, weighed by --weights. One on pictures
    of half the side may be among them; name the larger ones with --data.

    \b
    unmask export runs/first --out bundle/
    unmask export runs/seed-1 runs/seed-2 --out bundle/
    unmask export cnn_model.h5 --input-scaling 0..1 --label-order real-fake --data prepared/ --out bundle/
    """
    for source in sources:
        if not source.exists():
            raise UnmaskError(
                f"There is no run and no Keras file {source}.",
                hint="Name the folder of a run, or a .h5 or .keras file: unmask export runs/first --out bundle/",
                code="no-model",
            )
    if len({source.resolve() for source in sources}) < len(sources):
        raise click.UsageError("The same run is named twice; its mean with itself is no other detector.")
    files = [source for source in sources if not source.is_dir()]
    for option, numbers in (("--weights", weights), ("--blurred-weights", blurred_weights)):
        if numbers is not None and (len(sources) == 1 or len(numbers) != len(sources)):
            raise click.UsageError(
                f"{option} names a number for each of several runs; {len(numbers)} for {len(sources)} here."
            )
    if files and len(sources) > 1:
        raise click.UsageError(f"Only runs go together; export {files[0]} alone.")
    for option, given in (("--kernel-bits", kernel_bits != "32"), ("--middle", middle)):
        if files and given:
            raise click.UsageError(f"{option} is for runs; export {files[0]} without it.")
    if not files and (input_scaling or label_order):
        raise click.UsageError("A run knows its scaling and its labels; leave --input-scaling and --label-order out.")
    if files and not (input_scaling and label_order):
        raise click.UsageError("A Keras file needs --input-scaling and --label-order (the report's: 0..1, real-fake).")
    from unmask.train.backend import load_keras

    # Only TensorFlow's graphs become ONNX; a run made with JAX is read all the same.
    load_keras("tensorflow")
    from unmask.export.kernels import KernelBits
    from unmask.export.run import UNSTATED_TERMS, Label, export_file, export_run
    from unmask.train.config import read_run

    label = Label(name, version, data_name, terms or UNSTATED_TERMS)
    if input_scaling and label_order:
        folder = export_file(
            sources[0], out, data=data, label=label, input_scaling=input_scaling, label_order=label_order
        )
    else:
        for source in sources:
            read_run(source)  # a folder without a run is refused in the words of train and mine
        folder = export_run(
            sources,
            out,
            data=data,
            label=label,
            kernel_bits=cast(KernelBits, int(kernel_bits)),
            middle=middle,
            weights=weights,
            blurred_weights=blurred_weights,
        )
    click.echo(f"{folder}: a detector. Try it: unmask check --bundle {folder} PICTURE")


def _config(path: Path | None, settings: dict[str, Any]) -> Any:
    from unmask.train.config import make_config, read_config

    if path is not None:
        return read_config(path, **settings)
    _required(settings.get("data"), "--data")
    return make_config(**settings)


def _required(value: Any, option: str) -> Any:
    if value is None:
        raise click.UsageError(f"{option} is missing.")
    return value


def _report(outcome: Any) -> None:
    kept = outcome.kept
    if kept is not None:
        click.echo(
            f"{outcome.keep.capitalize()} epoch {kept.epoch}: Validation AUC {kept.validation_auc:.4f}, "
            f"accuracy {kept.validation_accuracy:.2%}"
        )
        if outcome.finished and kept.validation_auc < LEARNED:
            click.echo(
                "It has learned next to nothing: an AUC of 0.5 is chance. A lower rate with a slow rise often helps, "
                "for instance --learning-rate 3e-4 --schedule cosine",
                err=True,
            )
    if outcome.finished:
        click.echo(f"{outcome.folder}: done. Make a detector of it: unmask export {outcome.folder} --out bundle/")
    else:
        click.echo(f"{outcome.folder}: stopped, nothing lost. Go on: unmask train --resume {outcome.folder}")
