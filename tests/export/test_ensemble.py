"""Several runs as one detector."""

import json

import numpy as np
import pytest
from tests.prepared_faces import write_prepared

from unmask.errors import UnmaskError

pytestmark = pytest.mark.train

# Both sides give the last map more than one place; MobileNetV2 has batch normalisation, whose weights must not change places.
ARCHITECTURES = pytest.mark.parametrize("architecture", ["cnn", "mobilenetv2"])


def noise(count, side):
    return np.random.default_rng(1).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def sharp_and_blurred(count, side):
    """Noise, and as many pictures of the same with nothing fine in them."""
    import cv2

    blurred = [cv2.resize(few, (side, side), interpolation=cv2.INTER_CUBIC) for few in noise(count, 6)]
    return np.concatenate([noise(count, side), np.stack(blurred)])


def models(*seeds, architecture="cnn", side=64, shift=0.05):
    """Models whose weights differ everywhere, also where a fresh layer has zeros and ones only; their logits are large."""
    import keras

    from unmask.models import build

    built = []
    for seed in seeds:
        keras.utils.set_random_seed(seed)
        model = build(architecture, side)
        rng = np.random.default_rng(seed)
        model.set_weights([weight + shift * rng.random(weight.shape) for weight in model.get_weights()])
        built.append(model)
    return built


def autodiff_cam(model, images, *, mean_gradient):
    """Grad-CAM of the mean logit by automatic differentiation, or HiResCAM, which takes the gradient of each place."""
    import keras
    import tensorflow as tf

    from unmask.export.gradcam import find_heads

    heads = find_heads(model)
    maps = keras.Model(model.inputs, heads.spatial_map)([images], training=False)
    needs, given = heads.spatial_map, maps
    if heads.shares is not None:
        needs, given = [needs, heads.shares], [maps, keras.Model(model.inputs, heads.shares)([images], training=False)]
    with tf.GradientTape() as tape:
        tape.watch(maps)
        logits = keras.Model(needs, model.outputs[0])(given, training=False)
    gradient = tape.gradient(logits, maps)
    if mean_gradient:
        gradient = tf.reduce_mean(gradient, axis=(1, 2), keepdims=True)
    return tf.nn.relu(tf.reduce_sum(maps * gradient, axis=-1)).numpy()


@ARCHITECTURES
def test_it_answers_with_the_mean_of_the_logits(architecture):
    from unmask.export.ensemble import ensemble

    members, images = models(1, 2, 3, architecture=architecture), noise(5, 64)
    alone = np.stack([model.predict_on_batch(images) for model in members])
    assert np.ptp(alone, axis=0).min() > 1e-3 * np.abs(alone).max()
    np.testing.assert_allclose(ensemble(members).predict_on_batch(images), alone.mean(axis=0), rtol=1e-4)


def test_a_single_model_stays_as_it_is():
    from unmask.export.ensemble import ensemble

    (model,) = models(1)
    assert ensemble([model]) is model


def test_the_weights_are_copies():
    from unmask.export.ensemble import ensemble, last_layers

    members, images = models(1, 2), noise(3, 64)
    whole = ensemble(members)
    alone, both = members[0].predict_on_batch(images), whole.predict_on_batch(images)
    for layer in last_layers(whole):
        layer.bias.assign(layer.bias + 100)
    np.testing.assert_array_equal(members[0].predict_on_batch(images), alone)
    np.testing.assert_allclose(whole.predict_on_batch(images), both + 100, rtol=1e-4)


@ARCHITECTURES
def test_the_graph_gives_mean_and_grad_cam(architecture):
    import onnxruntime

    from unmask.export.ensemble import ensemble
    from unmask.export.graph import to_onnx

    members, images = models(3, 4, architecture=architecture), noise(4, 64)
    model = ensemble(members)
    session = onnxruntime.InferenceSession(to_onnx(model), providers=["CPUExecutionProvider"])
    logits, maps = session.run(["logit", "cam"], {"image": images})
    mean = np.mean([member.predict_on_batch(images)[:, 0] for member in members], axis=0)
    np.testing.assert_allclose(logits, mean, rtol=1e-4)
    expected = autodiff_cam(model, images, mean_gradient=True)
    assert expected.max() > 0
    np.testing.assert_allclose(maps, expected, atol=1e-3 * expected.max())


