"""The verbs `prepare` and `audit`. Parse, call the library, print."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console

    from unmask.data.prepared import Prepared

# What a shell reports of a program that Ctrl-C ended: `unmask prepare ... && unmask train ...` must not go on.
EXIT_INTERRUPTED = 130


@click.command()
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write to.")
@click.option("--size", type=int, default=128, show_default=True, help="Side of the pictures in pixels.")
@click.option(
    "--crop",
    type=click.Choice(["none", "face"]),
    default="none",
    show_default=True,
    help="Take the whole picture, or the largest face in it.",
)
@click.option("--workers", type=click.IntRange(1), help="Pictures at a time. [default: one a core]")
@click.option("--overwrite", is_flag=True, help="Replace what another dataset or size left in --out.")
def prepare(dataset: Path, out: Path, size: int, crop: str, workers: int | None, overwrite: bool) -> None:
    """Turn a dataset folder into arrays to train from, and a manifest.

    DATASET holds Train, Validation and Test, each with Real and Fake. Every file is checked: by its content, at least
    2,500 bytes, at least 64 x 64 pixels, decodable. One that fails is listed in the manifest with the reason. Stopped
    half-way, the same command goes on where it was.
    """
    from rich.console import Console

    from unmask.data.layout import find_layout
    from unmask.data.prepare import prepare as run
    from unmask.output.progress import Progress

    console = Console(stderr=True)
    for note in find_layout(dataset).notes:
        console.print(f"note: {note}", highlight=False, markup=False)
    try:
        with Progress(console) as show:
            prepared = run(
                dataset,
                out,
                size=size,
                crop="face" if crop == "face" else "none",
                workers=workers,
                progress=lambda done, total: show("preparing", done, total),
                overwrite=overwrite,
            )
    except KeyboardInterrupt:
        console.print("Stopped; what is done is kept. Go on: give the same command again.", highlight=False)
        sys.exit(EXIT_INTERRUPTED)
    _show_counts(Console(), prepared)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--html", "page", type=click.Path(path_type=Path), help="Where to write the page. [default: FOLDER/audit.html]"
)
@click.option("--fix", is_flag=True, help="Take the offending rows out of the folder's manifest.csv.")
@click.option("--workers", type=click.IntRange(1), help="Threads. [default: one a core]")
def audit(folder: Path, page: Path | None, fix: bool, workers: int | None) -> None:
    """Look for what would spoil a result: copies, leaks between splits, one-sided groups, shortcuts.

    FOLDER was written by unmask prepare. The page shows examples. With --fix, pictures that are copies, leak from one
    split to another or have both labels leave the manifest; the manifest as it was is kept beside it.
    """
    from rich.console import Console
    from rich.table import Table

    from unmask.data.audit import audit as run
    from unmask.data.audit import write_fixed
    from unmask.data.audit_page import audit_page
    from unmask.data.prepared import AUDIT_PAGE, load_prepared
    from unmask.output.progress import Progress

    console = Console()
    with Progress() as show:
        found = run(load_prepared(folder), workers=workers, progress=show)
    table = Table("the class from ... alone", "AUC", "95 % interval", "")
    for one in found.shortcuts:
        interval = f"{one.low:.3f} to {one.high:.3f}" if one.low is not None and one.high is not None else ""
        known = f"{one.auc:.3f}" if one.auc is not None else "–"
        table.add_row(one.name, known, interval, "shortcut" if one.is_warning else one.missing)
    console.print(table)
    for warning in found.warnings:
        console.print(f"warning: {warning}", highlight=False, soft_wrap=True)
    if not found.warnings:
        console.print("Nothing was found that would spoil a result.")
    if fix:
        kept = write_fixed(found)
        console.print(f"{len(found.removals):,} rows were taken out of {kept}", highlight=False, soft_wrap=True)
    elif found.removals:
        console.print(f"--fix would take {len(found.removals):,} pictures out.", highlight=False)
    path = page or folder / AUDIT_PAGE
    # A name that is no UTF-8 cannot stand in a page as it is.
    path.write_text(audit_page(found), encoding="utf-8", errors="replace")
    console.print(f"The page: {path}", highlight=False, soft_wrap=True)


def _show_counts(console: Console, prepared: Prepared) -> None:
    from collections import Counter

    from rich.table import Table

    from unmask.data.manifest import REMOVED, read_manifest

    table = Table("split", "real", "fake", "rejected")
    for column in table.columns[1:]:
        column.justify = "right"
    for split, counts in prepared.counts.items():
        table.add_row(split, *(f"{counts[name]:,}" for name in ("real", "fake", "rejected")))
    console.print(table)
    for reason, count in Counter(row.reason for row in prepared.manifest if row.reason).most_common():
        console.print(f"rejected: {count:,} {reason}", highlight=False)
    removed = prepared.folder / REMOVED
    if removed.is_file() and (count := sum(1 for _ in read_manifest(removed))):
        console.print(f"taken out by unmask audit --fix: {count:,}, see {removed}", highlight=False, soft_wrap=True)
    console.print(f"{prepared.size} x {prepared.size} pixels in {prepared.folder}", highlight=False, soft_wrap=True)
