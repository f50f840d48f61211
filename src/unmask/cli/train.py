"""The verbs `train` and `mine`. Parse, call the library, print."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from unmask.cli.options import PATH, option_with_default
from unmask.cli.say import EXIT_INTERRUPTED, say, say_note
from unmask.errors import UnmaskError

if TYPE_CHECKING:
    from unmask.output.progress import Progress
    from unmask.train.history import Epoch
    from unmask.train.run_state import Outcome, RunState

# The keys of `unmask.models.ARCHITECTURES`, which no verb that answers may load: it makes ready for Keras.
MODELS = ("cnn", "mobilenetv2", "efficientnetv2b0", "clip_vit_b16", "clip_vit_b16_whole")

# Validation AUC under which a finished run is told what often helps.
LEARNED = 0.6


class _GroupedOptions(click.Command):
    """Shows its options under headings."""

    def format_options(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        shown = {option.opts[-1]: option.get_help_record(context) for option in self.get_params(context)}
        for heading, options in _GROUPS.items():
            with formatter.section(heading):
                formatter.write_dl([record for option in options.split() if (record := shown[option])])


_GROUPS = {
    "Data": "--data --size --augment --blend",
    "Model": "--preset --model --tune --backbone-weights --start",
    "Schedule": "--epochs --batch-size --learning-rate --schedule",
    "Run": "--out --resume --hard --config --seed --workers --help",
}


@click.command(cls=_GroupedOptions)
@click.option("--data", help="Folder written by `unmask prepare`, or a dataset folder. With --resume: where it is now.")
@click.option("--size", type=int, help="Side of the model's input, pixels. [default: that of the pictures]")
@click.option("--augment", type=click.Choice(["none", "light", "delivery"]), help="[default: none]")
@click.option("--blend", type=float, help="Share of the real pictures that become fakes made here. [default: 0]")
@click.option(
    "--preset",
    type=click.Choice(["report", "quick", "best"]),
    help="Settings for a purpose, which other options change: the report's; a first result soon; those of the shipped "
    "detector's head that gives the heatmap.",
)
@click.option("--model", type=click.Choice(MODELS), help="Architecture. [default: cnn]")
@click.option(
    "--tune",
    type=click.Choice(["all", "frozen", "norms", "last", "fine-tune"]),
    help="What learns: everything; the head on a still backbone; or the head first, and then the backbone's layer norms, its "
    "last blocks, or everything too. [default: all]",
)
@click.option("--backbone-weights", metavar="imagenet|none|PATH", help="Where the backbone starts. [default: none]")
@click.option("--start", metavar="RUN", help="Begin a new run with the model of this one, of any size.")
@click.option("--epochs", type=int, help="[default: 5]")
@click.option("--batch-size", type=int, help="Pictures a step. [default: 32]")
@click.option("--learning-rate", type=float, help="At its highest. [default: 0.001]")
@click.option(
    "--schedule",
    type=click.Choice(["constant", "cosine"]),
    help="Of the learning rate; cosine rises slowly, then falls to zero. [default: constant]",
)
@click.option("--out", type=PATH, help="Run folder to make.")
@click.option("--resume", type=PATH, metavar="RUN", help="Go on with a run, as if it had never stopped.")
@click.option("--hard", type=PATH, help="With --resume: train on, on these hard examples (from `unmask mine`).")
@click.option("--config", type=PATH, help="All settings from a file, such as the run.toml of an earlier run.")
@click.option("--seed", type=int, help="[default: 1]")
@click.option("--workers", type=int, help="Threads that read pictures. [default: 2]")
def train(
    out: Path | None, resume: Path | None, hard: Path | None, config: Path | None, preset: str | None, **given: Any
) -> None:
    """Train a detector; everything about the run goes into one folder.

    \b
    unmask train --data prepared/ --preset quick --out runs/first
    unmask train --resume runs/first
    unmask train --resume runs/first --hard hard.csv --out runs/second

    Options win over a file given with --config, which knows more settings: see docs/training.md. Ctrl-C ends a run after the
    step under way, with exit status 130.
    """
    settings = {name: value for name, value in given.items() if value is not None}
    if preset is not None and (resume is not None or config is not None):
        raise click.UsageError("--preset begins a new run: leave --resume and --config out.")
    if hard is not None and resume is None:
        raise click.UsageError("--hard trains a finished run on: name it with --resume.")
    if resume is not None and config is not None:
        raise click.UsageError("A run has its own settings: leave --config out, or leave --resume out for a new run.")
    if resume is not None and hard is None and (settings.keys() - {"data"} or out):
        raise click.UsageError("A run goes on with its own settings: give --resume alone, or with --data or --hard.")
    if resume is not None and "start" in settings:
        raise click.UsageError("--hard starts from the run that --resume names: leave --start out.")
    if resume is None:
        for option, value in (("--data", config or settings.get("data")), ("--out", out)):
            if value is None:
                raise click.UsageError(f"{option} is missing.")
    from unmask.output.progress import Progress
    from unmask.train import loop
    from unmask.train.config import continued, make_preset, read_config

    with Progress() as show:
        watcher = _Display(show)
        if resume is not None and hard is None:
            outcome = loop.resume(resume, data=settings.get("data"), watcher=watcher, on_note=say_note)
        elif resume is not None and hard is not None:
            chosen = continued(resume, hard, **settings)
            outcome = loop.train(
                chosen,
                out or resume.resolve().with_name(f"{resume.resolve().name}-hard"),
                watcher=watcher,
                on_note=say_note,
            )
        else:
            assert out is not None
            new = make_preset(preset or "report", **settings) if config is None else read_config(config, **settings)
            outcome = loop.train(new, out, watcher=watcher, on_note=say_note)
    _report(outcome)
    if not outcome.finished:
        sys.exit(EXIT_INTERRUPTED)


class _Display:
    """Shows the epoch under way, and leaves a line for each that has ended."""

    def __init__(self, show: Progress) -> None:
        self._show = show

    def on_features(self, done: int, pictures: int) -> None:
        self._show("features", done, pictures)

    def on_step(self, state: RunState, steps: int) -> None:
        numbers = (
            f"loss {state.loss / state.seen:.4f}  accuracy {state.right / state.seen:.2%}  "
            f"{state.seen / state.seconds:.0f} pictures/s"
        )
        self._show(f"epoch {state.epoch + 1}", state.step, steps, numbers)

    def on_epoch(self, row: Epoch) -> None:
        self._show.print(
            f"Epoch {row.epoch}: loss {row.loss:.4f}, accuracy {row.accuracy:.2%}; Validation: "
            f"loss {row.validation_loss:.4f}, accuracy {row.validation_accuracy:.2%}, AUC {row.validation_auc:.4f}; "
            f"{row.images_per_second:.0f} pictures/s"
        )


@click.command()
@click.argument("run", type=PATH)
@click.option("--data", required=True, type=PATH, help="The prepared folder that the run learned from.")
@click.option("--out", type=PATH, help="New folder to write to, or one to go on with. [default: RUN/mined]")
@option_with_default("--top", type=click.IntRange(1), default=500, help="List so many hard examples at most.")
@option_with_default("--folds", type=click.IntRange(2), default=2, help="Parts that Train is cut into.")
@click.option("--epochs", type=click.IntRange(1), help="Of the model for each part. [default: the run's]")
def mine(run: Path, data: Path, out: Path | None, top: int, folds: int, epochs: int | None) -> None:
    """List the training pictures that a model like RUN's gets wrong when it has not learned from them.

    Train is cut into parts, and each is scored by a model trained on the others: it takes about as long as (parts - 1)
    runs. Writes hard.csv, mislabelled.csv and a sheet of pictures of each.

    \b
    unmask mine runs/first --data prepared/ --top 500
    unmask train --resume runs/first --hard runs/first/mined/hard.csv
    """
    from unmask.output.progress import Progress
    from unmask.train import mining

    try:
        with Progress() as show:
            found = mining.mine(
                run, data, out, top=top, folds=folds, epochs=epochs, watcher=_Display(show), progress=show.print
            )
    except (KeyboardInterrupt, UnmaskError) as error:
        if isinstance(error, UnmaskError) and error.code != "interrupted":
            raise
        say("Stopped; what is done is kept. Go on: give the same command again.", err=True)
        sys.exit(EXIT_INTERRUPTED)
    say(f"{found.n:,} pictures of Train, judged without having been learned from: AUC {found.auc:.3f}")
    more = f", the worst of {found.wrong:,}" if found.wrong > len(found.hard) else ""
    say(f"{len(found.hard):,} hard{more}: {found.folder / 'hard.csv'}, {found.folder / 'hard.png'}")
    if found.can_judge_labels:
        say(f"{len(found.mislabelled):,} probably mislabelled: look at {found.folder / 'mislabelled.png'}")
    else:
        say("No label is called wrong: a model that tells the classes apart so badly cannot know.")


def _report(outcome: Outcome) -> None:
    kept = outcome.kept
    if kept is not None:
        say(
            f"{outcome.keep.capitalize()} epoch {kept.epoch}: Validation AUC {kept.validation_auc:.4f}, "
            f"accuracy {kept.validation_accuracy:.2%}"
        )
        if outcome.finished and kept.validation_auc < 1 - LEARNED:
            say(
                "It ranks Validation the wrong way round: are Real and Fake swapped in Train or in Validation?",
                err=True,
            )
        elif outcome.finished and kept.validation_auc < LEARNED:
            say(
                "It has learned next to nothing: an AUC of 0.5 is chance. A lower rate with a slow rise often helps, "
                "for instance --learning-rate 3e-4 --schedule cosine",
                err=True,
            )
    if outcome.finished:
        say(f"{outcome.folder}: done. Make a detector of it: unmask export {outcome.folder} --out bundle/")
    else:
        say(f"{outcome.folder}: stopped, nothing lost. Go on: unmask train --resume {outcome.folder}")
