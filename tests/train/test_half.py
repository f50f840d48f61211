"""Kernels in 16 bits."""

import numpy as np
import pytest

pytestmark = pytest.mark.train

SIDE = 64


def noise(count):
    return np.random.default_rng(1).integers(0, 256, (count, SIDE, SIDE, 3), dtype=np.uint8)


def model_of(architecture):
    """With statistics of batch normalisation as a trained model has them: none is 0 or 1."""
    import keras

    from unmask.models import build

    keras.utils.set_random_seed(3)
    model = build(architecture, SIDE)
    rng = np.random.default_rng(3)
    model.set_weights([weight + 0.05 * rng.random(weight.shape) for weight in model.get_weights()])
    return model


def kernels(model):
    return [weight.numpy() for weight in model.weights if weight.path.endswith("kernel") and weight.ndim == 4]


@pytest.mark.parametrize("architecture", ["cnn", "mobilenetv2", "efficientnetlite0"])
def test_rounding_changes_the_kernels_and_hardly_the_answers(architecture):
    from unmask.train.half import round_kernels

    model, images = model_of(architecture), noise(6)
    before = np.asarray(model.predict_on_batch(images), np.float64)
    round_kernels(model)
    after = np.asarray(model.predict_on_batch(images), np.float64)
    assert np.abs(after - before).max() < 2e-3 * np.abs(before).max()
    assert all(np.array_equal(kernel, kernel.astype(np.float16).astype(np.float32)) for kernel in kernels(model))


def test_the_graph_is_half_as_large_and_answers_as_the_rounded_model_does():
    import onnxruntime

    from unmask.train.graph import to_onnx
    from unmask.train.half import round_kernels

    model, images = model_of("mobilenetv2"), noise(6)
    round_kernels(model)
    whole, half = to_onnx(model), to_onnx(model, half=True)
    assert len(half) < 0.56 * len(whole)
    expected = np.asarray(model.predict_on_batch(images), np.float64).reshape(-1)
    for graph in (whole, half):
        session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
        (found,) = session.run(["logit"], {"image": images})
        np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


def test_a_kernel_beyond_float16_is_left_alone():
    from onnx import TensorProto

    from unmask.train.graph import to_onnx
    from unmask.train.half import round_kernels

    model = model_of("cnn")
    convolutions = [layer for layer in model.layers if type(layer).__name__ == "Conv2D"]
    kernel, bias = convolutions[1].get_weights()
    kernel[0, 0, 0, 0] = 1e6
    convolutions[1].set_weights([kernel, bias])
    round_kernels(model)
    np.testing.assert_array_equal(convolutions[1].get_weights()[0], kernel)

    import onnx

    graph = onnx.load_from_string(to_onnx(model, half=True)).graph
    in_half = [weight for weight in graph.initializer if weight.data_type == TensorProto.FLOAT16]
    # The first kernel is too small to be worth it, the second too large in value.
    assert [tuple(weight.dims) for weight in in_half] == [(128, 64, 3, 3)]
