"""The map that is written out as forward operations, against automatic differentiation; and the graph against Keras."""

import os
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.train

WEIGHTS = "mobilenet_v2_imagenet_1.0_no_top.weights.h5"


def noise(count, side):
    return np.random.default_rng(1).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def run(graph, images):
    import onnxruntime

    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    return session.run(["logit", "cam"], {"image": images})


def autodiff_grad_cam(model, images):
    import keras
    import tensorflow as tf

    from unmask.export.gradcam import last_spatial_layer

    layer = last_spatial_layer(model)
    both = keras.Model(model.inputs, [layer.output, model.outputs[0]])
    spatial_map, _ = both([images], training=False)
    after = model.layers[model.layers.index(layer) + 1 :]
    with tf.GradientTape() as tape:
        tape.watch(spatial_map)
        logit = spatial_map
        for step in after:
            logit = step(logit, training=False) if "dropout" in step.name else step(logit)
    weights = tf.reduce_mean(tape.gradient(logit, spatial_map), axis=(1, 2), keepdims=True)
    return tf.nn.relu(tf.reduce_sum(spatial_map * weights, axis=-1)).numpy()


@pytest.fixture(scope="module", params=["cnn", "mobilenetv2"])
def exported(request):
    import keras

    from unmask.export.graph import to_onnx
    from unmask.models import build

    keras.utils.set_random_seed(3)
    shared = Path(os.environ.get("UNMASK_FACES", "../shared/faces")).parent / "weights" / WEIGHTS
    # Random weights leave a deep backbone with hardly any signal; the published ones are used where they are.
    weights = str(shared) if request.param == "mobilenetv2" and shared.is_file() else "none"
    model = build(request.param, 64, weights=weights)
    return model, to_onnx(model)


def test_the_map_is_that_of_automatic_differentiation(exported):
    model, graph = exported
    images = noise(6, 64)
    expected = autodiff_grad_cam(model, images)
    _, found = run(graph, images)
    assert expected.max() > 0
    assert np.abs(found - expected).max() <= 1e-3 * (expected.max() - expected.min())


def test_the_graph_gives_the_logits_of_keras(exported):
    model, graph = exported
    images = noise(6, 64)
    logits, _ = run(graph, images)
    assert logits.shape == (6,)
    np.testing.assert_allclose(logits, model.predict_on_batch(images)[:, 0], atol=1e-3)


def test_the_graph_takes_any_number_of_pictures(exported):
    _, graph = exported
    one = run(graph, noise(1, 64))
    many = run(graph, noise(5, 64))
    np.testing.assert_allclose(one[0], many[0][:1], atol=1e-4)


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
    images = noise(4, 16)
    expected = autodiff_grad_cam(model, images)
    found = run(to_onnx(model), images)[1]
    assert np.abs(found - expected).max() <= 1e-3 * expected.max()


def test_another_kind_of_head_gets_an_occlusion_map():
    import keras

    from unmask.export.graph import to_onnx

    image = keras.Input((16, 16, 3), dtype="uint8")
    x = keras.layers.Rescaling(1 / 255)(image)
    # The logit is the brightness of the upper left quarter: hiding any other part changes nothing.
    x = keras.layers.Cropping2D(((0, 8), (0, 8)))(x)
    x = keras.layers.GlobalMaxPooling2D()(x)
    model = keras.Model(image, keras.layers.Dense(1, kernel_initializer="ones")(x))
    images = np.full((2, 16, 16, 3), 10, np.uint8)
    images[:, 0:4, 0:4] = 250
    cam = run(to_onnx(model), images)[1]
    assert cam.shape == (2, 4, 4)
    assert (cam[:, 0, 0] > 1).all()
    assert np.count_nonzero(cam) == 2
