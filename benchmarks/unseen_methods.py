"""How well does a detector know what it never learned? Writes `docs/measurements/unseen_methods.md`.

    python benchmarks/unseen_methods.py RUN

RUN is a run of `clip_vit_b16_whole` with `feature_copies`, such as `whole-1` of `build_default.py`: its folder keeps what the
tower says of pictures. On it heads like those of the shipped detector learn again and again, each time without one method of
making fakes, or without a whole family of them, and are judged on Validation: the fakes left out against the real pictures of the
same source. Test is not opened. Needs the extra `train`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from machine import hardware, table, today, write
from unmask.data.source import Source
from unmask.models import OVERVIEW, build
from unmask.stats.metrics import roc_auc
from unmask.train.config import TrainConfig, read_run
from unmask.train.damping import damp
from unmask.train.kept_features import FEATURES, LABELS, MASKS, Kept, after
from unmask.train.run_data import open_data
from unmask.train.stages import prepare_model, stages_of

# Pictures of Validation that a method must have to be left out.
LEAST = 20
# Of Train, one picture of so many is learned from, for time.
EVERY = 3


@dataclass(frozen=True)
class Heads:
    """What heads learn from and are judged by.

    Attributes:
        config: How one head learns.
        model: A detector whose head is trained again and again.
        train, validation: What the tower said.
        source: Of Train.
        judged: Of Validation.
    """

    config: TrainConfig
    model: Any
    train: Kept
    validation: Kept
    source: Source
    judged: Source

    def made(self) -> NDArray[np.bool_]:
        """Of Train, which are fakes that were made of real pictures."""
        made: NDArray[np.bool_] = (self.train.labels == 1) & (self.source.labels[self.train.places] == 0)
        return made

    def mean_logits(self, left_out: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Of Validation: the mean of a head that also learned from made fakes and one that did not; both without some rows."""
        ways = (~left_out, ~left_out & ~self.made())
        return np.mean([self._logits(self.train.rows[rows[self.train.rows]]) for rows in ways], axis=0)

    def _logits(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        train = replace(self.train, rows=rows)
        with fresh(self.model):
            learner, targets = prepare_model(self.model, stages_of(self.config)[0], self.config, train.steps())
            for epoch in range(self.config.epochs):
                for batch in train.of_epoch(epoch):
                    learner.train_on_batch(batch.images, targets(batch))
            return self.validation.judge(self.model, OVERVIEW)


@contextmanager
def fresh(model: Any) -> Iterator[None]:
    """A model whose weights are afterwards what they were."""
    rest = after(model, OVERVIEW)
    before = rest.get_weights()
    yield
    rest.set_weights(before)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    heads = read(parser.parse_args().run)
    known = heads.mean_logits(np.zeros(len(heads.train.labels), bool))
    fakes = heads.judged.labels == 1
    # A fake that was made of a real picture is of that picture's method, which no fake is left out for.
    original = heads.source.labels[heads.train.places] == 0
    rows, means = [], dict[str, list[list[float]]]()
    for kind in ("methods", "families"):
        names, learned = getattr(heads.judged, kind), getattr(heads.source, kind)[heads.train.places]
        for name in np.unique(names[fakes]):
            asked = (names == name) & fakes
            if asked.sum() < LEAST:
                continue
            sources = np.unique(heads.judged.origins[asked])
            shown = asked | (~fakes & np.isin(heads.judged.origins, sources))
            left_out = heads.mean_logits((learned == name) & ~original)
            areas = [roc_auc(heads.judged.labels[shown], logits[shown]) for logits in (known, left_out)]
            means.setdefault(kind, []).append(areas)
            rows.append([{"methods": "method", "families": "family"}[kind], name, int(asked.sum()), *areas])
            print(rows[-1], flush=True)
    for kind, areas in means.items():
        rows.append([f"mean of {kind}", "", "", *np.mean(areas, axis=0)])
    write("unseen_methods.md", page(rows, -(-len(heads.source) // EVERY)))


def read(run: Path) -> Heads:
    """What a run kept of Train and of Validation, and a model like its own."""
    config = read_run(run)
    data = open_data(config)
    source, judged = data.batches.source, data.validation
    order = np.concatenate([data.batches.order(copy) for copy in range(config.feature_copies)])

    def kept(split: str, of: Source, places: NDArray[np.int64]) -> Kept:
        features, labels, masks = (
            np.load(run / name.format(split), mmap_mode="r") for name in (FEATURES, LABELS, MASKS)
        )
        kinds = of.kinds(places, labels)
        return Kept(features, labels, masks, data.batches, places, kinds, np.arange(len(labels)))

    train, validation = kept("Train", source, order), kept("Validation", judged, np.arange(len(judged)))
    model = build(config.model, source.size)
    damp(model, train)
    few = replace(train, rows=np.flatnonzero(train.places % EVERY == 0))
    return Heads(config, model, few, validation, source, judged)


def page(rows: list[list[Any]], pictures: int) -> str:
    """The page."""
    shown = [[*map(str, row[:3]), *(f"{value:.3f}" for value in row[3:])] for row in rows]
    return f"""# Fakes of a kind that was never learned

A detector is asked about fakes that nobody had when it was trained. How it will do can be guessed by leaving out what is known.
Each row leaves out one way of making fakes, or a whole family of ways, and says how well these fakes are told from the real
pictures of the same source: AUC, where 0.5 is a guess and 1 is never wrong. "Known": nothing was left out.

What is judged is the mean of two plain heads on CLIP's image tower, one of which also learned from fakes made of real pictures.
The shipped detector is the mean of four such heads and one that asks every patch. These here learned from {pictures:,} pictures
of Train, each as it is and twice changed; the shipped detector learned from all 14,972. Judged in Validation; one seed.

{table(["left out", "", "fakes in Validation", "known", "left out"], shown)}
{hardware()}; {today()}. Written by `benchmarks/unseen_methods.py`.
"""


if __name__ == "__main__":
    main()
