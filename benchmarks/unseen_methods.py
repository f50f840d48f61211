"""Does self-blended training carry over to methods that were never seen? Writes `docs/measurements/unseen_methods.md`.

    python benchmarks/unseen_methods.py --work FOLDER [--faces ../shared/faces] [--weights FILE|imagenet] [--epochs 6]

Trains the same small recipe twice on Train without the fakes of FaceSwap, Face2Face and StyleGAN, once with self-blended
fakes and once without, and tests both on all methods. The real pictures of every source stay in Train. Epochs are chosen
on Validation without those methods, too. Runs stay in `--work` and are not repeated. Needs the extra `train`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from machine import ROOT, hardware, table, today, write

UNSEEN = ("FaceSwap", "Face2Face", "stylegan")
SIZE = 256
RECIPE = {
    "model": "mobilenetv2",
    "batch_norm": "moving",
    "augment": "delivery",
    "crop": 160,
    "optimizer": "adamw",
    "learning_rate": 6e-4,
    "weight_decay": 0.05,
    "schedule": "cosine",
    "label_smoothing": 0.05,
}
WAYS = {"without": 0.0, "with": 0.3}
REPLICATES = 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(os.environ.get("UNMASK_FACES", ROOT.parent / "shared" / "faces"))
    parser.add_argument("--faces", type=Path, default=default)
    parser.add_argument("--weights", default="imagenet", help="Of the backbone: a .weights.h5 file, or imagenet.")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    if arguments.way:
        one_run(arguments.way, arguments)
        return
    arguments.work.mkdir(parents=True, exist_ok=True)
    for way in WAYS:
        if not (arguments.work / f"{way}.npz").exists():
            command = [sys.executable, __file__, "--faces", arguments.faces, "--weights", arguments.weights]
            command += ["--work", arguments.work, "--epochs", arguments.epochs, "--way", way]
            subprocess.run([str(word) for word in command], check=True)
    write("unseen_methods.md", page(arguments))


def prepared(arguments: argparse.Namespace) -> Path:
    folder: Path = arguments.work / f"prepared-{SIZE}"
    if not (folder / "prepared.json").exists():
        from unmask.data.prepare import prepare

        prepare(arguments.faces, folder, size=SIZE)
    return folder


def without_the_unseen(arguments: argparse.Namespace) -> Path:
    """The same pixels, with a manifest that leaves the unseen methods out of Train and Validation."""
    from unmask.data.manifest import MANIFEST, write_manifest
    from unmask.data.prepared import PREPARED, load_prepared

    whole, folder = load_prepared(prepared(arguments)), arguments.work / "seen"
    folder.mkdir(exist_ok=True)
    for split in whole.splits:
        link = folder / f"{split}.npy"
        if not link.exists():
            link.symlink_to((whole.folder / link.name).resolve())
    (folder / PREPARED).write_bytes((whole.folder / PREPARED).read_bytes())
    write_manifest(
        folder / MANIFEST, (row for row in whole.manifest if row.split == "Test" or row.method not in UNSEEN)
    )
    return folder


def one_run(way: str, arguments: argparse.Namespace) -> None:
    """Trains one way and keeps its logits on Test; in a process of its own."""
    import keras

    from unmask.data.source import open_source
    from unmask.train.config import make_config
    from unmask.train.loop import MODEL, judge, resume, train

    data, run = without_the_unseen(arguments), arguments.work / f"run-{way}"
    settings = {**RECIPE, "epochs": arguments.epochs, "backbone_weights": arguments.weights, "blend": WAYS[way]}
    outcome = resume(run) if (run / "last.npz").exists() else train(make_config(data=str(data), **settings), run)
    if not outcome.finished or outcome.kept is None:
        sys.exit("interrupted; the same command goes on")
    model = keras.models.load_model(run / MODEL, compile=False)
    about = json.dumps({"epoch": outcome.kept.epoch, "validation": outcome.kept.validation_auc})
    np.savez(
        arguments.work / f"{way}.npz",
        test=judge(model, open_source(prepared(arguments), "Test")),
        about=np.array(about),
    )


def page(arguments: argparse.Namespace) -> str:
    from unmask.data.prepared import load_prepared
    from unmask.stats import weighted
    from unmask.stats.resampling import group_index, replicate

    entries = load_prepared(prepared(arguments)).entries("Test")
    labels = np.array([row.label for row in entries], np.int64)
    sources, methods, groups = (
        np.array([getattr(row, name) for row in entries]) for name in ("source", "method", "group")
    )
    logits, about = {}, {}
    for way in WAYS:
        with np.load(arguments.work / f"{way}.npz", allow_pickle=False) as found:
            logits[way], about[way] = found["test"].astype(np.float64), json.loads(str(found["about"]))
    lines = []
    for method in sorted(set(methods[labels == 1]), key=lambda name: (name not in UNSEEN, name)):
        fakes = (methods == method) & (labels == 1)
        chosen = fakes | ((labels == 0) & np.isin(sources, np.unique(sources[fakes])))
        aucs = {way: weighted.roc_auc(labels[chosen], logits[way][chosen]) for way in WAYS}
        value = {way: float(auc(np.ones((1, int(chosen.sum()))))[0]) for way, auc in aucs.items()}
        drawn = replicate(aucs, group_index(groups[chosen], int(chosen.sum())), replicates=REPLICATES)
        cells = [f"{value[way]:.3f} ({low(drawn[way]):.3f} to {high(drawn[way]):.3f})" for way in WAYS]
        change = drawn["with"] - drawn["without"]
        gain = f"{value['with'] - value['without']:+.3f} ({low(change):+.3f} to {high(change):+.3f})"
        real = int((chosen & (labels == 0)).sum())
        seen = "no" if method in UNSEEN else "yes"
        lines.append([method, seen, f"{int(fakes.sum())} / {real}", *cells, gain])

    def best(way: str) -> str:
        return f"{about[way]['epoch']} (AUC {about[way]['validation']:.3f})"

    head = ["method", "in Train", "fakes / reals", "AUC without self-blending", "AUC with", "difference"]
    return f"""# Methods that were never seen

Written by `benchmarks/unseen_methods.py` on {today()}, {hardware()}. MobileNetV2 at {SIZE} px, {arguments.epochs} epochs
on windows of {RECIPE["crop"]} px, one seed, trained without any fake of {", ".join(UNSEEN)}; with self-blending,
{WAYS["with"]:.0%} of the real pictures become fakes made of themselves (Shiraishi and Yamasaki, CVPR
2022). Each method's fakes against the real pictures of the same source, all of Test.

{table(head, lines)}
Intervals are 95 %, by {REPLICATES:,} bootstrap resamples over groups; of the difference, on the same resamples. The best epoch by
AUC on Validation, without the unseen methods: {best("without")} without self-blending and {best("with")} with it.
"""


def low(values: np.ndarray) -> float:
    return float(np.nanpercentile(values, 2.5))


def high(values: np.ndarray) -> float:
    return float(np.nanpercentile(values, 97.5))


if __name__ == "__main__":
    main()
