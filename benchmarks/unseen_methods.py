"""How well does a detector know what it never learned? Writes `docs/measurements/unseen_methods.md`.

    python benchmarks/unseen_methods.py RUN [--faces ../shared/faces]

RUN is a run with `feature_copies`, such as that of `build_default.py`: its folder keeps what the tower says of pictures. On it
a logistic regression learns again and again, each time without one method of making fakes, or without a whole family of them, and
is judged on Validation: the fakes left out against the real pictures of the same source. Test is not opened. The other kinds of
fakes that `unmask train` makes of real pictures are learned from or not, in turn. Needs the extra `train`.
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from machine import ROOT, hardware, table, today, write

# Pictures of Validation that a method must have to be left out.
LEAST = 20


@dataclass(frozen=True)
class Rows:
    """Pooled features (N, 3 C) and, of each, label, source, method, family, and whether the fake was made of a real picture."""

    features: NDArray[np.float32]
    labels: NDArray[np.int64]
    sources: NDArray[np.str_]
    methods: NDArray[np.str_]
    families: NDArray[np.str_]
    made: NDArray[np.bool_]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument(
        "--faces", type=Path, default=ROOT.parent / "shared" / "faces", help="Whose manifest names families."
    )
    given = parser.parse_args()
    train, validation = read(given.run, given.faces)
    scale = train.features.std(axis=0) + 1e-6
    middle = train.features.mean(axis=0)
    train.features[:] = (train.features - middle) / scale
    validation.features[:] = (validation.features - middle) / scale
    ways = {"with made fakes": np.ones(len(train.labels), bool), "without": ~train.made}
    everything = {way: fit(train, chosen).decision_function(validation.features) for way, chosen in ways.items()}
    rows, means = [], dict[str, list[list[float]]]()
    for kind in ("methods", "families"):
        names = getattr(validation, kind)
        for name in np.unique(names[validation.labels == 1]):
            left_out = (names == name) & (validation.labels == 1)
            if left_out.sum() < LEAST:
                continue
            sources = np.unique(validation.sources[left_out])
            judged = left_out | ((validation.labels == 0) & np.isin(validation.sources, sources))
            found = [area(validation.labels[judged], everything["with made fakes"][judged])]
            for chosen in ways.values():
                known = chosen & ((getattr(train, kind) != name) | (train.labels == 0) | train.made)
                found.append(
                    area(validation.labels[judged], fit(train, known).decision_function(validation.features[judged]))
                )
            means.setdefault(kind, []).append(found)
            rows.append([kind.removesuffix("s").replace("ie", "y"), name, int(left_out.sum()), *found])
            print(rows[-1], flush=True)
    for kind, found in means.items():
        rows.append([f"mean of {kind}", "", "", *np.mean(found, axis=0)])
    write("unseen_methods.md", page(rows, len(train.labels)))


def fit(rows: Rows, chosen: NDArray[np.bool_]) -> object:
    """A logistic regression on the chosen rows, both classes weighing the same."""
    from sklearn.linear_model import LogisticRegression

    line = LogisticRegression(C=0.003, max_iter=200, class_weight="balanced")
    return line.fit(rows.features[chosen], rows.labels[chosen])


def area(labels: NDArray[np.int64], scores: NDArray[np.float64]) -> float:
    """Area under the ROC curve."""
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(labels, scores))


def read(run: Path, faces: Path) -> tuple[Rows, Rows]:
    """What a run kept of Train and of Validation."""
    from unmask.data.prepared import load_prepared
    from unmask.train.config import read_run
    from unmask.train.run_data import open_data

    config = read_run(run)
    prepared, data = load_prepared(Path(config.data)), open_data(config)
    with (faces / "manifest.csv").open(newline="", encoding="utf-8") as file:
        family_of = {row["path"]: row["family"] for row in csv.DictReader(file)}
    order = np.concatenate([data.batches.order(copy) for copy in range(config.feature_copies)])
    places = {"Train": order, "Validation": np.arange(len(data.validation))}
    found = []
    for split, order in places.items():
        features = np.load(run / f"features-{split}.npy", mmap_mode="r")
        labels = np.load(run / f"labels-{split}.npy")
        entries = prepared.entries(split)
        chosen = [entries[place] for place in order.tolist()]
        truth = np.array([entry.label for entry in chosen])
        sources, methods = (np.array([getattr(entry, name) for entry in chosen]) for name in ("source", "method"))
        families = np.array([family_of[entry.path] for entry in chosen])
        pooled = np.empty((len(features), 3 * features.shape[2]), np.float32)
        for first in range(0, len(features), 256):
            tokens = features[first : first + 256].astype(np.float32)
            patches = tokens[:, 1:]
            pooled[first : first + 256] = np.concatenate(
                [tokens[:, 0], patches.mean(axis=1), patches.std(axis=1)], axis=1
            )
        found.append(Rows(pooled, labels, sources, methods, families, labels != truth))
    return found[0], found[1]


def page(rows: list[list[object]], count: int) -> str:
    """The page."""
    shown = [[*map(str, row[:3]), *(f"{value:.3f}" for value in row[3:])] for row in rows]
    head = ["left out", "", "fakes in Validation", "known", "left out", "left out, no made fakes"]
    return f"""# Fakes of a kind that was never learned

A detector is asked about fakes that nobody had when it was trained. How it will do can be guessed by leaving out what is known.
Here CLIP's image tower (after six and after nine of its blocks, as it was trained by others, nothing tuned) looks at
{count:,} pictures of Train, and a logistic regression learns from its features: class token, and mean and spread of the
patches. Each row leaves
out one method, or a whole family, of fakes, and says how well that is told from the real pictures of the same source in
Validation: AUC, where 0.5 is a guess and 1 is never wrong. "Known": nothing was left out. "Made fakes" are those that
`unmask train` makes of real pictures. The shipped detector has another head on the same features, and it learned from changed
pictures, too; it was not trained once more for each row.

{table(head, shown)}

{hardware()}; {today()}. Written by `benchmarks/unseen_methods.py`.
"""


if __name__ == "__main__":
    main()
