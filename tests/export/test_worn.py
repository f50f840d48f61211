"""Thresholds hold for pictures as they arrive."""

import numpy as np
import pytest
from tests.prepared_faces import write_prepared

from unmask.errors import UnmaskError

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def validation(tmp_path_factory):
    from unmask.data.source import open_source

    return open_source(write_prepared(tmp_path_factory.mktemp("data") / "faces", size=112, repeat=2), "Validation")


def test_reals_are_worn_and_fakes_made_small(validation):
    from unmask.export.worn import DELIVERIES, SMALL, small_fakes, worn_reals

    worn, small = worn_reals(validation), small_fakes(validation)
    assert tuple(worn) == (*DELIVERIES, *(f"once {side} px" for side in SMALL))
    assert tuple(small) == tuple(f"{side} px" for side in SMALL)
    for label, sources in ((0, worn), (1, small)):
        for source in sources.values():
            assert set(source.labels.tolist()) == {label}
            changed = source.read(np.arange(4))
            assert changed.shape == (4, 112, 112, 3)
            places = np.flatnonzero(validation.labels == label)[:4]
            assert (changed != validation.read(places)).mean() > 0.5


def test_at_most_so_many_pictures_are_looked_at(validation, monkeypatch):
    from unmask.export import worn

    monkeypatch.setattr(worn, "REALS", 3)
    assert {len(source) for source in worn.worn_reals(validation).values()} == {3}


def seen(logits, *, groups=None, softness=0.0):
    from unmask.export.calibrate import Seen

    return Seen(logits, np.full(len(logits), softness), groups)


def calibrated(*, groups=None, fake_share=0.5, **more):
    from unmask.export.calibrate import calibrate

    draw = np.random.default_rng(0)
    labels = np.repeat([0, 1], 1000)
    logits = draw.normal(np.where(labels == 1, 3, -3), 2)
    return calibrate(seen(logits, groups=groups), labels, np.full(2000, ""), fake_share=fake_share, **more)


def test_classes_the_other_way_round_are_noticed_however_large_the_logits_are():
    from unmask.export.calibrate import calibrate

    labels = np.repeat([0, 1], 50)
    logits = 200 - 20.0 * labels + np.arange(100) % 7
    with pytest.raises(UnmaskError) as caught:
        calibrate(seen(logits), labels, np.full(100, ""))
    assert caught.value.code == "labels-swapped"


def test_worn_reals_that_look_fake_raise_the_threshold():
    plain = calibrated().policies["balanced"]
    worn = np.random.default_rng(1).normal(0, 2, 1000)
    raised = calibrated(worn={"clip": seen(worn)})
    policy = raised.policies["balanced"]
    accused = (1 / (1 + np.exp(-worn / raised.temperature)) > policy.fake_above).mean()
    assert policy.fake_above > plain.fake_above
    assert policy.real_below == plain.real_below
    assert 0.005 < accused < 0.02
    assert "after: clip" in policy.chosen_by


def test_what_is_seen_in_soft_pictures_counts_less_where_that_finds_more_fakes():
    draw = np.random.default_rng(1)
    soft = {"once 52 px": seen(draw.normal(0, 2, 1000), softness=1.0)}
    found = calibrated(worn=soft, fake_share=None)
    assert 0.2 <= found.soft_weight <= 3
    assert f"logits of soft pictures divided by up to {1 + found.soft_weight:g}" in found.policies["balanced"].chosen_by
    assert found.policies["balanced"].fake_above < calibrated(worn=soft).policies["balanced"].fake_above
    # Nothing is gained where sharp pictures ask for as much, nor changed in a graph that stays as it is.
    assert calibrated(worn={"clip": seen(draw.normal(0, 2, 1000))}, fake_share=None).soft_weight == 0
    assert calibrated(worn=soft).soft_weight == 0


def test_small_fakes_that_look_real_lower_the_threshold():
    plain = calibrated().policies["balanced"]
    small = np.random.default_rng(1).normal(-3, 2, 1000)
    lowered = calibrated(small={"52 px": seen(small)})
    policy = lowered.policies["balanced"]
    missed = (1 / (1 + np.exp(-small / lowered.temperature)) < policy.real_below).mean()
    assert policy.real_below < plain.real_below
    assert policy.fake_above == plain.fake_above
    assert 0.09 < missed <= 0.1
    assert "as small as 52 px" in policy.chosen_by


@pytest.mark.parametrize(("clips", "held"), [(100, False), (1000, True)])
def test_what_too_few_groups_cannot_show_is_not_said_of_a_threshold(clips, held):
    from unmask.stats.closed_form import wilson_interval

    groups = np.array([f"clip {number % clips}" for number in range(2000)])
    worn = {"messenger": seen(np.random.default_rng(1).normal(-3, 2, 1000), groups=groups[:1000])}
    policy = calibrated(groups=groups, worn=worn).policies["balanced"]
    assert (wilson_interval(0.0, clips)[1] <= 0.02) == held
    assert ("called fake, 2.0% by the upper end of its interval" in policy.chosen_by) == held
    assert ("by the upper end 2.0% of real ones called fake after: messenger" in policy.chosen_by) == held
    assert ("in fact none: too few groups to show 2.0%" in policy.chosen_by) != held
    assert ("in too few groups to show 2.0%, none called fake after: messenger" in policy.chosen_by) != held