@pytest.mark.parametrize("weights", [None, (4, 1)])
def test_hirescam_is_the_gradient_times_the_maps_of_all_models(weights, tmp_path):
    from unmask.detector import Detector
    from unmask.explain.hirescam import hirescam
    from unmask.export.ensemble import ensemble
    from unmask.export.run import Label, export_model

    model, images = ensemble(models(3, 4, shift=0.0), weights, weights and (1, 9)), sharp_and_blurred(2, 64)
    details = {"architecture": "ensemble", "settings": {}}
    bundle = export_model(model, tmp_path / "bundle", data=None, label=Label(), details=details)
    expected = autodiff_cam(model, images, mean_gradient=False)
    assert expected.max() > 0
    np.testing.assert_allclose(hirescam(Detector.load(bundle), images), expected, atol=0.02 * expected.max())


def test_models_may_count_more_and_less():
    from unmask.export.ensemble import ensemble

    members, images = models(1, 2, 3), noise(5, 64)
    alone = np.stack([model.predict_on_batch(images) for model in members])
    expected = (4 * alone[0] + 4 * alone[1] + 2 * alone[2]) / 10
    assert np.abs(expected - alone.mean(axis=0)).min() > 1e-3 * np.abs(expected).max()
    np.testing.assert_allclose(ensemble(members, (4, 4, 2)).predict_on_batch(images), expected, rtol=1e-4)


def test_models_count_by_how_blurred_the_picture_is():
    from unmask.export.ensemble import ensemble

    members, both = models(1, 2), sharp_and_blurred(3, 64)
    first, second = (model.predict_on_batch(both) for model in members)
    assert np.abs(first - second).min() > 1e-3 * np.abs(first).max()
    found = ensemble(members, (3, 1), (1, 9)).predict_on_batch(both)
    np.testing.assert_allclose(found[:3], 0.75 * first[:3] + 0.25 * second[:3], rtol=1e-3)
    np.testing.assert_allclose(found[3:], 0.1 * first[3:] + 0.9 * second[3:], rtol=1e-2)
    # Without others for sharp pictures, all count alike there.
    np.testing.assert_allclose(
        ensemble(members, None, (1, 9)).predict_on_batch(both)[:3], (first + second)[:3] / 2, rtol=1e-3
    )


