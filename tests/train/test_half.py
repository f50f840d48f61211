"""Kernels in 16 bits."""

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


def halves(graph):
    """Name of each kernel that is kept in 16 bits -> its numbers."""
    found = {name: values for name, values in weights(graph).items() if values.dtype == np.float16}
    return {name.removesuffix("_half"): values for name, values in found.items()}


@pytest.mark.parametrize("architecture", ["mobilenetv2", "efficientnetlite0"])
def test_rounding_changes_the_kernels_and_hardly_the_answers(architecture):
    import keras

    from unmask.train.half import WORTH_IT, round_kernels

    model, images = model_of(architecture), noise(6)
    before = logits(model, images)
    round_kernels(model)
    after = logits(model, images)
    # These are pictures of nothing to a model that knows nothing, and differ little: trained ones move by far less.
    assert 0 < np.abs(after - before).max() < 0.15 * np.ptp(before)
    kernels = [layer.get_weights()[0] for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    large = [kernel for kernel in kernels if kernel.size >= WORTH_IT]
    assert len(large) > 30
    assert all(np.array_equal(kernel, kernel.astype(np.float16)) for kernel in large)


@pytest.mark.parametrize("architecture", ["mobilenetv2", "efficientnetlite0"])
def test_multiplying_normalisation_in_changes_kernels_and_no_answer(architecture, monkeypatch):
    import keras

    from unmask.train import half

    monkeypatch.setattr(half, "_in_half", lambda kernel: None)
    model, images = model_of(architecture), noise(6)
    before = logits(model, images)
    half.round_kernels(model)
    np.testing.assert_allclose(logits(model, images), before, atol=1e-4 * np.ptp(before))
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert all(np.array_equal(layer.gamma, np.ones(layer.gamma.shape)) for layer in norms)


def test_the_graph_is_half_as_large_and_holds_what_the_rounded_model_does():
    import onnxruntime

    from unmask.train.graph import to_onnx
    from unmask.train.half import round_kernels

    model, images = model_of("mobilenetv2"), noise(6)
    round_kernels(model)
    whole, half = to_onnx(model), to_onnx(model, half=True)
    assert len(half) < 0.56 * len(whole)
    # The exporter multiplies normalisation into the kernels. Were that not done before they are rounded, these would differ.
    for name, kernel in halves(half).items():
        np.testing.assert_allclose(kernel, weights(whole)[name], rtol=1e-6)
    expected = logits(model, images)
    for graph in (whole, half):
        session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
        (found,) = session.run(["logit"], {"image": images})
        np.testing.assert_allclose(found, expected, atol=1e-4 * np.ptp(expected))


def test_a_kernel_beyond_float16_is_left_alone():
    from unmask.train.graph import to_onnx
    from unmask.train.half import round_kernels

    model = model_of("cnn")
    convolutions = [layer for layer in model.layers if type(layer).__name__ == "Conv2D"]
    kernel, bias = convolutions[1].get_weights()
    kernel[0, 0, 0, 0] = 1e6
    convolutions[1].set_weights([kernel, bias])
    round_kernels(model)
    np.testing.assert_array_equal(convolutions[1].get_weights()[0], kernel)
    # The first kernel is too small to be worth it, and the second has a number that is too large.
    assert [kernel.shape for kernel in halves(to_onnx(model, half=True)).values()] == [(128, 64, 3, 3)]


def test_a_bundle_says_that_its_kernels_are_rounded(finished_run, tmp_path):
    from unmask.train.export import export_run

    bundle = export_run(finished_run, tmp_path / "bundle", half=True)
    assert halves((bundle / "model.onnx").read_bytes())
    assert "| kernels | float16 |" in (bundle / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert json.loads((bundle / "bundle.json").read_text(encoding="utf-8"))["temperature"] > 0
