import pickle
import platform
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tests.toy_bundle import toy_graph, toy_info, write_toy_bundle
from unmask.bundle import write_bundle
from unmask.checking import Detector
from unmask.errors import UnmaskError


@pytest.fixture(scope="module")
def crops():
    return np.random.default_rng(3).integers(0, 256, (70, 64, 64, 3), np.uint8)


def test_logits_and_maps_have_the_promised_shapes(toy_detector, crops):
    logits, maps = toy_detector.logits_and_maps(crops)
    assert (logits.shape, logits.dtype) == ((70,), np.float32)
    assert (maps.shape, maps.dtype) == ((70, 8, 8), np.float32)
    assert maps.min() >= 0


def test_batches_do_not_change_the_answer(toy_detector, crops):
    one_by_one = np.concatenate([toy_detector.logits(crops[i : i + 1]) for i in range(len(crops))])
    np.testing.assert_allclose(toy_detector.logits(crops), one_by_one, atol=1e-5)


def test_the_map_does_not_change_the_logit(toy_detector, crops):
    np.testing.assert_array_equal(toy_detector.logits(crops), toy_detector.logits_and_maps(crops)[0])


def test_threads_get_the_same_answers_as_one(toy_detector, crops):
    expected = toy_detector.logits_and_maps(crops)
    with ThreadPoolExecutor(8) as pool:
        for logits, maps in pool.map(lambda _: toy_detector.logits_and_maps(crops), range(32)):
            np.testing.assert_array_equal(logits, expected[0])
            np.testing.assert_array_equal(maps, expected[1])


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((1, 64, 64, 3), np.float32),
        np.zeros((64, 64, 3), np.uint8),
        np.zeros((1, 3, 64, 64), np.uint8),
        np.zeros((1, 32, 32, 3), np.uint8),
    ],
)
def test_crops_of_another_shape_or_type_are_refused(toy_detector, wrong):
    with pytest.raises(UnmaskError) as caught:
        toy_detector.logits(wrong)
    assert caught.value.code == "bad-crops"


def test_a_policy_decides_by_its_own_thresholds(toy_bundle):
    assert Detector.load(toy_bundle).policy == "balanced"
    careful = Detector.load(toy_bundle, policy="careful")
    assert (careful.thresholds.real_below, careful.thresholds.fake_above) == (0.1, 0.9)


def test_an_unknown_policy_is_refused_and_the_known_ones_are_named(toy_bundle):
    with pytest.raises(UnmaskError) as caught:
        Detector.load(toy_bundle, policy="brave")
    assert caught.value.code == "no-policy"
    assert "careful, balanced" in caught.value.hint


def test_no_threads_at_all_are_refused(toy_bundle):
    with pytest.raises(UnmaskError, match="0 threads"):
        Detector.load(toy_bundle, threads=0)


def test_a_graph_that_is_none_is_refused(tmp_path):
    write_bundle(tmp_path / "b", toy_info(), b"not a graph", "# card")
    with pytest.raises(UnmaskError) as caught:
        Detector.load(tmp_path / "b")
    assert caught.value.code == "bad-bundle"


