"""The verb `export`. Parse, call the library, print."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import click

from unmask.cli.options import PATH, option_with_default
from unmask.cli.say import say, say_note
from unmask.errors import UnmaskError


@click.command()
@click.argument("sources", metavar="SOURCE...", type=PATH, nargs=-1, required=True)
@click.option("--out", required=True, type=PATH, help="Folder of the bundle.")
@click.option("--data", help="Where to calibrate: its Validation split. [default: what the runs learned from]")
@click.option("--name", help="Of the detector. [default: architecture and size]")
@click.option("--detector-version", "version", help="[default: 1; of a bundle, its own + the name of the pictures]")
@click.option("--data-name", help="What the card calls the pictures. [default: their folder's name]")
@click.option("--terms", help="On what terms the pictures, and so the weights, may be used.")
@option_with_default(
    "--kernel-bits",
    type=click.Choice(["8", "16", "32"]),
    default="32",
    help="How many bits to keep of each number in a kernel; 16 make about half the size, 8 a third.",
)
@click.option("--input-scaling", type=click.Choice(["0..1", "-1..1", "0..255"]), help="For a .h5: what it was fed.")
@click.option("--label-order", type=click.Choice(["real-fake", "fake-real"]), help="For a .h5: its classes 0 and 1.")
def export(
    sources: tuple[Path, ...],
    out: Path,
    data: str | None,
    name: str | None,
    version: str | None,
    data_name: str | None,
    terms: str | None,
    input_scaling: str | None,
    label_order: str | None,
    kernel_bits: str,
) -> None:
    """Make a detector of a trained model: graph, calibration, thresholds, hashes, model card.

    SOURCE is a run folder, or a Keras file (.h5, .keras) of somebody's real/fake classifier. Several run folders, trained
    with different seeds, make one detector that answers with the mean of their logits. A bundle is calibrated anew, on the
    Validation pictures of --data.

    \b
    unmask export runs/first --out bundle/
    unmask export runs/seed-1 runs/seed-2 --out bundle/
    unmask export cnn_model.h5 --input-scaling 0..1 --label-order real-fake --data prepared/ --out bundle/
    """
    for source in sources:
        if not source.exists():
            raise UnmaskError(
                f"There is no run and no Keras file {source}.",
                hint="Name the folder of a run, or a .h5 or .keras file: unmask export runs/first --out bundle/",
                code="no-model",
            )
    if len({source.resolve() for source in sources}) < len(sources):
        raise click.UsageError("The same run is named twice; its mean with itself is no other detector.")
    files = [source for source in sources if not source.is_dir()]
    bundles = [source for source in sources if (source / "bundle.json").is_file()]
    if bundles and (len(sources) > 1 or data is None or input_scaling or label_order or kernel_bits != "32"):
        raise click.UsageError("A bundle is calibrated anew by itself: give it alone, with --data and --out.")
    if files and len(sources) > 1:
        raise click.UsageError(f"Only runs go together; export {files[0]} alone.")
    if not files and (input_scaling or label_order):
        raise click.UsageError("A run knows its scaling and its labels; leave --input-scaling and --label-order out.")
    if files and not (input_scaling and label_order):
        raise click.UsageError("A Keras file needs --input-scaling and --label-order (the report's: 0..1, real-fake).")
    from unmask.bundle import LONGEST_NAME, check_place, read_bundle

    if name is not None and len(name) > LONGEST_NAME:
        raise click.UsageError(f"--name is longer than {LONGEST_NAME} characters.")
    check_place(out)
    if bundles and data is not None:
        from unmask.export.assemble import Label, export_bundle

        terms = terms or read_bundle(bundles[0]).info.training_data.terms
        label = Label(name, version, data_name, terms)
        _tell_detector(export_bundle(bundles[0], out, data=data, label=label, on_note=say_note))
        return
    from unmask.train.backend import load_keras

    # Only TensorFlow's graphs become ONNX; a run made with JAX is read all the same.
    load_keras("tensorflow")
    from unmask.export.assemble import UNSTATED_TERMS, Label
    from unmask.export.kernels import KernelBits
    from unmask.export.run import export_file, export_run

    label = Label(name, version, data_name, terms or UNSTATED_TERMS)
    bits = cast(KernelBits, int(kernel_bits))
    if input_scaling and label_order:
        folder = export_file(
            sources[0],
            out,
            data=data,
            label=label,
            input_scaling=input_scaling,
            label_order=label_order,
            kernel_bits=bits,
            on_note=say_note,
        )
    else:
        folder = export_run(sources, out, data=data, label=label, kernel_bits=bits, on_note=say_note)
    _tell_detector(folder)


def _tell_detector(folder: Path) -> None:
    """What came out of an export: how good it is on Validation, before anyone is told to use it."""
    from unmask.bundle import read_bundle
    from unmask.export.model_card import at_chance

    info = read_bundle(folder).info
    found = {metric.name: metric for metric in info.metrics}
    if not found:
        say(
            f"{folder}: a detector that is NOT CALIBRATED, and nothing shows that --label-order is right. Keras' "
            "flow_from_directory sorts folders by letter: Fake 0, Real 1, which is --label-order fake-real.",
            err=True,
        )
        say(
            "hint: Export it again with pictures whose labels are known: --data FOLDER, with a Validation split.",
            err=True,
        )
        return
    auc, accused = found["roc_auc"], found["false_accusation_rate"]
    between = "" if auc.low is None else f" (95 % interval {auc.low:.3f} to {auc.high:.3f})"
    say(f"Validation: AUC {auc.value:.3f}{between}; {accused.value:.1%} of {accused.n:,} real pictures called fake.")
    if at_chance(info):
        say(f"{folder}: on Validation it is no better than chance. Do not use it; train it for longer.", err=True)
    else:
        say(f"{folder}: a detector. Try it: unmask check --bundle {folder} PICTURE")
