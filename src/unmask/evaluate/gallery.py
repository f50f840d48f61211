"""A few pictures to look at: right ones and wrong ones at P(fake) 0.5, with score and heatmap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from unmask.detector import Detector
from unmask.errors import UnmaskError
from unmask.evaluate.pictures import Pictures
from unmask.evaluate.scores import Score, ScoreTable
from unmask.evaluate.scoring import read_crop
from unmask.explain.heatmap import normalise, overlay
from unmask.image.resize import resize
from unmask.output.clip_html import jpeg_url

EACH: Final = 5
SIDE: Final = 192


@dataclass(frozen=True, slots=True)
class Shown:
    """One picture of the gallery.

    Attributes:
        row: Its score.
        right: Whether the forced choice at 0.5 was right.
        plain: The crop as a data URL.
        heatmap: The crop under its heatmap as a data URL.
    """

    row: Score
    right: bool
    plain: str
    heatmap: str


def choose(table: ScoreTable) -> tuple[list[int], list[int]]:
    """Indexes of right pictures, drawn at random, and of wrong ones, the most confident mistakes first."""
    known = [(index, row.label, row.score) for index, row in enumerate(table.rows) if row.score is not None]
    right = [index for index, label, score in known if (score > 0.5) == (label == 1)]
    wrong = [(index, score) for index, label, score in known if (score > 0.5) != (label == 1)]
    drawn = np.random.default_rng(0).permutation(np.array(right, dtype=np.int64))[:EACH]
    wrong.sort(key=lambda found: -abs(found[1] - 0.5))
    return [int(index) for index in drawn], [index for index, _ in wrong[:EACH]]


def gallery(detector: Detector, pictures: Pictures, table: ScoreTable) -> tuple[Shown, ...]:
    """Right pictures first, then wrong ones; a picture that can no longer be read is left out."""
    right, wrong = choose(table)
    shown = []
    for index in [*right, *wrong]:
        try:
            crop = read_crop(detector, pictures, index)
        except UnmaskError:
            continue
        heatmap = normalise(detector.logits_and_maps(crop[None])[1][0])
        plain = resize(crop, SIDE)
        shown.append(Shown(table.rows[index], index in right, jpeg_url(plain), jpeg_url(overlay(plain, heatmap))))
    return tuple(shown)
