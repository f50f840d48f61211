from functools import cache

import numpy as np
import pytest

from unmask.errors import UnmaskError
from unmask.models import build

pytestmark = pytest.mark.train


@cache
def built(name):
    """A model of 32 px, made once: nothing here trains it."""
    return build(name, 32)


def layers_of(model):
    return [type(layer).__name__ for layer in model.layers]


def test_the_cnn_is_the_reports():
    model = build("cnn", 128)
    assert layers_of(model) == [
        "InputLayer", "Rescaling", "Conv2D", "MaxPooling2D", "Conv2D", "MaxPooling2D", "Conv2D", "MaxPooling2D",
        "Flatten", "Dense", "Dropout", "Dense",
    ]  # fmt: skip
    assert model.count_params() == 896 + 18_496 + 73_856 + (25_088 * 128 + 128) + 129
    assert model.get_layer("dropout").rate == 0.5


def test_mobilenetv2_has_the_reports_head():
    model = built("mobilenetv2")
    assert layers_of(model)[-4:] == ["GlobalAveragePooling2D", "Dense", "Dropout", "Dense"]
    assert (model.get_layer("hidden").units, model.get_layer("dropout").rate) == (64, 0.4)


@pytest.mark.parametrize("name", ["cnn", "mobilenetv2"])
def test_every_architecture_takes_bytes_and_gives_a_logit(name):
    images = np.zeros((2, 32, 32, 3), np.uint8)
    logits = np.asarray(built(name)(images, training=False))
    assert (logits.shape, logits.dtype) == ((2, 1), np.float32)


@pytest.mark.parametrize(("name", "low", "high"), [("cnn", 0.0, 1.0), ("mobilenetv2", -1.0, 1.0)])
def test_pixels_are_scaled_as_the_model_expects(name, low, high):
    import keras

    model = built(name)
    scale = keras.Model(model.inputs, model.get_layer("scale").output)
    images = np.zeros((2, 32, 32, 3), np.uint8)
    images[1] = 255
    found = np.asarray(scale.predict_on_batch(images))
    np.testing.assert_allclose([found[0].max(), found[1].min()], [low, high], atol=1e-6)


def test_efficientnet_gives_what_keras_own_model_gives():
    import keras

    theirs = keras.applications.EfficientNetV2B0(include_top=False, weights=None, input_shape=(32, 32, 3))
    model = build("efficientnetv2b0", 32)
    ours = keras.Model(model.inputs, model.get_layer("top_activation").output)
    theirs.set_weights(ours.get_weights())
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    expected = np.asarray(theirs(images.astype(np.float32), training=False))
    np.testing.assert_allclose(ours(images, training=False), expected, atol=1e-5)


def test_mixed_precision_keeps_the_logit_in_float32():
    import keras

    model = build("cnn", 32, precision="mixed_bfloat16")
    assert model.outputs[0].dtype == "float32"
    assert model.get_layer("hidden").compute_dtype == "bfloat16"
    assert keras.config.dtype_policy().name == "float32"


def test_an_unknown_architecture_is_refused():
    with pytest.raises(UnmaskError) as caught:
        build("vgg", 64)
    assert "mobilenetv2" in caught.value.hint


def test_a_size_that_is_too_small_is_refused():
    with pytest.raises(UnmaskError, match="16 px"):
        build("cnn", 16)


def test_weights_that_are_not_there_are_refused(tmp_path):
    with pytest.raises(UnmaskError) as caught:
        build("mobilenetv2", 32, weights=tmp_path / "none.weights.h5")
    assert caught.value.code == "backbone-weights"


def test_weights_that_cannot_be_downloaded_are_called_that(monkeypatch):
    def fails(*_, **__):
        raise Exception("URL fetch failure on https://storage.googleapis.com/...")  # as Keras does

    monkeypatch.setattr("keras.src.utils.file_utils.get_file", fails)
    with pytest.raises(UnmaskError, match="imagenet cannot be had: URL fetch failure") as caught:
        build("mobilenetv2", 32, weights="imagenet")
    assert caught.value.code == "backbone-weights"


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_weights_of_another_model_are_refused(tmp_path):
    path = tmp_path / "cnn.weights.h5"
    built("cnn").save_weights(path)
    with pytest.raises(UnmaskError, match="do not fit mobilenetv2"):
        build("mobilenetv2", 32, weights=path)
