"""The report's own `.h5` and its relatives: a sigmoid at the end, floats at the start."""

import numpy as np
import pytest
from tests.export.tiny import run_graph

from unmask.errors import UnmaskError

pytestmark = pytest.mark.train

SIDE = 32


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(2).integers(0, 256, (5, SIDE, SIDE, 3), dtype=np.uint8)


def report_cnn():
    from keras import Sequential, layers

    return Sequential(
        [
            layers.Input((SIDE, SIDE, 3)),
            *(layer for f in (4, 8) for layer in (layers.Conv2D(f, 3, activation="relu"), layers.MaxPooling2D())),
            layers.Flatten(),
            layers.Dense(6, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(1, activation="sigmoid"),
        ]
    )


def saved(model, path):
    model.save(path)
    return path


def scores(model, images):
    logits = np.asarray(model.predict_on_batch(images)).reshape(-1)
    return 1 / (1 + np.exp(-logits))


def adopted(path, scaling="0..1", order="real-fake"):
    from unmask.export.adopt import adopt

    return adopt(path, input_scaling=scaling, label_order=order)


@pytest.mark.parametrize("ending", ["h5", "keras"])
def test_the_reports_file_gives_the_same_scores(tmp_path, images, ending):
    theirs = report_cnn()
    ours = adopted(saved(theirs, tmp_path / f"cnn_model.{ending}"))
    expected = theirs.predict_on_batch(images / np.float32(255)).reshape(-1)
    np.testing.assert_allclose(scores(ours, images), expected, atol=1e-5)


@pytest.mark.parametrize("ending", ["h5", "keras"])
@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_a_model_of_mixed_precision_is_computed_in_float32(tmp_path, images, precision, ending):
    import keras

    from unmask.export.graph import to_onnx
    from unmask.export.parity import PARITY

    keras.config.set_dtype_policy(precision)
    try:
        theirs = report_cnn()
    finally:
        keras.config.set_dtype_policy("float32")
    ours = adopted(saved(theirs, tmp_path / f"model.{ending}"))
    exact = report_cnn()
    exact.set_weights(theirs.get_weights())
    expected = exact.predict_on_batch(images / np.float32(255)).reshape(-1)
    np.testing.assert_allclose(scores(ours, images), expected, atol=1e-5)
    logits = run_graph(to_onnx(ours), images, "logit")[0]
    np.testing.assert_allclose(logits, ours.predict_on_batch(images)[:, 0], atol=PARITY)


def test_labels_the_other_way_round_turn_the_score_over(tmp_path, images):
    theirs = report_cnn()
    ours = adopted(saved(theirs, tmp_path / "model.keras"), order="fake-real")
    expected = 1 - theirs.predict_on_batch(images / np.float32(255)).reshape(-1)
    np.testing.assert_allclose(scores(ours, images), expected, atol=1e-5)


def test_the_head_stays_visible_for_grad_cam(tmp_path):
    from unmask.models.head import find_head

    head = find_head(adopted(saved(report_cnn(), tmp_path / "model.keras")))
    assert head is not None
    assert head.spatial_map.shape[1:] == (6, 6, 8)


def test_a_backbone_in_a_sequential_with_two_outputs_is_read(tmp_path, images):
    from keras import Input, Model, Sequential, layers

    image = Input((SIDE, SIDE, 3))
    body = Model(image, layers.Conv2D(4, 3, activation="relu")(image), name="backbone")
    theirs = Sequential([body, layers.GlobalAveragePooling2D(), layers.Dense(2), layers.Activation("softmax")])
    ours = adopted(saved(theirs, tmp_path / "model.keras"), scaling="-1..1")
    expected = theirs.predict_on_batch(images.astype(np.float32) / 127.5 - 1)[:, 1]
    np.testing.assert_allclose(scores(ours, images), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("last", "shape", "words"),
    [
        ({"units": 3, "activation": "softmax"}, (SIDE, SIDE, 3), "3 outputs"),
        ({"units": 1, "activation": "tanh"}, (SIDE, SIDE, 3), "tanh"),
        ({"units": 1, "activation": "sigmoid"}, (SIDE, SIDE, 1), "one square picture"),
        ({"units": 1, "activation": "sigmoid"}, (SIDE, SIDE + 1, 3), "one square picture"),
    ],
)
def test_other_kinds_of_model_are_refused(tmp_path, last, shape, words):
    from keras import Sequential, layers

    theirs = Sequential([layers.Input(shape), layers.GlobalAveragePooling2D(), layers.Dense(**last)])
    with pytest.raises(UnmaskError, match=words):
        adopted(saved(theirs, tmp_path / "model.keras"))


def test_a_model_that_answers_for_each_place_is_refused(tmp_path):
    from keras import Sequential, layers

    theirs = Sequential([layers.Input((SIDE, SIDE, 3)), layers.Reshape((-1, 3)), layers.Dense(1)])
    with pytest.raises(UnmaskError, match="for places") as caught:
        adopted(saved(theirs, tmp_path / "model.keras"))
    assert caught.value.code == "unfit-model"


def test_a_run_of_this_packages_transformer_is_read_as_a_file(tmp_path):
    from unmask.models import build

    theirs = build("clip_vit_b16", 224, blocks=1)
    ours = adopted(saved(theirs, tmp_path / "model.keras"), scaling="0..255")
    pictures = np.random.default_rng(3).integers(0, 256, (1, 224, 224, 3), dtype=np.uint8)
    np.testing.assert_allclose(ours.predict_on_batch(pictures), theirs.predict_on_batch(pictures), atol=1e-4)


@pytest.mark.parametrize("ending", ["h5", "keras"])
def test_a_model_that_holds_code_is_refused(tmp_path, ending):
    from keras import Sequential, layers

    theirs = Sequential([layers.Input((SIDE, SIDE, 3)), layers.Lambda(lambda x: x), layers.Flatten(), layers.Dense(1)])
    with pytest.raises(UnmaskError) as caught:
        adopted(saved(theirs, tmp_path / f"model.{ending}"))
    assert caught.value.code == "bad-model"


def test_a_file_that_is_no_model_is_refused(tmp_path):
    (tmp_path / "model.h5").write_bytes(b"not a model")
    with pytest.raises(UnmaskError, match=f"{tmp_path}/model.h5 cannot be read"):
        adopted(tmp_path / "model.h5")


def of_four(inside):
    """A model for four pictures at a time: by its input alone, or by what is inside of it as well."""
    import keras

    image = keras.Input(batch_shape=(4, SIDE, SIDE, 3))
    features = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3, activation="relu")(image))
    if inside:
        features = features * keras.ops.ones((4, 1))
    return keras.Model(image, keras.layers.Dense(1, activation="sigmoid")(features))


def test_a_batch_size_that_only_the_input_of_a_file_names_is_none_of_the_graph(tmp_path, images):
    import onnx

    from unmask.export.graph import to_onnx

    model = adopted(saved(of_four(inside=False), tmp_path / "m.keras"))
    assert scores(model, images).shape == (5,)
    graph = onnx.load_from_string(to_onnx(model)).graph
    assert not graph.input[0].type.tensor_type.shape.dim[0].HasField("dim_value")


def test_a_model_that_goes_for_four_pictures_only_is_refused(tmp_path):
    with pytest.raises(UnmaskError, match="takes 4 pictures at a time") as caught:
        adopted(saved(of_four(inside=True), tmp_path / "m.keras"))
    assert caught.value.code == "unfit-model"
