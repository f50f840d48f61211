"""The report's experiments, run again on a set of its layout, beside what Unmask makes of them.

Writes `docs/measurements/experiments.md`.

    python benchmarks/report_experiments.py [--data ../shared/faces] [--weights FILE|imagenet] --work FOLDER [--rows NAME ...]

Every run is a fresh process and stays in `--work`, so that the script, called again, goes on where it was stopped and only
does what is missing; `--rows` limits what is run, the page shows all that is there. The model of a run is that of its
best epoch by AUC on Validation. Test is read for the page and decides nothing. Needs the extra `train`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from machine import ROOT, hardware, table, today, write

# As in the report: 5 epochs, batches of 32, Adam. At Keras' rate of 0.001 its CNN falls silent here in some runs.
REPORT = {"model": "cnn", "epochs": 5, "batch_size": 32}
STEADY = {**REPORT, "learning_rate": 3e-4}
FROZEN = {"model": "mobilenetv2", "tune": "frozen", "epochs": 5, "batch_size": 32, "precision": "float32"}
TUNED = {
    **FROZEN, "tune": "all", "batch_norm": "moving", "augment": "light",
    "optimizer": "adamw", "learning_rate": 5e-4, "weight_decay": 0.01, "schedule": "cosine",
}  # fmt: skip
# Hard examples, and what follows them: 5 epochs of the 500 and as many others, 160 steps.
TOP, MORE = 500, {"epochs": 5}
REPLICATES = 1000


@dataclass(frozen=True)
class Row:
    """One line of the table.

    `after` names the row whose runs it goes on from: on `mined` hard examples, or on as many drawn by `chance`.
    """

    title: str
    settings: dict[str, Any]
    seeds: int = 1
    size: int = 128
    after: tuple[str, str] | None = None
    zero_to_one: bool = False


ROWS = {
    "cnn": Row("CNN, as in the report", REPORT, 3),
    "cnn-steady": Row("CNN, learning rate 3e-4", STEADY, 3),
    "cnn-light": Row("... with the report's augmentation (`light`)", {**STEADY, "augment": "light"}, 3),
    "cnn-delivery": Row("... with `delivery`", {**STEADY, "augment": "delivery"}, 3),
    "cnn-mined": Row(
        "CNN, learning rate 3e-4, then 5 short epochs on hard examples", MORE, 3, after=("cnn-steady", "mined")
    ),
    "cnn-more": Row(
        "CNN, learning rate 3e-4, then as many on examples drawn by chance", MORE, 3, after=("cnn-steady", "chance")
    ),
    "frozen-report": Row("MobileNetV2 frozen, fed 0..1 as in the report", FROZEN, zero_to_one=True),
    "frozen": Row("MobileNetV2 frozen, fed -1..1", FROZEN),
    "tuned-128": Row("MobileNetV2 fine-tuned at 128 px, `light`, 5 epochs", TUNED),
    # An epoch takes three times as long.
    "tuned-224": Row("MobileNetV2 fine-tuned at 224 px, `light`, 3 epochs", {**TUNED, "epochs": 3}, size=224),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(os.environ.get("UNMASK_FACES", ROOT.parent / "shared" / "faces"))
    parser.add_argument("--data", type=Path, default=default, help="Dataset/{Train,Validation,Test}/{Real,Fake}")
    parser.add_argument("--weights", default="imagenet", help="Of the backbone: a .weights.h5 file, or imagenet.")
    parser.add_argument("--work", type=Path, required=True, help="Folder for prepared pictures and runs; kept.")
    parser.add_argument("--rows", nargs="*", choices=ROWS, default=list(ROWS))
    parser.add_argument("--bundle", type=Path, help="Our strongest detector. [default: the shipped one]")
    parser.add_argument("--seed", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    if arguments.seed is not None:
        one_run(arguments.rows[0], arguments)
        return
    arguments.work.mkdir(parents=True, exist_ok=True)
    for name in arguments.rows:
        for seed in range(1, ROWS[name].seeds + 1):
            if not (place(arguments, name, seed) / "result.npz").exists():
                print(f"{name}, seed {seed} of {ROWS[name].seeds}", flush=True)
                command = [sys.executable, __file__, "--data", arguments.data, "--weights", arguments.weights]
                command += ["--work", arguments.work, "--rows", name, "--seed", seed]
                subprocess.run([str(word) for word in command], check=True)
    write("experiments.md", page(arguments))


def place(arguments: argparse.Namespace, name: str, seed: int) -> Path:
    folder: Path = arguments.work / f"{name}-{seed}"
    return folder


def prepared(arguments: argparse.Namespace, size: int) -> Path:
    folder: Path = arguments.work / f"prepared-{size}"
    if not (folder / "prepared.json").exists():
        from unmask.data.prepare import prepare

        prepare(arguments.data, folder, size=size)
    return folder


def one_run(name: str, arguments: argparse.Namespace) -> None:
    """Trains one row with one seed and keeps the logits of all splits; in a process of its own."""
    import keras

    from unmask.data.source import open_source
    from unmask.train.config import continued, make_config
    from unmask.train.loop import MODEL, judge, resume, train

    row, folder = ROWS[name], place(arguments, name, arguments.seed)
    data, run = prepared(arguments, row.size), folder / "run"
    if row.zero_to_one:
        feed_zero_to_one()
    started = time.perf_counter()
    if (run / "last.npz").exists():
        outcome = resume(run)
    elif row.after is not None:
        before = place(arguments, row.after[0], arguments.seed) / "run"
        outcome = train(continued(before, examples(row.after[1], before, data, folder), **row.settings), run)
    else:
        backbone = {} if row.settings["model"] == "cnn" else {"backbone_weights": arguments.weights}
        outcome = train(make_config(data=str(data), seed=arguments.seed, **row.settings, **backbone), run)
    minutes = (time.perf_counter() - started) / 60
    if not outcome.finished:
        sys.exit("interrupted; the same command goes on")
    model = keras.models.load_model(run / MODEL, compile=False)
    logits = {split: judge(model, open_source(data, split)) for split in ("Train", "Validation", "Test")}
    rate = statistics.median(epoch.images_per_second for epoch in outcome.history)
    about = json.dumps({"minutes": minutes, "images_per_second": rate, "day": today()})
    np.savez(folder / "result.npz", about=np.array(about), **logits)


def feed_zero_to_one() -> None:
    """The report's slip: a backbone that was trained on -1..1 gets 0..1. Only here, and only in this process."""
    import keras
    from keras import layers

    from unmask.models import mobilenetv2

    def features(inputs: Any, weights: str = "none") -> Any:
        scaled = layers.Rescaling(1 / 255, name="scale")(inputs)
        source = None if weights == "none" else weights
        return keras.applications.MobileNetV2(input_tensor=scaled, include_top=False, weights=source).output

    mobilenetv2.features = features


