import base64
import io

import numpy as np
from PIL import Image

from unmask.explain.heatmap import OPACITY, colour, normalise, overlay


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


def test_an_overlay_leaves_alone_what_did_not_raise_the_score():
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    np.testing.assert_array_equal(overlay(pixels, np.zeros((5, 5), np.float32)), pixels)


def test_an_overlay_at_full_opacity_is_the_heatmap_alone_where_it_is_high():
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    heatmap = np.full((5, 5), 0.5, np.float32)
    np.testing.assert_array_equal(overlay(pixels, heatmap, 1.0), colour(heatmap, 40, 40))


def test_the_web_page_shows_the_same_heatmap():
    from unmask.serve.data_urls import HEATMAP_SIDE, heatmap_url

    heatmap = np.random.default_rng(1).random((5, 5), np.float32)
    data = base64.b64decode(heatmap_url(heatmap).partition(",")[2])
    red, green, blue, alpha = np.moveaxis(np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"), float), 2, 0)
    pixels = np.full((HEATMAP_SIDE, HEATMAP_SIDE, 3), 100, np.uint8)
    weight = (alpha / 255 * OPACITY)[..., None]
    expected = np.rint(pixels * (1 - weight) + np.dstack([red, green, blue]) * weight)
    np.testing.assert_allclose(overlay(pixels, heatmap), expected, atol=1)
