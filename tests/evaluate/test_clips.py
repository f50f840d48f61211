"""Whole clips beside their frames."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.evaluate.conftest import THRESHOLDS, make_table
from tests.video.clips import animation
from unmask.data.prepare import prepare
from unmask.evaluate.clips import Clips, judge_clips
from unmask.evaluate.compare import compare_aligned
from unmask.evaluate.evaluation import evaluate_scores
from unmask.evaluate.report import write_report
from unmask.evaluate.run import Plan, evaluate
from unmask.evaluate.scores import Score, ScoreTable
from unmask.evaluate.statements import counted
from unmask.finding import Status
from unmask.stats.metrics import roc_auc
from unmask.verdict import Thresholds, decide, probability
from unmask.video.timeline import aggregate


def table_of(clips: dict[str, list[float]], group: str = "") -> ScoreTable:
    """Frames with these logits, a second apart; the names of fakes begin with an f."""
    rows = []
    for name, logits in clips.items():
        for time, logit in enumerate(logits):
            score = float(probability(logit, 1.0))
            path = f"{name}.mp4#t={time}.00"
            verdict = decide(score, THRESHOLDS)
            rows.append(Score(path, int(name[0] == "f"), Status.ANSWERED, logit, score, verdict, group=group))
    return ScoreTable("invented 1", "balanced", THRESHOLDS, tuple(rows))


def judged(clips: dict[str, list[float]], thresholds: Thresholds | None = None) -> Clips:
    found = judge_clips(table_of(clips), thresholds, replicates=50)
    assert found is not None
    return found


def values(found: Clips) -> dict[str, float | None]:
    return {name: one.value for name, one in found.measures.items()}


def test_a_lone_frame_accuses_no_clip() -> None:
    found = judged({"r1": [-3.0, -3.0, 6.0, -3.0, -3.0], "r2": [-2.0] * 5, "f1": [4.0] * 5})
    assert (found.reals, found.fakes, found.frames) == (2, 1, 15)
    assert values(found) == dict.fromkeys(found.measures, 0.0) | {"accuracy": 1.0, "roc_auc": 1.0}
    assert found.by_frame["false_accusation_rate"].value == 0.1
    assert (found.measures["false_accusation_rate"].n, found.by_frame["false_accusation_rate"].n) == (2, 10)


def test_the_score_of_a_clip_is_that_of_its_timeline() -> None:
    random = np.random.default_rng(0)
    clips = {f"{'rf'[number % 2]}{number}": list(random.normal(number % 2, 2.0, 7)) for number in range(30)}
    expected = roc_auc(
        [name[0] == "f" for name in clips], [probability(aggregate(each), 1.0) for each in clips.values()]
    )
    assert values(judged(clips))["roc_auc"] == pytest.approx(expected)


def test_scores_that_jump_and_single_frames_accuse_nobody() -> None:
    found = judged({"r1": [6.0, -3.0, 6.0, -3.0, 6.0, 6.0], "r2": [6.0], "r3": [6.0, 6.0, 6.0]})
    assert found.measures["false_accusation_rate"].value == pytest.approx(1 / 3)


def test_the_thresholds_for_clips_decide() -> None:
    clips = {"r1": [1.5] * 4, "f1": [3.0] * 4}
    assert values(judged(clips))["false_accusation_rate"] == 1
    assert values(judged(clips, Thresholds(0.1, 0.9)))["false_accusation_rate"] == 0


def test_intervals_count_clips_or_the_groups_that_they_are_of() -> None:
    random = np.random.default_rng(0)
    table = table_of({f"{'rf'[number % 2]}{number}": list(random.normal(0.0, 2.0, 20)) for number in range(40)})
    alone = judge_clips(table, replicates=200)
    rows = tuple(replace(row, group=f"g{int(row.path[1:].partition('.')[0]) // 10}") for row in table.rows)
    grouped = judge_clips(replace(table, rows=rows), replicates=200)
    assert alone is not None
    assert grouped is not None
    assert alone.measures["accuracy"].value == grouped.measures["accuracy"].value
    assert alone.measures["accuracy"].low != grouped.measures["accuracy"].low


def test_frames_without_groups_count_as_their_clips_everywhere() -> None:
    random = np.random.default_rng(0)
    table = table_of({f"{'rf'[number % 2]}{number}": list(random.normal(number % 2, 2.0, 20)) for number in range(40)})
    table = replace(table, rows=tuple(replace(row, source="street") for row in table.rows))
    named = replace(table, rows=tuple(replace(row, group=row.path.partition("#")[0]) for row in table.rows))
    found, expected = (evaluate_scores(each, replicates=50) for each in (table, named))
    assert found.counts == expected.counts
    assert found.counts.groups == found.counts.independent[0].groups == 40
    assert found.measures == expected.measures
    assert found.slices == expected.slices
    assert compare_aligned(table, table).clustered
    assert "the frames of a clip, in street (800 pictures in 40 groups)" in counted(found)


def test_pictures_and_single_frames_are_no_clips() -> None:
    assert evaluate_scores(make_table(), replicates=20).clips is None
    assert judge_clips(table_of({"r1": [1.0], "f1": [2.0]})) is None


def test_a_certain_score_is_no_infinite_logit() -> None:
    assert values(judged({"r1": [-99.0] * 3, "f1": [99.0] * 3}))["roc_auc"] == 1


def test_prepared_clips_come_into_the_report(tmp_path: Path, toy_bundle: Path) -> None:
    for label, name in enumerate(("Real", "Fake")):
        folder = tmp_path / "data" / "Test" / name
        folder.mkdir(parents=True)
        (folder / "a.gif").write_bytes(animation("GIF", frames=8, size=(96, 80 + 40 * label)))
    prepare(tmp_path / "data", tmp_path / "out", size=64, frames_per_clip=5)
    plan = Plan(robustness=False, gallery=False, replicates=20)
    page = write_report(evaluate(toy_bundle, tmp_path / "out", plan=plan), tmp_path / "report")
    clips = json.loads((tmp_path / "report" / "report.json").read_text())["clips"]
    assert (clips["reals"], clips["fakes"], clips["frames"]) == (1, 1, 10)
    assert clips["measures"]["roc_auc"]["n"] == 2
    assert clips["by_frame"]["roc_auc"]["n"] == 10
    assert "frames of 1 real and 1 fake clips" in page.read_text()