def examples(kind: str, run: Path, data: Path, folder: Path) -> Path:
    """A list of hard examples, or of as many drawn by chance: the control."""
    if kind == "mined":
        from unmask.train.mining import mine

        return mine(run, data, folder / "mined", top=TOP).folder / "hard.csv"
    from unmask.data.source import open_source
    from unmask.train.config import CONFIG_FILE, read_config

    paths = open_source(data, "Train").paths
    seed = read_config(run / CONFIG_FILE).seed
    drawn = np.random.default_rng((seed, 1)).choice(len(paths), min(TOP, len(paths)), replace=False)
    folder.mkdir(parents=True, exist_ok=True)
    chosen = folder / "chance.csv"
    chosen.write_text("path\n" + "".join(f"{paths[index]}\n" for index in drawn))
    return chosen


@dataclass
class Result:
    """All runs of a row, on the same pictures."""

    title: str
    labels: dict[str, np.ndarray]
    groups: np.ndarray
    sources: np.ndarray
    logits: list[dict[str, np.ndarray]] = field(default_factory=list)
    about: list[dict[str, Any]] = field(default_factory=list)

    def accuracy(self, split: str) -> list[float]:
        return [float(((run[split] > 0) == self.labels[split]).mean()) for run in self.logits if split in run]

    def accused(self) -> list[float]:
        return [float((run["Test"][self.labels["Test"] == 0] > 0).mean()) for run in self.logits]

    def auc(self, chosen: np.ndarray | None = None) -> tuple[float, np.ndarray]:
        """Mean over the runs of the AUC on Test, and its bootstrap replicates, which resample groups."""
        from unmask.stats import weighted
        from unmask.stats.resampling import group_index, replicate

        rows = np.ones(len(self.groups), bool) if chosen is None else chosen
        index = group_index(self.groups[rows], int(rows.sum()))
        statistics_ = {
            str(number): weighted.roc_auc(self.labels["Test"][rows], run["Test"][rows].astype(np.float64))
            for number, run in enumerate(self.logits)
        }
        ones = np.ones((1, int(rows.sum())))
        value = float(np.mean([statistic(ones)[0] for statistic in statistics_.values()]))
        return value, np.mean(list(replicate(statistics_, index, replicates=REPLICATES).values()), axis=0)


