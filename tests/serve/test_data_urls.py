import base64

import numpy as np

from unmask.image.read import read_image
from unmask.serve.data_urls import PREVIEW_BYTES, PREVIEW_SIDE, preview_url


def preview(pixels: np.ndarray) -> bytes:
    return base64.b64decode(preview_url(pixels).partition(",")[2])


def test_a_large_picture_is_shown_smaller(drawn_face: np.ndarray) -> None:
    large = np.tile(drawn_face, (4, 3, 1))
    assert read_image(preview(large)).pixels.shape == (PREVIEW_SIDE, PREVIEW_SIDE * 3 // 4, 3)


def test_a_picture_of_noise_does_not_blow_up_the_reply() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (PREVIEW_SIDE, PREVIEW_SIDE, 3), dtype=np.uint8)
    assert len(preview(noise)) <= PREVIEW_BYTES
