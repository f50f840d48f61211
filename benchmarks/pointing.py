"""Does the heatmap point at what was changed? Writes `docs/measurements/pointing.md`.

    python benchmarks/pointing.py [--detector FOLDER] [--data ../shared/faces] [--split Test] [--pictures 150]

Real face crops of a split become fakes of which every pixel is known: a patch of another face (`unmask.evaluate.planted`), the
face blended with itself, and an eye, nose or mouth of another face (`unmask.data.fakes`). Needs the extra `train`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from machine import ROOT, hardware, table, today, wilson, write
from unmask import Detector
from unmask.data.blend import self_blend
from unmask.data.parts import paste_part
from unmask.evaluate.pictures import open_pictures
from unmask.evaluate.planted import plant
from unmask.evaluate.scoring import read_crop
from unmask.stats.metrics import roc_auc

Crop = NDArray[np.uint8]
Floats = NDArray[np.float32]
# Width of a blob in the middle, as a share of the side, that a map should be better than.
BLOB = 0.25


def patch(face: Crop, donor: Crop, random: np.random.Generator) -> tuple[Crop, Floats]:
    """A patch of another face, and where it is, 0..1."""
    changed, (left, top, width, height) = plant(face, donor, random)
    mask = np.zeros(face.shape[:2], np.float32)
    mask[top : top + height, left : left + width] = 1
    return changed, mask


WAYS: dict[str, Callable[[Crop, Crop, np.random.Generator], tuple[Crop, Floats]]] = {
    "a patch of another face": patch,
    "the face blended with itself": lambda face, donor, random: self_blend(face, None, random),
    "an eye, nose or mouth of another face": lambda face, donor, random: paste_part(face, None, donor, None, random),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--detector", type=Path)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "faces")
    parser.add_argument("--split", default="Test")
    parser.add_argument("--pictures", type=int, default=150)
    options = parser.parse_args()
    detector = Detector.load(options.detector)
    pictures = open_pictures(options.data, options.split)
    reals = [number for number, item in enumerate(pictures.items) if item.label == 0]
    chosen = np.linspace(0, len(reals) - 1, options.pictures).astype(int)
    faces = [read_crop(detector, pictures, reals[place]) for place in chosen]
    before = detector.logits_and_maps(np.stack(faces))[0]
    rows = []
    for name, change in WAYS.items():
        made = [
            change(face, faces[(number + len(faces) // 2) % len(faces)], np.random.default_rng([0, number]))
            for number, face in enumerate(faces)
        ]
        kept = [number for number, (_, mask) in enumerate(made) if mask.mean() > 0.002]
        after, maps = detector.logits_and_maps(np.stack([made[number][0] for number in kept]))
        rows.append([name, str(len(kept)), *measured(before[kept], after, maps, [made[number][1] for number in kept])])
        print(rows[-1], flush=True)
    write("pointing.md", page(detector.label, options.split, rows))


def measured(before: Floats, after: Floats, maps: Floats, masks: list[Floats]) -> list[str]:
    """Shares of pictures whose brightest cell was changed, by the map and by a blob; AUC of cells; whose score rose."""
    side = maps.shape[1]
    away = np.linspace(-1, 1, side)
    blob = np.exp(-(away[:, None] ** 2 + away**2) / (2 * BLOB**2))
    cells = [cv2.resize(mask, (side, side), interpolation=cv2.INTER_AREA) for mask in masks]
    areas = [
        roc_auc((cell >= 0.5).ravel().astype(np.int64), heat.ravel())
        for cell, heat in zip(cells, maps, strict=True)
        if 0 < (cell >= 0.5).sum() < cell.size
    ]
    hits = [[cell.flat[int(np.argmax(heat))] >= 0.5 for cell, heat in zip(cells, each, strict=True)] for each in (
        maps, [blob] * len(cells)
    )]  # fmt: skip
    return [share(hits[0]), share(hits[1]), f"{np.mean(areas):.2f}", share(list(after > before))]


def share(found: list[bool]) -> str:
    """With its 95 % interval."""
    low, high = wilson(sum(found), len(found))
    return f"{np.mean(found):.0%} ({low:.0%} to {high:.0%})"


def page(label: str, split: str, rows: list[list[str]]) -> str:
    """The page."""
    head = ["What was changed", "pictures", "map points there", "the middle does", "AUC of cells", "score rose"]
    return f"""# Does the heatmap point at what was changed?

Real face crops of {split} were changed where every pixel is known. "Map points there": the brightest cell of the map lies where
at least half of the pixels were changed. "The middle does": the same for a blob in the middle of the picture, which a map should
beat. "AUC of cells": how often a changed cell is brighter than one that was not, within one picture; 0.5 is a guess. In brackets
95 % intervals (Wilson), which take every picture for itself.

{table(head, rows)}
{label}, {hardware()}; {today()}. Written by `benchmarks/pointing.py`.
"""


if __name__ == "__main__":
    main()