def page(arguments: argparse.Namespace) -> str:
    results = collect(arguments)
    sources = sorted({str(name) for name in next(iter(results.values())).sources if str(name)})
    head = ["", "Train", "Validation", "Test accuracy", "Test AUC (95 %)", "reals called fake"]
    head += [f"AUC {name}" for name in sources] + ["pictures/s", "minutes"]
    lines = [line(result, sources) for result in results.values()]
    counts = {split: len(labels) for split, labels in next(iter(results.values())).labels.items()}
    days = sorted({about["day"] for result in results.values() for about in result.about if "day" in about})
    return f"""# The report's experiments, again

Written by `benchmarks/report_experiments.py` on {today()} (runs of {" and ".join(days)}), {hardware()}.
Picture set "{arguments.data.name}": {counts["Train"]:,} pictures to learn from,
{counts["Validation"]:,} of Validation, {counts["Test"]:,} of Test.

A run's model is that of its best epoch by AUC on Validation; nothing was chosen on Test. Accuracy and *reals called fake* are the
forced choice at P(fake) 0.5, without *unsure*; where a row has three seeds, the mean and in brackets the lowest and highest.
AUC: mean over the seeds, 95 % interval by {REPLICATES:,} bootstrap resamples over groups. Intervals are about
other pictures, not about another seed: where a row has one run, chance in training is not in them. Pictures a second and minutes
are those of training with one seed, on a machine that other programs used as well; mining counts its own training.

{table(head, lines)}{silence(results)}
## What the report concluded

{conclusions(results)}
{not_run(results)}"""


def collect(arguments: argparse.Namespace) -> dict[str, Result]:
    """Every row that has been run, and the shipped detector last."""
    from unmask.data.source import open_source

    splits = ("Train", "Validation", "Test")
    opened = {split: open_source(prepared(arguments, 128), split) for split in splits}
    labels = {split: source.labels for split, source in opened.items()}
    results = {}
    for name, row in ROWS.items():
        result = Result(row.title, labels, opened["Test"].groups, opened["Test"].origins)
        for seed in range(1, row.seeds + 1):
            path = place(arguments, name, seed) / "result.npz"
            if path.exists():
                with np.load(path, allow_pickle=False) as found:
                    result.logits.append({split: found[split] for split in splits})
                    result.about.append(json.loads(str(found["about"])))
        if result.logits:
            results[name] = result
    results["strongest"] = strongest(arguments, labels, opened)
    return results


def strongest(arguments: argparse.Namespace, labels: dict[str, np.ndarray], opened: dict[str, Any]) -> Result:
    """The shipped bundle on the same pictures, prepared at its own size."""
    from unmask.data.source import open_source
    from unmask.detector import Detector

    detector = Detector.load(arguments.bundle)
    data = prepared(arguments, detector.info.input_size)
    logits = {}
    for split in labels:
        source = open_source(data, split)
        parts = [
            detector.logits(source.read(np.arange(first, min(first + 64, len(source)))))
            for first in range(0, len(source), 64)
        ]
        logits[split] = np.concatenate(parts)
    title = f"**{detector.label}**, our strongest, {detector.info.input_size} px"
    return Result(title, labels, opened["Test"].groups, opened["Test"].origins, [logits], [])


