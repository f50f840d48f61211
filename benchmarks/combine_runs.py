"""The mean of two runs' logits, or of their weights? Writes `docs/combined_runs.md`.

    python benchmarks/combine_runs.py PREPARED RUN RUN [RUN ...]

Every run by itself and every pair, on Validation of PREPARED: AUC, accuracy with a centred logit, and the same under a blur of
2 px as a share of it. With averaged weights, batch normalisation is measured anew on windows as the first run of the pair
learns from (Wortsman et al., "Model soups", ICML 2022). Test plays no part. Needs the extra `train`.
"""

from __future__ import annotations

import argparse
import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from machine import hardware, table, today, write
from unmask.evaluate.degradations import DEGRADATIONS
from unmask.stats.calibration import fit_centre
from unmask.stats.metrics import roc_auc
from unmask.train.backend import load_keras
from unmask.train.loop import judge
from unmask.train.source import Source, open_source
from unmask.verdict import probability

BLUR = next(one for one in DEGRADATIONS if (one.family, one.level) == ("blur", "2 px"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prepared", type=Path)
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    arguments = parser.parse_args()
    load_keras("tensorflow")
    import keras

    models = {run.name: keras.models.load_model(run / "model.keras", compile=False) for run in arguments.runs}
    source = open_source(arguments.prepared, "Validation")
    logits = {name: both(model, source) for name, model in models.items()}
    rows = [[name, "", *measured(found, source.labels)] for name, found in logits.items()]
    for one, other in itertools.combinations(arguments.runs, 2):
        pair = f"{one.name} + {other.name}"
        rows.append([pair, "logits", *measured((logits[one.name] + logits[other.name]) / 2, source.labels)])
        averaged = mean_of_weights(one, models[one.name], models[other.name])
        rows.append([pair, "weights", *measured(both(averaged, source), source.labels)])
    head = ["runs", "mean of", "AUC", "accuracy", "accuracy under a blur of 2 px, as a share"]
    write(
        "combined_runs.md",
        f"""# The mean of two runs

Written by `benchmarks/combine_runs.py` on {today()}, {hardware()}; {len(source):,} pictures of Validation, on which the best
epoch of each run was chosen as well. The runs are rows of [trials.csv](trials.csv).

{table(head, rows)}""",
    )


def both(model: Any, source: Source) -> NDArray[np.float64]:
    """Logits (2, N): of the pictures as they are, and blurred."""

    def blurred(indexes: NDArray[np.int64]) -> NDArray[np.uint8]:
        return np.stack(
            [BLUR.change(crop, index) for crop, index in zip(source.read(indexes), indexes.tolist(), strict=True)]
        )

    return np.stack([judge(model, one) for one in (source, replace(source, read=blurred))])


def mean_of_weights(run: Path, one: Any, other: Any) -> Any:
    """One model with the mean of two models' weights, and with statistics measured for them."""
    from unmask.models import build
    from unmask.train.config import CONFIG_FILE, read_config
    from unmask.train.loop import _batches, _some
    from unmask.train.stages import _measure_norms

    config = read_config(run / CONFIG_FILE)
    assert config.size is not None
    learner, whole = build(config.model, config.crop or config.size), build(config.model, config.size)
    learner.set_weights([(a + b) / 2 for a, b in zip(one.get_weights(), other.get_weights(), strict=True)])
    _measure_norms(learner, _some(_batches(config, open_source(config.data, "Train", config.size)), 0))
    whole.set_weights(learner.get_weights())
    return whole


def measured(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> list[str]:
    clean, blurred = logits
    centre = fit_centre(clean, labels)
    accuracy, under_blur = (float(((values > centre) == labels).mean()) for values in (clean, blurred))
    return [f"{roc_auc(labels, probability(clean, 1.0)):.4f}", f"{accuracy:.1%}", f"{under_blur / accuracy:.0%}"]


if __name__ == "__main__":
    main()
