"""Does a model of the shipped detector come out the same with another seed, and does the detector? Writes `docs/two_seeds.md`.

    python benchmarks/two_seeds.py PREPARED RUN RUN --other FOLDER [--kernel-bits N] [--middle PIXELS] [--bundle FOLDER]

The first RUN is the last one of a model in the bundle, as `benchmarks/build_default.py --work FOLDER` leaves it; the second RUN
is the same of another seed, and the other bundle has that one in its place, exported with the same options. Both runs are
exported by themselves as well. Each has a temperature and thresholds of its own, chosen on Validation of PREPARED. Needs the
extra `train`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from machine import hardware, table, today, write
from unmask.detector import Detector
from unmask.evaluate.evaluation import compare_tables
from unmask.evaluate.pictures import open_pictures
from unmask.evaluate.scores import ScoreTable
from unmask.evaluate.scoring import score_pictures
from unmask.stats.intervals import estimate_one

COLUMNS = {
    "accuracy": "accuracy at P(fake) 0.5",
    "roc_auc": "AUC",
    "false_accusation_rate": "reals called fake",
    "missed_fake_rate": "fakes called real",
    "share_unsure": "unsure",
    "calibration_error": "ECE",
}
SPLITS = ("Validation", "Test")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prepared", type=Path)
    parser.add_argument("runs", type=Path, nargs=2, metavar="RUN")
    parser.add_argument("--kernel-bits", default="32", help="As the bundle was exported.")
    parser.add_argument("--middle", help="As the bundle was exported; not for runs of half the side.")
    parser.add_argument("--bundle", type=Path, help="The detector; the shipped one if not given.")
    parser.add_argument(
        "--other", type=Path, required=True, help="The bundle with the second run in place of the first."
    )
    arguments = parser.parse_args()
    options = ["--kernel-bits", arguments.kernel_bits, *(["--middle", arguments.middle] if arguments.middle else [])]
    with tempfile.TemporaryDirectory(prefix="unmask-seeds-") as temporary:
        detectors = {}
        for name, run in zip(("one seed", "another seed"), arguments.runs, strict=True):
            bundle = Path(temporary) / name.replace(" ", "-")
            command = ["export", str(run), *options, "--data", str(arguments.prepared), "--out", str(bundle)]
            subprocess.run([sys.executable, "-m", "unmask", *command], check=True)
            detectors[name] = Detector.load(bundle, threads=1)
    detectors["the detector with the one"] = whole = Detector.load(arguments.bundle, threads=1)
    detectors["the detector with the other"] = Detector.load(arguments.other, threads=1)
    model = arguments.runs[0].resolve().parent.name
    pages = [by_split(split, detectors, arguments.prepared) for split in SPLITS]
    write(
        "two_seeds.md",
        f"""# Another seed

Written by `benchmarks/two_seeds.py` on {today()}, {hardware()};
detector {whole.label}. One of its models ({model}), and one of the same stages and settings with another seed, each
exported by itself; then the detector, which has the one, and what it is with the other. Each has thresholds of its own from
Validation. In brackets 95 % intervals, as `unmask evaluate` gives them, over groups.

{"".join(pages)}Differences in AUC are tested as DeLong, DeLong and Clarke-Pearson (1988) do, with groups taken as one
observation (Obuchowski, 1997). Validation chose which of the two is in the detector and, but for runs that keep their
last one, the epoch of each, so its numbers flatter a little.
""",
    )


def by_split(split: str, detectors: dict[str, Detector], prepared: Path) -> str:
    """Two tables: the measures over all sources, and AUC by source."""
    scores = {name: score_pictures(one, open_pictures(prepared, split)) for name, one in detectors.items()}
    rows = []
    for name, detector in detectors.items():
        found = {metric.name: metric for metric in detector.info.metrics if metric.split == split}
        rows.append([name, *(shown(found[column]) for column in COLUMNS)])
    sources = sorted({row.source for row in next(iter(scores.values())).rows})
    by_source = [[name, *(area(one, source) for source in sources)] for name, one in scores.items()]
    return f"""## {split}

{table(["", *COLUMNS.values()], rows)}
{table(["AUC of", *sources], by_source)}
{differences(scores)}
"""


def shown(metric: object) -> str:
    value, low, high = (getattr(metric, part) for part in ("value", "low", "high"))
    return f"{value:.3f} ({low:.3f} to {high:.3f})"


def area(scores: ScoreTable, source: str) -> str:
    """AUC of one source, with its interval."""
    rows = [row for row in scores.rows if row.source == source]
    found = estimate_one(
        "roc_auc", [row.label for row in rows], [row.score for row in rows], groups=[row.group for row in rows]
    )
    return shown(found)


def differences(scores: dict[str, ScoreTable]) -> str:
    lines = []
    names = list(scores)
    for one, other in (names[:2], names[2:]):
        found, _ = compare_tables(scores[one], scores[other])
        lines.append(
            f"- AUC of {one} less that of {other}: {found.difference:+.4f} ({found.low:+.4f} to {found.high:+.4f})"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
