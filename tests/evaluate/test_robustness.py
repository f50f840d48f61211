"""Degraded pictures: what is done to them, and what comes of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.evaluate.conftest import draw, make_table
from tests.toy_bundle import write_toy_bundle
from unmask.detector import Detector
from unmask.evaluate.degradations import DEGRADATIONS, Degradation
from unmask.evaluate.evaluation import evaluate_scores
from unmask.evaluate.pictures import Pixels, open_pictures
from unmask.evaluate.robustness import Robust, choose_some, measure_robustness, overall, worst
from unmask.evaluate.scoring import score_pictures
from unmask.evaluate.statements import summary
from unmask.stats.inputs import UndefinedMeasureError
from unmask.stats.intervals import Estimate


@pytest.mark.parametrize("degradation", DEGRADATIONS, ids=lambda one: one.name)
def test_every_degradation_changes_pixels_and_nothing_else(degradation: Degradation) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (96, 96, 3)).astype(np.uint8)
    before = pixels.copy()
    changed = degradation.change(pixels, 3)
    assert changed.dtype == np.uint8
    assert changed.ndim == 3
    assert changed.shape[2] == 3
    assert changed.shape != pixels.shape or (changed != pixels).any()
    assert (pixels == before).all()
    assert (degradation.change(pixels, 3) == changed).all()


def test_lower_quality_is_further_from_the_picture() -> None:
    pixels = draw(2).astype(float)
    distances = [np.abs(one.change(draw(2), 0) - pixels).mean() for one in DEGRADATIONS if one.family == "JPEG"]
    assert distances == sorted(distances)


def test_the_issues_deliveries_are_all_there() -> None:
    assert {one.family for one in DEGRADATIONS} == {
        "JPEG", "WebP", "smaller and back", "messenger", "blur", "noise", "saturation", "gamma", "screenshot",
        "video frame", "crop shifted", "crop scaled",
    }  # fmt: skip


def test_the_messenger_limits_the_longer_side() -> None:
    messenger = next(one for one in DEGRADATIONS if one.family == "messenger")
    assert messenger.change(np.zeros((1600, 800, 3), np.uint8), 0).shape == (1280, 640, 3)
    assert messenger.change(np.zeros((200, 100, 3), np.uint8), 0).shape == (200, 100, 3)


def test_no_saturation_change_leaves_grey_grey() -> None:
    grey = np.repeat(draw(3)[:, :, :1], 3, axis=2)
    for one in DEGRADATIONS:
        if one.family == "saturation":
            assert np.abs(one.change(grey, 0).astype(int) - grey).max() <= 1


def test_clean_pictures_flip_no_verdict_and_come_first(split_folder: Path, toy_detector: Detector) -> None:
    pictures = open_pictures(split_folder)
    table = score_pictures(toy_detector, pictures)
    found = measure_robustness(toy_detector, pictures, table, degradations=DEGRADATIONS[:2], replicates=50)
    assert [one.name for one in found] == ["clean", "JPEG q95", "JPEG q85"]
    assert found[0].measures["flip_rate"].value == 0
    assert all(one.n == 16 for one in found)


def test_a_degradation_that_turns_every_verdict_has_a_flip_rate_of_one(
    split_folder: Path, toy_detector: Detector
) -> None:
    pictures = open_pictures(split_folder)
    table = score_pictures(toy_detector, pictures)
    # Every picture was surely real, and becomes surely fake.
    table = replace(table, rows=tuple(row if row.score is None else replace(row, score=0.0) for row in table.rows))
    surely_fake = _picture_called_fake(toy_detector)
    found = measure_robustness(
        toy_detector, pictures, table, degradations=(Degradation("swap", "", lambda *_: surely_fake),), replicates=20
    )
    assert found[1].measures["flip_rate"].value == 1


def test_a_verdict_outside_training_does_not_flip_to_fake(split_folder: Path, tmp_path: Path) -> None:
    detector = Detector.load(
        write_toy_bundle(tmp_path / "strict", weight=0.1, bias=5.0, outside_above=254.0), threads=1
    )
    pictures = open_pictures(split_folder)
    table = score_pictures(detector, pictures)
    table = replace(table, rows=tuple(row if row.score is None else replace(row, score=0.0) for row in table.rows))
    white, black = (Degradation("paint", "", lambda pixels, _, v=value: np.full_like(pixels, v)) for value in (255, 0))
    found = measure_robustness(detector, pictures, table, degradations=(white, black), replicates=20)
    assert [one.measures["flip_rate"].value for one in found] == [0, 0, 1]


def _picture_called_fake(detector: Detector) -> Pixels:
    crops = np.stack([np.full((64, 64, 3), 0, np.uint8), *(draw(seed, 64) for seed in range(60))])
    logits = detector.logits(crops)
    assert logits.max() > 0.5, "the toy calls none of these pictures fake"
    return crops[int(logits.argmax())]


def test_frames_without_groups_are_drawn_with_their_clip(split_folder: Path, toy_detector: Detector) -> None:
    pictures = open_pictures(split_folder)
    table = score_pictures(toy_detector, pictures)
    rows = [replace(row, group="", path=f"{number % 4}.mp4#t={number}.00") for number, row in enumerate(table.rows)]
    found = measure_robustness(toy_detector, pictures, replace(table, rows=tuple(rows)), degradations=(), replicates=20)
    assert set(found[0].groups) == {"0.mp4", "1.mp4", "2.mp4", "3.mp4"}


def test_a_degradation_that_fails_is_counted(split_folder: Path, toy_detector: Detector) -> None:
    from unmask.errors import UnmaskError

    def break_it(pixels: Pixels, index: int) -> Pixels:
        raise UnmaskError("gone", hint="none", code="gone")

    pictures = open_pictures(split_folder)
    table = score_pictures(toy_detector, pictures)
    found = measure_robustness(
        toy_detector, pictures, table, degradations=(Degradation("loss", "", break_it),), replicates=20
    )
    assert (found[1].n, found[1].failed) == (0, 16)
    assert found[1].measures["roc_auc"].reason


def test_a_choice_of_pictures_has_both_classes_in_equal_number() -> None:
    table = make_table(200, failed=5)
    chosen = choose_some(table, 40)
    labels = [table.rows[index].label for index in chosen]
    assert len(set(chosen)) == 40
    assert sum(labels) == 20
    assert all(table.rows[index].score is not None for index in chosen)


def test_a_rare_class_is_taken_whole() -> None:
    labels = np.zeros(100, dtype=int)
    labels[:3] = 1
    table = make_table(100, labels=labels)
    chosen = choose_some(table, 20)
    assert len(chosen) == 20
    assert sum(table.rows[index].label for index in chosen) == 3


def test_no_answers_cannot_be_degraded(split_folder: Path, toy_detector: Detector) -> None:
    with pytest.raises(UndefinedMeasureError):
        measure_robustness(toy_detector, open_pictures(split_folder), make_table(0, failed=18))


def delivered(family: str, area: float | None, accuracy: float, flips: list[bool], groups: list[str]) -> Robust:
    numbers = {"roc_auc": area, "accuracy": accuracy, "flip_rate": float(np.mean(flips))}
    measures = {
        name: Estimate(name, value, None, None, len(flips), "none" if value is None else None)
        for name, value in numbers.items()
    }
    return Robust(family, "", len(flips), 0, measures, np.array(flips), tuple(groups))


FOUR = ["a", "a", "b", "c"]
UNTOUCHED = delivered("clean", 0.9, 0.8, [False] * 4, FOUR)


def test_the_worst_delivery_is_that_with_the_lowest_auc() -> None:
    found = [UNTOUCHED, delivered("JPEG", 0.85, 0.7, [False] * 4, FOUR), delivered("blur", 0.7, 0.75, [True] * 4, FOUR)]
    assert worst(found) is found[2]
    assert worst(found[:1]) is None


def test_no_delivery_is_called_harmful_that_lowers_nothing() -> None:
    found = [UNTOUCHED, delivered("JPEG", 0.9, 0.8, [False] * 4, FOUR), delivered("blur", 0.95, 0.9, [True] * 4, FOUR)]
    assert worst(found) is None
    sentences = " ".join(summary(evaluate_scores(make_table(40), replicates=20), found))
    assert "most harmful" not in sentences
    assert "No delivery lowered the AUC of 0.900" in sentences


def test_pictures_of_one_class_are_told_apart_by_accuracy() -> None:
    found = [
        delivered("clean", None, 0.8, [False] * 4, FOUR),
        delivered("JPEG", None, 0.9, [False] * 4, FOUR),
        delivered("blur", None, 0.6, [False] * 4, FOUR),
    ]
    assert worst(found) is found[2]
    sentences = " ".join(summary(evaluate_scores(make_table(40), replicates=20), found))
    assert "accuracy at 0.5 falls from 0.800 to 0.600" in sentences


def test_flips_of_all_deliveries_are_counted_together() -> None:
    found = [
        UNTOUCHED,
        delivered("JPEG", 0.9, 0.8, [True, False, False, False], FOUR),
        delivered("blur", 0.9, 0.6, [True, True, False, False], FOUR),
        delivered("lost", None, 0.9, [False], ["c"]),
    ]
    together = overall(found)
    assert together is not None
    assert together.flip_rate.value == pytest.approx(3 / 9)
    assert together.flip_rate.n == 9
    assert together.flip_rate.low is not None
    assert together.lowest == "blur"
    assert together.share_of_clean == pytest.approx(0.75)
    assert overall(found[:1]) is None


def test_more_deliveries_of_the_same_pictures_bring_no_certainty() -> None:
    names = [str(number) for number in range(40)]
    one = delivered("JPEG", 0.9, 0.8, [number < 8 for number in range(40)], names)
    clean = delivered("clean", 0.9, 0.8, [False] * 40, names)
    once, often = overall([clean, one]), overall([clean, *[one] * 9])
    assert once is not None
    assert often is not None
    assert often.flip_rate.low == pytest.approx(once.flip_rate.low, abs=1e-9)
