"""Kernels in 16 bits and in 8."""

import json

import numpy as np
import pytest

pytestmark = pytest.mark.train

SIDE = 64


def noise(count):
    return np.random.default_rng(1).integers(0, 256, (count, SIDE, SIDE, 3), dtype=np.uint8)


def model_of(architecture):
    """With normalisations as a trained model has them: factors nowhere 0 or 1, and the statistics of some pictures."""
    import keras

    from unmask.models import build

    keras.utils.set_random_seed(3)
    model = build(architecture, SIDE)
    rng = np.random.default_rng(3)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.gamma.assign(rng.uniform(0.5, 2, layer.gamma.shape))
            layer.beta.assign(rng.normal(0, 0.3, layer.beta.shape))
            layer.momentum = 0.0
    model(noise(16), training=True)
    return model


def logits(model, images):
    return np.asarray(model.predict_on_batch(images), np.float64).reshape(-1)


def weights(graph):
    import onnx
    from onnx import numpy_helper

    return {one.name: numpy_helper.to_array(one) for one in onnx.load_from_string(graph).graph.initializer}


def kept(graph, bits):
    """Name of each kernel that is kept in so many bits -> its numbers."""
    found = weights(graph)
    if bits == 16:
        return {name.removesuffix("_half"): values for name, values in found.items() if values.dtype == np.float16}
    whole = {name.removesuffix("_whole"): values for name, values in found.items() if name.endswith("_whole")}
    assert all(values.dtype == np.int8 for values in whole.values())
    return {name: values * found[f"{name}_factor"] for name, values in whole.items()}


@pytest.mark.parametrize("architecture", ["mobilenetv2", "efficientnetlite0"])
@pytest.mark.parametrize(("bits", "moved"), [(16, 0.15), (8, 1)])
def test_rounding_changes_the_kernels_and_hardly_the_answers(architecture, bits, moved):
    import keras

    from unmask.export.kernels import WORTH_IT, round_kernels

    model, images = model_of(architecture), noise(6)
    before = logits(model, images)
    round_kernels(model, bits)
    after = logits(model, images)
    # These are pictures of nothing to a model that knows nothing, and differ little: trained ones move by far less.
    assert 0 < np.abs(after - before).max() < moved * np.ptp(before)
    deep, plain = keras.layers.DepthwiseConv2D, keras.layers.Conv2D
    layers = [layer for layer in model.layers if isinstance(layer, (deep, plain))]
    large = [(type(layer), layer.get_weights()[0]) for layer in layers if layer.get_weights()[0].size >= WORTH_IT]
    assert [sum(kind is one for kind, _ in large) > 9 for one in (deep, plain)] == [True, True]
    for kind, kernel in large:
        if bits == 16 or kind is deep:
            assert np.array_equal(kernel, kernel.astype(np.float16))
        else:
            whole = kernel / np.abs(kernel).max(axis=(0, 1, 2)) * 127
            np.testing.assert_allclose(whole, np.rint(whole), atol=1e-4)
            assert len(np.unique(np.rint(whole))) > 100


def test_32_bits_leave_the_model_as_it_is():
    from unmask.export.kernels import round_kernels

    model = model_of("mobilenetv2")
    before = model.get_weights()
    round_kernels(model, 32)
    for one, other in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_kernel_in_8_bits_is_off_by_half_a_step_of_its_channel_and_then_by_nothing(monkeypatch):
    from unmask.export import kernels
    from unmask.export.kernels import _in_eight

    kernel = np.random.default_rng(1).normal(0, [0.01, 1, 100, 1], (3, 3, 5, 4)).astype(np.float32)
    kernel[..., 3] *= [[[1e-38]]]
    monkeypatch.setattr(kernels, "WORTH_IT", 1)
    whole, factor = _in_eight(kernel, axis=-1)
    assert factor.shape == (1, 1, 1, 4)
    assert (np.abs(kernel - whole * factor) <= 0.5001 * factor).all()
    assert (np.abs(whole).max(axis=(0, 1, 2)) == [127, 127, 127, 0]).all()
    again, _ = _in_eight(whole * factor, axis=-1)
    np.testing.assert_array_equal(again, whole)


