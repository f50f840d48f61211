"""Real pictures changed beyond what a detector has seen."""

import io

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.train


def test_jpeg_keeps_red_red_and_blue_blue():
    from unmask.export.unusual import UNUSUAL

    # Fine stripes of red on black. Saved with red and blue exchanged, the colour comes out elsewhere.
    image = np.zeros((64, 64, 3), np.uint8)
    image[:, ::2, 0] = 255
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=30)
    expected = np.asarray(Image.open(file)).astype(int)
    found = UNUSUAL["JPEG quality 30"](image).astype(int)
    assert np.abs(found - expected).mean() < 2


@pytest.mark.parametrize("side", [32, 34])
def test_every_kind_keeps_size_and_type(side):
    from unmask.data.source import Source
    from unmask.export.unusual import UNUSUAL, unusual

    images = np.random.default_rng(0).integers(0, 256, (6, side, side, 3), dtype=np.uint8)
    names = np.full(6, "")
    source = Source("Validation", side, ("",) * 6, np.arange(6) % 2, names, names, lambda indexes: images[indexes])
    found = unusual(source)
    assert found.keys() == UNUSUAL.keys()
    for changed in found.values():
        assert changed.labels.tolist() == [0, 0, 0]
        pictures = changed.read(np.arange(3))
        assert (pictures.shape, pictures.dtype) == ((3, side, side, 3), np.uint8)
