"""The map that is written out as forward operations, against automatic differentiation; and the graph against Keras."""

import numpy as np
import pytest
from tests.export.tiny import autodiff_grad_cam, noise, run_graph, tiny_model

pytestmark = pytest.mark.train


@pytest.fixture(scope="module", params=["averaging head", "flattened head"])
def exported(request):
    import keras

    from unmask.export.graph import to_onnx
    from unmask.models import build

    keras.utils.set_random_seed(5)
    model = tiny_model() if request.param == "averaging head" else build("cnn", 32)
    return model, to_onnx(model)


def test_the_map_is_that_of_automatic_differentiation(exported):
    model, graph = exported
    expected = autodiff_grad_cam(model, noise(6))
    (found,) = run_graph(graph, noise(6), "cam")
    assert expected.max() > 0
    assert np.abs(found - expected).max() <= 1e-3 * (expected.max() - expected.min())


def test_the_graph_gives_the_logits_of_keras(exported):
    model, graph = exported
    (logits,) = run_graph(graph, noise(6), "logit")
    np.testing.assert_allclose(logits, model.predict_on_batch(noise(6))[:, 0], atol=1e-3)


def test_the_graph_takes_any_number_of_pictures(exported):
    _, graph = exported
    (alone,), (many,) = (run_graph(graph, noise(5)[:count], "logit") for count in (1, 5))
    np.testing.assert_allclose(alone, many[:1], atol=1e-4)


def test_the_backbone_that_is_trained_most_agrees_with_keras_and_autodiff():
    import keras

    from unmask.export.graph import to_onnx
    from unmask.models import build

    keras.utils.set_random_seed(3)
    model = build("mobilenetv2", 64)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    model(noise(16, 64), training=True)  # statistics of some pictures, so that there is a signal
    logits, maps = run_graph(to_onnx(model), noise(4, 64), "logit", "cam")
    np.testing.assert_allclose(logits, model.predict_on_batch(noise(4, 64))[:, 0], atol=1e-3)
    expected = autodiff_grad_cam(model, noise(4, 64))
    assert np.abs(maps - expected).max() <= 1e-3 * max(expected.max(), 1e-3)


def test_the_same_weights_give_the_same_bytes():
    from unmask.export.graph import to_onnx
    from unmask.models import build

    model, again = build("cnn", 32), build("cnn", 32)
    again.set_weights(model.get_weights())
    assert to_onnx(again) == to_onnx(model)


def test_batch_normalisation_in_a_head_is_followed():
    import keras

    from unmask.export.graph import to_onnx

    keras.utils.set_random_seed(4)
    image = keras.Input((16, 16, 3), dtype="uint8")
    x = keras.layers.Rescaling(1 / 255)(image)
    x = keras.layers.Conv2D(4, 3, activation="relu")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dense(8)(x)
    norm = keras.layers.BatchNormalization()
    x = keras.layers.ReLU()(norm(x))
    model = keras.Model(image, keras.layers.Dense(1)(x))
    generator = np.random.default_rng(5)
    norm.set_weights([generator.normal(size=8) for _ in range(3)] + [generator.uniform(0.5, 2, 8)])
    expected = autodiff_grad_cam(model, noise(4, 16))
    (found,) = run_graph(to_onnx(model), noise(4, 16), "cam")
    assert np.abs(found - expected).max() <= 1e-3 * expected.max()


@pytest.mark.parametrize("head", ["another form", "a map of one place"])
def test_where_grad_cam_says_nothing_there_is_an_occlusion_map(head):
    import keras

    from unmask.export.graph import to_onnx
    from unmask.models.head import find_heads

    image = keras.Input((16, 16, 3), dtype="uint8")
    x = keras.layers.Rescaling(1 / 255)(image)
    # The logit is the brightness of the upper left quarter: hiding any other part changes nothing.
    x = keras.layers.Cropping2D(((0, 8), (0, 8)))(x)
    if head == "a map of one place":
        x = keras.layers.GlobalAveragePooling2D()(keras.layers.MaxPooling2D(8)(x))
    else:
        x = keras.layers.GlobalMaxPooling2D()(x)
    model = keras.Model(image, keras.layers.Dense(1, kernel_initializer="ones")(x))
    assert (find_heads(model) is None) == (head == "another form")
    images = np.full((2, 16, 16, 3), 10, np.uint8)
    images[:, 0:4, 0:4] = 250
    (cam,) = run_graph(to_onnx(model), images, "cam")
    assert cam.shape == (2, 4, 4)
    assert (cam[:, 0, 0] > 1).all()
    assert np.count_nonzero(cam) == 2
