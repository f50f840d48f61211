"""Several runs as one detector."""

import json

import numpy as np
import pytest

from unmask.errors import UnmaskError

pytestmark = pytest.mark.train


def noise(count, side):
    return np.random.default_rng(1).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def models(*seeds, architecture="cnn", side=32):
    import keras

    from unmask.models import build

    built = []
    for seed in seeds:
        keras.utils.set_random_seed(seed)
        built.append(build(architecture, side))
    return built


def autodiff_cam(model, images, *, mean_gradient):
    """Grad-CAM of the mean logit by automatic differentiation, or HiResCAM, which takes the gradient of each place."""
    import keras
    import tensorflow as tf

    from unmask.train.gradcam import whole_map

    spatial_map = whole_map(model)
    maps = keras.Model(model.inputs, spatial_map)([images], training=False)
    with tf.GradientTape() as tape:
        tape.watch(maps)
        logits = keras.Model(spatial_map, model.outputs[0])(maps, training=False)
    gradient = tape.gradient(logits, maps)
    if mean_gradient:
        gradient = tf.reduce_mean(gradient, axis=(1, 2), keepdims=True)
    return tf.nn.relu(tf.reduce_sum(maps * gradient, axis=-1)).numpy()


def test_it_answers_with_the_mean_of_the_logits():
    from unmask.train.ensemble import ensemble

    members, images = models(1, 2, 3), noise(5, 32)
    expected = np.mean([model.predict_on_batch(images) for model in members], axis=0)
    assert np.ptp([model.predict_on_batch(images)[0] for model in members]) > 1e-4
    np.testing.assert_allclose(ensemble(members).predict_on_batch(images), expected, atol=1e-5)


def test_a_single_model_stays_as_it_is():
    from unmask.train.ensemble import ensemble

    (model,) = models(1)
    assert ensemble([model]) is model


def test_the_weights_are_copies():
    from unmask.train.ensemble import ensemble, last_layers

    members, images = models(1, 2), noise(3, 32)
    before = members[0].predict_on_batch(images)
    for layer in last_layers(ensemble(members)):
        layer.bias.assign(layer.bias + 1)
    np.testing.assert_array_equal(members[0].predict_on_batch(images), before)


def test_the_graph_gives_mean_and_grad_cam():
    import onnxruntime

    from unmask.train.ensemble import ensemble
    from unmask.train.graph import to_onnx

    model, images = ensemble(models(3, 4, side=64)), noise(4, 64)
    session = onnxruntime.InferenceSession(to_onnx(model), providers=["CPUExecutionProvider"])
    logits, maps = session.run(["logit", "cam"], {"image": images})
    np.testing.assert_allclose(logits, model.predict_on_batch(images)[:, 0], atol=1e-4)
    expected = autodiff_cam(model, images, mean_gradient=True)
    assert expected.max() > 0
    assert np.abs(maps - expected).max() <= 1e-3 * (expected.max() - expected.min())


def test_hirescam_is_the_gradient_times_the_maps_of_all_models(tmp_path):
    from unmask.detector import Detector
    from unmask.hirescam import hirescam
    from unmask.train.ensemble import ensemble
    from unmask.train.export import Label, export_model

    model, images = ensemble(models(3, 4, side=64)), noise(4, 64)
    details = {"architecture": "ensemble", "settings": {}}
    bundle = export_model(model, tmp_path / "bundle", data=None, label=Label(), details=details)
    found = hirescam(Detector.load(bundle), images)
    expected = autodiff_cam(model, images, mean_gradient=False)
    assert expected.max() > 0
    np.testing.assert_allclose(found / found.max(), expected / expected.max(), atol=0.02)


def test_maps_of_different_sides_are_explained_by_occlusion():
    from unmask.train.ensemble import ensemble
    from unmask.train.gradcam import OCCLUSION_GRID, explained, find_heads

    model = ensemble([*models(1, side=64), *models(1, architecture="mobilenetv2", side=64)])
    assert find_heads(model) == ()
    _, maps = explained(model).predict_on_batch(noise(2, 64))
    assert maps.shape == (2, OCCLUSION_GRID, OCCLUSION_GRID)


def test_models_of_different_sizes_are_refused():
    from unmask.train.ensemble import ensemble

    with pytest.raises(UnmaskError, match="32, 48 px") as caught:
        ensemble([*models(1), *models(1, side=48)])
    assert "--size" in caught.value.hint


@pytest.fixture(scope="module")
def second_run(prepared, tmp_path_factory):
    from unmask.train.config import make_config
    from unmask.train.loop import train

    config = make_config(data=str(prepared), epochs=1, batch_size=16, precision="float32", seed=5)
    return train(config, tmp_path_factory.mktemp("runs") / "second").folder


@pytest.fixture(scope="module")
def bundle(finished_run, second_run, tmp_path_factory):
    from unmask.train.export import export_run

    return export_run([finished_run, second_run], tmp_path_factory.mktemp("bundles") / "both")


def test_the_bundle_answers_with_the_mean_and_is_centred_on_it(bundle, finished_run, second_run, prepared):
    import keras

    from unmask.detector import Detector
    from unmask.evaluate.calibration import fit_centre

    detector = Detector.load(bundle)
    runs = [keras.models.load_model(run / "model.keras", compile=False) for run in (finished_run, second_run)]

    def mean(split):
        return np.mean([run.predict_on_batch(np.load(prepared / f"{split}.npy"))[:, 0] for run in runs], axis=0)

    labels = load_labels(prepared)
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
    from unmask.train.export import export_run

    other = tmp_path / "other"
    other.mkdir()
    (other / "model.keras").write_bytes((second_run / "model.keras").read_bytes())
    text = (second_run / "run.toml").read_text().splitlines()
    (other / "run.toml").write_text("\n".join(['data = "elsewhere"', *[t for t in text if not t.startswith("data")]]))
    with pytest.raises(UnmaskError, match="different pictures") as caught:
        export_run([finished_run, other], tmp_path / "bundle")
    assert "--data" in caught.value.hint
    assert not (tmp_path / "bundle").exists()


def load_labels(prepared):
    from unmask.data.prepared import load_prepared

    return load_prepared(prepared).labels("Validation")
