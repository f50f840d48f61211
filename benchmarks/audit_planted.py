"""Does the audit find what was planted, and nothing else? Writes `docs/measurements/audit_planted.md`.

    python benchmarks/audit_planted.py [--faces FOLDER] [--pictures 4000] [--generated 2000] [--seeds 3]

Base: face crops, one a group, so that no two are of one clip or person's photo, and generated pictures. Planted copies
are saved again (JPEG or WebP, quality 40 to 95), scaled (0.4 to 1.6) and mirrored, each by chance, and lie in any split.
Each shortcut is planted in a set of its own.
"""

from __future__ import annotations

import argparse
import csv
import io
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from machine import ROOT, hardware, table, today, wilson, write
from unmask.data.audit import audit
from unmask.data.duplicates import MAX_DISTANCE, MIN_LIKENESS
from unmask.data.fingerprint import fingerprints, likeness
from unmask.data.prepare import prepare
from unmask.data.shortcuts import MAX_AUC, Shortcut, find_shortcuts
from unmask.image.read import read_image
from unmask.image.resize import resize

Pixels = NDArray[np.uint8]
SPLITS = ("Train", "Validation", "Test")
COPIES = 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--faces", type=Path, default=Path(os.environ.get("UNMASK_FACES", ROOT.parent / "shared/faces"))
    )
    parser.add_argument("--pictures", type=int, default=4000)
    parser.add_argument("--generated", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    faces = single_faces(arguments.faces)
    rows, shortcuts, closest = [], [], []
    with tempfile.TemporaryDirectory() as name:
        for seed in range(arguments.seeds):
            root = Path(name) / f"copies-{seed}"
            rng = np.random.default_rng(seed)
            base = write_base(root, faces, arguments.pictures, arguments.generated, rng)
            planted = plant_copies(root, base, rng)
            rows.append(count_found(root, planted))
            closest.append(distances(root, planted))
            shutil.rmtree(root)
        for kind, change in SHORTCUTS.items():
            root = Path(name) / "shortcut"
            write_changed(root, faces, change)
            shortcuts.append((kind, measured(root)))
            shutil.rmtree(root)
    write("audit_planted.md", page(arguments, rows, shortcuts, closest))


def single_faces(folder: Path) -> list[tuple[Path, int]]:
    """One picture a group, with its label."""
    if not (folder / "manifest.csv").is_file():
        return []
    found: dict[str, tuple[Path, int]] = {}
    with (folder / "manifest.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["group"], (folder / row["path"], int(row["label"])))
    return list(found.values())


def generated(seed: int) -> Pixels:
    rng = np.random.default_rng(seed + 10_000_000)
    cells = int(rng.integers(5, 12))
    smooth = cv2.resize(
        rng.integers(0, 256, (cells, cells, 3)).astype(np.uint8), (256, 256), interpolation=cv2.INTER_CUBIC
    )
    return np.clip(smooth + rng.normal(0, 6, smooth.shape), 0, 255).astype(np.uint8)


def write_base(
    root: Path, faces: list[tuple[Path, int]], pictures: int, generate: int, rng: np.random.Generator
) -> list[Path]:
    """Links to faces and generated files, in splits by chance."""
    files = []
    chosen = rng.choice(len(faces), min(pictures, len(faces)), replace=False) if faces else []
    for place in range(len(chosen) + generate):
        is_face = place < len(chosen)
        label = faces[chosen[place]][1] if is_face else place % 2
        path = root / "data" / SPLITS[rng.integers(3)] / ("Real", "Fake")[label] / f"{place:06}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        if is_face:
            path.symlink_to(faces[chosen[place]][0].resolve())
        else:
            path.write_bytes(saved(generated(place + int(rng.integers(1 << 30))), "JPEG", 90))
        files.append(path)
    return files


def plant_copies(root: Path, base: list[Path], rng: np.random.Generator) -> dict[str, str]:
    """Path of each copy, with the path of what it is a copy of."""
    planted = {}
    for number, place in enumerate(rng.choice(len(base), COPIES, replace=False)):
        original = base[place]
        pixels = read_image(original).pixels
        side = round(pixels.shape[0] * rng.uniform(0.4, 1.6))
        method = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC)[rng.integers(3)]
        scaled = cv2.resize(pixels, (side, side), interpolation=method)
        turned = scaled[:, ::-1] if rng.random() < 0.5 else scaled
        path = root / "data" / SPLITS[rng.integers(3)] / original.parent.name / f"copy_{number:03}.jpg"
        quality, data = int(rng.integers(40, 96)), b""
        while len(data) < 2500 and quality <= 100:  # smaller files are rejected before they are compared
            data = saved(np.ascontiguousarray(turned), "WEBP" if rng.random() < 0.2 else "JPEG", quality)
            quality += 5
        path.write_bytes(data if len(data) >= 2500 else saved(np.ascontiguousarray(turned), "JPEG", 100))
        planted[str(path.relative_to(root / "data"))] = str(original.relative_to(root / "data"))
    return planted


def count_found(root: Path, planted: dict[str, str]) -> dict[str, float]:
    found = audit(prepare(root / "data", root / "out", size=128))
    cluster_of = {row.path: number for number, cluster in enumerate(found.clusters) for row in cluster.members}
    hits = sum(cluster_of.get(copy, -1) == cluster_of.get(original, -2) for copy, original in planted.items())
    involved = set(planted) | set(planted.values())
    pictures = sum(len(found.prepared.entries(split)) for split in found.prepared.splits)
    return {
        "planted": len(planted),
        "found": hits,
        "pictures": pictures,
        "false": sum(path not in involved for path in cluster_of),
        "shortcuts": sum(shortcut.is_warning for shortcut in found.shortcuts),
        "seconds": found.seconds,
    }


def distances(root: Path, planted: dict[str, str]) -> tuple[NDArray[np.int64], NDArray[np.float64], int]:
    """How far copies are from their originals (bits, likeness), and how near the nearest other picture is (bits)."""

    def prints(path: str) -> tuple[NDArray[np.uint64], NDArray[np.uint64], Pixels]:
        found = fingerprints(resize(read_image(root / "data" / path).pixels, 128)[None])
        return found.hashes[0], found.mirrored[0], found.thumbnails[0]

    bits, alike, originals = [], [], []
    for copy, original in planted.items():
        plain, mirrored, small = prints(original)
        own, _, thumbnail = prints(copy)
        apart = [int(np.bitwise_count(way ^ own).sum()) for way in (plain, mirrored)]
        flip = apart[1] < apart[0]
        bits.append(min(apart))
        alike.append(float(likeness((small[:, ::-1] if flip else small)[None], thumbnail[None])[0]))
        originals.append((plain, mirrored))
    hashes = np.array([plain for plain, _ in originals])
    nearest = 256
    for index, (plain, mirrored) in enumerate(originals):
        for way in (plain, mirrored):
            others = np.bitwise_count(hashes ^ way).sum(axis=1)
            others[index] = 256
            nearest = min(nearest, int(others.min()))
    return np.array(bits), np.array(alike), nearest


def darker(pixels: Pixels) -> tuple[Pixels, str, int]:
    return (pixels * 0.75).astype(np.uint8), "JPEG", 88


def narrower(pixels: Pixels) -> tuple[Pixels, str, int]:
    return np.asarray(cv2.resize(pixels, (248, 248), interpolation=cv2.INTER_AREA), np.uint8), "JPEG", 88


def other_tables(pixels: Pixels) -> tuple[Pixels, str, int]:
    return pixels, "JPEG", 89


SHORTCUTS: dict[str, Callable[[Pixels], tuple[Pixels, str, int]]] = {
    "nothing planted": lambda pixels: (pixels, "JPEG", 88),
    "format and JPEG tables": other_tables,
    "dimensions": narrower,
    "mean colour": darker,
}


def write_changed(
    root: Path, faces: list[tuple[Path, int]], change: Callable[[Pixels], tuple[Pixels, str, int]]
) -> None:
    """Real pictures saved at quality 88; the same number of other real pictures as "fakes", with the change on top.

    All are real, so that nothing but the planted property tells the classes apart.
    """
    reals = [path for path, label in faces if label == 0][:2000]
    for place in range(2000):
        label = place % 2
        pixels = read_image(reals[place]).pixels if place < len(reals) else generated(place)
        pixels, form, quality = change(pixels) if label else (pixels, "JPEG", 88)
        path = root / "data" / "Train" / ("Real", "Fake")[label] / f"{place:06}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(saved(pixels, form, quality))


def measured(root: Path) -> tuple[Shortcut, ...]:
    return find_shortcuts(prepare(root / "data", root / "out", size=128))


def saved(pixels: Pixels, form: str, quality: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, form, quality=quality)
    return stream.getvalue()


def page(
    arguments: argparse.Namespace,
    rows: list[dict[str, float]],
    shortcuts: list[tuple[str, tuple[Shortcut, ...]]],
    closest: list[tuple[NDArray[np.int64], NDArray[np.float64], int]],
) -> str:
    total = {key: int(sum(row[key] for row in rows)) for key in ("planted", "found", "pictures", "false")}
    lines = [
        [
            f"{seed}",
            f"{row['pictures']:,.0f}",
            f"{row['found']:.0f} of {row['planted']:.0f}",
            f"{row['false']:.0f}",
            f"{row['seconds']:.0f}",
        ]
        for seed, row in enumerate(rows)
    ]
    bits = np.concatenate([seed[0] for seed in closest])
    alike = np.concatenate([seed[1] for seed in closest])
    names = [shortcut.name for shortcut in shortcuts[0][1] if shortcut.name != "source"]
    marks = [
        [kind, *(f"**{cut.auc:.2f}**" if cut.is_warning else f"{cut.auc:.2f}" for cut in found if cut.name in names)]
        for kind, found in shortcuts
    ]
    planted = [(kind, {shortcut.name: shortcut for shortcut in found}) for kind, found in shortcuts if kind in names]
    hit = sum(found[kind].is_warning for kind, found in planted)
    return (
        "# Does the audit find what was planted?\n\n"
        f"{hardware()}, {today()}. Base of each set: {arguments.pictures:,} face crops, one a group, and "
        f"{arguments.generated:,} generated pictures.\n\n"
        "## Copies\n\n"
        + table(["seed", "pictures", "planted copies found", "false alarms", "seconds"], lines)
        + f"\nFound: {interval(total['found'], total['planted'])} of the planted copies. "
        f"False alarms: {interval(total['false'], total['pictures'])} of the pictures.\n\n"
        f"A pair counts if the 256-bit hashes differ in at most {MAX_DISTANCE} bits and the thumbnails correlate to at least "
        f"{MIN_LIKENESS}. The copies differ in {np.median(bits):.0f} bits (median; 99 %: {np.percentile(bits, 99):.0f}, most: "
        f"{bits.max()}) and correlate to at least {alike.min():.3f}. The nearest other picture among the originals, as it is "
        f"or mirrored, is {min(seed[2] for seed in closest)} bits away.\n\n"
        "## Shortcuts\n\n"
        f'1,000 pictures of each class, all real; one property of the "fakes" was changed. AUC of each property alone, '
        f"above {MAX_AUC} in bold: {hit} of {len(planted)} planted ones are found.\n\n"
        + table(["planted", *names], marks)
        + "\nSmaller pictures also make smaller and softer files, so one plant may show in several columns.\n\n"
        "Written by `benchmarks/audit_planted.py`.\n"
    )


def interval(count: int, n: int) -> str:
    low, high = (max(0.0, end) for end in wilson(count, n))
    return f"{100 * count / n:.2f} % ({100 * low:.2f} to {100 * high:.2f}, n = {n:,})"


if __name__ == "__main__":
    main()
