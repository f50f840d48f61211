"""Several runs as one detector."""

import json
import shutil

import numpy as np
import pytest
from tests.export.tiny import autodiff_grad_cam, noise, run_graph, tiny_model

from unmask.errors import UnmaskError

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def members():
    return [tiny_model(seed) for seed in (1, 2, 3)]


def test_it_answers_with_the_mean_of_the_logits(members):
    from unmask.export.ensemble import ensemble

    alone = np.stack([model.predict_on_batch(noise(5)) for model in members])
    assert np.ptp(alone, axis=0).min() > 1e-3 * np.abs(alone).max()
    np.testing.assert_allclose(ensemble(members).predict_on_batch(noise(5)), alone.mean(axis=0), rtol=1e-4)


def test_a_single_model_stays_as_it_is(members):
    from unmask.export.ensemble import ensemble

    assert ensemble(members[:1]) is members[0]


def test_the_weights_are_copies(members):
    from unmask.export.ensemble import ensemble

    whole, before = ensemble(members[:2]), members[0].predict_on_batch(noise(3))
    whole.set_weights([weight + 1 for weight in whole.get_weights()])
    np.testing.assert_array_equal(members[0].predict_on_batch(noise(3)), before)


def test_the_graph_gives_mean_and_grad_cam(members):
    from unmask.export.ensemble import ensemble
    from unmask.export.graph import to_onnx

    model = ensemble(members[:2])
    logits, maps = run_graph(to_onnx(model), noise(4), "logit", "cam")
    np.testing.assert_allclose(logits, model.predict_on_batch(noise(4))[:, 0], atol=1e-4)
    expected = autodiff_grad_cam(model, noise(4))
    assert expected.max() > 0
    np.testing.assert_allclose(maps, expected, atol=1e-3 * expected.max())


def test_models_of_two_sizes_are_refused(members):
    from unmask.export.ensemble import ensemble

    with pytest.raises(UnmaskError, match="cannot be put together") as caught:
        ensemble([members[0], tiny_model(4, side=64)])
    assert "--size" in caught.value.hint


def test_weights_that_are_the_same_are_in_the_graph_once(members):
    from unmask.export.ensemble import ensemble
    from unmask.export.graph import to_onnx

    once, twice = to_onnx(members[0]), to_onnx(ensemble([members[0], members[0]]))
    assert len(twice) < 1.3 * len(once)
    np.testing.assert_allclose(*(run_graph(graph, noise(4), "logit")[0] for graph in (once, twice)), atol=1e-5)


@pytest.mark.parametrize("same", [True, False], ids=["same tower", "other tower"])
def test_heads_on_the_same_tower_share_it(same):
    from unmask.export.ensemble import ensemble
    from unmask.models import backbone_layers, build

    models = [build("clip_vit_b16", 224, blocks=1) for _ in range(2)]
    if same:
        for ours, theirs in zip(*(backbone_layers(model) for model in models), strict=True):
            theirs.set_weights(ours.get_weights())
    whole, pictures = ensemble(models), noise(2, 224)
    alone = np.stack([model.predict_on_batch(pictures) for model in models])
    assert not np.allclose(*alone, atol=1e-3)
    np.testing.assert_allclose(whole.predict_on_batch(pictures), alone.mean(axis=0), atol=1e-4)
    tower = sum(weight.size for layer in backbone_layers(models[0]) for weight in layer.get_weights())
    both = sum(model.count_params() for model in models)
    assert whole.count_params() == both - tower * same


def test_heads_that_damp_and_that_do_not_go_together():
    from unmask.export.ensemble import ensemble
    from unmask.models import backbone_layers, build

    models = [build("clip_vit_b16_whole", 224, blocks=1) for _ in range(2)]
    for ours, theirs in zip(*(backbone_layers(model) for model in models), strict=True):
        theirs.set_weights(ours.get_weights())
    layer = models[0].get_layer("damped")
    draw = np.random.default_rng(0)
    layer.set_weights([draw.normal(0, 0.01, weight.shape) for weight in layer.get_weights()[:2]] + [np.float32(1.5)])
    pictures = noise(2, 224)
    alone = np.stack([model.predict_on_batch(pictures) for model in models])
    np.testing.assert_allclose(ensemble(models).predict_on_batch(pictures), alone.mean(axis=0), atol=1e-4)


