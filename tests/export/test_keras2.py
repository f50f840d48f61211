"""Files of Keras 2: layers described with keys that Keras 3 refuses."""

import json
import shutil

import numpy as np
import pytest

from unmask.errors import UnmaskError

pytestmark = pytest.mark.train


def adopted(path):
    from unmask.export.adopt import adopt

    return adopt(path, input_scaling="0..1", label_order="real-fake")


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    """A file with a layer of every kind that Keras 2 described in another way."""
    from keras import Sequential, layers

    model = Sequential(
        [
            layers.Input((32, 32, 3)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.DepthwiseConv2D(3),
            layers.BatchNormalization(),
            layers.SeparableConv2D(4, 3),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Conv2DTranspose(4, 3),
            layers.LayerNormalization(),
            layers.GlobalAveragePooling2D(),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    path = tmp_path_factory.mktemp("models") / "model.h5"
    model.save(path)
    return path


def described(model_file, path, change):
    """A copy of the file whose description was changed; `change` gets the model's, and what it returns takes its place."""
    import h5py

    shutil.copy(model_file, path)
    with h5py.File(path, "r+") as file:
        description = json.loads(file.attrs["model_config"])
        file.attrs["model_config"] = json.dumps(change(description) or description)
    return path


def layers_with(**settings):
    """Gives layers, by the name of their class, more settings."""

    def change(description):
        for layer in description["config"]["layers"]:
            layer["config"].update(settings.get(layer["class_name"], {}))

    return change


def initializers_with_a_dtype(description):
    for layer in description["config"]["layers"]:
        for name, value in layer["config"].items():
            if name.endswith("_initializer"):
                value["config"]["dtype"] = "float32"


def policies_as_classes(description):
    for layer in description["config"]["layers"]:
        layer["config"]["dtype"] = {"class_name": "Policy", "config": {"name": "float32"}}


def leaky_by_its_old_name(description):
    (layer,) = [layer for layer in description["config"]["layers"] if layer["class_name"] == "LeakyReLU"]
    layer["config"]["alpha"] = layer["config"].pop("negative_slope")


def without_an_input_layer(description):
    layers = description["config"]["layers"][1:]
    layers[0]["config"]["batch_input_shape"] = [None, 32, 32, 3]
    description["config"]["layers"] = layers


def as_a_list(description):
    without_an_input_layer(description)
    return {"class_name": "Sequential", "config": description["config"]["layers"]}


SEPARABLE = {"groups": 1, "kernel_initializer": {"class_name": "Zeros", "config": {}}, "kernel_regularizer": None}


@pytest.mark.parametrize(
    "change",
    [
        layers_with(DepthwiseConv2D={"groups": 1}),
        layers_with(SeparableConv2D=SEPARABLE),
        layers_with(Conv2DTranspose={"groups": 1}, GlobalAveragePooling2D={"dynamic": False}),
        layers_with(BatchNormalization={"axis": [3], "fused": True, "renorm": False, "renorm_momentum": 0.9}),
        layers_with(LayerNormalization={"axis": [3]}, InputLayer={"sparse": False, "ragged": False}),
        layers_with(Dense={"time_major": False}),
        leaky_by_its_old_name,
        initializers_with_a_dtype,
        policies_as_classes,
        without_an_input_layer,
        as_a_list,
    ],
)
def test_what_keras_2_wrote_is_read_with_the_same_weights(model_file, tmp_path, change):
    images = np.random.default_rng(2).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    expected = adopted(model_file).predict_on_batch(images)
    found = adopted(described(model_file, tmp_path / "old.h5", change)).predict_on_batch(images)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_setting_that_would_change_the_answer_is_refused_and_not_dropped(model_file, tmp_path):
    path = described(model_file, tmp_path / "old.h5", layers_with(DepthwiseConv2D={"groups": 2}))
    with pytest.raises(UnmaskError, match="groups=2, which Keras 3 cannot do"):
        adopted(path)


@pytest.fixture(scope="module")
def nested_file(tmp_path_factory):
    """A functional file: a nested sequential model, a nested backbone, pooling, two outputs."""
    from keras import Input, Model, Sequential, layers

    image = Input((16, 16, 3), name="backbone_input")
    conv = layers.Conv2D(4, 3, activation="relu", name="conv")(image)
    body = Model(image, layers.DepthwiseConv2D(3, name="depthwise")(conv), name="backbone")
    before = Sequential([layers.Input((16, 16, 3)), layers.RandomFlip(), layers.Rescaling(2.0, -1.0)], name="augment")
    pixels = Input((16, 16, 3), name="pixels")
    pooled = layers.GlobalAveragePooling2D(name="pool")(body(before(pixels)))
    path = tmp_path_factory.mktemp("models") / "nested.h5"
    Model(pixels, layers.Dense(2, activation="softmax", name="dense")(pooled), name="whole").save(path)
    return path


def as_keras_2_wrote_calls(description):
    """Calls as lists, those of a nested model counted from 1, and the one input and output as lists too."""
    config = description["config"]
    nested = {layer["name"] for layer in config["layers"] if "layers" in layer["config"]}
    for layer in config["layers"]:
        if "output_layers" in layer["config"]:
            as_keras_2_wrote_calls(layer)
        sources = [node["args"][0]["config"]["keras_history"] for node in layer["inbound_nodes"]]
        layer["inbound_nodes"] = [[[name, call + (name in nested), index, {}]] for name, call, index in sources]
    for ends in ("input_layers", "output_layers"):
        config[ends] = [config[ends]]


def layer_named(name, description):
    (layer,) = [layer for layer in description["config"]["layers"] if layer["name"] == name]
    return layer


def a_nested_sequential_model_gives_the_map(description):
    as_keras_2_wrote_calls(description)
    body = layer_named("backbone", description)
    layers = [layer | {"inbound_nodes": []} for layer in body["config"]["layers"]]
    body.update(class_name="Sequential", config={"name": "backbone", "layers": layers})


def names_with_slashes(description):
    as_keras_2_wrote_calls(description)
    body = layer_named("backbone", description)
    body["config"] = json.loads(json.dumps(body["config"]).replace('"conv"', '"conv1/conv"'))


@pytest.mark.parametrize(
    "change", [as_keras_2_wrote_calls, a_nested_sequential_model_gives_the_map, names_with_slashes]
)
def test_a_nested_model_of_keras_2_is_read_with_the_same_weights(nested_file, tmp_path, change):
    images = np.random.default_rng(2).integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)
    expected = adopted(nested_file).predict_on_batch(images)
    found = adopted(described(nested_file, tmp_path / "old.h5", change)).predict_on_batch(images)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_backbone_at_the_start_of_a_sequential_model_is_read(tmp_path):
    from keras import Input, Model, Sequential, layers

    image = Input((16, 16, 3), name="pixels")
    body = Model(image, layers.DepthwiseConv2D(3, name="depthwise")(image), name="backbone")
    model = Sequential([layers.Input((16, 16, 3)), body, layers.GlobalAveragePooling2D(), layers.Dense(1)])
    model.save(tmp_path / "new.h5")

    def change(description):
        as_keras_2_wrote_calls(description["config"]["layers"][1])

    images = np.random.default_rng(2).integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)
    expected = adopted(tmp_path / "new.h5").predict_on_batch(images)
    found = adopted(described(tmp_path / "new.h5", tmp_path / "old.h5", change)).predict_on_batch(images)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def operation(function, settings, source="pixels", class_name="TFOpLambda"):
    """An operation of TensorFlow outside of any layer, as Keras 2 described it."""
    return {
        "class_name": class_name,
        "name": function,
        "config": {"name": function, "trainable": True, "dtype": "float32", "function": function},
        "inbound_nodes": [[source, 0, 0, {**settings, "name": None}]],
    }


@pytest.mark.parametrize(
    ("function", "settings", "scale", "offset"),
    [
        ("math.truediv", {"y": 0.5}, 2.0, 0.0),
        ("math.multiply", {"y": 3}, 3.0, 0.0),
        ("math.subtract", {"y": 1.0}, 1.0, -1.0),
        ("__operators__.add", {"y": 2.0}, 1.0, 2.0),
        ("nn.bias_add", {"bias": [-0.5, 0.0, 0.5], "data_format": "NHWC"}, [1.0] * 3, [-0.5, 0.0, 0.5]),
    ],
)
def test_arithmetic_with_a_constant_becomes_a_layer(function, settings, scale, offset):
    from unmask.export.keras2 import cleaned

    found = cleaned(operation(function, settings))
    assert found["class_name"] == "Rescaling"
    assert (found["config"]["scale"], found["config"]["offset"]) == (scale, offset)


def test_a_model_with_arithmetic_outside_of_its_layers_is_read_with_the_same_weights(nested_file, tmp_path):
    def change(description):
        as_keras_2_wrote_calls(description)
        twice, less = operation("math.multiply", {"y": 2.0}), operation("math.subtract", {"y": 1.0}, "math.multiply")
        description["config"]["layers"][1:2] = [twice, less]
        layer_named("backbone", description)["inbound_nodes"] = [[["math.subtract", 0, 0, {}]]]

    images = np.random.default_rng(2).integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)
    expected = adopted(nested_file).predict_on_batch(images)
    found = adopted(described(nested_file, tmp_path / "old.h5", change)).predict_on_batch(images)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (operation("math.abs", {}), "math.abs is a bare operation of TensorFlow"),
        (operation("math.subtract", {"y": ["pixels", 0, 0]}), "math.subtract is a bare operation of TensorFlow"),
        (operation("getitem", {"slice_spec": []}, class_name="SlicingOpLambda"), "getitem is a bare operation"),
        (operation("lambda", {}, class_name="Lambda"), "lambda is a Lambda: code, which is not run from a file"),
    ],
)
def test_other_code_in_a_file_is_refused_by_the_name_of_its_layer(nested_file, tmp_path, layer, words):
    def change(description):
        as_keras_2_wrote_calls(description)
        description["config"]["layers"][1] = layer

    with pytest.raises(UnmaskError, match=words) as caught:
        adopted(described(nested_file, tmp_path / "old.h5", change))
    assert "layers of Keras 3 alone" in caught.value.hint


