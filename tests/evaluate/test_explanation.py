"""The tests of heatmaps tell a good map from a bad one."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from scipy.stats import spearmanr

from tests.evaluate.conftest import draw
from tests.toy_bundle import write_toy_bundle
from unmask.detector import Detector
from unmask.evaluate.explanation import (
    ANOTHER,
    CENTRE,
    HEATMAP,
    RANDOM,
    measure_randomisation,
    measure_removal,
    try_explanations,
)
from unmask.evaluate.pictures import open_pictures
from unmask.evaluate.planted import PATCH, peak_inside, plant
from unmask.evaluate.randomised import STAGES, shuffled
from unmask.evaluate.scoring import score_pictures


class CornerDetector:
    """Its logit is the brightness of the top left quarter, and its map says so, or says the opposite."""

    class info:  # noqa: N801
        temperature = 1.0
        input_size = 64

    def __init__(self, honest: bool = True) -> None:
        self.honest = honest

    def logits(self, crops: np.ndarray) -> np.ndarray:
        return (crops[:, :32, :32].mean(axis=(1, 2, 3)) / 32 - 3).astype(np.float32)

    def logits_and_maps(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        maps = np.zeros((len(crops), 8, 8), np.float32)
        maps[:, :4, :4] = 1.0
        return self.logits(crops), maps if self.honest else 1 - maps


def bright_corner(count: int = 6) -> np.ndarray:
    crops = np.random.default_rng(0).integers(0, 60, (count, 64, 64, 3)).astype(np.uint8)
    crops[:, :32, :32] += 180
    return crops


def test_a_map_that_shows_what_matters_beats_noise_and_blob() -> None:
    found = measure_removal(CornerDetector(), bright_corner(), None)
    for kind in ("deletion", "insertion"):
        for other in (RANDOM, CENTRE):
            assert found.gains[kind][other].low > 0, (kind, other)


def test_a_map_that_shows_the_opposite_is_worse_than_noise() -> None:
    found = measure_removal(CornerDetector(honest=False), bright_corner(), None)
    assert found.gains["deletion"][RANDOM].high < 0
    assert found.gains["insertion"][RANDOM].high < 0


def test_curves_begin_and_end_where_every_map_agrees() -> None:
    found = measure_removal(CornerDetector(), bright_corner(), None)
    for curves in (found.deletion, found.insertion):
        first, last = ([curves[name][end] for name in (HEATMAP, RANDOM, CENTRE)] for end in (0, -1))
        assert first == pytest.approx([first[0]] * 3)
        assert last == pytest.approx([last[0]] * 3)
    assert found.deletion[HEATMAP][0] == pytest.approx(found.insertion[HEATMAP][-1])


def test_the_area_under_a_curve_by_hand() -> None:
    found = measure_removal(CornerDetector(), bright_corner(1), None)
    by_hand = np.trapezoid(found.deletion[HEATMAP], found.steps)
    assert found.areas["deletion"][HEATMAP].value == pytest.approx(by_hand)


def test_shuffled_weights_change_the_map(toy_detector: Detector) -> None:
    crops = np.stack([draw(seed, 64) for seed in range(8)])
    found = measure_randomisation(toy_detector, crops, None)
    assert list(found) == [ANOTHER, *STAGES]
    for one in found.values():
        assert -1 <= one.correlation.value < 0.9


def test_the_map_of_another_picture_is_that_of_one_half_way_off(toy_detector: Detector) -> None:
    crops = np.stack([draw(seed, 64) for seed in (1, 2, 1, 2)])
    assert measure_randomisation(toy_detector, crops, None)[ANOTHER].correlation.value == pytest.approx(1)
    crops = np.stack([draw(seed, 64) for seed in (1, 1, 2, 2)])
    alike = measure_randomisation(toy_detector, crops, None)[ANOTHER].correlation.value
    maps = toy_detector.logits_and_maps(crops)[1]
    assert alike == pytest.approx(spearmanr(maps[0].ravel(), maps[2].ravel()).statistic)
    assert ANOTHER not in measure_randomisation(toy_detector, crops[:1], None)


def test_maps_that_become_empty_are_counted(tmp_path: Path) -> None:
    blind = Detector.load(write_toy_bundle(tmp_path / "blind", weight=0.0), threads=1)
    for one in measure_randomisation(blind, np.stack([draw(seed, 64) for seed in range(4)]), None).values():
        assert one.empty.value == 1
        assert one.correlation.value == 0


def test_shuffling_keeps_the_numbers_and_the_rest_of_the_graph(toy_detector: Detector) -> None:
    import onnx
    from onnx import numpy_helper

    def weights(detector: Detector) -> dict[str, np.ndarray]:
        graph = onnx.load_from_string(detector.bundle.model).graph
        return {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}

    before, after = weights(toy_detector), weights(shuffled(toy_detector, "all convolutions"))
    assert (before["kernel"] != after["kernel"]).any()
    assert (np.sort(before["kernel"].ravel()) == np.sort(after["kernel"].ravel())).all()
    assert (before["dense"] == after["dense"]).all()


@pytest.mark.parametrize("bits", [16, 8])
def test_kernels_of_fewer_bits_are_shuffled_too(
    bits: Literal[8, 16], toy_detector: Detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnx
    from onnx import numpy_helper

    from unmask.bundle import write_bundle
    from unmask.export import kernels

    monkeypatch.setattr(kernels, "WORTH_IT", 1)
    packed = kernels.pack_kernels(toy_detector.bundle.model, bits)
    folder = write_bundle(tmp_path / "packed", toy_detector.info, packed, "# packed\n")
    detector = Detector.load(folder, threads=1)

    def weights(detector: Detector) -> dict[str, np.ndarray]:
        found = onnx.load_from_string(detector.bundle.model).graph.initializer
        return {one.name: numpy_helper.to_array(one) for one in found}

    kept = weights(detector)
    before = kept["kernel_half"] if bits == 16 else kept["kernel_whole"] * kept["kernel_factor"].reshape(-1, 1, 1, 1)
    after = weights(shuffled(detector, "all convolutions"))
    # What kernels are made of is gone, so that nothing multiplies them again.
    parts = {f"{name}_{part}" for name in ("kernel", "dense") for part in ("half", "whole", "factor")}
    assert set(after) == (set(kept) | {"kernel", "dense"}) - parts
    dense = kept["dense_half"] if bits == 16 else kept["dense_whole"] * kept["dense_factor"]
    np.testing.assert_array_equal(after["dense"], dense.astype(np.float32))
    assert after["kernel"].dtype == np.float32
    assert (before != after["kernel"]).any()
    np.testing.assert_array_equal(np.sort(before.ravel()), np.sort(after["kernel"].ravel()))


def test_the_last_convolution_of_every_model_of_an_ensemble_is_shuffled() -> None:
    from onnx import helper

    from unmask.evaluate.randomised import _heights

    nodes = [
        helper.make_node("Conv", ["image", "a1"], ["a"]),
        helper.make_node("Conv", ["a", "a2"], ["map_a"]),
        helper.make_node("Conv", ["image", "b1"], ["b"]),
        helper.make_node("Conv", ["b", "b2"], ["map_b"]),
        helper.make_node("Concat", ["map_a", "map_b"], ["map"], axis=1),
        helper.make_node("ReduceSum", ["map"], ["cam"]),
    ]
    graph = helper.make_graph(nodes, "two", [], [])
    assert _heights(graph, {"a1", "a2", "b1", "b2"}) == {"a1": 1, "a2": 0, "b1": 1, "b2": 0}


def test_a_planted_patch_stays_inside_its_box() -> None:
    face, donor = draw(1, 64), draw(2, 64)
    changed, (left, top, width, height) = plant(face, donor, np.random.default_rng(0))
    inside = np.zeros((64, 64), dtype=bool)
    inside[top : top + height, left : left + width] = True
    assert (changed[~inside] == face[~inside]).all()
    assert (changed[inside] != face[inside]).any()
    assert width * height / 64**2 == pytest.approx(PATCH**2, rel=0.1)


def test_a_planted_patch_takes_over_the_colours_around_it() -> None:
    face, donor = np.full((64, 64, 3), 200, np.uint8), np.full((64, 64, 3), 20, np.uint8)
    changed, _ = plant(face, donor, np.random.default_rng(1))
    assert np.abs(changed.astype(int) - 200).max() <= 1


def test_planting_is_the_same_for_the_same_seed() -> None:
    one, other = (plant(draw(1, 64), draw(2, 64), np.random.default_rng(5)) for _ in range(2))
    assert one[1] == other[1]
    assert (one[0] == other[0]).all()


def test_a_peak_is_in_the_patch_or_it_is_not() -> None:
    one_map = np.zeros((4, 4), np.float32)
    assert not peak_inside(one_map, (0, 0, 64, 64), 64)
    one_map[1, 2] = 1
    assert peak_inside(one_map, (36, 20, 10, 10), 64)
    assert not peak_inside(one_map, (0, 0, 30, 30), 64)


def test_all_three_tests_run_on_a_set_of_pictures(split_folder: Path, tmp_path: Path) -> None:
    # A bias that makes the toy call everything fake.
    detector = Detector.load(write_toy_bundle(tmp_path / "toy", weight=1.0, bias=2.0), threads=1)
    pictures = open_pictures(split_folder)
    found = try_explanations(detector, pictures, score_pictures(detector, pictures), removal_pictures=3)
    assert found.removal is not None
    assert found.removal.areas["deletion"][HEATMAP].n == 3
    assert found.randomised is not None
    assert found.pointing is not None
    assert found.pointing[HEATMAP].n == 8
    assert found.chance == pytest.approx(0.09)
    assert found.missing == {}


def test_what_cannot_be_tested_has_a_reason(split_folder: Path, tmp_path: Path) -> None:
    detector = Detector.load(write_toy_bundle(tmp_path / "toy", weight=0.0, bias=-3.0), threads=1)
    pictures = open_pictures(split_folder)
    found = try_explanations(detector, pictures, score_pictures(detector, pictures))
    assert found.removal is None
    assert found.missing["removal"] == "no fake has P(fake) above 0.5"
    assert found.pointing is not None
    assert found.pointing[HEATMAP].value == 0
