"""What does a detector take for unlike its training pictures? Writes `docs/measurements/outside_training.md`.

    python benchmarks/outside_training.py PREPARED [--bundle FOLDER] [--pictures 200]

PREPARED is the prepared folder that the detector was exported with; its pictures must be of the detector's size or larger.
Test pictures as they are, the same ones made strange, and pictures that are no photographs at all. The bundle must have a
limit (`outside_above`). Beside the share outside training stands what the rule prevents: the share that would be called fake.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from machine import hardware, table, today, wilson, write
from unmask.data.prepared import load_prepared, take
from unmask.demo import draw_face
from unmask.detector import Detector
from unmask.export.unusual import UNUSUAL
from unmask.image.resize import resize
from unmask.verdict import probability

Pixels = NDArray[np.uint8]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prepared", type=Path)
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--pictures", type=int, default=200)
    arguments = parser.parse_args()
    detector = Detector.load(arguments.bundle)
    if detector.info.outside_above is None:
        parser.error(f"{detector.label} knows no distance to its training pictures")
    prepared = load_prepared(arguments.prepared)
    random = np.random.default_rng(0)

    def some(split: str, label: int) -> list[Pixels]:
        chosen = random.permutation(np.flatnonzero(prepared.labels(split) == label))[: arguments.pictures]
        return list(take(prepared.images(split), np.sort(chosen)))

    sets = {
        f"{split}, {name}": some(split, label)
        for split in ("Train", "Validation", "Test")
        for label, name in enumerate(("real", "fake"))
    }
    sets |= {f"Test, real, {name}": [make(image) for image in sets["Test, real"]] for name, make in UNUSUAL.items()}
    side = prepared.size
    sets["drawn faces"] = [draw_face(seed)[96:416, 96:416] for seed in range(arguments.pictures)]
    sets["noise"] = list(random.integers(0, 256, (arguments.pictures, side, side, 3), dtype=np.uint8))
    sets["one colour"] = [np.full((side, side, 3), colour, np.uint8) for colour in random.integers(0, 256, (50, 3))]
    rows = [[name, *judged(detector, images)] for name, images in sets.items()]
    head = ["pictures", "n", "outside training", "score above the fake threshold", "called fake"]
    write(
        "outside_training.md",
        f"""# Unlike the training pictures

Written by `benchmarks/outside_training.py` on {today()}, {hardware()}. Detector {detector.label}, policy {detector.policy},
limit {detector.info.outside_above:.2f}: at most 1 % of all Validation pictures are farther away.

{table(head, rows)}
Shares with 95 % intervals (Wilson) over pictures.
""",
    )


def judged(detector: Detector, images: list[Pixels]) -> list[str]:
    """The cells of a row."""
    crops = np.stack([resize(np.ascontiguousarray(image), detector.info.input_size) for image in images])
    found = detector.outputs(crops)
    above = probability(found.logits, detector.info.temperature) > detector.thresholds.fake_above
    shares = (found.outside_training, above, above & ~found.outside_training)
    return [str(len(images)), *(share(int(one.sum()), len(images)) for one in shares)]


def share(count: int, n: int) -> str:
    low, high = wilson(count, n)
    return f"{count / n:.1%} ({low:.1%} to {high:.1%})"


if __name__ == "__main__":
    main()
