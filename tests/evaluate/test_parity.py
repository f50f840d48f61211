"""One preprocessing: an evaluation scores as the Keras model does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.toy_bundle import toy_info
from unmask.bundle import write_bundle
from unmask.detector import Detector
from unmask.evaluate.pictures import open_pictures
from unmask.evaluate.scoring import score_pictures
from unmask.image.read import read_image
from unmask.image.resize import resize


@pytest.mark.train
def test_scores_are_those_of_the_keras_model(split_folder: Path, tmp_path: Path) -> None:
    import keras

    from unmask.export.graph import to_onnx
    from unmask.models import build

    keras.utils.set_random_seed(1)
    model = build("cnn", 64)
    folder = write_bundle(tmp_path / "bundle", toy_info(64, architecture="cnn"), to_onnx(model), "# m\n")
    table = score_pictures(Detector.load(folder, threads=1), open_pictures(split_folder))
    crops = np.stack([resize(read_image(split_folder.parent / row.path).pixels, 64) for row in table.answered])
    expected = np.ravel(model.predict(crops, verbose=0))
    np.testing.assert_allclose([row.logit for row in table.answered], expected, atol=1e-3)


@pytest.mark.faces
def test_the_picture_set_is_read_with_its_origins(faces: Path, toy_detector: Detector) -> None:
    pictures = open_pictures(faces / "Test")
    assert {"ffhq_stylegan", "ffpp", "lfw"} <= {picture.source for picture in pictures.items}
    assert all(picture.group for picture in pictures.items if picture.source in ("ffpp", "lfw"))
    assert {picture.label for picture in pictures.items} == {0, 1}
