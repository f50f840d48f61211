"""Kernels in 16 bits and in 8."""

import json
import subprocess
import sys

import numpy as np
import pytest
from tests.export.tiny import noise, run_graph, tiny_model
from tests.toy_bundle import toy_info

from unmask.bundle import write_bundle
from unmask.export.kernels import _in_eight, pack_kernels

pytestmark = pytest.mark.train


# Kernels of dense layers, (in, out).
DENSE = {(64, 16), (16, 64)}


@pytest.fixture(scope="module")
def graph():
    from unmask.export.graph import to_onnx

    return to_onnx(tiny_model())


def weights(graph):
    import onnx
    from onnx import numpy_helper

    return {weight.name: numpy_helper.to_array(weight) for weight in onnx.load_from_string(graph).graph.initializer}


def kept(graph, bits):
    """Name of each kernel that is kept in so many bits -> its numbers."""
    found = weights(graph)
    if bits == 16:
        return {name.removesuffix("_half"): values for name, values in found.items() if values.dtype == np.float16}
    whole = {name.removesuffix("_whole"): values for name, values in found.items() if name.endswith("_whole")}
    assert all(values.dtype == np.int8 for values in whole.values())
    return {
        name: values * found[f"{name}_factor"].reshape((1, -1) if values.ndim == 2 else (-1, 1, 1, 1))
        for name, values in whole.items()
    }


def with_kernel(graph, shape, number):
    """The graph with another number at the start of the kernel of this shape."""
    import onnx
    from onnx import numpy_helper

    model = onnx.load_from_string(graph)
    for weight in model.graph.initializer:
        if tuple(weight.dims) == shape:
            values = numpy_helper.to_array(weight).copy()
            values.flat[0] = number
            weight.CopyFrom(numpy_helper.from_array(values, weight.name))
    return model.SerializeToString()


@pytest.mark.parametrize(("bits", "share", "moved"), [(16, 0.75, 0.01), (8, 0.6, 0.1)])
def test_the_graph_is_smaller_and_answers_nearly_the_same(graph, bits, share, moved):
    packed = pack_kernels(graph, bits)
    assert len(packed) < share * len(graph)
    (before,), (after,) = (run_graph(which, noise(6), "logit") for which in (graph, packed))
    assert 0 < np.abs(after - before).max() < moved * np.ptp(before)


def test_the_kept_kernels_are_those_of_the_graph(graph):
    exact = weights(graph)
    for name, kernel in kept(pack_kernels(graph, 16), 16).items():
        np.testing.assert_allclose(kernel, exact[name], atol=1e-3)
    for name, kernel in kept(pack_kernels(graph, 8), 8).items():
        inputs = (1, 2, 3) if kernel.ndim == 4 else 0
        largest = np.abs(exact[name]).max(axis=inputs, keepdims=True)
        assert (np.abs(kernel - exact[name]) <= 0.51 / 127 * largest).all()


def test_in_8_bits_depthwise_kernels_stay_in_16(graph):
    packed = pack_kernels(graph, 8)
    assert {kernel.shape for kernel in kept(packed, 8).values()} == {(48, 3, 3, 3), (64, 48, 1, 1), *DENSE}
    assert {kernel.shape for kernel in kept(packed, 16).values()} == {(48, 1, 5, 5)}


def test_32_bits_leave_the_graph_as_it_is(graph):
    assert pack_kernels(graph, 32) == graph


@pytest.mark.parametrize("bits", [0, 4, 64])
def test_other_bits_are_refused(graph, bits):
    with pytest.raises(ValueError, match=f"8, 16 or 32 bits, not {bits}"):
        pack_kernels(graph, bits)


def test_a_kernel_in_8_bits_is_off_by_half_a_step_of_its_channel_and_then_by_nothing():
    spreads = np.array([0.01, 1, 100, 1e-38], np.float32)[:, None, None, None]
    kernel = np.random.default_rng(1).normal(0, 1, (4, 5, 3, 3)).astype(np.float32) * spreads
    whole, factor = _in_eight(kernel, 0)
    assert (np.abs(kernel - whole * factor) <= 0.5001 * factor).all()
    assert (np.abs(whole).max(axis=(1, 2, 3)) == [127, 127, 127, 0]).all()
    np.testing.assert_array_equal(_in_eight(whole * factor, 0)[0], whole)
    dense = kernel.reshape(4, -1).T
    np.testing.assert_array_equal(_in_eight(dense, 1)[0], whole.reshape(4, -1).T)


@pytest.mark.parametrize(("bits", "number"), [(8, np.nan), (16, np.nan), (16, 1e6)])
def test_a_kernel_that_fewer_bits_cannot_hold_is_left_alone(graph, bits, number):
    changed = with_kernel(graph, (64, 48, 1, 1), number)
    packed = pack_kernels(changed, bits)
    (name,) = [name for name, values in weights(changed).items() if values.shape == (64, 48, 1, 1)]
    np.testing.assert_array_equal(weights(packed)[name], weights(changed)[name])
    assert kept(packed, bits)


def test_a_bundle_says_that_its_kernels_are_rounded(finished_run, tmp_path):
    from unmask.export.run import export_run

    bundle = export_run(finished_run, tmp_path / "bundle", kernel_bits=8)
    assert kept((bundle / "model.onnx").read_bytes(), 8)
    assert "| kernels | 8 bits |" in (bundle / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert json.loads((bundle / "bundle.json").read_text(encoding="utf-8"))["temperature"] > 0


def deep_graph(kernels=24, width=1024):
    """A detector's graph of so many equal dense layers, in which nearly all numbers are."""
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(0)
    shapes = [(3, width), *[(width, width)] * kernels, (width, 64)]
    weights = [random.normal(0, 0.01, shape).astype(np.float32) for shape in shapes]
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float"], ["0"], axes=[1, 2], keepdims=0),
        *(helper.make_node("MatMul", [f"{at}", f"w{at}"], [f"{at + 1}"]) for at in range(len(shapes))),
        helper.make_node("Reshape", [f"{len(shapes)}", "eight"], ["cam"]),
        helper.make_node("ReduceMean", ["cam"], ["logit"], axes=[1, 2], keepdims=0),
    ]
    constants = [numpy_helper.from_array(values, f"w{at}") for at, values in enumerate(weights)]
    constants.append(numpy_helper.from_array(np.array([-1, 8, 8]), "eight"))
    outputs = [("logit", ["n"]), ("cam", ["n", 8, 8])]
    graph = helper.make_graph(
        nodes,
        "deep",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["n", 64, 64, 3])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString()), sum(values.nbytes for values in weights)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells the most memory that a process had")
def test_kernels_in_8_bits_are_made_ready_in_the_memory_of_one_copy(tmp_path):
    graph, kernel_bytes = deep_graph()
    folder = write_bundle(tmp_path / "deep", toy_info(), pack_kernels(graph, 8), "# card\n")
    program = f"""
from unmask.detector import Detector
from unmask.system.private import import_onnxruntime
import_onnxruntime()
def kilobytes(name):
    return int(open("/proc/self/status").read().split(name + ":")[1].split()[0])
before = kilobytes("VmRSS")
Detector.load({str(folder)!r}, threads=1)
print((kilobytes("VmHWM") - before) * 1024)
"""
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    # The file twice, a quarter each, and one copy in float32; a second one would make 2.5.
    assert int(told) < 2.1 * kernel_bytes
