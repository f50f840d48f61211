"""Options that several verbs take, and the detector that they name."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from unmask.cli.moments import MOMENT

if TYPE_CHECKING:
    from collections.abc import Callable

    from unmask.checking import Sampling
    from unmask.detector import Detector

PATH = click.Path(path_type=Path)
# An option whose help tells its default.
option_with_default = partial(click.option, show_default=True)
POLICY = click.option("--policy", help="Thresholds of the detector to decide by, e.g. careful, balanced, sensitive.")
BUNDLE = click.option("--bundle", type=PATH, help="Folder of a detector. [default: the shipped one]")
SPLIT = option_with_default("--split", default="Test", help="Which split of a dataset or prepared folder.")

QUIET = click.option("--quiet", is_flag=True, help="Show no progress.")
FAIL_ON = click.option(
    "--fail-on",
    type=click.Choice(["fake", "unsure", "no-face"]),
    multiple=True,
    help="Exit with 3 if any picture or clip gets this answer. May be given more than once.",
)


def out_folder(folder: str, what: str) -> Callable[..., Any]:
    """The option `--out`, which names a folder for what a verb writes."""
    return option_with_default("--out", type=PATH, default=Path(folder), help=f"Folder for the {what}.")


def detector_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options of verbs that ask a detector about pictures; `load` takes them."""
    for option in (
        click.option(
            "--threads", type=click.IntRange(1), help="Threads for one picture. [default: one a core, up to 4]"
        ),
        POLICY,
        BUNDLE,
        click.option("--max-faces", type=click.IntRange(1), help="Judge only so many of the largest faces."),
        click.option("--no-face-search", is_flag=True, help="Take each whole picture as one face."),
    ):
        function = option(function)
    return function


def clip_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say what is looked at in clips; `sampling_of` takes them."""
    for option in (
        click.option("--max-people", type=click.IntRange(1), help="In clips: judge only so many. [default: 8]"),
        click.option("--to", "end", type=MOMENT, help="In clips: end at this time, in seconds or as m:ss."),
        click.option(
            "--from", "start", type=MOMENT, default=0.0, help="In clips: begin at this time, in seconds or as m:ss."
        ),
        click.option(
            "--every", type=click.FloatRange(min=0.001), help="In clips: look at a frame every so many seconds."
        ),
        click.option(
            "--frames",
            type=click.IntRange(1),
            help="In clips: look at so many frames. [default: 32; one in 2 s, up to 128, of clips over a minute]",
        ),
    ):
        function = option(function)
    return function


def sampling_of(options: dict[str, Any]) -> Sampling:
    """What is to be looked at in clips; takes the options of `clip_options` out."""
    from unmask.checking import Sampling

    return Sampling.of(**{name: options.pop(name) for name in ("frames", "every", "start", "end", "max_people")})


def load(options: dict[str, Any], *, many: bool = False) -> tuple[Detector, dict[str, Any]]:
    """The detector that options name, and how it shall look at pictures: arguments of `unmask.checking`.

    Args:
        options: Of `detector_options`.
        many: Whether there are many pictures, which are faster with one thread each than one by one with all.
    """
    from unmask.detector import Detector

    threads = options["threads"] or (1 if many else None)
    detector = Detector.load(options["bundle"], threads=threads, policy=options["policy"])
    return detector, {"face_search": not options["no_face_search"], "max_faces": options["max_faces"]}
