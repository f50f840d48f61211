"""The verb `diff`. Parse, call the library, print."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from unmask.cli.options import PATH, detector_options, load, option_with_default
from unmask.cli.say import say
from unmask.errors import UnmaskError


@click.command()
@click.argument("original", type=PATH)
@click.argument("suspect", type=PATH)
@option_with_default("--out", type=PATH, default=Path("unmask-diff.png"), help="Of the picture; a PNG.")
@detector_options
def diff(original: Path, suspect: Path, out: Path, **options: Any) -> None:
    """Show where a picture differs from its original: aligned, side by side, with both heatmaps."""
    from rich.console import Console

    from unmask.checking import examine_image
    from unmask.image.encode import encode_png
    from unmask.output.difference import DIFFERENCE_MEANS, difference_picture
    from unmask.output.files import write_file
    from unmask.output.terminal import Lines

    if out.exists():
        hint = "Delete it, or give the new picture another name: --out other.png"
        raise UnmaskError(f"{out} is there already", hint=hint, code="bad-output")
    detector, how = load(options)
    both = [examine_image(detector, path, **how) for path in (original, suspect)]
    picture = difference_picture(both[0], both[1])
    lines = Lines(Console())
    for examined in both:
        lines.add(examined)
    say(f"Where they differ: {write_file(out, encode_png(picture))}")
    say(DIFFERENCE_MEANS)
