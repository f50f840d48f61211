import numpy as np
import pytest

from unmask.models import build

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def plain():
    import keras

    keras.utils.set_random_seed(1)
    inputs = keras.Input((16, 16, 3), name="image")
    maps = inputs
    for _ in range(2):
        maps = keras.layers.Conv2D(8, 3)(maps)
        maps = keras.layers.ReLU(6.0)(keras.layers.BatchNormalization(momentum=0.5)(maps))
    return keras.Model(inputs, keras.layers.Dense(1)(keras.layers.GlobalAveragePooling2D()(maps)))


def fused_copy(model):
    from unmask.train.fused_norm import with_fused_norm

    return with_fused_norm(model)


def fused_layers(model):
    from unmask.train.fused_norm import FusedBatchNormalization

    return [layer for layer in model.layers if isinstance(layer, FusedBatchNormalization)]


def losses_of(model, count=3):
    import keras

    model.compile(
        optimizer=keras.optimizers.SGD(0.1), loss=keras.losses.BinaryCrossentropy(from_logits=True), jit_compile=False
    )
    random = np.random.default_rng(0)
    images = random.normal(3.0, 2.0, (8, 16, 16, 3)).astype(np.float32)
    labels = (np.arange(8) % 2).astype(np.float32)[:, None]
    return [float(model.train_on_batch(images, labels)) for _ in range(count)]


def test_it_learns_exactly_what_keras_own_layers_learn(plain):
    import keras

    own = keras.models.clone_model(plain)
    own.set_weights(plain.get_weights())
    fused = fused_copy(plain)
    np.testing.assert_allclose(losses_of(fused), losses_of(own), rtol=1e-5)
    # The moving statistics are among the weights, with Keras' own divisor n.
    for ours, theirs in zip(fused.get_weights(), own.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_names_and_weights_stay_where_they_were(plain):
    fused = fused_copy(plain)
    assert [layer.name for layer in fused.layers] == [layer.name for layer in plain.layers]
    assert len(fused_layers(fused)) == 2
    for ours, theirs in zip(fused.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_layer_that_does_not_learn_keeps_its_statistics(plain):
    fused = fused_copy(plain)
    still = fused_layers(fused)
    for layer in still:
        layer.trainable = False
    before = [layer.moving_mean.numpy() for layer in still]
    losses_of(fused, 1)
    for layer, mean in zip(still, before, strict=True):
        np.testing.assert_array_equal(layer.moving_mean.numpy(), mean)


def test_a_model_without_normalisation_is_left_alone():
    cnn = build("cnn", 24)
    assert fused_copy(cnn) is cnn