def averaging(seed, side):
    """A model that ends like a backbone's, in an average over positions, but is quick to export."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(seed)
    image = keras.Input((side, side, 3), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1.0, name="scale")(image)
    for name in ("first", "second"):
        x = layers.Conv2D(48, 3, strides=4, padding="same", use_bias=False, name=name)(x)
        x = layers.BatchNormalization(name=f"{name}_norm")(x)
        x = layers.ReLU(name=f"{name}_relu")(x)
    x = layers.Dense(16, activation="relu", name="hidden")(layers.GlobalAveragePooling2D(name="pool")(x))
    model = keras.Model(image, layers.Dense(1, name="logit")(x), name="averaging")
    rng = np.random.default_rng(seed)
    model.set_weights([weight + 0.05 * rng.random(weight.shape) for weight in model.get_weights()])
    return model


def of_two_sizes():
    """Models for 64 and 32 px, noise of 64 px, and the same as `unmask prepare --size 32` has it for the second one."""
    from unmask.image.resize import resize

    members = [averaging(1, 64), averaging(2, 32)]
    images = sharp_and_blurred(3, 64)
    return members, images, np.stack([resize(image, 32) for image in images])


def test_a_model_for_smaller_pictures_gets_them_scaled_down():
    from unmask.export.ensemble import ensemble

    members, images, small = of_two_sizes()
    alone = [model.predict_on_batch(seen) for model, seen in zip(members, (images, small), strict=True)]
    assert np.abs(alone[0] - alone[1]).min() > 1e-3 * np.abs(alone).max()
    np.testing.assert_allclose(ensemble(members).predict_on_batch(images), np.mean(alone, axis=0), rtol=1e-5)


@pytest.mark.parametrize(
    ("bits", "weights", "blurred"),
    [(32, None, None), (16, None, None), (32, (4, 1.5), None), (16, (4, 1.5), (1, 9)), (8, (4, 1.5), (1, 9))],
)
def test_the_graph_of_two_sizes_gives_mean_and_grad_cam(bits, weights, blurred):
    import onnx
    import onnxruntime

    from unmask.export.ensemble import ensemble
    from unmask.export.graph import to_onnx
    from unmask.export.kernels import round_kernels
    from unmask.export.sharpness import Shares

    members, images, small = of_two_sizes()
    model = ensemble(members, weights, blurred)
    alone = [model.predict_on_batch(seen) for model, seen in zip(members, (images, small), strict=True)]
    shares = Shares(weights or (1, 1), blurred)(images)
    assert np.ptp(shares, axis=0).max() > 0.5 or blurred is None
    mean = np.sum(np.asarray(shares).T[..., None] * alone, axis=0)
    round_kernels(model, bits)
    graph = to_onnx(model, kernel_bits=bits)
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    logits, maps = session.run(["logit", "cam"], {"image": images})
    np.testing.assert_allclose(logits, mean[:, 0], rtol=1e-4 if bits == 32 else 0.05)
    np.testing.assert_allclose(logits, model.predict_on_batch(images)[:, 0], rtol=1e-4)
    expected = autodiff_cam(model, images, mean_gradient=True)
    assert expected.max() > 0
    np.testing.assert_allclose(maps, expected, atol=1e-3 * expected.max())
    # Both models' kernels, not only those of the one whose layers lie open.
    kinds = [one.data_type for one in onnx.load_from_string(graph).graph.initializer]
    assert kinds.count(onnx.TensorProto.FLOAT16) == (4 if bits == 16 else 0)
    assert kinds.count(onnx.TensorProto.INT8) == (4 if bits == 8 else 0)


@pytest.mark.parametrize(
    ("sides", "architectures", "words"),
    [
        ((32, 48), ("cnn", "cnn"), "cnn 32, cnn 48"),
        ((64, 32), ("cnn", "cnn"), "cnn for 32 px cannot join one for 64 px"),
        ((128, 32), ("mobilenetv2", "mobilenetv2"), "mobilenetv2 128, mobilenetv2 32"),
        ((64, 64), ("cnn", "mobilenetv2"), r"cnn \(6, 6\) of 64 px, mobilenetv2"),
    ],
)
def test_models_that_differ_in_size_are_refused(sides, architectures, words):
    from unmask.export.ensemble import ensemble

    members = [models(1, architecture=name, side=side)[0] for side, name in zip(sides, architectures, strict=True)]
    with pytest.raises(UnmaskError, match=words) as caught:
        ensemble(members)
    assert "--size" in caught.value.hint


@pytest.fixture(scope="module")
def second_run(prepared, tmp_path_factory):
    from unmask.train.config import make_config
    from unmask.train.loop import train

    config = make_config(data=str(prepared), epochs=1, batch_size=16, precision="float32", seed=5)
    return train(config, tmp_path_factory.mktemp("runs") / "second").folder


@pytest.fixture(scope="module")
def bundle(finished_run, second_run, tmp_path_factory):
    from click.testing import CliRunner

    from unmask.cli.main import main

    out = tmp_path_factory.mktemp("bundles") / "both"
    result = CliRunner().invoke(main, ["export", str(finished_run), str(second_run), "--out", str(out)])
    assert result.exit_code == 0, result.output
    return out


def test_the_bundle_answers_with_the_mean_and_is_centred_on_it(bundle, finished_run, second_run, prepared):
    import keras

    from unmask.data.prepared import load_prepared
    from unmask.detector import Detector
    from unmask.stats.calibration import fit_centre

    detector = Detector.load(bundle)
    runs = [keras.models.load_model(run / "model.keras", compile=False) for run in (finished_run, second_run)]

    def mean(split):
        return np.mean([run.predict_on_batch(np.load(prepared / f"{split}.npy"))[:, 0] for run in runs], axis=0)

    labels = load_prepared(prepared).labels("Validation")
    expected = mean("Test") - fit_centre(mean("Validation").astype(np.float64), labels)
    logits, maps = detector.logits_and_maps(np.load(prepared / "Test.npy"))
    np.testing.assert_allclose(logits, expected, atol=1e-3)
    assert maps.shape == (16, 2, 2)
    assert (detector.info.name, detector.info.outside_above is not None) == ("ensemble-32", True)


def test_the_card_tells_of_every_run(bundle, finished_run, second_run):
    card = (bundle / "MODEL_CARD.md").read_text()
    assert f"| run 1 of 2 | cnn, {finished_run.name} (size 32, epochs 2, " in card
    assert f"| run 2 of 2 | cnn, {second_run.name} (size 32, epochs 1, " in card
    assert str(second_run.parent) not in card
    assert json.loads((bundle / "bundle.json").read_text())["architecture"] == "ensemble"


def test_runs_from_different_pictures_need_to_be_told_which(finished_run, second_run, tmp_path):
    from unmask.export.run import export_run

    other = tmp_path / "other"
    other.mkdir()
    text = (second_run / "run.toml").read_text().splitlines()
    (other / "run.toml").write_text("\n".join(['data = "elsewhere"', *[t for t in text if not t.startswith("data")]]))
    with pytest.raises(UnmaskError, match="different pictures") as caught:
        export_run([finished_run, other], tmp_path / "bundle")
    assert "--data" in caught.value.hint
    assert not (tmp_path / "bundle").exists()


def exported(*words):
    from click.testing import CliRunner

    from unmask.cli.main import main

    return CliRunner().invoke(main, ["export", *map(str, words)])


def test_weights_are_asked_for_by_name_and_told_on_the_card(finished_run, second_run, prepared, tmp_path):
    import keras

    from unmask.data.prepared import load_prepared
    from unmask.detector import Detector
    from unmask.export.sharpness import Shares
    from unmask.stats.calibration import fit_centre

    weights = ("--weights", "3,1", "--blurred-weights", "1,9")
    result = exported(finished_run, second_run, *weights, "--out", tmp_path / "bundle")
    assert result.exit_code == 0, result.output
    card = (tmp_path / "bundle" / "MODEL_CARD.md").read_text()
    assert "| weights | 0.75, 0.25 |" in card
    assert "| weights of blurred pictures | 0.1, 0.9 |" in card

    labels = load_prepared(prepared).labels("Validation")
    runs = [keras.models.load_model(run / "model.keras", compile=False) for run in (finished_run, second_run)]
    for run in runs:  # each is centred by itself
        own = run.predict_on_batch(np.load(prepared / "Validation.npy"))[:, 0].astype(np.float64)
        run.layers[-1].bias.assign(run.layers[-1].bias - fit_centre(own, labels))

    def mean(images):
        logits = [run.predict_on_batch(images)[:, 0] for run in runs]
        return np.sum(np.asarray(Shares([3, 1], [1, 9])(images)).T * logits, axis=0)

    images = sharp_and_blurred(3, 32)
    expected = mean(images) - fit_centre(mean(np.load(prepared / "Validation.npy")).astype(np.float64), labels)
    logits, _ = Detector.load(tmp_path / "bundle").logits_and_maps(images)
    np.testing.assert_allclose(logits, expected, atol=1e-3)


def written(model, folder, data):
    """A run folder with this model."""
    from unmask.train.config import make_config, write_config

    folder.mkdir()
    model.save(folder / "model.keras")
    write_config(folder / "run.toml", make_config(data=str(data), model="mobilenetv2", size=model.inputs[0].shape[1]))
    return folder


def test_a_run_on_pictures_of_half_the_side_goes_through_the_whole_export(tmp_path):
    from unmask.detector import Detector
    from unmask.explain.hirescam import hirescam

    sides = (64, 32)
    data = [write_prepared(tmp_path / f"prepared-{side}", size=side) for side in sides]
    members = [averaging(side, side) for side in sides]
    runs = [written(model, tmp_path / str(side), of) for model, side, of in zip(members, sides, data, strict=True)]
    weights, out = ("--weights", "3,1", "--blurred-weights", "1,3"), tmp_path / "bundle"
    refused = exported(*runs, *weights, "--out", out)
    assert refused.exit_code == 2
    assert "pictures of the largest of their sizes" in " ".join(refused.output.split())
    refused = exported(*runs, *weights, "--data", data[1], "--out", out)
    assert refused.exit_code == 2
    assert "Name a folder with pictures of 64 px" in " ".join(refused.output.split())
    result = exported(*runs, *weights, "--data", data[0], "--out", out)
    assert result.exit_code == 0, result.output

    detector, images = Detector.load(out), sharp_and_blurred(2, 64)
    assert detector.info.outside_above is not None
    logits, maps = detector.logits_and_maps(images)
    assert np.isfinite(logits).all()
    assert maps.shape == (4, 4, 4)
    # Behind an average both are the same; this one splits the graph at its last map.
    np.testing.assert_allclose(hirescam(detector, images), maps, atol=0.02 * maps.max())


def test_models_are_centred_one_by_one_where_they_count_by_sharpness(prepared):
    import keras

    from unmask.data.source import open_source
    from unmask.export.ensemble import ensemble
    from unmask.export.gradcam import member_outputs
    from unmask.export.run import centre
    from unmask.stats.calibration import fit_centre
    from unmask.train.loop import judge

    members = models(1, 2, side=32, shift=0.0)
    for model, bias in zip(members, (3.0, -5.0), strict=True):
        model.layers[-1].bias.assign([bias])
    validation = open_source(prepared, "Validation")
    for blurred, apart in ((None, 8.0), ((1, 9), 0.0)):
        whole = ensemble(members, (3, 1), blurred) if blurred else ensemble(members)
        centre(whole, validation)
        assert fit_centre(judge(whole, validation), validation.labels) == pytest.approx(0, abs=0.02)
        each = keras.Model(whole.inputs[0], member_outputs(whole))
        centres = [
            fit_centre(judge(keras.Model(whole.inputs[0], one), validation), validation.labels) for one in each.outputs
        ]
        assert centres[0] - centres[1] == pytest.approx(apart, abs=0.5)


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ("1", "1 for 2 here"),
        ("1,2,3", "3 for 2 here"),
        ("1,0", "no list of numbers above 0"),
        ("1,-1", "no list of numbers above 0"),
        ("1,inf", "no list of numbers above 0"),
        ("1,nan", "no list of numbers above 0"),
        ("a,b", "no list of numbers above 0"),
        ("", "no list of numbers above 0"),
    ],
)
@pytest.mark.parametrize("option", ["--weights", "--blurred-weights"])
def test_other_weights_are_refused(option, weights, words, finished_run, second_run, tmp_path):
    result = exported(finished_run, second_run, f"{option}={weights}", "--out", tmp_path / "bundle")
    assert result.exit_code == 2
    assert words in " ".join(result.output.split())
    assert not (tmp_path / "bundle").exists()


@pytest.mark.parametrize("name", ["weights", "blurred_weights"])
@pytest.mark.parametrize("numbers", [[1.0], [1.0, 0.0], [1.0, float("nan")], [1.0, 2.0, 3.0]])
def test_other_weights_are_refused_by_the_library(name, numbers):
    from unmask.export.ensemble import ensemble

    with pytest.raises(ValueError, match="2 models need as many weights above 0"):
        ensemble(models(1, 2), **{name: numbers})


def test_weights_need_several_runs(finished_run, tmp_path):
    result = exported(finished_run, "--weights", "1", "--out", tmp_path / "bundle")
    assert (result.exit_code, "for each of several runs" in " ".join(result.output.split())) == (2, True)


def test_of_runs_of_two_sizes_the_larger_look_at_the_middle(tmp_path):
    from unmask.detector import Detector
    from unmask.explain.hirescam import hirescam

    sides = (64, 32)
    data = [write_prepared(tmp_path / f"prepared-{side}", size=side) for side in sides]
    members = [averaging(side, side) for side in sides]
    runs = [written(model, tmp_path / str(side), of) for model, side, of in zip(members, sides, data, strict=True)]
    images = sharp_and_blurred(2, 64)
    around = images.copy()
    around[:, :16], around[:, -16:], around[:, :, :16], around[:, :, -16:] = 0, 255, 9, 99
    moved = []
    for number, weights in enumerate(("1e6,1", "1,1")):
        out = tmp_path / f"bundle-{number}"
        options = ("--weights", weights, "--middle", "32", "--kernel-bits", ("32", "8")[number])
        result = exported(*runs, *options, "--data", data[0], "--out", out)
        assert result.exit_code == 0, result.output
        detector = Detector.load(out)
        moved.append(np.abs(detector.logits(images) - detector.logits(around)))
    # The larger one does not see what changed, and the smaller one does.
    assert moved[0].max() < 1e-3 * moved[1].min()
    _, maps = detector.logits_and_maps(images)
    np.testing.assert_allclose(hirescam(detector, images), maps, atol=0.02 * maps.max())
    card = (out / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "| kernels | 8 bits |" in card
    assert "| looks at | the middle 32 px of each picture's 64; runs of half the side look at all of theirs |" in card