def line(result: Result, sources: list[str]) -> list[str]:
    from unmask.stats.intervals import interval
    from unmask.stats.resampling import group_index

    value, drawn = result.auc()
    everything = np.ones(len(result.groups), bool)
    index = group_index(result.groups, len(result.groups))
    ends = interval(value, drawn, everything, index, labels=result.labels["Test"], area=True)
    shown = f"{value:.3f}" if isinstance(ends, str) else f"{value:.3f} ({ends[0]:.3f} to {ends[1]:.3f})"
    rates = [about["images_per_second"] for about in result.about]
    minutes = [about["minutes"] for about in result.about]
    return [
        result.title,
        *(spread(result.accuracy(split)) for split in ("Train", "Validation", "Test")),
        shown,
        spread(result.accused()),
        *(f"{result.auc(result.sources == name)[0]:.3f}" for name in sources),
        f"{statistics.median(rates):.0f}" if rates else "",
        f"{statistics.median(minutes):.1f}" if minutes else "",
    ]


def spread(values: list[float]) -> str:
    mean = f"{statistics.mean(values):.1%}"
    return mean if len(values) == 1 else f"{mean} ({min(values):.1%} to {max(values):.1%})"


# What the report says, the row that should be ahead of which other, and how to say it.
CLAIMS = (
    ("A CNN from scratch beats a frozen MobileNetV2", "cnn", "frozen-report"),
    (
        "A CNN with a learning rate of 3e-4 beats a frozen MobileNetV2 that is fed what it expects",
        "cnn-steady",
        "frozen",
    ),
    ("Augmentation helps the CNN (`light`)", "cnn-light", "cnn-steady"),
    ("Augmentation helps the CNN (`delivery`)", "cnn-delivery", "cnn-steady"),
    ("Mining hard examples helps", "cnn-mined", "cnn-steady"),
    ("... more than as many steps on examples drawn by chance", "cnn-mined", "cnn-more"),
    ("Fine-tuning would beat the frozen backbone (its future work)", "tuned-128", "frozen"),
    ("A higher resolution would help (its future work)", "tuned-224", "tuned-128"),
    ("... together with a longer training and harder augmentation", "strongest", "tuned-128"),
    ("Our strongest detector beats the report's CNN", "strongest", "cnn"),
)


def conclusions(results: dict[str, Result]) -> str:
    lines = []
    for claim, first, second in CLAIMS:
        if first in results and second in results:
            lines.append(f"- {claim}: {verdict(results[first], results[second])}")
    return "\n".join(lines)


def silence(results: dict[str, Result]) -> str:
    """Says so where the report's settings taught its network nothing."""
    if "cnn" not in results or statistics.mean(results["cnn"].accuracy("Train")) > 0.55:
        return ""
    return (
        "\nWith the report's settings its CNN learns next to nothing on this set. The other CNN rows differ from it in the\n"
        "learning rate: 3e-4 for Keras' 0.001. MobileNetV2 learns at 0.001 with a frozen backbone, at 5e-4 when fine-tuned.\n"
    )


def not_run(results: dict[str, Result]) -> str:
    """Rows and seeds that are missing from the page."""
    missing = []
    for name, row in ROWS.items():
        done = len(results[name].logits) if name in results else 0
        if done < row.seeds:
            missing.append(f"{row.title} ({name}, {done} of {row.seeds} seeds)")
    return f"\nNot run, or not all of it: {'; '.join(missing)}.\n" if missing else ""


def verdict(first: Result, second: Result) -> str:
    """Whether the first row is ahead by AUC on Test, with a paired interval over groups."""
    (one, ones), (other, others) = first.auc(), second.auc()
    low, high = np.nanpercentile(ones - others, [2.5, 97.5])
    word = "held here" if low > 0 else "did not hold here, on the contrary" if high < 0 else "cannot be told here"
    return f"**{word}**. AUC {one:.3f} against {other:.3f}, a difference of {one - other:+.3f} ({low:+.3f} to {high:+.3f})."


if __name__ == "__main__":
    main()
