"""The verbs `explain`, `diff`, `demo` and `doctor`. Parse, call the library, print."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from unmask.cli.options import PATH, detector_options, load, option_with_default, out_folder
from unmask.cli.say import EXIT_NO_ANSWER, say, say_error
from unmask.errors import UnmaskError

DEMO = "unmask-demo"


@click.command()
@click.argument("paths", nargs=-1, required=True)
@option_with_default(
    "--method", type=click.Choice(["gradcam", "occlusion"]), default="gradcam", help="How the heatmap is made."
)
@option_with_default("--out", type=PATH, default=Path("unmask-explained"), help="Folder for the pictures.")
@detector_options
def explain(paths: tuple[str, ...], method: Any, out: Path, **options: Any) -> None:
    """Show where the detector looked: a heatmap beside and over every face."""
    from rich.console import Console

    from unmask.checking import Examined, examine_image, unreadable
    from unmask.cli.paths import files, nothing_to_do, refuse_addresses
    from unmask.explain.occlusion import with_occlusion_maps
    from unmask.output.documents import Tally
    from unmask.output.pictures import FacePictures, explanation_picture, plain_sentence
    from unmask.output.terminal import Cards

    refuse_addresses(paths)
    detector, how = load(options)
    cards = Cards(Console(), detector)
    pages = FacePictures(out, lambda pixels, face: explanation_picture(pixels, face, method), f"-{method}")
    tally, failed, sentence = Tally(), 0, ""
    for path in files(paths, [out], tally):
        try:
            examined = examine_image(detector, path, **how, heatmap=method == "gradcam")
            assert examined.pixels is not None  # they always come along with a single picture
            if method == "occlusion":
                finding = with_occlusion_maps(detector, examined.finding, examined.pixels)
                examined = replace(examined, finding=finding)
        except UnmaskError as error:
            if error.code in _OF_THE_RUN:
                raise
            examined = Examined(unreadable(detector, path, error), None)
        tally.add(examined.finding)
        cards.add(examined)
        try:
            for file in pages.add(examined):
                say(f"Its heatmap: {file}")
        except UnmaskError as error:
            failed += 1
            say_error(error)
        for face in examined.finding.faces:
            sentence = plain_sentence(face)
    if not tally.pictures:
        raise nothing_to_do("explain")
    if sentence:
        say(sentence)
    sys.exit(EXIT_NO_ANSWER if tally.unanswered or failed else 0)


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


@click.command()
@out_folder(DEMO, "pictures")
@detector_options
def demo(out: Path, **options: Any) -> None:
    """Check a real portrait and a fake made of it, and show their heatmaps: no picture needed."""
    from rich.console import Console

    from unmask.checking import examine_image
    from unmask.demo.samples import SAMPLES, sample_jpeg
    from unmask.output.files import write_file
    from unmask.output.pictures import FacePictures, side_by_side
    from unmask.output.terminal import Cards

    # In its own folder lies what an earlier version put there, which is replaced.
    for sample in () if out == Path(DEMO) else SAMPLES[:2]:
        picture = out / f"{sample.name}.jpg"
        if picture.exists() and (not picture.is_file() or picture.read_bytes() != sample_jpeg(sample.name)):
            hint = "Name another folder: --out other-folder"
            raise UnmaskError(f"{picture} is there already, and is another picture", hint=hint, code="bad-output")
    detector, how = load(options)
    cards, pages = Cards(Console(), detector), FacePictures(out, side_by_side)
    for sample in SAMPLES[:2]:
        picture = write_file(out / f"{sample.name}.jpg", sample_jpeg(sample.name) or b"")
        examined = examine_image(detector, picture, **how)
        cards.add(examined)
        say(f"What is known of it: {sample.known}")
        for file in pages.add(examined):
            say(f"Its heatmap: {file}")
    say("Two pictures tell nothing of how good the detector is. Now try: unmask check YOUR-PICTURE.jpg")


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
