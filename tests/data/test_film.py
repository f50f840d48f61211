"""Pictures as frames of a clip."""

from __future__ import annotations

import numpy as np
import pytest
from tests.data.pictures import picture

pytest.importorskip("av")
pytestmark = pytest.mark.train


def error(crf: int, side: int = 96) -> float:
    from unmask.data.film import filmed

    image = picture(3, side)
    return float(np.abs(filmed(image, crf).astype(int) - image).mean())


def test_the_higher_the_rate_factor_the_worse_the_picture() -> None:
    errors = [error(crf) for crf in (12, 23, 32, 40)]
    assert errors == sorted(errors)
    assert errors[-1] > 1.5 * errors[0] > 0


@pytest.mark.parametrize("shape", [(64, 64), (33, 47), (224, 224)])
def test_a_picture_of_any_size_stays_where_it_is(shape: tuple[int, int]) -> None:
    from unmask.data.film import filmed

    rows, columns = np.mgrid[0 : shape[0], 0 : shape[1]]
    image = np.stack([rows * 2, columns * 2, rows + columns], axis=2).clip(0, 255).astype(np.uint8)
    made = filmed(image, 20, shift=(1.5, -1.5))
    assert made.shape == image.shape
    assert np.abs(made.astype(int) - image).mean() < 6


def test_the_same_picture_gives_the_same_frame() -> None:
    from unmask.data.film import filmed

    np.testing.assert_array_equal(filmed(picture(1, 64), 30), filmed(picture(1, 64), 30))
