"""Other detectors on the same pictures as ours. Writes `docs/measurements/peers.md`.

    python benchmarks/peers.py PEER [PEER ...] [--data ../shared/faces/Test] [--bundle FOLDER] [--out peers/]

A PEER is a Python script with a function `predict(path: str) -> float` that gives P(fake), 0..1, or a CSV file with the columns
`path`, `label` and `score`, such as `unmask evaluate` writes and `unmask compare` reads. `benchmarks/peer_meso4.py` and
`benchmarks/peer_sahu65.py` are two such scripts; each says what it needs. A peer that never saw these pictures' makers is beside
ours, which learned from others by the same makers: this is what a user would get from either, not a contest of architectures.
Needs the extra `train`.
"""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Callable
from pathlib import Path

from machine import ROOT, hardware, table, today, write
from unmask.errors import UnmaskError
from unmask.evaluate.compare import SideBySide, compare_scores
from unmask.evaluate.pictures import Pictures, open_pictures
from unmask.evaluate.report import SHOWN, write_comparison
from unmask.evaluate.run import Plan, score_any
from unmask.evaluate.scores import Score, ScoreTable, read_scores, write_scores
from unmask.evaluate.statements import estimate_text
from unmask.finding import Failure, Status
from unmask.stats.measures import MEASURES
from unmask.stats.metrics import EVEN
from unmask.verdict import decide

Predict = Callable[[str], float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peers", type=Path, nargs="+", metavar="PEER")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "faces" / "Test")
    parser.add_argument("--bundle", type=Path, help="our detector [default: the shipped one]")
    parser.add_argument("--out", type=Path, default=Path("peers"), help="folder for scores and plots")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    tables = [score_any(given.bundle or ROOT / "src" / "unmask" / "bundles" / "default", given.data, Plan())]
    write_scores(tables[0], given.out / "ours.csv")
    for peer in given.peers:
        if peer.suffix == ".py":
            tables.append(score_peer(predict_of(peer), open_pictures(given.data), peer.stem.removeprefix("peer_")))
            write_scores(tables[-1], given.out / f"{peer.stem}.csv")
        else:
            tables.append(read_scores(peer))
    found = compare_scores(tables)
    write_comparison(found, given.out)
    write("peers.md", page(found, given.data.name))


def predict_of(script: Path) -> Predict:
    """The function of a script."""
    spec = importlib.util.spec_from_file_location(script.stem, script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    predict: Predict = module.predict
    return predict


def score_peer(predict: Predict, pictures: Pictures, name: str) -> ScoreTable:
    """A peer's scores. It has no thresholds of its own, so 0.5 decides; a picture that it fails on is one without an answer."""
    if pictures.files is None:
        raise SystemExit("a peer reads files: name a folder of pictures, not one of `unmask prepare`")
    rows = []
    for number, (item, file) in enumerate(zip(pictures.items, pictures.files, strict=True), 1):
        score, failure = None, item.failure
        if failure is None:
            try:
                score = float(predict(str(file)))
                if not 0 <= score <= 1:
                    raise UnmaskError(f"its score is {score}", hint="P(fake) lies in 0..1.", code="bad-score")
            except Exception as error:  # a stranger's code may raise anything, and the others go on
                score, failure = None, Failure("peer-failed", f"{type(error).__name__}: {error}", "See the peer.")
        status = Status.UNREADABLE if score is None else Status.ANSWERED
        verdict = None if score is None else decide(score, EVEN)
        rows.append(
            Score(item.path, item.label, status, None, score, verdict, item.source, item.method, item.group, failure)
        )
        if number % 200 == 0:
            print(f"{name}: {number} of {len(pictures.items)}", flush=True)
    return ScoreTable(name, "0.5", EVEN, tuple(rows))


def page(found: SideBySide, data: str) -> str:
    names = [evaluation.table.detector for evaluation in found.evaluations]
    rows = [
        [MEASURES[name].title, *(estimate_text(evaluation.measures[name]) for evaluation in found.evaluations)]
        for name in SHOWN
    ]
    verdicts = [
        f"{name}: difference of the AUCs to ours {test.difference:.3f} ({test.low:.3f} to {test.high:.3f}), p = "
        f"{test.p_value:.2g} by DeLong's test with groups of pictures as one observation."
        if test
        else f"{name}: no test of the difference: {found.reasons[place]}."
        for place, (name, test) in enumerate(zip(names, found.tests, strict=True))
        if place
    ]
    return f"""# Ours and others, on the same pictures

Written by `benchmarks/peers.py` on {today()}, {hardware()}. {found.shared:,} pictures of {data}, 95 % intervals over groups.
Ours decides by its policy and may be unsure; the others have no thresholds of their own here and are forced to
choose at 0.5.

{table(["measure", *names], rows)}
{chr(10).join(verdicts)}
"""


if __name__ == "__main__":
    main()
