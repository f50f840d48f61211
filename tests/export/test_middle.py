"""Looking at the middle of a picture only."""

import numpy as np
import pytest
from tests.prepared_faces import write_prepared

from unmask.errors import UnmaskError

pytestmark = pytest.mark.train

SIDE = 128


def noise(count, side=SIDE):
    """Pictures that are no two alike, also where they are averaged."""
    rng = np.random.default_rng(1)
    coarse = rng.integers(0, 256, (count, side // 16, side // 16, 3)).repeat(16, axis=1).repeat(16, axis=2)
    return (coarse // 2 + rng.integers(0, 128, (count, side, side, 3))).astype(np.uint8)


def trained(architecture="mobilenetv2", seed=3, side=SIDE):
    """Normalisation follows some pictures, so that the answers differ."""
    import keras

    from unmask.models import build

    keras.utils.set_random_seed(seed)
    model = build(architecture, side)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    model(noise(16, side), training=True)
    return model


def alone(model, side):
    """The same weights, for pictures of another size."""
    from unmask.models import build

    small = build(model.name, side)
    small.set_weights(model.get_weights())
    return small


def cut(images, middle):
    margin = (images.shape[1] - middle) // 2
    return images[:, margin:-margin, margin:-margin]


def heatmaps(model, images):
    from unmask.export.gradcam import explained

    return explained(model).predict_on_batch(images)[1]


@pytest.fixture(scope="module")
def model():
    return trained()


@pytest.mark.parametrize("middle", [64, 96])
def test_the_logit_is_that_of_the_middle_alone(model, middle):
    from unmask.export.middle import middle_of

    images = noise(5)
    expected = alone(model, middle).predict_on_batch(cut(images, middle))
    assert np.ptp(expected) > 1e-3
    found = middle_of(model, middle).predict_on_batch(images)
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())
    assert np.abs(found - model.predict_on_batch(images)).max() > 1e-3


def test_the_model_itself_stays_as_it_was(model):
    from unmask.export.middle import middle_of

    images = noise(3)
    before = model.predict_on_batch(images)
    middle_of(model, 64)
    np.testing.assert_array_equal(model.predict_on_batch(images), before)


def heatmaps_of_both(model, middle):
    """Of a model that looks at the middle, and of one that is given the middle alone."""
    from unmask.export.middle import middle_of

    images = noise(4)
    expected, maps = heatmaps(alone(model, middle), cut(images, middle)), heatmaps(middle_of(model, middle), images)
    assert maps.shape == (4, 4, 4)
    assert expected.max() > 0
    return maps, expected


def test_the_heatmap_is_that_of_the_middle_and_dark_around(model):
    maps, expected = heatmaps_of_both(model, 64)
    np.testing.assert_allclose(maps, np.pad(expected, ((0, 0), (1, 1), (1, 1))), atol=1e-4 * expected.max())


def test_places_that_lie_between_others_are_shared_evenly(model):
    maps, expected = heatmaps_of_both(model, 96)
    around = np.pad(expected, ((0, 0), (1, 1), (1, 1)))
    shared = (around[:, :-1, :-1] + around[:, 1:, :-1] + around[:, :-1, 1:] + around[:, 1:, 1:]) / 4
    # Where the sum over the channels is below zero, it is cut off before it is shared in one way and after it in the other.
    assert (maps <= shared + 1e-4 * expected.max()).all()
    inner = (expected > 0).all(axis=(1, 2))
    np.testing.assert_allclose(maps[inner], shared[inner], atol=1e-4 * expected.max())


def test_several_models_go_together_and_into_16_bits():
    import onnx
    import onnxruntime

    from unmask.export.ensemble import ensemble
    from unmask.export.graph import to_onnx
    from unmask.export.kernels import round_kernels
    from unmask.export.middle import middle_of

    members, images = [trained(seed=3, side=64), trained(seed=4, side=64)], noise(5, 64)
    expected = np.mean([alone(one, 32).predict_on_batch(cut(images, 32)) for one in members], axis=0)
    whole = ensemble([middle_of(one, 32) for one in members])
    np.testing.assert_allclose(whole.predict_on_batch(images), expected, atol=1e-5 * np.abs(expected).max())
    round_kernels(whole, 16)
    graph = to_onnx(whole, kernel_bits=16)
    rounded = whole.predict_on_batch(images)
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    # Close only if all kernels were rounded before the graph was made, those within the models' backbones, too.
    logits = session.run(["logit"], {"image": images})[0]
    np.testing.assert_allclose(logits[:, None], rounded, atol=1e-4 * np.abs(rounded).max())
    kernels = [
        one for one in onnx.load_from_string(graph).graph.initializer if one.data_type == onnx.TensorProto.FLOAT16
    ]
    assert len(kernels) > 2 * 30


def test_a_head_that_does_not_average_is_refused():
    from unmask.export.middle import middle_of
    from unmask.models import build

    with pytest.raises(UnmaskError, match="cnn cannot look at the middle") as caught:
        middle_of(build("cnn", 64), 32)
    assert "Leave --middle out" in caught.value.hint


@pytest.mark.parametrize("middle", [32, 65, 100, 128, 160])
def test_a_middle_that_does_not_fit_is_refused_with_those_that_do(model, middle):
    from unmask.export.middle import middle_of

    with pytest.raises(UnmaskError, match=f"the middle {middle} px") as caught:
        middle_of(model, middle)
    assert "64, 96" in caught.value.hint


@pytest.mark.parametrize("side", [32, 100, 112, 161])
def test_a_side_that_halves_to_odd_ones_has_no_middle(side):
    from unmask.export.middle import middle_of
    from unmask.models import build

    # 112 px have 4 places, as if they were 28 px wide; the middle 56 px have 2, but not of these.
    with pytest.raises(UnmaskError, match="cannot look at the middle") as caught:
        middle_of(build("mobilenetv2", side), side * 3 // 4)
    assert caught.value.hint == "Leave --middle out."


def test_a_bundle_of_the_middle_says_so_and_does_not_see_the_rest(tmp_path):
    from click.testing import CliRunner

    from unmask.cli.main import main
    from unmask.detector import Detector
    from unmask.explain.hirescam import hirescam
    from unmask.train.config import make_config, write_config

    run, out = tmp_path / "run", tmp_path / "bundle"
    run.mkdir()
    trained(side=64).save(run / "model.keras")
    write_config(
        run / "run.toml",
        make_config(data=str(write_prepared(tmp_path / "prepared", size=64)), model="mobilenetv2", size=64),
    )
    result = CliRunner().invoke(main, ["export", str(run), "--middle", "32", "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert "| looks at | the middle 32 px of each picture's 64 |" in (out / "MODEL_CARD.md").read_text()
    detector, images = Detector.load(out), noise(3, 64)
    other = images.copy()
    other[:, :16], other[:, -16:], other[:, :, :16], other[:, :, -16:] = 0, 255, 9, 99
    np.testing.assert_array_equal(detector.logits(images), detector.logits(other))
    other[:, 30:34, 30:34] = 0
    assert (detector.logits(images) != detector.logits(other)).all()
    # Behind an average both are the same; this one splits the graph at its last map.
    _, maps = detector.logits_and_maps(images)
    np.testing.assert_allclose(hirescam(detector, images), maps, atol=0.02 * maps.max())
