import numpy as np
import pytest

from unmask.train.config import make_config
from unmask.train.transform import transform_of


@pytest.fixture
def batch():
    images = np.random.default_rng(0).integers(0, 256, (40, 48, 48, 3), dtype=np.uint8)
    return images, np.arange(40) % 2


def transformed(batch, **settings):
    images, labels = batch
    return transform_of(make_config(data="here", **settings))(
        images, labels, np.arange(len(labels)), np.random.default_rng(1)
    )


def test_without_a_wish_nothing_is_done():
    assert transform_of(make_config(data="here")) is None


def test_augmentation_keeps_the_labels(batch):
    images, labels, *_ = transformed(batch, augment="light")
    assert images.shape == batch[0].shape
    assert not np.array_equal(images, batch[0])
    np.testing.assert_array_equal(labels, batch[1])


def test_blending_makes_fakes_of_some_real_pictures_and_leaves_the_fakes(batch):
    images, labels, *_ = transformed(batch, blend=0.5)
    turned = labels != batch[1]
    assert 3 <= turned.sum() <= 17
    assert (labels[turned] == 1).all()
    np.testing.assert_array_equal(images[~turned], batch[0][~turned])


def test_the_same_draw_gives_the_same_batch(batch):
    for settings in ({"augment": "delivery"}, {"augment": "light", "blend": 0.3}):
        np.testing.assert_array_equal(transformed(batch, **settings)[0], transformed(batch, **settings)[0])


def test_blends_follow_the_landmarks_of_each_picture_where_the_source_knows_them(batch):
    from unmask.data.source import Source

    images, labels = batch
    points = np.full((90, 5, 2), np.nan, np.float32)
    points[50:] = np.array([[8, 8], [14, 8], [11, 11], [9, 14], [13, 14]], np.float32)
    names = np.full(90, "")
    source = Source("Train", 48, ("",) * 90, np.zeros(90, np.int64), names, names, lambda _: images, lambda: points)
    transform = transform_of(make_config(data="here", blend=1.0), source)

    def touched(first):
        found, *_ = transform(images, labels, np.arange(first, first + 40), np.random.default_rng(1))
        return (found != images).any(axis=3)[labels == 0].mean(axis=0)

    # The small face sits in the upper left; the average one fills the middle.
    assert touched(50)[30:, 30:].max() < touched(0)[30:, 30:].max()


def test_windows_are_cut_at_the_pictures_own_scale_at_places_of_their_own():
    # Each pixel says where it is.
    rows, columns = np.mgrid[0:48, 0:48]
    image = np.stack([rows, columns, np.zeros_like(rows)], axis=2).astype(np.uint8)
    cut, labels, *_ = transformed((np.repeat(image[None], 40, axis=0), np.arange(40) % 2), model="mobilenetv2", crop=32)
    assert cut.shape == (40, 32, 32, 3)
    np.testing.assert_array_equal(labels, np.arange(40) % 2)
    corners = {tuple(window[0, 0, :2].tolist()) for window in cut}
    assert len(corners) > 30
    assert {place for corner in corners for place in corner} <= set(range(17))
    for window in cut:
        np.testing.assert_array_equal(window, image[window[0, 0, 0] :, window[0, 0, 1] :][:32, :32])


@pytest.mark.parametrize("augment", ["light", "delivery"])
def test_windows_are_cut_from_changed_pictures_too(batch, augment):
    cut, labels, *_ = transformed(batch, model="mobilenetv2", crop=32, augment=augment)
    assert cut.shape == (40, 32, 32, 3)
    np.testing.assert_array_equal(labels, batch[1])


def test_a_window_as_large_as_the_picture_is_the_picture(batch):
    np.testing.assert_array_equal(transformed(batch, model="mobilenetv2", crop=48)[0], batch[0])


@pytest.mark.parametrize("augment", ["none", "light", "delivery"])
def test_masks_move_along_with_the_pixels_where_they_are_asked_for(batch, augment):
    flat = np.full_like(batch[0], 120)
    settings = {"model": "clip_vit_b16", "augment": augment, "blend": 1.0, "localise": 0.1}
    images, labels, masks, _ = transformed((flat, batch[1]), **settings)
    assert images.shape == flat.shape
    assert masks.shape == flat.shape[:3]
    assert labels.all()
    np.testing.assert_array_equal(masks.any(axis=(1, 2)), batch[1] == 0)
    assert transformed(batch, augment=augment, blend=1.0).masks is None
