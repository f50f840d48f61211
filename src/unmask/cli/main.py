"""The command line: one short function a verb. Parse, call the library, print.

Imports of anything slow stand inside the verb that needs them: `unmask check` must answer in well under a second.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import gc
import io
import os
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from unmask import __version__
from unmask.cli.data import audit, prepare
from unmask.cli.judge import compare, evaluate
from unmask.cli.serve import serve
from unmask.cli.train import export, mine, reconstruct, train
from unmask.errors import UnmaskError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console

    from unmask.detector import Detector

EXIT_NO_ANSWER = 1
EXIT_WRONG_USE = 2
EXIT_FAILED_ON = 3
EXIT_INTERRUPTED = 130


class _Group(click.Group):
    """Prints an `UnmaskError` as two lines (what happened, what to do) and exits 2, never with a traceback."""

    def invoke(self, context: click.Context) -> object:
        try:
            return super().invoke(context)
        except UnmaskError as error:
            click.echo(f"error: {error.message}", err=True)
            click.echo(f"hint: {error.hint}", err=True)
            sys.exit(EXIT_WRONG_USE)
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            sys.exit(EXIT_INTERRUPTED)
        except BrokenPipeError as error:
            # The reader (head, less) has seen enough; or Ctrl-C ended it, and this program with it.
            _drop_output()
            sys.exit(EXIT_INTERRUPTED if isinstance(error.__context__, KeyboardInterrupt) else EXIT_NO_ANSWER)
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            _drop_output()
            click.echo(f"error: no room for what is written: {error.strerror}", err=True)
            click.echo("hint: Make room on the disk, or write somewhere else; what was written is not whole.", err=True)
            sys.exit(EXIT_WRONG_USE)


_NO_ROOM = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}


def _drop_output() -> None:
    """Python would complain again when it flushes at exit."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "--version", prog_name="unmask")
def main() -> None:
    """Tell real face pictures from deepfakes."""
    # Pillow warns about odd metadata, which is no concern of someone who asked about a face.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    # Where the output cannot show a sign (a pipe on Windows, say), a question mark is better than no answer.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


for command in (prepare, audit, reconstruct, train, mine, export, evaluate, compare, serve):
    main.add_command(command)


def _detector_options(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option(
            "--threads", type=click.IntRange(1), help="Threads for one picture. [default: one a core, up to 4]"
        ),
        click.option("--runtime", type=click.Choice(["onnxruntime", "openvino"]), default="onnxruntime", hidden=True),
        click.option("--policy", help="Thresholds of the detector to decide by, e.g. careful, balanced, sensitive."),
        click.option(
            "--bundle", type=click.Path(path_type=Path), help="Folder of a detector. [default: the shipped one]"
        ),
        click.option("--max-faces", type=click.IntRange(1), help="Judge only so many of the largest faces."),
        click.option("--no-face-search", is_flag=True, help="Take each whole picture as one face."),
    ):
        function = option(function)
    return function