@pytest.mark.parametrize("architecture", ["mobilenetv2", "efficientnetlite0"])
def test_multiplying_normalisation_in_changes_kernels_and_no_answer(architecture, monkeypatch):
    import keras

    from unmask.export import kernels

    monkeypatch.setattr(kernels, "_in_half", lambda kernel: None)
    model, images = model_of(architecture), noise(6)
    before = logits(model, images)
    kernels.round_kernels(model, 16)
    np.testing.assert_allclose(logits(model, images), before, atol=1e-4 * np.ptp(before))
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert all(np.array_equal(layer.gamma, np.ones(layer.gamma.shape)) for layer in norms)


@pytest.mark.parametrize(("bits", "share"), [(16, 0.56), (8, 0.33)])
def test_the_graph_is_smaller_and_holds_what_the_rounded_model_does(bits, share):
    import onnxruntime

    from unmask.export.graph import to_onnx
    from unmask.export.kernels import round_kernels

    model, images = model_of("mobilenetv2"), noise(6)
    round_kernels(model, bits)
    whole, small = to_onnx(model), to_onnx(model, kernel_bits=bits)
    assert len(small) < share * len(whole)
    # The exporter multiplies normalisation into the kernels. Were that not done before they are rounded, these would differ.
    assert kept(small, bits)
    for name, kernel in (kept(small, 16) | kept(small, bits)).items():
        np.testing.assert_allclose(kernel, weights(whole)[name], rtol=1e-6)
    expected = logits(model, images)
    for graph in (whole, small):
        session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
        (found,) = session.run(["logit"], {"image": images})
        np.testing.assert_allclose(found, expected, atol=1e-4 * np.ptp(expected))


def test_in_8_bits_depthwise_kernels_stay_in_16():
    import onnx

    from unmask.export.graph import to_onnx

    graph = to_onnx(model_of("mobilenetv2"), kernel_bits=8)
    deep = {
        node.input[1]
        for node in onnx.load_from_string(graph).graph.node
        for one in node.attribute
        if node.op_type == "Conv" and one.name == "group" and one.i > 1
    }
    assert len(deep) == 17
    halves, wholes = set(kept(graph, 16)), set(kept(graph, 8))
    assert halves
    assert halves <= deep
    assert len(wholes) > 30
    assert not wholes & deep


@pytest.mark.parametrize("bits", [0, 4, 64])
def test_other_bits_are_refused(bits):
    from unmask.export.kernels import round_kernels

    with pytest.raises(ValueError, match=f"8, 16 or 32 bits, not {bits}"):
        round_kernels(model_of("cnn"), bits)


@pytest.mark.parametrize("bits", [8, 16])
def test_a_kernel_with_no_number_in_it_is_left_alone(bits):
    from unmask.export.graph import to_onnx
    from unmask.export.kernels import round_kernels

    model = model_of("cnn")
    convolution = next(layer for layer in model.layers if type(layer).__name__ == "Conv2D" and layer.filters == 64)
    kernel, bias = convolution.get_weights()
    kernel[0, 0, 0, 0] = np.nan
    convolution.set_weights([kernel, bias])
    round_kernels(model, bits)
    np.testing.assert_array_equal(convolution.get_weights()[0], kernel)
    assert [one.shape for one in kept(to_onnx(model, kernel_bits=bits), bits).values()] == [(128, 64, 3, 3)]


def test_a_kernel_beyond_float16_is_left_alone():
    from unmask.export.graph import to_onnx
    from unmask.export.kernels import round_kernels

    model = model_of("cnn")
    convolutions = [layer for layer in model.layers if type(layer).__name__ == "Conv2D"]
    kernel, bias = convolutions[1].get_weights()
    kernel[0, 0, 0, 0] = 1e6
    convolutions[1].set_weights([kernel, bias])
    round_kernels(model, 16)
    np.testing.assert_array_equal(convolutions[1].get_weights()[0], kernel)
    # The first kernel is too small to be worth it, and the second has a number that is too large.
    assert [kernel.shape for kernel in kept(to_onnx(model, kernel_bits=16), 16).values()] == [(128, 64, 3, 3)]


@pytest.mark.parametrize("bits", [16, 8])
def test_a_bundle_says_that_its_kernels_are_rounded(finished_run, tmp_path, bits):
    from unmask.export.run import export_run

    bundle = export_run(finished_run, tmp_path / "bundle", kernel_bits=bits)
    assert kept((bundle / "model.onnx").read_bytes(), bits)
    assert f"| kernels | {bits} bits |" in (bundle / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert json.loads((bundle / "bundle.json").read_text(encoding="utf-8"))["temperature"] > 0
