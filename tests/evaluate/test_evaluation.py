"""From a table of scores to every number, also where there is hardly a table."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.evaluate.conftest import make_table
from unmask.evaluate.evaluation import evaluate_scores
from unmask.evaluate.statements import summary
from unmask.stats.measures import MEASURES


def test_every_measure_is_there_with_an_interval() -> None:
    found = evaluate_scores(make_table(600), replicates=100)
    assert list(found.measures) == list(MEASURES)
    assert all(one.low is not None for one in found.measures.values())
    assert found.missing == {}


def test_counts_tell_pictures_from_answers() -> None:
    counts = evaluate_scores(make_table(60, failed=3), replicates=20).counts
    assert (counts.pictures, counts.reals, counts.fakes, counts.answered) == (63, 32, 31, 60)
    assert counts.failed == {"truncated": 3}
    assert counts.groups == 20
    assert counts.effective_groups == pytest.approx(20)


def test_pictures_outside_training_are_counted_and_accused_of_nothing() -> None:
    table = make_table(60, failed=3)
    assert evaluate_scores(table, replicates=20).counts.outside_training == 0
    strange = replace(table, rows=tuple(replace(row, outside_training=row.score is not None) for row in table.rows))
    found = evaluate_scores(strange, replicates=20)
    assert found.counts.outside_training == 60
    assert found.measures["false_accusation_rate"].value == 0
    before = evaluate_scores(table, replicates=20).measures
    for name in ("missed_fake_rate", "accuracy", "roc_auc"):
        assert found.measures[name].value == before[name].value
    assert "60 of 60 answered pictures are unlike" in " ".join(summary(found))


def test_sources_and_methods_are_told_apart() -> None:
    slices = {(one.kind, one.name): one for one in evaluate_scores(make_table(), replicates=20).slices}
    assert set(slices) == {("source", "street"), ("source", "studio"), ("method", "paint"), ("method", "swap")}
    assert slices["method", "swap"].fakes == 30
    assert slices["method", "swap"].reals == 30  # the reals of the studio, where the swaps are


def test_the_worst_slice_is_named() -> None:
    table = make_table(400)
    random = np.random.default_rng(0)
    rows = [
        replace(row, score=float(random.random()), logit=None) if row.source == "street" else row for row in table.rows
    ]
    worst = evaluate_scores(replace(table, rows=tuple(rows)), replicates=20).worst
    assert worst is not None
    assert worst.name in ("street", "paint")


def test_fakes_of_sources_without_real_pictures_stand_beside_all_of_them() -> None:
    table = make_table(400)
    rows = []
    for number, row in enumerate(table.rows):
        source = ("camera", ("sdxl", "dalle")[number // 2 % 2])[row.label]
        rows.append(replace(row, source=source, method=source if row.label else "", group=""))
    random = np.random.default_rng(0)
    rows = [replace(row, score=float(random.random())) if row.source == "dalle" else row for row in rows]
    found = evaluate_scores(replace(table, rows=tuple(rows)), replicates=20)
    slices = {(one.kind, one.name): one for one in found.slices}
    for kind in ("source", "method"):
        one = slices[kind, "sdxl"]
        assert (one.reals, one.fakes, one.beside_all) == (200, 100, True)
        assert one.measures["roc_auc"].value is not None
    assert not slices["source", "camera"].beside_all
    assert found.worst is not None
    assert found.worst.name == "dalle"
    assert "beside all real pictures" in " ".join(summary(found))


def test_calibration_stands_beside_what_it_was_before() -> None:
    reliability = evaluate_scores(make_table(), replicates=20).reliability
    assert reliability is not None
    assert reliability.before is not None
    assert reliability.error_before != reliability.error_after


def test_scores_without_logits_have_no_before() -> None:
    table = make_table()
    rows = tuple(replace(row, logit=None) for row in table.rows)
    reliability = evaluate_scores(replace(table, rows=rows), replicates=20).reliability
    assert reliability is not None
    assert reliability.before is None


@pytest.mark.parametrize(
    "table",
    [
        make_table(0),
        make_table(0, failed=4),
        make_table(1),
        make_table(12, labels=np.zeros(12, dtype=int)),
        make_table(12, labels=np.ones(12, dtype=int)),
        replace(make_table(8), rows=tuple(replace(row, score=0.5, logit=0.0) for row in make_table(8).rows)),
        replace(make_table(8), rows=tuple(replace(row, group="g", source="", method="") for row in make_table(8).rows)),
    ],
    ids=["no rows", "failed only", "one picture", "reals only", "fakes only", "one score", "one group"],
)
def test_odd_sets_give_a_number_or_a_reason_for_everything(table) -> None:  # type: ignore[no-untyped-def]
    found = evaluate_scores(table, replicates=50)
    for one in found.measures.values():
        assert one.value is None or np.isfinite(one.value)
        assert one.low is not None or one.reason
    for name in ("roc", "precision_recall", "reliability"):
        assert getattr(found, name) is not None or found.missing[name]


def test_what_an_interval_counts_is_known_by_source() -> None:
    table = make_table(120)
    rows = tuple(replace(row, group="" if row.source == "street" else row.group) for row in table.rows)
    units = {unit.source: unit for unit in evaluate_scores(replace(table, rows=rows), replicates=20).counts.independent}
    assert (units["street"].pictures, units["street"].groups) == (60, 60)
    assert units["studio"].groups < units["studio"].pictures == 60
