"""The verbs `prepare` and `audit`. Parse, call the library, print."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from unmask.cli.options import PATH, option_with_default
from unmask.cli.say import EXIT_INTERRUPTED, say, say_note

if TYPE_CHECKING:
    from unmask.data.prepared import Prepared


@click.command()
@click.argument("dataset", type=PATH)
@click.option("--out", required=True, type=PATH, help="Folder to write to.")
@option_with_default("--size", type=int, default=128, help="Side of the pictures in pixels.")
@option_with_default(
    "--crop",
    type=click.Choice(["none", "face"]),
    default="none",
    help="Take the whole picture, or the largest face in it.",
)
@option_with_default("--frames-per-clip", "frames", type=int, default=16, help="Taken of each clip, evenly spread.")
@click.option(
    "--split", metavar="80/10/10", help="Deal two folders, Real and Fake, to Train, Validation and Test: percentages."
)
@click.option("--workers", type=click.IntRange(1), help="Pictures or clips at a time. [default: one a core]")
@click.option("--overwrite", is_flag=True, help="Replace what another dataset or size left in --out.")
def prepare(
    dataset: Path,
    out: Path,
    size: int,
    crop: str,
    frames: int,
    split: str | None,
    workers: int | None,
    overwrite: bool,
) -> None:
    """Turn a dataset folder into arrays to train from, and a manifest.

    DATASET holds Train, Validation and Test, each with Real and Fake: pictures, clips or both. With --split it holds Real and
    Fake alone; no group of a manifest.csv beside them comes into two splits.

    Every file is checked: by its content, at least 2,500 bytes, at least 64 x 64 pixels, decodable. One that fails is listed
    in the manifest with the reason. Of clips, frames are taken as pictures. Stopped half-way, the same command goes on
    where it was.
    """
    from unmask.data.prepare import prepare as run
    from unmask.data.split import parse_shares
    from unmask.output.progress import Progress

    try:
        with Progress() as show:
            prepared = run(
                dataset,
                out,
                size=size,
                crop="face" if crop == "face" else "none",
                frames_per_clip=frames,
                shares=parse_shares(split) if split is not None else None,
                workers=workers,
                progress=lambda done, total: show("preparing", done, total),
                on_note=say_note,
                overwrite=overwrite,
            )
    except KeyboardInterrupt:
        say("Stopped; what is done is kept. Go on: give the same command again.", err=True)
        sys.exit(EXIT_INTERRUPTED)
    _show_counts(prepared)


@click.command()
@click.argument("folder", type=PATH)
@click.option("--html", "page", type=PATH, help="Where to write the page. [default: FOLDER/audit.html]")
@click.option("--fix", is_flag=True, help="Take the offending rows out of the folder's manifest.csv.")
@click.option("--workers", type=click.IntRange(1), help="Threads. [default: one a core]")
def audit(folder: Path, page: Path | None, fix: bool, workers: int | None) -> None:
    """Look for what would spoil a result: copies, leaks between splits, one-sided groups, shortcuts.

    FOLDER was written by unmask prepare. The page shows examples. With --fix, pictures that are copies, leak from one
    split to another or have both labels leave the manifest; the manifest as it was is kept beside it.
    """
    from rich.console import Console
    from rich.table import Table

    from unmask.cli.paths import refuse_overwriting
    from unmask.data.audit import audit as run
    from unmask.data.audit import write_fixed
    from unmask.data.audit_page import audit_page
    from unmask.data.prepared import AUDIT_PAGE, load_prepared
    from unmask.output.files import write_file
    from unmask.output.progress import Progress

    refuse_overwriting([], [page] if page else [], overwrite=True)
    with Progress() as show:
        found = run(load_prepared(folder), workers=workers, progress=show)
    table = Table("the class from ... alone", "AUC", "95 % interval", "")
    for shortcut in found.shortcuts:
        low, high = shortcut.low, shortcut.high
        interval = f"{low:.3f} to {high:.3f}" if low is not None and high is not None else ""
        known = f"{shortcut.auc:.3f}" if shortcut.auc is not None else "–"
        table.add_row(shortcut.name, known, interval, "shortcut" if shortcut.is_warning else shortcut.missing)
    Console().print(table)
    for warning in found.warnings:
        say(f"warning: {warning}")
    if not found.warnings:
        say("Nothing was found that would spoil a result.")
    path = page or folder / AUDIT_PAGE
    # A name that is no UTF-8 cannot stand in a page as it is.
    say(f"The page: {write_file(path, audit_page(found).encode(errors='replace'))}")
    if fix:
        kept = write_fixed(found)
        say(f"{len(found.removals):,} rows were taken out of {kept}")
    elif found.removals:
        say(f"--fix would take {len(found.removals):,} pictures out.")


def _show_counts(prepared: Prepared) -> None:
    from collections import Counter

    from rich.console import Console
    from rich.table import Table

    from unmask.data.manifest import REMOVED, clip_of, read_manifest
    from unmask.system.python import pip_install
    from unmask.video.refusals import EXTRA, NO_EXTRA

    table = Table("split", "real", "fake", "rejected")
    for column in table.columns[1:]:
        column.justify = "right"
    for split, counts in prepared.counts.items():
        table.add_row(split, *(f"{counts[name]:,}" for name in ("real", "fake", "rejected")))
    Console().print(table)
    for reason, count in Counter(row.reason for row in prepared.manifest if row.reason).most_common():
        say(f"rejected: {count:,} {reason}")
        if reason == NO_EXTRA:
            say(f"hint: these are videos; run {pip_install(EXTRA)}, then give the same command with --overwrite.")
    frames = [clip for row in prepared.manifest if row.row is not None and (clip := clip_of(row.path))]
    if frames:
        say(f"{len(frames):,} of these pictures are frames of {len(set(frames)):,} clips")
    removed = prepared.folder / REMOVED
    if removed.is_file() and (count := sum(1 for _ in read_manifest(removed))):
        say(f"taken out by unmask audit --fix: {count:,}, see {removed}")
    say(f"{prepared.size} x {prepared.size} pixels in {prepared.folder}")
