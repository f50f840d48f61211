"""Can the class be told without looking at a face? From file size, JPEG tables, dimensions, mean colour, sharpness?

Where it can, a detector will learn that instead, score well on this set's own Test split, and fail everywhere else
(Geirhos et al., "Shortcut learning in deep neural networks", Nature Machine Intelligence 2020). Each property alone
goes through a small decision tree, which also finds what is not monotone ("all fakes are exactly 1024 wide"); its area
under the ROC curve is measured on pictures it was not fitted to, with whole groups held out together.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.data.manifest import Row
from unmask.data.prepared import FACTS, Prepared, take
from unmask.errors import UnmaskError
from unmask.system.python import install_extra

# Above this area under the curve a property is called a shortcut.
MAX_AUC = 0.65
# Enough for an AUC to within 0.01; more only takes longer.
MAX_PICTURES = 20_000
# Fewer of a class than this cannot be split into five parts that mean anything.
MIN_PICTURES = 50
FOLDS = 5
SEED = 0

Features = NDArray[np.float64]
_Describe = Callable[[NDArray[np.bool_]], str]


@dataclass(frozen=True, slots=True)
class Shortcut:
    """How well one property alone tells fake from real.

    Attributes:
        name: The property.
        auc: Cross-validated area under the ROC curve, 0..1; None where it could not be measured.
        low: Lower end of its 95 % interval (bootstrap over groups).
        high: Upper end.
        n: Pictures it was measured on.
        real: The property's median, or most common value, among real pictures.
        fake: Likewise among fakes.
        missing: Why `auc` is None.
    """

    name: str
    auc: float | None
    low: float | None
    high: float | None
    n: int
    real: str
    fake: str
    missing: str = ""

    @property
    def is_warning(self) -> bool:
        return self.auc is not None and self.auc > MAX_AUC


def find_shortcuts(prepared: Prepared) -> tuple[Shortcut, ...]:
    """Measures every property on up to 20,000 pictures of a prepared folder, all splits together.

    Raises:
        UnmaskError: scikit-learn is not installed.
    """
    rows = _choose(prepared)
    labels = np.array([row.label for row in rows], np.int64)
    groups = np.array([row.group or row.path for row in rows])
    facts = read_facts(prepared.folder, {row.path for row in rows})
    pixels = _pixel_features(prepared, rows)
    files = [facts.get(row.path, {}) for row in rows]
    sizes = np.array([[row.width or np.nan, row.height or np.nan] for row in rows], np.float64)
    tables = np.array([f"{fact.get('format', '')} {fact.get('jpeg_tables', '')}".strip() for fact in files])
    quality = np.array([float(fact.get("jpeg_quality") or "nan") for fact in files])
    size = np.array([float(fact.get("file_bytes") or "nan") for fact in files])
    dimensions = np.column_stack([sizes, sizes[:, 0] / sizes[:, 1]])
    sources = np.array([row.source for row in rows])
    size_texts = np.array([f"{width:.0f} x {height:.0f}" for width, height in sizes])
    properties: tuple[tuple[str, Features, _Describe], ...] = (
        ("file size", size[:, None], lambda own: _median(size[own], "{:,.0f} bytes")),
        ("format and JPEG tables", np.column_stack([quality, _codes(tables)]), lambda own: _commonest(tables[own])),
        ("dimensions", dimensions, lambda own: _commonest(size_texts[own])),
        ("mean colour", pixels[:, :3], lambda own: "RGB " + _median(pixels[own, :3], "{:.0f}")),
        ("sharpness", pixels[:, 3:], lambda own: _median(pixels[own, 3:4], "{:.2f}")),
        ("source", _codes(sources)[:, None], lambda own: _commonest(sources[own])),
    )
    return tuple(
        _measure(name, features, describe, labels, groups)
        for name, features, describe in properties
        if name != "source" or sources.any()
    )


def read_facts(folder: Path, paths: Collection[str]) -> dict[str, dict[str, str]]:
    """What some files were like, by path, from a prepared folder's `facts.csv`; empty if there is none."""
    path = folder / FACTS
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        return {cells["path"]: cells for cells in csv.DictReader(file) if cells["path"] in paths}


