"""A published detector on the same pictures as ours. Writes `docs/measurements/peers.md`.

    python benchmarks/peers.py --weights Meso4_DF.h5 --data ../shared/faces/Test [--bundle FOLDER] [--out peers/]

MesoNet's Meso-4, built here from the description in Afchar, Nozick, Yamagishi and Echizen, "MesoNet: a Compact Facial Video
Forgery Detection Network", WIFS 2018, section III-A. Its published weights are a file that you bring; neither they nor the
authors' code are part of this repository. The peer sees each picture decoded by `unmask.image.read`, at 256 px, and goes through
the same measures and intervals as ours. It never saw these pictures' makers in training, ours learned from them: this is what
a user would get from either, not a contest of architectures. Needs the extra `train`.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from machine import ROOT, hardware, table, today, write
from unmask.errors import UnmaskError
from unmask.evaluate.compare import SideBySide, compare_scores
from unmask.evaluate.pictures import Picture, Pictures, open_pictures
from unmask.evaluate.report import SHOWN, write_comparison
from unmask.evaluate.run import Plan, score_any
from unmask.evaluate.scores import Score, ScoreTable, write_scores
from unmask.evaluate.statements import estimate_text
from unmask.finding import Failure, Status
from unmask.image.resize import resize
from unmask.stats.measures import MEASURES
from unmask.stats.metrics import EVEN
from unmask.verdict import decide

SIDE = 256
BATCH = 64
PARAMETERS = 27_977  # as the paper gives it; a network of another size is not Meso-4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, required=True, help="the published Meso-4 weights, .h5")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "faces" / "Test")
    parser.add_argument("--bundle", type=Path, help="our detector [default: the shipped one]")
    parser.add_argument("--out", type=Path, default=Path("peers"), help="folder for scores and plots")
    parser.add_argument(
        "--real-is-one",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="the published weights answer 1 for real",
    )
    given = parser.parse_args()
    model = meso4()
    model.load_weights(str(given.weights))
    peer = score_peer(model, open_pictures(given.data), f"Meso-4 ({given.weights.stem})", given.real_is_one)
    ours = score_any(given.bundle or ROOT / "src" / "unmask" / "bundles" / "default", given.data, Plan())
    given.out.mkdir(parents=True, exist_ok=True)
    write_scores(peer, given.out / "meso4.csv")
    write_scores(ours, given.out / "ours.csv")
    found = compare_scores([ours, peer])
    write_comparison(found, given.out)
    write("peers.md", page(found, given.data.name))


def meso4() -> Any:
    """Meso-4: four blocks of convolution, batch normalisation and pooling, then one hidden layer of 16."""
    import keras
    from keras import layers

    inputs = keras.Input((SIDE, SIDE, 3))
    x = inputs
    for filters, kernel, pool in ((8, 3, 2), (8, 5, 2), (16, 5, 2), (16, 5, 4)):
        x = layers.Conv2D(filters, kernel, padding="same", activation="relu")(x)
        x = layers.BatchNormalization()(x)
        x = layers.MaxPooling2D(pool, padding="same")(x)
    x = layers.Dropout(0.5)(layers.Flatten()(x))
    x = layers.LeakyReLU(negative_slope=0.1)(layers.Dense(16)(x))
    outputs = layers.Dense(1, activation="sigmoid")(layers.Dropout(0.5)(x))
    model = keras.Model(inputs, outputs, name="meso4")
    trained = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    if trained != PARAMETERS:
        raise SystemExit(f"this network has {trained:,} trained parameters, Meso-4 has {PARAMETERS:,}")
    return model


def score_peer(model: Any, pictures: Pictures, name: str, real_is_one: bool) -> ScoreTable:
    """The peer's scores; it has no thresholds of its own, so 0.5 decides."""
    rows: list[Score] = []
    for start in range(0, len(pictures), BATCH):
        items = pictures.items[start : start + BATCH]
        crops: list[np.ndarray] = []
        failures: dict[int, Failure] = {}
        for place, item in enumerate(items):
            try:
                if item.failure:
                    raise UnmaskError(item.failure.message, hint=item.failure.hint, code=item.failure.code)
                crops.append(resize(pictures.read(start + place), SIDE))
            except UnmaskError as error:
                failures[place] = Failure(error.code, error.message, error.hint)
        output = iter(model.predict(np.stack(crops) / np.float32(255), verbose=0).ravel() if crops else ())
        for place, item in enumerate(items):
            if place in failures:
                rows.append(row(item, None, failures[place]))
            else:
                value = float(next(output))
                rows.append(row(item, 1 - value if real_is_one else value, None))
    return ScoreTable(name, "0.5", EVEN, tuple(rows))


def row(item: Picture, score: float | None, failure: Failure | None) -> Score:
    status = Status.UNREADABLE if score is None else Status.ANSWERED
    verdict = None if score is None else decide(score, EVEN)
    return Score(item.path, item.label, status, None, score, verdict, item.source, item.method, item.group, failure)


def page(found: SideBySide, data: str) -> str:
    names = [evaluation.table.detector for evaluation in found.evaluations]
    rows = [
        [MEASURES[name].title, *(estimate_text(evaluation.measures[name]) for evaluation in found.evaluations)]
        for name in SHOWN
    ]
    test = found.tests[1]
    verdict = (
        f"Difference of the AUCs {test.difference:.3f} ({test.low:.3f} to {test.high:.3f}), p = {test.p_value:.2g} by "
        "DeLong's test with groups of pictures as one observation."
        if test
        else f"No test of the difference: {found.reasons[1]}."
    )
    return f"""# Ours and a peer, on the same pictures

Written by `benchmarks/peers.py` on {today()}, {hardware()}. {found.shared:,} pictures of {data}, 95 % intervals over groups.
Ours decides by its policy and may be unsure; the peer has no thresholds of its own and is forced to choose at 0.5.

{table(["measure", *names], rows)}
{verdict}
"""


if __name__ == "__main__":
    main()