def test_a_graph_is_made_of_a_model_that_augments_and_normalises(tmp_path):
    import onnx
    from keras import Sequential, layers

    from unmask.export.graph import to_onnx

    model = Sequential([layers.Input((8, 8, 3)), layers.RandomRotation(0.1), layers.Normalization()])
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dense(1))
    model.save(tmp_path / "model.keras")
    graph = onnx.load_from_string(to_onnx(adopted(tmp_path / "model.keras"))).graph
    assert [value.name for value in graph.input] == ["image"]


def test_the_file_itself_stays_as_it_is(model_file, tmp_path):
    path = described(model_file, tmp_path / "old.h5", layers_with(DepthwiseConv2D={"groups": 1}))
    before = path.read_bytes()
    adopted(path)
    assert path.read_bytes() == before


def test_a_file_of_the_new_form_is_cleaned_too(tmp_path):
    import zipfile

    from keras import Sequential, layers

    model = Sequential([layers.Input((8, 8, 3)), layers.DepthwiseConv2D(3), layers.Flatten(), layers.Dense(1)])
    model.save(tmp_path / "new.keras")
    with zipfile.ZipFile(tmp_path / "new.keras") as new, zipfile.ZipFile(tmp_path / "old.keras", "w") as old:
        for name in new.namelist():
            data = new.read(name)
            if name == "config.json":
                description = json.loads(data)
                layers_with(DepthwiseConv2D={"groups": 1})(description)
                data = json.dumps(description).encode()
            old.writestr(name, data)
    assert adopted(tmp_path / "old.keras").output_shape == (None, 1)


@pytest.mark.cases
def test_a_real_file_of_keras_2_is_read(cases):
    assert adopted(cases / "keras2_depthwise_groups.h5").input_shape == (None, 64, 64, 3)