def test_a_graph_without_the_promised_outputs_is_refused(tmp_path):
    inputs = [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1])]
    outputs = [helper.make_tensor_value_info("other", TensorProto.FLOAT, [1])]
    graph = helper.make_graph([helper.make_node("Relu", ["image"], ["other"])], "g", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    write_bundle(tmp_path / "b", toy_info(), model.SerializeToString(), "# card")
    with pytest.raises(UnmaskError, match="no output cam, logit"):
        Detector.load(tmp_path / "b")


def test_the_shipped_detector_loads_and_answers(drawn_face):
    finding = Detector.load().check(drawn_face)
    assert finding.score is not None
    assert 0.0 <= finding.score <= 1.0


def test_two_loads_give_the_same_scores(tmp_path, crops):
    folder = write_toy_bundle(tmp_path / "b")
    np.testing.assert_array_equal(Detector.load(folder).logits(crops), Detector.load(folder, threads=1).logits(crops))


def test_another_process_gets_the_same_detector(toy_bundle, crops):
    # Pickle is how Python hands a detector to a worker process; a bundle itself is never unpickled.
    detector = Detector.load(toy_bundle, threads=1, policy="careful")
    copy = pickle.loads(pickle.dumps(detector))
    assert (type(copy), copy.policy, copy.threads) == (Detector, "careful", 1)
    np.testing.assert_array_equal(copy.logits(crops), detector.logits(crops))


def test_another_process_gets_it_wherever_this_one_has_gone_since(tmp_path, monkeypatch, crops):
    write_toy_bundle(tmp_path / "first", weight=3.0)
    write_toy_bundle(tmp_path / "second", weight=1.0)
    (tmp_path / "current").symlink_to("first")
    monkeypatch.chdir(tmp_path)
    detector = Detector.load("current")
    (tmp_path / "current").unlink()
    (tmp_path / "current").symlink_to("second")
    monkeypatch.chdir("/")
    copy = pickle.loads(pickle.dumps(detector))  # as above: what this test itself has packed
    np.testing.assert_array_equal(copy.logits(crops), detector.logits(crops))


@pytest.mark.parametrize(("weight", "temperature"), [(1.0, 1.0), (3.0, 2.0)], ids=["its graph", "its calibration"])
def test_another_process_does_not_get_a_bundle_that_was_replaced(tmp_path, weight, temperature):
    pickled = pickle.dumps(Detector.load(write_toy_bundle(tmp_path / "b"), threads=1))
    write_bundle(tmp_path / "b", toy_info(temperature=temperature), toy_graph(weight=weight), "# toy\n")
    with pytest.raises(UnmaskError, match="was replaced"):
        pickle.loads(pickled)  # written two lines above


@pytest.mark.parametrize(
    ("name", "kind", "shape", "fits"),
    [
        ("image", "UINT8", ["N", 64, 64, 3], True),
        ("image", "UINT8", ["N", "S", "S", 3], True),
        ("image", "UINT8", ["N", 96, 96, 3], False),
        ("image", "UINT8", ["N", 3, 64, 64], False),
        ("image", "UINT8", ["N", 64], False),
        ("image", "FLOAT", ["N", 64, 64, 3], False),
        ("picture", "UINT8", ["N", 64, 64, 3], False),
    ],
)
def test_a_graph_that_takes_no_crops_of_the_bundle_is_refused(tmp_path, name, kind, shape, fits):
    image = helper.make_tensor_value_info(name, getattr(TensorProto, kind), shape)
    outputs = [helper.make_tensor_value_info(output, TensorProto.FLOAT, None) for output in ("logit", "cam")]
    nodes = [helper.make_node("Cast", [name], [output.name], to=TensorProto.FLOAT) for output in outputs]
    model = helper.make_model(
        helper.make_graph(nodes, "g", [image], outputs), opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )
    write_bundle(tmp_path / "b", toy_info(), model.SerializeToString(), "# card")
    if fits:
        Detector.load(tmp_path / "b")
        return
    with pytest.raises(UnmaskError, match=r"input is not image, uint8 \(N, 64, 64, 3\)") as caught:
        Detector.load(tmp_path / "b")
    assert caught.value.code == "bad-bundle"


@pytest.mark.parametrize("count", [1, 4])
def test_a_graph_that_takes_a_fixed_number_of_crops_is_refused(tmp_path, count):
    model = onnx.load_from_string(toy_graph())
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = count
    write_bundle(tmp_path / "b", toy_info(), model.SerializeToString(), "# card")
    with pytest.raises(UnmaskError, match=f"takes crops by {count} and in no other number") as caught:
        Detector.load(tmp_path / "b")
    assert caught.value.code == "bad-bundle"
    assert "(N, 64, 64, 3)" in caught.value.hint


@pytest.fixture
def black_and_white():
    """Two crops, of which the toy detector takes the second for strange."""
    return np.stack([np.zeros((64, 64, 3), np.uint8), np.full((64, 64, 3), 255, np.uint8)])


def test_a_crop_beyond_the_bundles_limit_is_outside_training(tmp_path, black_and_white):
    detector = Detector.load(write_toy_bundle(tmp_path / "b", outside_above=128.0), threads=1)
    for maps in (False, True):
        found = detector.outputs(black_and_white, maps=maps)
        assert found.outside_training.tolist() == [False, True]
        np.testing.assert_array_equal(found.logits, detector.logits(black_and_white))
        assert (found.maps is None) is not maps


def test_a_distance_of_exactly_the_limit_is_inside(tmp_path, black_and_white):
    detector = Detector.load(write_toy_bundle(tmp_path / "b", outside_above=255.0), threads=1)
    assert not detector.outputs(black_and_white).outside_training.any()


def test_a_detector_that_was_released_answers_as_before(toy_bundle, black_and_white):
    detector = Detector.load(toy_bundle, threads=1)
    before = detector.logits(black_and_white)
    detector.release()
    detector.release()
    assert detector._session is None
    np.testing.assert_array_equal(detector.logits(black_and_white), before)


def test_a_bundle_without_a_distance_calls_nothing_outside(toy_detector, black_and_white):
    assert toy_detector.outputs(black_and_white).outside_training.tolist() == [False, False]


def test_a_distance_without_a_limit_is_not_used(tmp_path, black_and_white):
    write_bundle(tmp_path / "b", toy_info(), toy_graph(with_distance=True), "# card")
    assert not Detector.load(tmp_path / "b").outputs(black_and_white).outside_training.any()


def test_a_distance_that_is_no_number_is_outside(tmp_path, black_and_white):
    detector = Detector.load(write_toy_bundle(tmp_path / "b", outside_above=300.0), threads=1)
    whole = detector._session

    def without_numbers(crops, outputs):
        found = dict(zip(outputs, whole(crops, outputs), strict=True))
        return [found[name] * (np.nan if name == "distance" else 1) for name in outputs]

    detector._session = without_numbers
    assert detector.outputs(black_and_white).outside_training.all()


def test_a_limit_without_the_output_that_it_is_about_is_refused(tmp_path):
    write_bundle(tmp_path / "b", toy_info(outside_above=1.0), toy_graph(), "# card")
    with pytest.raises(UnmaskError, match="no output distance"):
        Detector.load(tmp_path / "b")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library keeps less")
def test_what_made_the_network_ready_is_given_back():
    program = """
from pathlib import Path
from unmask.detector import Detector
detector = Detector.load(threads=1)
print(4096 * int(Path("/proc/self/statm").read_text().split()[1]) // 10**6)
"""
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert int(told) < 600
