"""Does the shipped recipe come out the same with another seed, and what does their mean gain? Writes `docs/two_seeds.md`.

    python benchmarks/two_seeds.py PREPARED RUN RUN [--half] [--middle PIXELS] [--bundle FOLDER]

The RUNs are the last ones of each seed, as `benchmarks/build_default.py --work FOLDER` leaves them; the bundle is that of both
together with whatever else belongs to it, exported with the same options. The runs are exported one by one and both together,
each time with a temperature and thresholds of their own, chosen on Validation of PREPARED. Needs the extra `train`.
"""

from __future__ import annotations

import argparse
import itertools
import subprocess
import sys
import tempfile
from pathlib import Path

from machine import hardware, table, today, write
from unmask.detector import Detector
from unmask.evaluate.evaluation import compare_tables
from unmask.evaluate.intervals import estimate_one
from unmask.evaluate.pictures import open_pictures
from unmask.evaluate.scores import ScoreTable
from unmask.evaluate.scoring import score_pictures

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
    parser.add_argument("--half", action="store_true", help="As the bundle was exported.")
    parser.add_argument("--middle", help="As the bundle was exported.")
    parser.add_argument("--bundle", type=Path)
    arguments = parser.parse_args()
    options = [*(["--half"] if arguments.half else []), *(["--middle", arguments.middle] if arguments.middle else [])]
    with tempfile.TemporaryDirectory(prefix="unmask-seeds-") as temporary:
        one, other = map(str, arguments.runs)
        detectors = {}
        for name, runs in (("model 1", [one]), ("model 2", [other]), ("their mean", [one, other])):
            bundle = Path(temporary) / name.replace(" ", "-")
            command = ["export", *runs, *options, "--data", str(arguments.prepared), "--out", str(bundle)]
            subprocess.run([sys.executable, "-m", "unmask", *command], check=True)
            detectors[name] = Detector.load(bundle, threads=1)
    detectors["the detector"] = whole = Detector.load(arguments.bundle, threads=1)
    pages = [by_split(split, detectors, arguments.prepared) for split in SPLITS]
    write(
        "two_seeds.md",
        f"""# Two seeds of the shipped recipe

Written by `benchmarks/two_seeds.py` on {today()}, {hardware()}. The two
models of full size in {whole.label}: the same stages and settings, other seeds; each exported by itself, with thresholds
of its own from Validation. The detector has a third one, on pictures of half the side. In brackets 95 % intervals, as
`unmask evaluate` gives them, over groups.

{"".join(pages)}Differences in AUC are tested as DeLong, DeLong and Clarke-Pearson (1988) do, with groups taken as one
observation (Obuchowski, 1997). Validation chose the best epoch of every run, so its numbers flatter a little.
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
    for (one, first), (other, second) in itertools.combinations(scores.items(), 2):
        found, _ = compare_tables(first, second)
        lines.append(
            f"- AUC of {one} less that of {other}: {found.difference:+.4f} ({found.low:+.4f} to {found.high:+.4f})"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
