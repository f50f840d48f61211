"""A detector on the whole Test folder, as a user would run it. Writes a page of `docs/`.

    python benchmarks/first_detector.py [--faces ../shared/faces] [--bundle FOLDER] [--page default_detector.md]

Every file goes through `check_paths`, face search included. Test is read here and chooses nothing: temperature and thresholds
come from the bundle, which got them on Validation. Needs the extra `train` (scikit-learn).
"""

from __future__ import annotations

import argparse
import csv
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from machine import ROOT, hardware, table, today, wilson, write
from unmask.checking import check_paths
from unmask.detector import Detector
from unmask.finding import Finding, Status, Verdict

RESAMPLES = 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=Path, default=ROOT.parent / "shared" / "faces")
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--page", default="default_detector.md")
    arguments = parser.parse_args()
    with (arguments.faces / "manifest.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "Test"]
    detector = Detector.load(arguments.bundle, threads=1)
    started = time.perf_counter()
    findings = list(check_paths([arguments.faces / row["path"] for row in rows], detector))
    seconds = time.perf_counter() - started
    write(arguments.page, page(detector, rows, findings, seconds))


def page(detector: Detector, rows: list[dict[str, str]], findings: list[Finding], seconds: float) -> str:
    answered = [(row, finding) for row, finding in zip(rows, findings, strict=True) if finding.score is not None]
    labels = np.array([int(row["label"]) for row, _ in answered])
    scores = np.array([finding.score for _, finding in answered])
    groups = np.array([row["group"] for row, _ in answered])
    sources = np.array([row["source"] for row, _ in answered])
    verdicts = np.array([str(finding.verdict) for _, finding in answered])
    statuses = {status.value: sum(finding.status is status for finding in findings) for status in Status}

    slices = {"all": np.ones(len(labels), bool), **{name: sources == name for name in sorted(set(sources))}}
    lines = [
        [name, *measures(labels[chosen], scores[chosen], verdicts[chosen], groups[chosen])]
        for name, chosen in slices.items()
    ]
    head = ["pictures", "n", "accuracy at P(fake) 0.5", "AUC", "reals called fake", "fakes called fake", "unsure"]
    files = ", ".join(f"{count} {name}" for name, count in statuses.items())
    return f"""# {detector.label} on Test

Written by `benchmarks/first_detector.py` on {today()}, {hardware()}. Detector {detector.label}, architecture
`{detector.info.architecture}`, input {detector.info.input_size} px, policy {detector.policy}. {len(findings)} files: {files}.
{len(findings) / seconds:.0f} pictures a second, face search included.

{table(head, lines)}
Intervals are 95 %: of AUC by {RESAMPLES} bootstrap resamples over groups (frames of one clip are not independent), of shares by
Wilson's method over pictures. Nothing was chosen on these pictures.
"""


def measures(labels: np.ndarray, scores: np.ndarray, verdicts: np.ndarray, groups: np.ndarray) -> list[str]:
    real, fake = labels == 0, labels == 1
    low, high = auc_interval(labels, scores, groups)
    return [
        str(len(labels)),
        share((scores > 0.5) == fake),
        f"{roc_auc_score(labels, scores):.3f} ({low:.3f} to {high:.3f})",
        share(verdicts[real] == Verdict.FAKE.value),
        share(verdicts[fake] == Verdict.FAKE.value),
        share(verdicts == Verdict.UNSURE.value),
    ]


def share(hits: np.ndarray) -> str:
    low, high = wilson(int(hits.sum()), len(hits))
    return f"{hits.mean():.1%} ({low:.1%} to {high:.1%})"


def auc_interval(labels: np.ndarray, scores: np.ndarray, groups: np.ndarray) -> tuple[float, float]:
    members: dict[str, list[int]] = defaultdict(list)
    for index, group in enumerate(groups):
        members[group].append(index)
    blocks = [np.array(block) for block in members.values()]
    rng = np.random.default_rng(0)
    values = []
    for _ in range(RESAMPLES):
        drawn = np.concatenate([blocks[i] for i in rng.integers(0, len(blocks), len(blocks))])
        if 0 < labels[drawn].mean() < 1:
            values.append(roc_auc_score(labels[drawn], scores[drawn]))
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


if __name__ == "__main__":
    main()
