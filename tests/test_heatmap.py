import numpy as np

from unmask.heatmap import colour, normalise, overlay


def test_a_map_is_scaled_to_its_own_maximum():
    np.testing.assert_allclose(normalise(np.array([[0.0, 1.0], [2.0, 4.0]], np.float32)), [[0, 0.25], [0.5, 1]])


def test_a_map_of_nothing_stays_nothing():
    result = normalise(np.zeros((3, 3), np.float32))
    assert result.max() == 0.0
    assert np.isfinite(result).all()


def test_colours_have_the_asked_size_and_grow_brighter():
    ramp = np.linspace(0, 1, 8, dtype=np.float32)[None].repeat(8, axis=0)
    picture = colour(ramp, 200, 100)
    assert (picture.shape, picture.dtype) == ((100, 200, 3), np.uint8)
    brightness = picture.astype(float).sum(axis=2).mean(axis=0)
    assert (np.diff(brightness[15:-15]) >= -1.0).all()


def test_an_overlay_at_no_opacity_is_the_picture_itself():
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    np.testing.assert_array_equal(overlay(pixels, np.ones((4, 4), np.float32), 0.0), pixels)


def test_an_overlay_at_full_opacity_is_the_heatmap_alone():
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    heatmap = np.random.default_rng(1).random((5, 5), np.float32)
    np.testing.assert_array_equal(overlay(pixels, heatmap, 1.0), colour(heatmap, 40, 40))