def sharpness(image: NDArray[np.uint8]) -> tuple[float, float]:
    """Two logarithms: variance of the Laplacian (fine detail), and the same of the picture at half the size."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    half = cv2.resize(grey, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    fine, coarse = (float(cv2.Laplacian(part, cv2.CV_32F).var()) for part in (grey, half))
    return float(np.log1p(fine)), float(np.log1p(coarse))


def cross_validated_scores(
    features: Features, labels: NDArray[np.int64], groups: NDArray[np.str_]
) -> NDArray[np.float64]:
    """P(fake) of each picture by a model that saw neither it nor its group: float64 (N,)."""
    try:
        from sklearn.tree import DecisionTreeClassifier
    except ImportError as error:
        raise UnmaskError(
            "unmask audit needs scikit-learn, which is not installed.",
            hint=f"Install it, {install_extra('train')}",
            code="extra-missing",
        ) from error
    _, member = np.unique(groups, return_inverse=True)
    # Whole groups, dealt out at random; scikit-learn's stratified way takes minutes for 20,000 groups.
    fold = (np.random.default_rng(SEED).permutation(int(member.max()) + 1) % FOLDS)[member.ravel()]
    scores = np.full(len(labels), 0.5)
    for number in range(FOLDS):
        seen, held_out = fold != number, fold == number
        if held_out.any() and len(np.unique(labels[seen])) == 2:
            model = DecisionTreeClassifier(
                max_leaf_nodes=64, min_samples_leaf=max(10, int(seen.sum()) // 200), random_state=SEED
            )
            scores[held_out] = model.fit(features[seen], labels[seen]).predict_proba(features[held_out])[:, 1]
    return scores


def _measure(
    name: str,
    features: Features,
    describe: _Describe,
    labels: NDArray[np.int64],
    groups: NDArray[np.str_],
) -> Shortcut:
    real, fake = (describe(labels == label) if (labels == label).any() else "" for label in (0, 1))
    few = min(int((labels == label).sum()) for label in (0, 1))
    missing = "not known of these files" if np.isnan(features).all() else ""
    missing = f"only {few} pictures of a class" if few < MIN_PICTURES else missing
    if missing:
        return Shortcut(name, None, None, None, len(labels), real, fake, missing)
    from unmask.stats.intervals import estimate
    from unmask.stats.metrics import Judged

    judged = Judged.of(labels, cross_validated_scores(features, labels, groups))
    found = estimate(judged, groups=groups, names=("roc_auc",), replicates=200, seed=SEED)["roc_auc"]
    return Shortcut(name, found.value, found.low, found.high, len(labels), real, fake)


def _median(values: Features, form: str) -> str:
    if np.isnan(values).all():
        return "not known"
    return " ".join(form.format(value) for value in np.atleast_1d(np.nanmedian(values, axis=0)))


def _commonest(names: NDArray[np.str_]) -> str:
    unique, counts = np.unique(names, return_counts=True)
    best = int(counts.argmax())
    return f"{unique[best]} ({counts[best] / len(names):.0%})"


def _choose(prepared: Prepared) -> list[Row]:
    """At most `MAX_PICTURES`, in order."""
    everything = [row for split in prepared.splits for row in prepared.entries(split)]
    if len(everything) <= MAX_PICTURES:
        return everything
    kept = np.random.default_rng(SEED).choice(len(everything), MAX_PICTURES, replace=False)
    return [everything[index] for index in np.sort(kept)]


def _pixel_features(prepared: Prepared, rows: list[Row]) -> Features:
    images = {split: prepared.pixels(split) for split in prepared.splits}
    features = np.empty((len(rows), 5))
    for place, row in enumerate(rows):
        image = take(images[row.split], np.array([row.row]))[0]
        features[place, :3] = cv2.mean(image)[:3]
        features[place, 3:] = sharpness(image)
    return features


def _codes(names: NDArray[np.str_]) -> Features:
    """Numbers for names, the most common first, so that a tree can single out any common one."""
    unique, inverse, counts = np.unique(names, return_inverse=True, return_counts=True)
    rank = np.empty(len(unique))
    rank[np.argsort(-counts, kind="stable")] = np.arange(len(unique))
    codes: Features = rank[inverse.ravel()]
    return codes