@pytest.fixture(scope="module")
def on_one_tower():
    """Two heads that ask every patch and one that sees a picture as a whole; all three as one, and the graph of that."""
    from unmask.export.ensemble import ensemble
    from unmask.export.graph import to_onnx
    from unmask.models import backbone_layers, build

    heads = [build(name, 224, blocks=1) for name in ("clip_vit_b16", "clip_vit_b16", "clip_vit_b16_whole")]
    for ours, *theirs in zip(*(backbone_layers(model) for model in heads), strict=True):
        for layer in theirs:
            layer.set_weights(ours.get_weights())
    whole = ensemble(heads)
    return heads, whole, to_onnx(whole)


def test_a_graph_holds_a_shared_tower_once(on_one_tower):
    from unmask.models import backbone_layers

    heads, whole, graph = on_one_tower
    tower = sum(weight.size for layer in backbone_layers(heads[0]) for weight in layer.get_weights())
    undamped = sum(weight.size for weight in heads[2].get_layer("damped").get_weights())  # which is left out
    assert whole.count_params() == sum(model.count_params() for model in heads) - 2 * tower - undamped
    assert len(graph) < 4.2 * whole.count_params()
    (logits,) = run_graph(graph, noise(2, 224), "logit")
    alone = [model.predict_on_batch(noise(2, 224))[:, 0] for model in heads]
    np.testing.assert_allclose(logits, np.mean(alone, axis=0), atol=1e-4)


def test_a_head_without_a_map_leaves_the_map_to_the_others(on_one_tower):
    from unmask.export.ensemble import ensemble

    heads, _, graph = on_one_tower
    (maps,) = run_graph(graph, noise(2, 224), "cam")
    expected = autodiff_grad_cam(ensemble(heads[:2]), noise(2, 224))
    assert maps.shape == (2, 14, 14)
    assert np.ptp(expected) > 0
    np.testing.assert_allclose(maps, expected, atol=1e-3 * expected.max())


@pytest.fixture(scope="module")
def second_run(finished_run, tmp_path_factory):
    """A run like the finished one, with weights of its own."""
    import keras

    folder = shutil.copytree(finished_run, tmp_path_factory.mktemp("runs") / "second")
    model = keras.models.load_model(folder / "model.keras", compile=False)
    model.set_weights([0.9 * weight for weight in model.get_weights()])
    model.save(folder / "model.keras")
    return folder


def test_a_bundle_of_two_runs_answers_with_their_mean(finished_run, second_run, prepared, tmp_path):
    import keras

    from unmask.detector import Detector
    from unmask.export.run import export_run

    bundle = export_run([finished_run, second_run], tmp_path / "bundle")
    images = np.load(prepared / "Validation.npy")
    runs = [keras.models.load_model(run / "model.keras", compile=False) for run in (finished_run, second_run)]
    mean = np.mean([run.predict_on_batch(images)[:, 0] for run in runs], axis=0)
    detector = Detector.load(bundle)
    assert np.ptp(mean - detector.logits(images)) < 1e-3  # but for the centre, which is one number
    assert detector.info.outside_above is not None
    assert json.loads((bundle / "bundle.json").read_text())["architecture"] == "ensemble"
    card = (bundle / "MODEL_CARD.md").read_text()
    assert f"| run 1 of 2 | cnn, {finished_run.name} (size 32, epochs 2" in card
    assert f"| run 2 of 2 | cnn, {second_run.name} (size 32, epochs 2" in card
    assert str(second_run.parent) not in card


def test_runs_from_different_pictures_need_to_be_told_which(finished_run, tmp_path):
    from unmask.export.run import export_run

    other = tmp_path / "other"
    other.mkdir()
    lines = (finished_run / "run.toml").read_text().splitlines()
    lines = ['data = "elsewhere"', *[line for line in lines if not line.startswith("data")]]
    (other / "run.toml").write_text("\n".join(lines))
    with pytest.raises(UnmaskError, match="different pictures") as caught:
        export_run([finished_run, other], tmp_path / "bundle")
    assert "--data" in caught.value.hint
    assert not (tmp_path / "bundle").exists()
