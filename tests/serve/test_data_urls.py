import base64

import numpy as np

from unmask.finding import Box
from unmask.image.read import read_image
from unmask.serve.data_urls import CLOSEUP_SIDE, PREVIEW_BYTES, PREVIEW_SIDE, closeup_url, preview_url


def preview(pixels: np.ndarray) -> bytes:
    return base64.b64decode(preview_url(pixels)[0].partition(",")[2])


def test_a_large_picture_is_shown_smaller(drawn_face: np.ndarray) -> None:
    large = np.tile(drawn_face, (4, 3, 1))
    assert read_image(preview(large)).pixels.shape == (PREVIEW_SIDE, PREVIEW_SIDE * 3 // 4, 3)


def test_a_picture_of_noise_does_not_blow_up_the_reply() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (PREVIEW_SIDE, PREVIEW_SIDE, 3), dtype=np.uint8)
    assert len(preview(noise)) <= PREVIEW_BYTES


def test_a_face_is_cut_out_where_the_preview_as_it_became_does_not_show_it_as_well() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (PREVIEW_SIDE, PREVIEW_SIDE, 3), dtype=np.uint8)
    _, side = preview_url(noise)
    assert side < PREVIEW_SIDE
    face = Box(0, 0, CLOSEUP_SIDE, CLOSEUP_SIDE)
    assert closeup_url(noise, face, side)
    assert closeup_url(noise, face, PREVIEW_SIDE) is None
