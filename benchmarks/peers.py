"""Other detectors on the same pictures as ours. Writes `docs/measurements/peers.md`.

    python benchmarks/peers.py PEER [PEER ...] [--data ../shared/faces/Test] [--pictures 400] [--ours SCORES] [--out peers/]

A PEER is a Python script with a function `predict(path: str) -> float` that gives P(fake), 0..1, or a CSV file with the columns
`path`, `label` and `score`, such as `unmask evaluate` writes and `unmask compare` reads. `benchmarks/peer_meso4.py` and
`benchmarks/peer_sahu65.py` are two such scripts; each says what it needs. A peer that never saw these pictures' makers is beside
ours, which learned from others by the same makers: this is what a user would get from either, not a contest of architectures.
Our own scores are those of the report, unless `--ours` names another table or a bundle's folder. A script is asked about
`--pictures` of them, evenly through classes and sources; nothing is chosen by what comes out. Needs the extra `train`.
"""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np

from machine import ROOT, hardware, table, today, write
from unmask.errors import UnmaskError
from unmask.evaluate.compare import SideBySide, compare_scores
from unmask.evaluate.pictures import Picture, Pictures, open_pictures
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
    parser.add_argument("--pictures", type=int, default=400)
    parser.add_argument("--ours", type=Path, default=ROOT / "docs" / "report" / "scores.csv")
    parser.add_argument("--out", type=Path, default=Path("peers"), help="folder for scores and plots")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    tables = [score_any(given.ours, given.data, Plan())]
    for peer in given.peers:
        if peer.suffix == ".py":
            pictures = some_of(open_pictures(given.data), given.pictures)
            tables.append(score_peer(predict_of(peer), pictures, peer.stem.removeprefix("peer_")))
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


def some_of(pictures: Pictures, count: int) -> list[tuple[Picture, Path]]:
    """Evenly spaced: the files stand by class and, as their names begin with it, by source."""
    if pictures.files is None:
        raise SystemExit("a peer reads files: name a folder of pictures, not one of `unmask prepare`")
    places = np.linspace(0, len(pictures) - 1, min(count, len(pictures))).astype(int)
    return [(pictures.items[place], pictures.files[place]) for place in places]


def score_peer(predict: Predict, pictures: list[tuple[Picture, Path]], name: str) -> ScoreTable:
    """A peer's scores. It has no thresholds of its own, so 0.5 decides; a picture that it fails on is one without an answer."""
    rows = []
    for number, (item, file) in enumerate(pictures, 1):
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
        if number % 100 == 0:
            print(f"{name}: {number} of {len(pictures)}", flush=True)
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
choose at 0.5. Ours learned from other pictures by the same makers, a peer mostly did not: this is what somebody would get
from either, not a contest of architectures. Nothing was chosen by these numbers.

{table(["measure", *names], rows)}
{chr(10).join(verdicts)}
{"" if any("meso4" in name for name in names) else MESONET}"""


MESONET = """
MesoNet (Afchar et al., WIFS 2018) is not in the table: no package of PyPI is known to hold its published weights. With a copy
of them, `MESO4_WEIGHTS=Meso4_DF.h5` and `benchmarks/peer_meso4.py` give it a column.
"""


if __name__ == "__main__":
    main()
