"""Are the heatmaps worth anything? Three tests that a heatmap can fail, reported whatever they say.

- Deletion and insertion (Petsiuk et al., RISE, BMVC 2018): does the score fall faster when the brightest places are
  taken away first than when places are taken at random, or from the centre outwards?
- Randomisation (Adebayo et al., Sanity Checks for Saliency Maps, NeurIPS 2018): does the map change when the
  detector's weights are shuffled? A map that stays the same shows the picture, not the detector.
- Pointing (after Zhang et al., Top-down Neural Attention by Excitation Backprop, ECCV 2016): a patch of one real face
  is blended into another; is the map brightest there?
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.detector import Detector
from unmask.errors import UnmaskError
from unmask.evaluate.pictures import Pictures
from unmask.evaluate.planted import PATCH, peak_inside, plant
from unmask.evaluate.randomised import STAGES, shuffled
from unmask.evaluate.scores import Score, ScoreTable
from unmask.evaluate.scoring import read_crop
from unmask.stats.intervals import Estimate, mean_estimate
from unmask.system.cores import available_cores
from unmask.verdict import probability

STEPS: Final = 16
# At most so many.
POINTING_PICTURES: Final = 200
HEATMAP, RANDOM, CENTRE = "heatmap", "random", "centre blob"
MAPS: Final = (HEATMAP, RANDOM, CENTRE)
# In place of a stage of `unmask.evaluate.randomised`.
ANOTHER: Final = "nothing, but the map of another picture"
# Width of the centre blob as a share of the side.
_BLOB: Final = 0.25

Crops = NDArray[np.uint8]
Maps = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class RemovalTest:
    """Deletion and insertion on fakes with P(fake) above 0.5.

    Attributes:
        steps: Shares of pixels removed or shown, 0..1.
        deletion: Mean score by map at each step; lower is better.
        insertion: The same when pixels are shown; higher is better.
        areas: ``deletion`` and ``insertion`` -> map -> mean area under the curve.
        gains: ``deletion`` and ``insertion`` -> ``random`` and ``centre blob`` -> how much better the heatmap's area
            is, paired by picture; above 0 is better.
    """

    steps: tuple[float, ...]
    deletion: dict[str, tuple[float, ...]]
    insertion: dict[str, tuple[float, ...]]
    areas: dict[str, dict[str, Estimate]]
    gains: dict[str, dict[str, Estimate]]


@dataclass(frozen=True, slots=True)
class Randomised:
    """How alike maps are before and after weights were shuffled.

    Attributes:
        correlation: Mean rank correlation, -1..1; an empty map counts 0.
        empty: Share of maps in which nothing is left.
    """

    correlation: Estimate
    empty: Estimate


@dataclass(frozen=True, slots=True)
class ExplanationTests:
    """What the three tests found.

    Attributes:
        removal: None where no fake has P(fake) above 0.5.
        randomised: Which weights were shuffled -> how alike the maps are, and `ANOTHER` -> how alike those of two pictures are;
            None without onnx.
        pointing: ``heatmap``, ``before`` (the same face without the patch) and ``centre blob`` -> share of peaks in
            the patch; None where there are not two real pictures.
        chance: Share of the picture that the patch covers.
        risen: Share of planted pictures whose score rose.
        missing: What could not be tested -> why.
    """

    removal: RemovalTest | None
    randomised: dict[str, Randomised] | None
    pointing: dict[str, Estimate] | None
    chance: float
    risen: Estimate | None
    missing: dict[str, str]


def try_explanations(
    detector: Detector,
    pictures: Pictures,
    table: ScoreTable,
    *,
    removal_pictures: int = 60,
    on_step: Callable[[str], None] = lambda name: None,
) -> ExplanationTests:
    """Runs the three tests.

    Args:
        detector: Loaded with one thread.
        pictures: Those that `table` has the scores of, row by row.
        removal_pictures: At most so many for deletion, insertion and randomisation.
        on_step: Told the name of each test before it starts.
    """
    random = np.random.default_rng(0)
    missing: dict[str, str] = {}
    removal = randomised = pointing = risen = None
    chosen = _some(table, lambda row: row.label == 1 and (row.score or 0.0) > 0.5, removal_pictures, random)
    if chosen:
        crops = np.stack([read_crop(detector, pictures, index) for index in chosen])
        groups = [table.rows[index].together for index in chosen]
        on_step("deletion and insertion")
        removal = measure_removal(detector, crops, groups)
        on_step("randomised weights")
        try:
            randomised = measure_randomisation(detector, crops, groups)
        except UnmaskError as error:
            missing["randomised"] = error.message
    else:
        missing["removal"] = missing["randomised"] = "no fake has P(fake) above 0.5"
    reals = _some(table, lambda row: row.label == 0, POINTING_PICTURES, random)
    if len(reals) > 1:
        on_step("pointing on planted fakes")
        pointing, risen = measure_pointing(detector, pictures, table, reals, random)
    else:
        missing["pointing"] = "there are not two real pictures"
    return ExplanationTests(removal, randomised, pointing, PATCH**2, risen, missing)


def measure_removal(detector: Detector, crops: Crops, groups: Sequence[str] | None) -> RemovalTest:
    """Deletion and insertion with the detector's own heatmap, a random map of the same coarseness, and a blob.

    Args:
        detector: Loaded with one thread.
        crops: uint8 (N, S, S, 3).
        groups: (N,), or None.
    """
    heatmaps = detector.logits_and_maps(crops)[1]

    def curves_of(number: int) -> NDArray[np.float64]:
        random = np.random.default_rng([0, number])
        maps = (heatmaps[number], random.random(heatmaps.shape[1:]).astype(np.float32), _blob(crops.shape[1]))
        return np.stack([_curves(detector, crops[number], heatmap, random) for heatmap in maps])

    with ThreadPoolExecutor(available_cores(), thread_name_prefix="explain") as pool:
        curves = np.stack(list(pool.map(curves_of, range(len(crops)))))  # (N, maps, deletion and insertion, steps)
    steps = np.linspace(0, 1, STEPS + 1)
    under = np.asarray(np.trapezoid(curves, steps, axis=-1))
    deletion, insertion = (
        {name: tuple(values.tolist()) for name, values in zip(MAPS, means, strict=True)}
        for means in curves.mean(axis=0).swapaxes(0, 1)
    )
    areas: dict[str, dict[str, Estimate]] = {}
    gains: dict[str, dict[str, Estimate]] = {}
    for at, (kind, sign) in enumerate((("deletion", -1.0), ("insertion", 1.0))):
        by_map = dict(zip(MAPS, under[:, :, at].T, strict=True))
        better = {name: sign * (by_map[HEATMAP] - by_map[name]) for name in MAPS if name != HEATMAP}
        areas[kind] = {name: mean_estimate(name, values, groups) for name, values in by_map.items()}
        gains[kind] = {name: mean_estimate(name, values, groups) for name, values in better.items()}
    return RemovalTest(tuple(steps.tolist()), deletion, insertion, areas, gains)


def _curves(detector: Detector, crop: Crops, heatmap: Maps, random: np.random.Generator) -> NDArray[np.float64]:
    """Scores (2, steps + 1) while the crop turns grey, and while it appears out of a blur."""
    side = crop.shape[0]
    smooth = cv2.resize(heatmap, (side, side), interpolation=cv2.INTER_LINEAR).ravel()
    # Equal values come in random order: from the top left corner on would be a map of its own.
    rank = np.argsort(np.lexsort((random.random(smooth.size), -smooth)))
    taken = rank.reshape(side, side, 1) < np.linspace(0, 1, STEPS + 1)[:, None, None, None] * smooth.size
    grey = np.rint(crop.mean(axis=(0, 1))).astype(np.uint8)
    blurred = cv2.GaussianBlur(crop, (0, 0), side / 12)
    frames = np.concatenate([np.where(taken, grey, crop), np.where(taken, crop, blurred)]).astype(np.uint8)
    return probability(detector.logits(frames), detector.info.temperature).reshape(2, -1)


def _blob(side: int) -> Maps:
    away = np.linspace(-0.5, 0.5, side)
    profile = np.exp(-(away**2) / (2 * _BLOB**2))
    return np.outer(profile, profile).astype(np.float32)


def measure_randomisation(detector: Detector, crops: Crops, groups: Sequence[str] | None) -> dict[str, Randomised]:
    """Spearman's rank correlation of each map with the map after weights were shuffled, from the last layer on down.

    Before these, where there are two pictures, comes that of each map with the map of another picture (`ANOTHER`): it is what
    the maps have in common anyway. Of a detector that looks at the middle of its pictures, all of them are dark, or nearly so,
    around it.

    Raises:
        UnmaskError: The package onnx is missing, or the graph has no convolutions.
    """
    from scipy.stats import rankdata

    def ranks(maps: Maps) -> NDArray[np.float64]:
        flat = rankdata(maps.reshape(len(maps), -1), axis=1)
        flat -= flat.mean(axis=1, keepdims=True)
        return np.asarray(flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-12))

    clean = detector.logits_and_maps(crops)[1]
    before = ranks(clean)

    def alike(name: str, maps: Maps) -> Randomised:
        empty = ~maps.reshape(len(maps), -1).any(axis=1)
        # The ranks of an empty map are all equal, so it correlates with nothing: 0.
        correlations = (before * ranks(maps)).sum(axis=1)
        return Randomised(mean_estimate(name, correlations, groups), mean_estimate("empty", empty, groups))

    # Half of them away, as pictures of one group stand side by side.
    found = {ANOTHER: alike(ANOTHER, np.roll(clean, len(clean) // 2, axis=0))} if len(clean) > 1 else {}
    for stage in STAGES:
        found[stage] = alike(stage, shuffled(detector, stage).logits_and_maps(crops)[1])
    return found


def measure_pointing(
    detector: Detector, pictures: Pictures, table: ScoreTable, reals: Sequence[int], random: np.random.Generator
) -> tuple[dict[str, Estimate], Estimate]:
    """How often the brightest place lies in a planted patch, and how often planting raised the score."""
    clean, planted, boxes = [], [], []
    for number, (index, donor) in enumerate(zip(reals, _donors(table, reals, random), strict=True)):
        clean.append(read_crop(detector, pictures, index))
        changed, box = plant(clean[-1], read_crop(detector, pictures, donor), np.random.default_rng([0, number]))
        planted.append(changed)
        boxes.append(box)
    logits_before, before = detector.logits_and_maps(np.stack(clean))
    logits_after, after = detector.logits_and_maps(np.stack(planted))
    side = clean[0].shape[0]
    blobs = np.repeat(_blob(side)[None], len(boxes), axis=0)
    groups = [table.rows[index].together for index in reals]
    found = {}
    for name, maps in {HEATMAP: after, "before": before, CENTRE: blobs}.items():
        hits = [peak_inside(heatmap, box, side) for heatmap, box in zip(maps, boxes, strict=True)]
        found[name] = mean_estimate(name, hits, groups)
    return found, mean_estimate("risen", logits_after > logits_before, groups)


def _some(table: ScoreTable, wanted: Callable[[Score], bool], limit: int, random: Any) -> list[int]:
    found = [index for index, row in enumerate(table.rows) if row.score is not None and wanted(row)]
    return sorted(int(index) for index in random.permutation(found)[:limit])


def _donors(table: ScoreTable, reals: Sequence[int], random: Any) -> list[int]:
    """For each real picture another one, of the same source where there is one: a patch of like quality."""
    donors = []
    for index in reals:
        row = table.rows[index]
        others = [other for other in reals if other != index]
        alike = [other for other in others if table.rows[other].source == row.source]
        strangers = [other for other in alike if not row.together or table.rows[other].together != row.together]
        donors.append(int(random.choice(strangers or alike or others)))
    return donors
