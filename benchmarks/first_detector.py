"""A detector on the whole Test folder, as a user would run it. Writes a page of `docs/`.

    python benchmarks/first_detector.py [--faces ../shared/faces] [--bundle FOLDER] [--page default_detector.md] [--out FILE]

Every file goes through `check_paths`, face search included. Test is read here and chooses nothing: temperature and thresholds
come from the bundle. The intervals are those of `unmask evaluate`, over groups. Needs the extra `train` (SciPy).
"""

from __future__ import annotations

import argparse
import csv
import time
from pathlib import Path

import numpy as np

from machine import ROOT, hardware, table, today, write
from unmask.checking import check_paths
from unmask.detector import Detector
from unmask.finding import Finding, Status
from unmask.stats.intervals import REPLICATES, Estimate, estimate, mean_estimate
from unmask.stats.metrics import Judged
from unmask.verdict import deciding_face


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=Path, default=ROOT.parent / "shared" / "faces")
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--page", default="default_detector.md", help="Name of the page in docs/.")
    parser.add_argument("--out", type=Path, help="Write the page to this file instead.")
    arguments = parser.parse_args()
    with (arguments.faces / "manifest.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "Test"]
    detector = Detector.load(arguments.bundle, threads=1)
    started = time.perf_counter()
    findings = list(check_paths([arguments.faces / row["path"] for row in rows], detector))
    seconds = time.perf_counter() - started
    text = page(detector, rows, findings, seconds)
    if arguments.out is None:
        write(arguments.page, text)
    else:
        arguments.out.write_text(text)


def page(detector: Detector, rows: list[dict[str, str]], findings: list[Finding], seconds: float) -> str:
    answered = [(row, finding) for row, finding in zip(rows, findings, strict=True) if finding.score is not None]
    deciding = [deciding_face(finding.faces) for _, finding in answered]
    judged = Judged.of(
        [int(row["label"]) for row, _ in answered],
        [finding.score for _, finding in answered],
        detector.thresholds,
        outside=[face is not None and face.outside_training for face in deciding],
    )
    groups = np.array([row["group"] for row, _ in answered])
    sources = np.array([row["source"] for row, _ in answered])
    statuses = {status.value: sum(finding.status is status for finding in findings) for status in Status}

    slices = {"all": np.ones(len(answered), bool), **{name: sources == name for name in sorted(set(sources))}}
    lines = [[name, *measures(judged, groups, chosen)] for name, chosen in slices.items()]
    head = [
        "pictures", "n", "groups of real, of fake", "accuracy at P(fake) 0.5", "AUC", "reals called fake", "fakes called fake",
        "fakes called real", "unsure",
    ]  # fmt: skip
    files = ", ".join(f"{count} {name}" for name, count in statuses.items())
    return f"""# {detector.label} on Test

Written by `benchmarks/first_detector.py` on {today()}, {hardware()}. Detector {detector.label}, architecture
`{detector.info.architecture}`, input {detector.info.input_size} px, policy {detector.policy}. {len(findings)} files: {files}.
{len(findings) / seconds:.0f} pictures a second, face search included.

{table(head, lines)}
Intervals are 95 %, as `unmask evaluate` gives them: {REPLICATES:,} resamplings of whole groups, since frames of one clip are not
independent. Where real and fake are compared, the class with fewer groups says how much is known. Policy {detector.policy} was
chosen by: {detector.info.policies[detector.policy].chosen_by}.
"""


def measures(judged: Judged, groups: np.ndarray, chosen: np.ndarray) -> list[str]:
    """One line of the table: the pictures that `chosen` is true for."""
    assert judged.outside is not None
    part = Judged(judged.labels[chosen], judged.scores[chosen], judged.thresholds, judged.outside[chosen])
    names = groups[chosen]
    found = estimate(part, groups=names)
    fakes_found = mean_estimate("fakes_found", part.called_fake[part.fake], names[part.fake])
    return [
        f"{part.labels.size:,}",
        f"{clips(names[part.real]):,}, {clips(names[part.fake]):,}",
        share(found["accuracy"]),
        area(found["roc_auc"]),
        share(found["false_accusation_rate"]),
        share(fakes_found),
        share(found["missed_fake_rate"]),
        share(found["share_unsure"]),
    ]


def clips(names: np.ndarray) -> int:
    """Number of groups; a picture without a group name is one of its own."""
    return len({str(name) for name in names if name}) + int((names == "").sum())


def share(one: Estimate) -> str:
    if one.value is None:
        return f"none: {one.reason}"
    return (
        f"{one.value:.1%} ({one.reason})" if one.low is None else f"{one.value:.1%} ({one.low:.1%} to {one.high:.1%})"
    )


def area(one: Estimate) -> str:
    if one.value is None:
        return f"none: {one.reason}"
    return (
        f"{one.value:.3f} ({one.reason})" if one.low is None else f"{one.value:.3f} ({one.low:.3f} to {one.high:.3f})"
    )


if __name__ == "__main__":
    main()
