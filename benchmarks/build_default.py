"""Rebuilds the shipped detector from the picture set: prepare, train, export, one after the other.

    python benchmarks/build_default.py [--faces ../shared/faces] [--weights FILE|imagenet] [--seed 1] [--recipe mobilenetv2|cnn]

Nothing about the detector is chosen by hand on the way: the best epoch, the temperature and the thresholds come from
Validation, and Test is only reported. It prints each command before it runs it, so that the same can be typed. `--work` keeps
the prepared pictures and the run; without it they go when the bundle is written. Needs the extra `train`.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from machine import ROOT

SIZE = 128
RECIPES = {
    # The shipped detector. BatchNorm follows the new pictures; with its ImageNet statistics kept, the same run did not learn.
    "mobilenetv2": (
        *("--model", "mobilenetv2", "--batch-norm", "moving", "--augment", "delivery", "--balance"),
        *("--optimizer", "adamw", "--learning-rate", "5e-4", "--weight-decay", "0.01", "--schedule", "cosine"),
        *("--epochs", "5", "--batch-size", "32", "--precision", "float32"),
    ),
    # The first detector: the report's network from scratch (docs/first_detector.md).
    "cnn": ("--model", "cnn", "--learning-rate", "3e-4", "--schedule", "cosine", "--epochs", "12"),
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
    parser.add_argument("--work", type=Path, help="Folder for the prepared pictures and the run; kept.")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="unmask-build-") as temporary:
        work = arguments.work or Path(temporary)
        prepared, run = work / "prepared", work / "run"
        unmask("prepare", str(arguments.faces), "--out", str(prepared), "--size", str(SIZE))
        backbone = () if arguments.recipe == "cnn" else ("--backbone-weights", arguments.weights)
        recipe = (*RECIPES[arguments.recipe], *backbone, "--seed", str(arguments.seed))
        unmask("train", "--data", str(prepared), *recipe, "--out", str(run))
        unmask("export", str(run), "--name", f"unmask-{arguments.recipe}", *LABEL, "--out", str(arguments.out))


def unmask(*words: str) -> None:
    print(f"$ unmask {shlex.join(words)}", flush=True)
    subprocess.run([sys.executable, "-m", "unmask", *words], check=True)


if __name__ == "__main__":
    main()
