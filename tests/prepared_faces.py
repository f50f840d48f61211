"""A small prepared folder: noise, where the fakes have a darker middle. Learnable in a few steps."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from unmask.data.manifest import Row, write_manifest

SIZE = 32
COUNTS = {"Train": 48, "Validation": 16, "Test": 16}


def write_prepared(
    folder: Path, *, only: int | None = None, reals: int | None = None, repeat: int = 1, size: int = SIZE
) -> Path:
    """Writes the folder.

    Args:
        folder: Where.
        only: Give every picture this label.
        repeat: So many times as many pictures.
        size: Side of the pictures, pixels.
        reals: Of each split, so many real pictures, the others fake; None for half and half.
    """
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(0)
    rows = []
    for split, count in {split: count * repeat for split, count in COUNTS.items()}.items():
        labels = np.arange(count) % 2 if reals is None else (np.arange(count) >= reals).astype(int)
        labels = labels if only is None else np.full(count, only)
        images = generator.integers(0, 256, (count, size, size, 3), dtype=np.uint8)
        images[labels == 1, size // 4 : size * 3 // 4, size // 4 : size * 3 // 4] //= 2
        np.save(folder / f"{split}.npy", images)
        rows += [
            Row(
                f"{split}/{i}.jpg",
                split,
                int(label),
                i,
                group=f"{split}{i // 2}",
                source="ab"[i // 2 % 2],
                method="dark" * int(label),
                family="shades" * int(label),
            )
            for i, label in enumerate(labels)
        ]
    write_manifest(folder / "manifest.csv", rows)
    counts = {split: {"real": 1, "fake": 1, "rejected": 0} for split in COUNTS}
    info = {"format": 1, "size": size, "crop": "none", "dataset": "/nowhere", "counts": counts}
    (folder / "prepared.json").write_text(json.dumps(info))
    return folder
