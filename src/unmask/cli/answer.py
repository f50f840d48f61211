"""The verbs `check`, `explain`, `demo` and `doctor`. Parse, call the library, print."""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from unmask.cli.options import PATH, detector_options, load, out_folder
from unmask.cli.say import EXIT_FAILED_ON, EXIT_INTERRUPTED, EXIT_NO_ANSWER, say, say_error
from unmask.errors import UnmaskError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from unmask.checking import Examined
    from unmask.output.documents import Tally


@click.command()
@click.argument("paths", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document instead of a card or table.")
@click.option("--csv", "csv_file", type=PATH, help="Also write one row a picture to this file.")
@click.option("--html", "html_file", type=PATH, help="Also write a self-contained page with heatmaps.")
@click.option("--heatmap", "heatmap_folder", type=PATH, help="Also write a heatmap of every face here.")
@click.option("--overwrite", is_flag=True, help="Replace a table or page of an earlier run.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
@click.option(
    "--fail-on",
    type=click.Choice(["fake", "unsure", "no-face"]),
    multiple=True,
    help="Exit with 3 if any picture gets this answer. May be given more than once.",
)
@detector_options
def check(
    paths: tuple[str, ...],
    as_json: bool,
    csv_file: Path | None,
    html_file: Path | None,
    heatmap_folder: Path | None,
    overwrite: bool,
    quiet: bool,
    fail_on: tuple[str, ...],
    **options: Any,
) -> None:
    """Say of each picture whether its face is real or fake.

    PATHS are pictures, folders (searched for pictures recursively), or patterns such as 'photos/*.jpg';
    - reads a list of paths from standard input, one a line or as find -print0 writes them.

    \b
    Exit status: 0  every picture was answered
                 1  a picture could not be read, or shows no face, or its heatmap could not be written
                 2  wrong use, or nothing to check
                 3  an answer named by --fail-on
                 130  interrupted
    """
    _spare_a_short_process()
    # Who ends this run by a signal gets whole files, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    from rich.console import Console

    from unmask.checking import examine_paths
    from unmask.cli.paths import expand, names_on_standard_input, refuse_overwriting
    from unmask.output.documents import JsonWriter, Tally
    from unmask.output.progress import Progress
    from unmask.output.terminal import LEFT_OUT, Cards, Lines, summary

    names = [name for path in paths for name in (names_on_standard_input() if path == "-" else [path])]
    refuse_overwriting(names, [file for file in (csv_file, html_file) if file], overwrite=overwrite)
    single = len(names) == 1 and not os.path.isdir(names[0]) and len(list(expand(names))) == 1
    detector, how = load(options, many=not single)
    tally, unwritten, total = Tally(), 0, None
    console = Console()
    outputs = [place for place in (csv_file, html_file, heatmap_folder) if place]
    reports: list[Any] = []
    pictures = None
    try:
        with contextlib.ExitStack() as stack:
            if csv_file:
                from unmask.output.csv_table import CsvWriter

                reports.append(table := stack.enter_context(CsvWriter(csv_file)))
                outputs += [table.place, *table.left_over]
                for part in table.left_over:
                    say(f"An earlier run did not come to its end; its rows are in {part}", err=True)
            if html_file:
                from unmask.output.html_page import HtmlWriter

                reports.append(stack.enter_context(HtmlWriter(html_file, detector)))
            if heatmap_folder:
                from unmask.output.pictures import FacePictures, side_by_side

                pictures = FacePictures(heatmap_folder, side_by_side)
            if as_json:
                reports.append(stack.enter_context(JsonWriter(sys.stdout, detector, tally)))
            else:
                reports.append(Cards(console, detector) if single else Lines(console))
            hidden = single or quiet or (as_json and console.is_terminal)
            progress = stack.enter_context(Progress(None if as_json else console, hidden=hidden))
            total = _count(names, outputs) if progress.shown else None
            wants_maps = bool(html_file or heatmap_folder)
            for examined in examine_paths(_files(names, outputs, tally), detector, **how, heatmap=wants_maps):
                if pictures:
                    try:
                        pictures.add(examined.finding, examined.pixels)
                    except UnmaskError as error:
                        unwritten += 1
                        examined = _without_heatmap(examined, error)
                        progress.print(f"error: {error.message}")
                tally.add(examined.finding)
                for report in reports:
                    report.add(examined)
                progress("checking", tally.pictures, total)
            if not tally.pictures:
                others = f"; left out: {tally.left_out} {LEFT_OUT}" if tally.left_out else ""
                raise _nothing_to_do(f"check{others}")
    except KeyboardInterrupt:
        total = total or _count(names, outputs)
        places = [os.fspath(report.place) for report in [*reports, pictures] if hasattr(report, "place")]
        kept = f"; what was found is in {', '.join(places)}" if places and tally.pictures else ""
        say(f"interrupted: {tally.pictures:,} of {total:,} pictures were checked{kept}", err=True)
        say("The same command begins at the first picture again.", err=True)
        sys.exit(EXIT_INTERRUPTED)
    if not as_json and not single:
        console.print(summary(tally))
    if any(getattr(tally, answer.replace("-", "_")) for answer in fail_on):
        sys.exit(EXIT_FAILED_ON)
    sys.exit(EXIT_NO_ANSWER if tally.unanswered or unwritten else 0)


@click.command()
@click.argument("paths", nargs=-1, required=True)
@click.option(
    "--method",
    type=click.Choice(["gradcam", "occlusion"]),
    default="gradcam",
    show_default=True,
    help="How the heatmap is made.",
)
@click.option("--out", type=PATH, default=Path("unmask-explained"), show_default=True, help="Folder for the pictures.")
@detector_options
def explain(paths: tuple[str, ...], method: Any, out: Path, **options: Any) -> None:
    """Show where the detector looked: a heatmap beside and over every face."""
    from rich.console import Console

    from unmask.checking import Examined, examine_image, unreadable
    from unmask.explain.methods import explained
    from unmask.output.documents import Tally
    from unmask.output.pictures import FacePictures, explanation_picture, plain_sentence
    from unmask.output.terminal import Cards

    detector, how = load(options)
    cards = Cards(Console(), detector)
    pages = FacePictures(out, lambda pixels, face: explanation_picture(pixels, face, method), f"-{method}")
    tally, failed, sentence = Tally(), 0, ""
    for path in _files(paths, [out], tally):
        try:
            examined = examine_image(detector, path, **how, heatmap=method == "gradcam")
            assert examined.pixels is not None  # they always come along with a single picture
            examined = replace(examined, finding=explained(detector, examined.finding, examined.pixels, method))
        except UnmaskError as error:
            if error.code in _OF_THE_RUN:
                raise
            examined = Examined(unreadable(detector, path, error), None)
        tally.add(examined.finding)
        cards.add(examined)
        try:
            for file in pages.add(examined.finding, examined.pixels):
                say(f"Its heatmap: {file}")
        except UnmaskError as error:
            failed += 1
            say_error(error)
        for face in examined.finding.faces:
            sentence = plain_sentence(face)
    if not tally.pictures:
        raise _nothing_to_do("explain")
    if sentence:
        say(sentence)
    sys.exit(EXIT_NO_ANSWER if tally.unanswered or failed else 0)


@click.command()
@out_folder("unmask-demo", "pictures")
@detector_options
def demo(out: Path, **options: Any) -> None:
    """Draw a face, check it, and show its heatmap: no picture needed."""
    from rich.console import Console

    from unmask.checking import examine_image
    from unmask.demo import draw_face
    from unmask.image.encode import encode_png
    from unmask.output.files import write_file
    from unmask.output.pictures import FacePictures, side_by_side
    from unmask.output.terminal import Cards

    picture = write_file(out / "face.png", encode_png(draw_face()))
    detector, how = load(options)
    examined = examine_image(detector, picture, **how)
    Cards(Console(), detector).add(examined)
    say(f"The picture: {picture}")
    for file in FacePictures(out, side_by_side).add(examined.finding, examined.pixels):
        say(f"Its heatmap: {file}")
    say("It is a drawing, so its verdict means nothing. Now try: unmask check YOUR-PICTURE.jpg")


@click.command()
@click.option("--bundle", type=PATH, help="Look at this detector. [default: the shipped one]")
def doctor(bundle: Path | None) -> None:
    """Say what is installed, what is missing, and what to do about it."""
    from unmask.doctor import examine

    marks = {"ok": ("✔", "green"), "note": ("•", "yellow"), "problem": ("✘", "red")}
    problems = 0
    for examination in examine(bundle):
        mark, colour = marks[examination.level]
        problems += examination.level == "problem"
        click.secho(mark, fg=colour, nl=False)
        click.secho(f" {examination.name}  ", bold=True, nl=False)
        say(examination.found)
        if examination.hint:
            say(f"  hint: {examination.hint}", dim=True)
    say(f"Problems: {problems}" if problems else "Everything that a check needs is here.")
    sys.exit(EXIT_NO_ANSWER if problems else 0)


# Errors of `explain` that are the same for every picture.
_OF_THE_RUN = frozenset({"no-score"})


def _spare_a_short_process() -> None:
    """Leaves out work that pays only in a process that lives long: a quarter of checking one picture.

    For verbs that multiply no matrices in NumPy or OpenCV, before either is loaded.
    """
    # NumPy and OpenCV each bring an OpenBLAS, which starts a thread a core and lets them spin, waiting for work.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # At its end Python searches all that is alive for garbage; the memory goes back with the process anyway.
    atexit.register(gc.freeze)


def _files(names: Iterable[str], outputs: list[Path], tally: Tally) -> Iterator[str]:
    from unmask.cli.paths import expand

    for candidate in expand(names, outputs=outputs):
        if candidate.left_out:
            tally.left_out += 1
        else:
            yield candidate.path


def _count(names: Iterable[str], outputs: list[Path]) -> int:
    from unmask.output.documents import Tally

    return sum(1 for _ in _files(names, outputs, Tally()))


def _without_heatmap(examined: Examined, error: UnmaskError) -> Examined:
    from unmask.finding import Note

    note = Note("heatmap-not-written", f"Its heatmap is missing: {error.message}.")
    return replace(examined, finding=replace(examined.finding, notes=(*examined.finding.notes, note)))


def _nothing_to_do(what: str) -> UnmaskError:
    return UnmaskError(
        f"there was nothing to {what}", hint="Give pictures, or a folder with pictures in it.", code="no-pictures"
    )