@main.command(context_settings={"ignore_unknown_options": False})
@click.argument("paths", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document instead of a card or table.")
@click.option("--csv", "csv_file", type=click.Path(path_type=Path), help="Also write one row a picture to this file.")
@click.option(
    "--html", "html_file", type=click.Path(path_type=Path), help="Also write a self-contained page with heatmaps."
)
@click.option(
    "--heatmap", "heatmap_folder", type=click.Path(path_type=Path), help="Also write a heatmap of every face here."
)
@click.option(
    "--fail-on",
    type=click.Choice(["fake", "unsure", "no-face"]),
    multiple=True,
    help="Exit with 3 if any picture gets this answer. May be given more than once.",
)
@_detector_options
def check(
    paths: tuple[str, ...],
    as_json: bool,
    csv_file: Path | None,
    html_file: Path | None,
    heatmap_folder: Path | None,
    fail_on: tuple[str, ...],
    **options: Any,
) -> None:
    """Say of each picture whether its face is real or fake.

    PATHS are pictures, folders (searched for pictures recursively), or patterns such as 'photos/*.jpg';
    - reads a list of paths from standard input, one a line or as find -print0 writes them.

    \b
    Exit status: 0  every picture was answered
                 1  a picture could not be read, or shows no face
                 2  wrong use, or nothing to check
                 3  an answer named by --fail-on
                 130  interrupted
    """
    _spare_a_short_process()
    from unmask.checking import examine_paths
    from unmask.cli.paths import expand, listed, refuse_overwriting
    from unmask.output.documents import CsvWriter, HtmlWriter, JsonWriter, Tally
    from unmask.output.progress import Progress
    from unmask.output.terminal import LEFT_OUT, summary

    names = [name for path in paths for name in (listed(sys.stdin.buffer.read()) if path == "-" else [path])]
    refuse_overwriting(names, [file for file in (csv_file, html_file) if file])
    single = len(names) == 1 and not os.path.isdir(names[0]) and len(list(expand(names))) == 1
    detector = _load(options, many=not single)
    tally = Tally()
    out = _console()
    with contextlib.ExitStack() as stack:
        csv = stack.enter_context(CsvWriter(csv_file)) if csv_file else None
        html = stack.enter_context(HtmlWriter(html_file, detector)) if html_file else None
        document = stack.enter_context(JsonWriter(sys.stdout, detector, tally)) if as_json else None
        heatmaps = _HeatmapFolder(heatmap_folder) if heatmap_folder else None
        wants_maps = html is not None or heatmaps is not None
        outputs = [place for place in (csv_file, html_file, heatmap_folder) if place]
        files = _files(names, tally, outputs)
        show = _nothing if as_json else (_show_card(out, detector) if single else _show_lines(out))
        progress = stack.enter_context(Progress(out, hidden=single or (as_json and out.is_terminal)))
        total = _count(names, outputs) if progress.shown else None
        for examined in examine_paths(
            files,
            detector,
            face_search=not options["no_face_search"],
            max_faces=options["max_faces"],
            heatmap=wants_maps,
        ):
            finding = examined.finding
            show(finding)
            if document:
                document.add(finding)
            tally.add(finding)
            if csv:
                csv.add(finding)
            if html:
                html.add(examined)
            if heatmaps:
                heatmaps.add(examined)
            progress("checking", tally.pictures, total)
    if not tally.pictures:
        others = f"; left out: {tally.left_out} {LEFT_OUT}" if tally.left_out else ""
        raise _nothing_to_do(f"check{others}")
    if not as_json and not single:
        out.print(summary(tally))
    sys.exit(_exit_status(tally, fail_on))


@main.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("unmask-demo"),
    show_default=True,
    help="Folder for the pictures.",
)
@_detector_options
def demo(out: Path, **options: Any) -> None:
    """Draw a face, check it, and show its heatmap: no picture needed."""
    from unmask.checking import examine_paths
    from unmask.demo import draw_face
    from unmask.image.encode import encode_png

    picture = _write(out / "face.png", encode_png(draw_face()))
    detector = _load(options, many=False)
    console = _console()
    heatmaps = _HeatmapFolder(out)
    written = []
    for examined in examine_paths(
        [picture],
        detector,
        face_search=not options["no_face_search"],
        max_faces=options["max_faces"],
        heatmap=True,
        workers=1,
    ):
        _show_card(console, detector)(examined.finding)
        written = heatmaps.add(examined)
    console.print(f"The picture: {picture}", markup=False, highlight=False, soft_wrap=True)
    for path in written:
        console.print(f"Its heatmap: {path}", markup=False, highlight=False, soft_wrap=True)
    console.print(
        "It is a drawing, so its verdict means nothing. Now try: unmask check YOUR-PICTURE.jpg",
        highlight=False,
        soft_wrap=True,
    )


@main.command()
@click.option("--bundle", type=click.Path(path_type=Path), help="Look at this detector. [default: the shipped one]")
def doctor(bundle: Path | None) -> None:
    """Say what is installed, what is missing, and what to do about it."""
    from unmask.doctor import examine

    marks = {"ok": ("✔", "green"), "note": ("•", "yellow"), "problem": ("✘", "red")}
    console = _console()
    problems = 0
    for examination in examine(bundle):
        mark, colour = marks[examination.level]
        problems += examination.level == "problem"
        console.print(f"[{colour}]{mark}[/] [bold]{examination.name}[/]", end="  ")
        console.print(examination.found, markup=False, highlight=False, soft_wrap=True)
        if examination.hint:
            console.print(f"  hint: {examination.hint}", markup=False, highlight=False, style="dim", soft_wrap=True)
    console.print("Everything that a check needs is here." if not problems else f"Problems: {problems}")
    sys.exit(EXIT_NO_ANSWER if problems else 0)


