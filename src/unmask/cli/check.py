"""The verb `check`. Parse, call the library, print."""

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

from unmask.cli.options import FAIL_ON, PATH, QUIET, clip_options, detector_options, load, sampling_of
from unmask.cli.say import EXIT_FAILED_ON, EXIT_INTERRUPTED, EXIT_NO_ANSWER, say
from unmask.errors import UnmaskError

if TYPE_CHECKING:
    from unmask.checking import Examined, ExaminedClip


@click.command()
@click.argument("paths", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document instead of a card or table.")
@click.option("--csv", "csv_file", type=PATH, help="Also write one row a picture, or a sampled face of a clip, here.")
@click.option("--html", "html_file", type=PATH, help="Also write a self-contained page with heatmaps.")
@click.option(
    "--heatmap",
    "heatmap_folder",
    type=PATH,
    help="Also write a heatmap of every face here; of clips, of the moments that decided.",
)
@click.option(
    "--fetch", is_flag=True, help="Fetch what PATHS name by http or https; without this nothing is ever fetched."
)
@click.option("--overwrite", is_flag=True, help="Replace a table or page of an earlier run.")
@QUIET
@FAIL_ON
@clip_options
@detector_options
def check(
    paths: tuple[str, ...],
    as_json: bool,
    csv_file: Path | None,
    html_file: Path | None,
    heatmap_folder: Path | None,
    fetch: bool,
    overwrite: bool,
    quiet: bool,
    fail_on: tuple[str, ...],
    **options: Any,
) -> None:
    """Say of each picture or clip whether its face is real or fake.

    PATHS are pictures, clips, folders (searched recursively), or patterns such as 'photos/*.jpg';
    - reads a list of paths from standard input, one a line or as find -print0 writes them.

    \b
    Exit status: 0  every picture and clip was answered
                 1  one could not be read, or shows no face, or its heatmap could not be written
                 2  wrong use, or nothing to check
                 3  an answer named by --fail-on
                 130  interrupted
    """
    _spare_a_short_process()
    # Who ends this run by a signal gets whole files, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    from rich.console import Console

    from unmask.checking import ExaminedClip, examine_all
    from unmask.checking.paths import expand
    from unmask.cli.paths import count, files, is_address, nothing_to_do, refuse_addresses, refuse_overwriting, typed
    from unmask.output.documents import JsonWriter, Tally
    from unmask.output.progress import Progress
    from unmask.output.terminal import LEFT_OUT, Cards, Lines, summary
    from unmask.video.kinds import is_clip

    names = typed(paths)
    fetched = None
    refuse_addresses(names, fetch=fetch)
    if any(map(is_address, names)):
        from unmask.cli.fetch import Fetched

        names = (fetched := Fetched(names)).names
    refuse_overwriting(names, [file for file in (csv_file, html_file) if file], overwrite=overwrite)
    single = len(names) == 1 and not os.path.isdir(names[0]) and len(list(expand(names))) == 1
    sampling = sampling_of(options)
    detector, how = load(options, many=not single)
    tally, unwritten, total = Tally(), 0, None
    clips, cut_short, alone = 0, False, False
    console = Console()
    outputs = [place for place in (csv_file, html_file, heatmap_folder) if place]
    reports: list[Any] = []
    pictures = None
    try:
        with fetched or contextlib.nullcontext(), contextlib.ExitStack() as stack:
            if csv_file:
                from unmask.output.csv_table import CsvWriter

                reports.append(table := stack.enter_context(CsvWriter(csv_file, detector)))
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
            alone = single and is_clip(next(expand(names)).path)
            hidden = (single and not alone) or quiet or (as_json and console.is_terminal)
            progress = stack.enter_context(Progress(None if as_json else console, hidden=hidden))
            total = count(names, outputs) if progress.shown else None

            def on_frame(done: int, wanted: int) -> None:
                if alone:
                    progress("checking", done, wanted)
                else:
                    progress("checking", tally.pictures, total, f"frame {done} of {wanted}")

            how |= {"sampling": sampling, "heatmap": bool(html_file or heatmap_folder), "on_frame": on_frame}
            for examined in examine_all(files(names, outputs, tally), detector, **how):
                examined = fetched.named(examined) if fetched else examined
                if isinstance(examined, ExaminedClip):
                    clips, cut_short = clips + 1, examined.interrupted
                if pictures:
                    try:
                        pictures.add(examined)
                    except UnmaskError as error:
                        unwritten += 1
                        examined = _without_heatmap(examined, error)
                        progress.print(f"error: {error.message}")
                tally.add(examined.finding)
                for report in reports:
                    report.add(examined)
                if not alone:
                    progress("checking", tally.pictures, total)
            if not tally.pictures:
                others = f"; left out: {tally.left_out} {LEFT_OUT}" if tally.left_out else ""
                raise nothing_to_do(f"check{others}")
    except KeyboardInterrupt:
        places = [os.fspath(report.place) for report in [*reports, pictures] if hasattr(report, "place")]
        kept = f"; what was found is in {', '.join(places)}" if places and tally.pictures else ""
        if single:
            how_far = "checked in part" if cut_short else "checked" if tally.pictures else "not checked"
            say(f"interrupted: the {'clip' if alone else 'picture'} was {how_far}{kept}", err=True)
        else:
            cut = ", the last of them, a clip, in part" if cut_short else ""
            total = total or count(names, outputs)
            say(f"interrupted: {tally.pictures:,} of {total:,} files were checked{cut}{kept}", err=True)
            say("The same command begins at the first one again.", err=True)
        sys.exit(EXIT_INTERRUPTED)
    if not as_json and not single:
        console.print(summary(tally, clips))
    if any(getattr(tally, answer.replace("-", "_")) for answer in fail_on):
        sys.exit(EXIT_FAILED_ON)
    sys.exit(EXIT_NO_ANSWER if tally.unanswered or unwritten else 0)


def _spare_a_short_process() -> None:
    """Leaves out work that pays only in a process that lives long: a quarter of checking one picture.

    For verbs that multiply no matrices in NumPy or OpenCV, before either is loaded.
    """
    # NumPy and OpenCV each bring an OpenBLAS, which starts a thread a core and lets them spin, waiting for work.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # At its end Python searches all that is alive for garbage; the memory goes back with the process anyway.
    atexit.register(gc.freeze)


def _without_heatmap(examined: Examined | ExaminedClip, error: UnmaskError) -> Examined | ExaminedClip:
    from unmask.finding import Note

    note = Note("heatmap-not-written", f"Its heatmap is missing: {error.message}.")
    finding = replace(examined.finding, notes=(*examined.finding.notes, note))
    return replace(examined, finding=finding)  # type: ignore[arg-type]
