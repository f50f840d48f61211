import numpy as np
import pytest

from unmask.data.batches import Batch

pytestmark = pytest.mark.train


def toy():
    import keras
    from keras import layers

    inputs = keras.Input((8, 8, 3), dtype="uint8")
    x = layers.Rescaling(1 / 255)(inputs)
    x = layers.Conv2D(4, 4, 4, activation="relu", name="map")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(1, name="logit")(x))


def test_the_places_add_up_to_the_logit():
    from unmask.train.localise import with_places

    model = toy()
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)
    found = np.asarray(with_places(model)(images))
    assert found.shape == (5, 1 + 4)
    np.testing.assert_allclose(found[:, 1:].mean(axis=1), found[:, 0], atol=1e-6)
    np.testing.assert_allclose(found[:, :1], model(images), atol=1e-6)


def test_targets_are_labels_and_the_share_of_each_place():
    from unmask.train.localise import targets_of

    masks = np.zeros((2, 8, 8), np.uint8)
    masks[1, :4, :2] = 255
    batch = Batch(np.zeros((2, 8, 8, 3), np.uint8), np.array([0, 1]), masks)
    np.testing.assert_allclose(targets_of(batch, 4), [[0, 0, 0, 0, 0], [1, 0.5, 0, 0, 0]], atol=0.01)
    np.testing.assert_array_equal(targets_of(batch._replace(masks=None), 4)[:, 1:], 0)
    np.testing.assert_array_equal(targets_of(batch, 0), [[0], [1]])


def test_the_loss_is_the_plain_one_where_no_mask_is_known_and_asks_for_the_place_where_one_is():
    import keras

    from unmask.train.localise import accuracy, localising_loss

    plain = keras.losses.BinaryCrossentropy(from_logits=True)
    loss = localising_loss(plain, 0.5)
    outputs = np.array([[2.0, 0.0, 4.0, 0.0, 0.0], [-1.0, 0.0, 0.0, 0.0, 0.0]], np.float32)
    bare = np.array([[1, 0, 0, 0, 0], [0, 0, 0, 0, 0]], np.float32)
    expected = float(plain(bare[:, :1], outputs[:, :1]))
    assert float(loss(bare, outputs)) == pytest.approx(expected)
    right, wrong = bare.copy(), bare.copy()
    right[0, 2], wrong[0, 1] = 0.3, 0.3
    chances = np.exp([0, 4, 0, 0]) / np.exp([0, 4, 0, 0]).sum()
    assert float(loss(right, outputs)) == pytest.approx(expected - 0.5 * np.log(chances[1]), rel=1e-5)
    assert float(loss(wrong, outputs)) == pytest.approx(expected - 0.5 * np.log(chances[0]), rel=1e-5)
    np.testing.assert_array_equal(accuracy(bare, outputs), [1, 1])
