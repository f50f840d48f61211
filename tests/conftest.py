"""What several rooms' tests share: a small detector, a drawn face, a prepared folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.prepared_faces import write_prepared
from tests.toy_bundle import write_toy_bundle

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from unmask.checking import Detector

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def toy_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small detector with an input of 64 px."""
    return write_toy_bundle(tmp_path_factory.mktemp("bundles") / "toy")


@pytest.fixture(scope="session")
def toy_detector(toy_bundle: Path) -> Detector:
    """The small detector, loaded."""
    from unmask.checking import Detector

    return Detector.load(toy_bundle, threads=1)


@pytest.fixture(scope="session")
def drawn_face() -> NDArray[np.uint8]:
    """A drawn face, uint8 (512, 512, 3)."""
    from unmask.demo import draw_face

    return draw_face()


@pytest.fixture(scope="session")
def face_file(drawn_face: NDArray[np.uint8], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The drawn face as a PNG file."""
    from unmask.image.encode import encode_png

    path = tmp_path_factory.mktemp("pictures") / "face.png"
    path.write_bytes(encode_png(drawn_face))
    return path


@pytest.fixture(scope="session")
def clip_file(drawn_face: NDArray[np.uint8], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PNG of six frames, 0.2 s each, in which the drawn face moves to the right."""
    import numpy as np
    from PIL import Image

    face = Image.fromarray(drawn_face).resize((128, 128), Image.Resampling.BOX)
    frames = [Image.fromarray(np.full((160, 240, 3), 90, np.uint8)) for _ in range(6)]
    for number, frame in enumerate(frames):
        frame.paste(face, (10 + 4 * number, 16))
    path = tmp_path_factory.mktemp("clips") / "clip.png"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=200)
    return path


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small prepared folder, 32 px."""
    return write_prepared(tmp_path_factory.mktemp("data") / "prepared")


@pytest.fixture(scope="session")
def finished_run(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of two epochs; only for tests marked `train`."""
    from unmask.train.config import make_config
    from unmask.train.loop import train

    settings = {"epochs": 2, "batch_size": 16, "precision": "float32", "checkpoint_every": 1}
    return train(make_config(data=str(prepared), **settings), tmp_path_factory.mktemp("runs") / "finished").folder
