"""The verbs `scan` and `watch`. Parse, call the library, print."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from unmask.cli.options import FAIL_ON, PATH, QUIET, clip_options, detector_options, load, out_folder, sampling_of
from unmask.cli.say import EXIT_FAILED_ON, EXIT_INTERRUPTED, EXIT_NO_ANSWER, say

if TYPE_CHECKING:
    from unmask.scan.judging import Asked

WORKERS = click.option(
    "--workers",
    type=click.IntRange(1),
    help="Processes that judge; each takes memory for a detector. [default: one a core]",
)


@click.command()
@click.argument("sources", nargs=-1, required=True)
@out_folder("unmask-scan", "results")
@click.option("--column", help="Column of Parquet files with paths or bytes. [default: the only one that can be meant]")
@click.option("--ray", metavar="local|ADDRESS", help="Work on Ray: started here, or a cluster's address.")
@WORKERS
@click.option("--json-lines", "lines", metavar="FILE", help="Also add each row to this file; - to print it.")
@QUIET
@FAIL_ON
@clip_options
@detector_options
def scan(
    sources: tuple[str, ...],
    out: Path,
    column: str | None,
    ray: str | None,
    workers: int | None,
    lines: str | None,
    quiet: bool,
    fail_on: tuple[str, ...],
    **options: Any,
) -> None:
    """Judge any number of pictures and clips; goes on where it was stopped.

    SOURCES are pictures, clips, folders, patterns, lists of names (.txt), tars and Parquet files, on this machine or at
    addresses such as s3://bucket/folder; - reads a list of names from standard input. The results are a table in Parquet in
    the folder of --out, with a summary beside it.

    \b
    Exit status: 0  every picture and clip was answered
                 1  one could not be read, or shows no face
                 2  wrong use, or nothing to scan
                 3  an answer named by --fail-on
                 130  interrupted; the same command goes on
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)

    from unmask.cli.paths import nothing_to_do, refuse_overwriting, typed
    from unmask.output.progress import Progress
    from unmask.scan.run import count, scanning
    from unmask.scan.summary import write_summary

    names = typed(sources)
    asked = _asked(options)
    printing = lines == "-"
    own = [lines] if lines and not printing else []
    refuse_overwriting(names, own, overwrite=True)
    done = failed = 0
    try:
        with (
            _stream(lines) as stream,
            scanning(names, out, asked, column=column, workers=workers, ray=ray, own=own) as work,
        ):
            if work.before:
                say(f"Going on: {work.before:,} are done already.", err=True)
            with Progress(hidden=quiet or printing) as progress:
                total = count(names, out, column, own) if progress.shown else None
                began = time.monotonic()
                progress("scanning", work.before, total, "0 failed")
                for row in work.rows:
                    done += 1
                    failed += row["verdict"] is None
                    rate = done / max(time.monotonic() - began, 1e-9)
                    progress("scanning", work.before + done, total, f"{rate:.1f}/s  {failed:,} failed")
                    if stream:
                        _write(stream, row)
    except KeyboardInterrupt:
        say(f"interrupted: {done:,} were scanned, and are kept in {out}", err=True)
        say("The same command goes on from there.", err=True)
        sys.exit(EXIT_INTERRUPTED)
    if not work.before + done:
        raise nothing_to_do("scan")
    summary = write_summary(out, asked.detector, names, left_out=work.left_out)
    _report(summary, out, err=printing)
    if any(summary[answer.replace("-", "_")] for answer in fail_on):
        sys.exit(EXIT_FAILED_ON)
    sys.exit(EXIT_NO_ANSWER if summary["no_face"] or summary["unreadable"] else 0)


@click.command()
@click.argument("folder", type=PATH)
@WORKERS
@clip_options
@detector_options
def watch(folder: Path, workers: int | None, **options: Any) -> None:
    """Judge whatever lands in FOLDER from now on: one line of JSON each.

    A file is judged when it has not changed for a second. Ctrl-C ends the watch; nothing is kept.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    from unmask.scan.watching import watch_folder
    from unmask.system.cores import available_cores

    rows = watch_folder(folder, _asked(options), workers=workers or available_cores())  # watches from here on
    say(f"Watching {folder}; Ctrl-C ends it.", err=True)
    with contextlib.closing(rows):
        for row in rows:
            _write(sys.stdout, row)


def _asked(options: dict[str, Any]) -> Asked:
    from unmask.scan.judging import Asked

    sampling = sampling_of(options)
    detector, how = load(options, many=True)
    return Asked(detector, sampling=sampling, **how)


def _stream(lines: str | None) -> contextlib.AbstractContextManager[IO[str] | None]:
    if lines is None or lines == "-":
        return contextlib.nullcontext(sys.stdout if lines else None)
    return open(lines, "a", encoding="utf-8")


def _write(stream: IO[str], row: dict[str, Any]) -> None:
    stream.write(json.dumps(row, allow_nan=False) + "\n")
    stream.flush()


def _report(summary: dict[str, Any], out: Path, *, err: bool) -> None:
    from unmask.output.wording import OUTCOMES, counted

    answers = ", ".join(f"{summary[name]:,} {words}" for name, words in OUTCOMES.items() if summary[name])
    say(f"{counted(summary['pictures'], summary['clips'])}: {answers}", err=err)
    for failure in summary["failures"][:5]:
        say(f"  {failure['count']:,} {failure['code']}, such as {failure['such_as']}", err=err)
    if summary["left_out"]:
        say(
            f"  left out: {summary['left_out']:,} hidden files, folders behind links or patterns, tables without pictures",
            err=err,
        )
    say(f"The table: {out / 'parts'}. The summary: {out / 'summary.html'}", err=err)