@main.command()
@click.argument("paths", nargs=-1, required=True)
@click.option(
    "--method",
    type=click.Choice(["gradcam", "hirescam", "occlusion"]),
    default="gradcam",
    show_default=True,
    help="How the heatmap is made.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("unmask-explained"),
    show_default=True,
    help="Folder for the pictures.",
)
@_detector_options
def explain(paths: tuple[str, ...], method: Any, out: Path, **options: Any) -> None:
    """Show where the detector looked: a heatmap beside and over every face."""
    from unmask.checking import examine_image
    from unmask.cli.paths import expand
    from unmask.explain.methods import explained, explanation_picture, plain_sentence
    from unmask.image.encode import encode_png

    detector = _load(options, many=False)
    console = _console()
    unanswered, sentence, number = 0, "", 0
    for number, path in enumerate((one.path for one in expand(paths, outputs=[out]) if not one.left_out), start=1):
        try:
            examined = examine_image(
                detector,
                path,
                face_search=not options["no_face_search"],
                max_faces=options["max_faces"],
                heatmap=method == "gradcam",
            )
            assert examined.pixels is not None  # they always come along with a single picture
            finding = explained(detector, examined.finding, examined.pixels, method)
        except UnmaskError as error:
            if error.code in ("no-onnx", "no-hirescam"):
                raise
            unanswered += 1
            click.echo(f"error: {error.message}\nhint: {error.hint}", err=True)
            continue
        _show_card(console, detector)(finding)
        unanswered += not finding.faces
        for count, face in enumerate(finding.faces, start=1):
            page = encode_png(explanation_picture(examined.pixels, face, method))
            written = _write(out / f"{number:04}-{Path(path).stem[:80]}-face{count}-{method}.png", page)
            console.print(f"Its heatmap: {written}", markup=False, highlight=False, soft_wrap=True)
            sentence = plain_sentence(face)
    if not number:
        raise _nothing_to_do("explain")
    if sentence:
        console.print(sentence, highlight=False)
    sys.exit(EXIT_NO_ANSWER if unanswered else 0)


class _HeatmapFolder:
    """Writes `<number>-<name>-face<k>.png`: the face beside its heatmap."""

    SIDE = 384

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _cannot_write(folder, error) from None

    def add(self, examined: Any) -> list[Path]:
        import numpy as np

        from unmask.image.encode import encode_png
        from unmask.output.documents import heatmap_pictures

        self._count += 1
        stem = Path(examined.finding.path).stem[:80]
        written = []
        for number, face in enumerate(examined.finding.faces, start=1):
            pair = np.concatenate(heatmap_pictures(face, examined.pixels, self.SIDE), axis=1)
            written.append(_write(self._folder / f"{self._count:04}-{stem}-face{number}.png", encode_png(pair)))
        return written


def _spare_a_short_process() -> None:
    """Leaves out work that pays only in a process that lives long: a quarter of checking one picture.

    For verbs that multiply no matrices in NumPy or OpenCV, before either is loaded.
    """
    # NumPy and OpenCV each bring an OpenBLAS, which starts a thread a core and lets them spin, waiting for work.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # At its end Python searches all that is alive for garbage; the memory goes back with the process anyway.
    atexit.register(gc.freeze)


def _load(options: dict[str, Any], *, many: bool) -> Detector:
    from unmask.detector import Detector

    # Many pictures at once are faster with one thread each than one by one with all.
    threads = options["threads"] or (1 if many else None)
    return Detector.load(options["bundle"], threads=threads, runtime=options["runtime"], policy=options["policy"])


def _files(names: list[str], tally: Any, outputs: list[Path]) -> Iterator[str]:
    from unmask.cli.paths import expand

    for candidate in expand(names, outputs=outputs):
        if candidate.left_out:
            tally.left_out += 1
        else:
            yield candidate.path


def _console(*, stderr: bool = False) -> Console:
    from rich.console import Console

    return Console(stderr=stderr)


def _nothing(finding: Any) -> None:
    pass


def _show_card(console: Console, detector: Detector) -> Callable[[Any], None]:
    from unmask.output.terminal import card

    def show(finding: Any) -> None:
        details = f"{detector.label} · policy {detector.policy} · {finding.seconds * 1000:.0f} ms"
        console.print(card(finding, detector.thresholds, details=details))

    return show


def _show_lines(console: Console) -> Callable[[Any], None]:
    from unmask.output.terminal import HEADER, line

    header = [HEADER]  # above the first line: a table of nothing has none

    def show(finding: Any) -> None:
        while header:
            console.print(header.pop())
        console.print(line(finding), soft_wrap=True)

    return show


def _count(names: list[str], outputs: list[Path]) -> int:
    from unmask.cli.paths import expand

    return sum(not candidate.left_out for candidate in expand(names, outputs=outputs))


def _exit_status(tally: Any, fail_on: tuple[str, ...]) -> int:
    if any(getattr(tally, answer.replace("-", "_")) for answer in fail_on):
        return EXIT_FAILED_ON
    return EXIT_NO_ANSWER if tally.unanswered else 0


def _write(path: Path, data: bytes) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        raise _cannot_write(path, error) from None
    return path


def _nothing_to_do(what: str) -> UnmaskError:
    return UnmaskError(
        f"there was nothing to {what}", hint="Give pictures, or a folder with pictures in it.", code="no-pictures"
    )


def _cannot_write(path: Path, error: OSError) -> UnmaskError:
    return UnmaskError(
        f"cannot write {path}: {error.strerror or error}",
        hint="Name a place that you may write to.",
        code="bad-output",
    )
