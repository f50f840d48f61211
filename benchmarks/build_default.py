"""Rebuilds the shipped detector from the picture set: prepare, train, export, one after the other.

    python benchmarks/build_default.py [--faces ../shared/faces] [--weights FILE|imagenet] [--seed 1] [--recipe mobilenetv2|cnn]

Nothing about the detector is chosen by hand on the way: the temperature, the thresholds and, of runs that do not keep their
last one, the epoch come from Validation, and Test is only reported. It prints each command before it runs it, so that the same
can be typed. `--work` keeps the prepared pictures and the runs; without it they go when the bundle is written. Needs the extra
`train`.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from machine import ROOT

# What the stages of the shipped detector have in common. BatchNorm follows the new pictures: with its ImageNet statistics kept,
# the same run did not learn.
TUNED = (
    *("--model", "mobilenetv2", "--batch-norm", "moving", "--blend", "0.3"),
    *("--optimizer", "adamw", "--weight-decay", "0.05", "--label-smoothing", "0.05", "--precision", "float32"),
)
EVEN = (*TUNED, "--balance", "1", "--batch-size", "32")
CONSTANT = ("--schedule", "constant", "--ema", "0.999")
FALLING = ("--schedule", "cosine", "--ema", "0.998")
LEVEL = ("--augment", "rough", *CONSTANT)
BLURRED = ("--augment", "blurred", *CONSTANT)
WHOLE = (*FALLING, "--learning-rate", "2e-4")
# The scarce source, which is the hard one, a little more often than the others, and the last epoch, as the best one is luck.
MORE = (*TUNED, "--balance", "1.25")
STEADY = (*MORE, "--batch-size", "64", "--keep", "last", *CONSTANT)
# Nearly half of all pictures from that source.
MOST = (*TUNED, "--balance", "1.5", "--batch-size", "32")
WINDOWS = (*MOST, "--keep", "last", *CONSTANT, "--augment", "delivery", "--crop", "160", "--learning-rate", "5e-4")
# Between the seeds of one model and those of the next.
SEED_STEP = 10


@dataclass(frozen=True)
class Model:
    """Pictures of `size` px, and the settings of one run after the other, each from the model of the one before."""

    size: int
    stages: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Recipe:
    """Models, each with a seed of its own, whose last runs are exported together with the options `export`."""

    version: str
    models: tuple[Model, ...]
    backbone: bool = True
    export: tuple[str, ...] = ()


# On windows, where a picture costs two fifths and is not learned by heart so soon: for long and at a constant rate, in the end
# many of them blurred; then once on whole pictures.
LONG = Model(
    256,
    (
        (*STEADY, "--augment", "delivery", "--crop", "160", "--learning-rate", "7e-4", "--epochs", "42"),
        (*STEADY, "--augment", "rough", "--crop", "160", "--learning-rate", "5e-4", "--epochs", "22"),
        (*MORE, "--batch-size", "32", *WHOLE, "--augment", "rough", "--epochs", "1"),
    ),
)
# On windows at a falling rate, then on whole pictures, then on windows again, many of them blurred, at a constant rate.
FINE = Model(
    256,
    (
        (*EVEN, *FALLING, "--augment", "delivery", "--crop", "160", "--learning-rate", "6e-4", "--epochs", "34"),
        (*EVEN, *WHOLE, "--augment", "delivery", "--epochs", "5"),
        (*EVEN, *LEVEL, "--crop", "160", "--learning-rate", "4e-4", "--epochs", "5"),
    ),
)
# The scarce source most of all, on windows at a constant rate with a new optimizer on the way, then on whole pictures.
SCARCE = Model(
    256,
    (
        (*WINDOWS, "--epochs", "18"),
        (*WINDOWS, "--epochs", "6"),
        (*MOST, *WHOLE, "--augment", "delivery", "--epochs", "2"),
    ),
)
# Half the side, which a blur takes less from: it learns what is left of blurred pictures. Its best epoch is chosen on untouched
# ones, and another seed may keep one that knows less of blurred pictures (docs/trials.md).
COARSE = Model(
    128,
    (
        (*EVEN, *LEVEL, "--crop", "96", "--learning-rate", "6e-4", "--epochs", "12"),
        (*EVEN, *BLURRED, "--crop", "96", "--learning-rate", "6e-4", "--epochs", "23"),
    ),
)


RECIPES = {
    # The shipped detector.
    "mobilenetv2": Recipe(
        "7",
        (LONG, FINE, SCARCE, COARSE),
        export=("--weights", "4,4,2,1", "--blurred-weights", "4,4,1,7", "--middle", "192", "--kernel-bits", "8"),
    ),
    # The first detector: the report's network from scratch.
    "cnn": Recipe(
        "1",
        (Model(128, (("--model", "cnn", "--learning-rate", "3e-4", "--schedule", "cosine", "--epochs", "12"),)),),
        backbone=False,
    ),
}
LABEL = (
    "--data-name",
    "FaceForensics++ c23, LFW face swaps, FFHQ and StyleGAN; 256 px face crops",
    "--terms",
    "Research and other non-commercial use only. The pictures it learned from: FaceForensics++ (its terms of use, research "
    "and education), FFHQ (CC BY-NC-SA 4.0), StyleGAN pictures (CC BY-NC 4.0), LFW (research).",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=Path, default=ROOT.parent / "shared" / "faces")
    parser.add_argument("--recipe", choices=RECIPES, default="mobilenetv2")
    parser.add_argument(
        "--weights", default="imagenet", help="Of the backbone: a .weights.h5 file, or imagenet to download."
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=ROOT / "src" / "unmask" / "bundles" / "default")
    parser.add_argument("--work", type=Path, help="Folder for the prepared pictures and the runs; kept.")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="unmask-build-") as temporary:
        work, recipe = arguments.work or Path(temporary), RECIPES[arguments.recipe]
        prepared = {model.size: work / f"prepared-{model.size}" for model in recipe.models}
        for size, folder in prepared.items():
            unmask("prepare", str(arguments.faces), "--out", str(folder), "--size", str(size))
        begin = ("--backbone-weights", arguments.weights) if recipe.backbone else ()
        runs = [
            train(
                model, prepared[model.size], work / f"model-{number}", begin, arguments.seed + SEED_STEP * (number - 1)
            )
            for number, model in enumerate(recipe.models, 1)
        ]
        name = ("--name", f"unmask-{arguments.recipe}", "--detector-version", recipe.version)
        largest = prepared[max(prepared)]
        unmask("export", *runs, "--data", str(largest), *recipe.export, *name, *LABEL, "--out", str(arguments.out))


def train(model: Model, prepared: Path, work: Path, begin: tuple[str, ...], seed: int) -> str:
    """Trains one model, stage by stage; the folder of its last run."""
    run = ""
    for number, stage in enumerate(model.stages):
        run = str(work / f"stage-{number + 1}")
        unmask("train", "--data", str(prepared), *stage, *begin, "--seed", str(seed + number), "--out", run)
        begin = ("--start", run)
    return run


def unmask(*words: str) -> None:
    print(f"$ unmask {shlex.join(words)}", flush=True)
    subprocess.run([sys.executable, "-m", "unmask", *words], check=True)


if __name__ == "__main__":
    main()
