"""How fast does `unmask train` learn, against the report's way? Writes `docs/measurements/train_throughput.md`.

    python benchmarks/train_throughput.py [--faces FOLDER] [--steps 60] [--turns 5] [--accuracy SEEDS] [--against SRC]

The report's way: `keras.Model.fit` over a one-threaded `keras.utils.PyDataset` that reads each JPEG with OpenCV, resizes it and
makes float32 of it. Its network, its batch of 32, its 128 px. It is timed as Keras compiles it by default (XLA) and
without XLA, and compared by the faster of the two. Each turn is a fresh process, and the ways take turns. With
`--accuracy 3` both ways also train to the end with three seeds, which takes an hour. With `--against ../old/src` another
version of `unmask train` takes turns with this one, and MobileNetV2 (fewer steps) with the report's network.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from machine import ROOT, hardware, table, today, write

SIZE, BATCH, EPOCHS = 128, 32, 5
# At Keras' default of 1e-3 the report's network falls silent on this set (all ReLUs of its last map at zero).
LEARNING_RATE = 3e-4
WARM_UP = 5
WAYS = {"report": "the report's way", "report-no-xla": "the report's way, without XLA", "unmask": "`unmask train`"}
AGAINST = {
    "before": "`unmask train` before",
    "unmask-mobilenetv2": "`unmask train`, MobileNetV2",
    "before-mobilenetv2": "`unmask train` before, MobileNetV2",
}
# MobileNetV2 needs so many times as long.
SLOWER = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(os.environ.get("UNMASK_FACES", ROOT.parent / "shared" / "faces"))
    parser.add_argument("--faces", type=Path, default=default)
    parser.add_argument("--prepared", type=Path, help="The same pictures, prepared; made if it is left out.")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--accuracy", type=int, default=0, metavar="SEEDS")
    parser.add_argument("--against", type=Path, metavar="SRC", help="The src folder of another version.")
    parser.add_argument("--turn", help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=1, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"
    if arguments.turn:
        print(json.dumps(one_turn(arguments)))
        return
    with tempfile.TemporaryDirectory(prefix="unmask-bench-") as folder:
        if arguments.prepared is None:
            from unmask.data.prepare import prepare

            arguments.prepared = prepare(arguments.faces, Path(folder) / "prepared", size=SIZE).folder
        ways = [*WAYS, *(AGAINST if arguments.against else ())]
        turns: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
        for _ in range(arguments.turns):
            for way in ways:
                turns[way].append(run(way, arguments))
        accuracies = {
            way: [run(way, arguments, seed)["accuracy"] for seed in range(1, arguments.accuracy + 1)]
            for way in ("report-no-xla", "unmask")
        }
    write("train_throughput.md", page(turns, accuracies, arguments))


def run(way: str, arguments: argparse.Namespace, seed: int = 0) -> dict[str, float]:
    """A fresh process: some steps, timed; with a seed, a whole training and its accuracy on Test."""
    command = [sys.executable, __file__, "--turn", way, "--seed", str(seed), "--steps", str(arguments.steps)]
    command += ["--faces", str(arguments.faces), "--prepared", str(arguments.prepared)]
    environment = dict(os.environ)
    if way.startswith("before"):
        environment["PYTHONPATH"] = str(arguments.against.resolve())
    done = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    print(way, seed, found, flush=True)
    return found


def one_turn(arguments: argparse.Namespace) -> dict[str, float]:
    if not arguments.turn.startswith("report"):
        return unmask_way(arguments, "mobilenetv2" if arguments.turn.endswith("mobilenetv2") else "cnn")
    return report_way(arguments, xla=arguments.turn == "report")


def report_way(arguments: argparse.Namespace, *, xla: bool) -> dict[str, float]:
    import cv2
    import keras
    import numpy as np
    from keras import layers

    class ImageSequence(keras.utils.PyDataset):  # type: ignore[misc]
        def __init__(self, split: str, seed: int) -> None:
            super().__init__(workers=1)
            self.files = [
                (path, label)
                for label, name in enumerate(("Real", "Fake"))
                for path in sorted((arguments.faces / split / name).iterdir())
            ]
            self.random = np.random.default_rng(seed)
            self.on_epoch_end()

        def on_epoch_end(self) -> None:
            self.random.shuffle(self.files)

        def __len__(self) -> int:
            return -(-len(self.files) // BATCH)

        def __getitem__(self, index: int) -> Any:
            images, labels = [], []
            for path, label in self.files[index * BATCH : (index + 1) * BATCH]:
                image = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
                images.append(cv2.resize(image, (SIZE, SIZE)).astype(np.float32) / 255.0)
                labels.append(label)
            return np.array(images), np.array(labels, np.float32)

    keras.utils.set_random_seed(arguments.seed)
    model = keras.Sequential([layers.Input((SIZE, SIZE, 3))])
    for filters in (32, 64, 128):
        model.add(layers.Conv2D(filters, 3, activation="relu"))
        model.add(layers.MaxPooling2D(2))
    for layer in (layers.Flatten(), layers.Dense(128, activation="relu"), layers.Dropout(0.5)):
        model.add(layer)
    model.add(layers.Dense(1, activation="sigmoid"))
    model.compile(
        keras.optimizers.Adam(LEARNING_RATE),
        "binary_crossentropy",
        metrics=["accuracy"],
        jit_compile="auto" if xla else False,
    )
    sequence = ImageSequence("Train", arguments.seed)
    if arguments.seed:
        model.fit(sequence, epochs=EPOCHS, verbose=0)
        return {"accuracy": float(model.evaluate(ImageSequence("Test", 0), verbose=0)[1])}

    class Clock(keras.callbacks.Callback):  # type: ignore[misc]
        start, end = (0.0, 0.0), (0.0, 0.0)

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if batch + 1 == WARM_UP:
                self.start = now()
            if batch + 1 == WARM_UP + arguments.steps:
                self.end = now()
                self.model.stop_training = True

    clock = Clock()
    model.fit(sequence, epochs=1, steps_per_epoch=WARM_UP + arguments.steps, verbose=0, callbacks=[clock])
    return speed(clock, arguments.steps)


def now() -> tuple[float, float]:
    """Wall time and processor time of all threads."""
    return time.perf_counter(), time.process_time()


def speed(clock: Any, steps: int) -> dict[str, float]:
    wall, processor = (end - start for start, end in zip(clock.start, clock.end, strict=True))
    return {"images_per_second": steps * BATCH / wall, "milliseconds": processor * 1e3 / (steps * BATCH)}


def unmask_way(arguments: argparse.Namespace, model: str) -> dict[str, float]:
    import keras

    from unmask.train.config import make_config
    from unmask.train.loop import MODEL, judge, train

    config = make_config(
        data=str(arguments.prepared),
        model=model,
        epochs=EPOCHS,
        batch_size=BATCH,
        learning_rate=LEARNING_RATE,
        seed=arguments.seed,
    )
    count = arguments.steps if model == "cnn" else max(1, arguments.steps // SLOWER)

    class Done(Exception):  # noqa: N818
        pass

    class Clock:
        start, end, steps = (0.0, 0.0), (0.0, 0.0), 0

        def on_step(self, state: Any, steps: int) -> None:
            self.steps += 1
            if self.steps == WARM_UP:
                self.start = now()
            if self.steps == WARM_UP + count and not arguments.seed:
                self.end = now()
                raise Done

        def on_epoch(self, row: Any) -> None:
            pass

    clock = Clock()
    with tempfile.TemporaryDirectory(prefix="unmask-bench-") as folder:
        try:
            outcome = train(config, Path(folder) / "run", watcher=clock)
        except Done:
            return speed(clock, count)
        from unmask.data.source import open_source

        learned = keras.models.load_model(outcome.folder / MODEL, compile=False)
    test = open_source(arguments.prepared, "Test")
    return {"accuracy": float(((judge(learned, test) > 0) == test.labels).mean())}


def page(
    turns: dict[str, list[dict[str, float]]], accuracies: dict[str, list[float]], arguments: argparse.Namespace
) -> str:
    speeds = {way: [turn["images_per_second"] for turn in found] for way, found in turns.items()}
    costs = {way: statistics.median(turn["milliseconds"] for turn in found) for way, found in turns.items()}
    base = [max(pair) for pair in zip(speeds["report"], speeds["report-no-xla"], strict=True)]
    ratios = [ours / theirs for ours, theirs in zip(speeds["unmask"], base, strict=True)]
    rows = [
        [
            (WAYS | AGAINST)[way],
            f"{statistics.median(found):.0f}",
            f"{min(found):.0f} to {max(found):.0f}",
            f"{costs[way]:.1f}",
        ]
        for way, found in speeds.items()
    ]
    text = (
        "# How fast does `unmask train` learn?\n\n"
        f"Medians of {arguments.turns} turns of {arguments.steps} steps on {hardware()}, {today()}. The report's CNN at "
        f"{SIZE} px, batches of {BATCH}, Adam; 256 px JPEG files in the disk cache for the report's way, the same pictures "
        "prepared for `unmask train`, which computes in bfloat16 where the processor does. Other programs were running on "
        "the machine; each turn of the three shares its conditions.\n\n"
        + table(["", "pictures/s", "lowest to highest", "processor time a picture, ms"], rows)
        + f"\n`unmask train` against the faster of the other two, turn by turn: {statistics.median(ratios):.2f} times "
        f"({min(ratios):.2f} to {max(ratios):.2f}).\n"
    )
    if arguments.accuracy:
        shown = [
            [(WAYS | AGAINST)[way], f"{statistics.mean(found):.1%}", ", ".join(f"{share:.1%}" for share in found)]
            for way, found in accuracies.items()
        ]
        text += (
            f"\nAccuracy on Test after {EPOCHS} epochs with a learning rate of {LEARNING_RATE:g} (at Keras' default of "
            "0.001 this network falls silent on this set: every ReLU of its last map ends at zero, either way). The "
            "report's way keeps its last epoch, `unmask train` its best by Validation:\n\n"
            + table(["", "mean", f"{arguments.accuracy} seeds"], shown)
        )
    return text + "\nWritten by `benchmarks/train_throughput.py`.\n"


if __name__ == "__main__":
    main()
