"""The face finder, on scikit-image's public-domain astronaut and on generated pictures."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage import data

from unmask.errors import UnmaskError
from unmask.face import finder as finder_module
from unmask.face.finder import SHIPPED_MODEL, Face, FaceFinder, search_side

# The astronaut's face, measured by eye on the 512 x 512 picture: hairline to chin, cheek to cheek.
FACE = (183, 62, 84, 112)  # left, top, width, height
EYES_NOSE_MOUTH = [(205, 101), (247, 105), (225, 125), (206, 143), (241, 146)]


@pytest.fixture(scope="module")
def finder() -> FaceFinder:
    return FaceFinder.load()


@pytest.fixture(scope="module")
def astronaut() -> np.ndarray:
    return data.astronaut()


def shrunk(image: np.ndarray, scale: float) -> np.ndarray:
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return cv2.resize(image, None, fx=scale, fy=scale, interpolation=interpolation)


def overlap(face: Face, left: float, top: float, width: float, height: float) -> float:
    """Intersection over union."""
    x = min(face.left + face.width, left + width) - max(face.left, left)
    y = min(face.top + face.height, top + height) - max(face.top, top)
    both = max(0.0, x) * max(0.0, y)
    return both / (face.width * face.height + width * height - both)


def canvas(height: int, width: int) -> np.ndarray:
    """A grey, slightly noisy ground to paste on."""
    return np.random.default_rng(5).integers(110, 140, (height, width, 3), np.uint8)


# Finding


@pytest.mark.parametrize("scale", [0.4, 0.5, 0.75, 1.0, 2.0, 3.5])
def test_finds_the_face_at_any_size(finder: FaceFinder, astronaut: np.ndarray, scale: float) -> None:
    faces = finder.find(shrunk(astronaut, scale))
    assert len(faces) == 1
    assert overlap(faces[0], *(value * scale for value in FACE)) > 0.7


@pytest.mark.parametrize(("left", "top"), [(0, 0), (3, 5), (217, 11), (100, 288), (288, 288)])
def test_finds_the_face_wherever_it_is(finder: FaceFinder, astronaut: np.ndarray, left: int, top: int) -> None:
    image = canvas(545, 545)
    image[top : top + 256, left : left + 256] = shrunk(astronaut, 0.5)
    faces = finder.find(image)
    assert len(faces) == 1
    assert overlap(faces[0], left + FACE[0] / 2, top + FACE[1] / 2, FACE[2] / 2, FACE[3] / 2) > 0.6


def test_names_the_points_of_the_face_from_the_left_of_the_picture(finder: FaceFinder, astronaut: np.ndarray) -> None:
    (face,) = finder.find(astronaut)
    np.testing.assert_allclose(face.landmarks, EYES_NOSE_MOUTH, atol=6)


def test_gives_several_faces_largest_first(finder: FaceFinder, astronaut: np.ndarray) -> None:
    image = canvas(512, 900)
    image[100:356, :256] = shrunk(astronaut, 0.5)
    image[:, 388:] = astronaut
    faces = finder.find(image)
    assert [round(face.left / 450) for face in faces] == [1, 0]
    assert faces[0].width * faces[0].height > faces[1].width * faces[1].height


def test_finds_a_face_that_fills_the_picture(finder: FaceFinder, astronaut: np.ndarray) -> None:
    assert len(finder.find(astronaut[40:190, 150:300])) == 1


@pytest.mark.parametrize("side", [256, 1000, 3000])
def test_finds_a_sharp_face_that_leaves_no_room_in_the_picture(
    finder: FaceFinder, drawn_face: np.ndarray, side: int
) -> None:
    (whole,) = finder.find(drawn_face)
    middle = whole.left + whole.width / 2, whole.top + whole.height / 2
    half = round(0.3 * whole.height)
    left, top = (round(place) - half for place in middle)
    part = drawn_face[top : top + 2 * half, left : left + 2 * half]
    close = cv2.resize(part, (side, side), interpolation=cv2.INTER_CUBIC)
    assert len(finder.find(close)) == 1


def test_looks_once_more_only_where_nothing_was_found(finder: FaceFinder, astronaut: np.ndarray) -> None:
    looked: list[int] = []
    network = finder._network
    counting = FaceFinder(lambda pixels: looked.append(1) or network(pixels), finder.sha256)
    counting.find(astronaut)
    assert len(looked) == 1
    counting.find(canvas(300, 300))
    assert len(looked) == 3


def test_finds_a_face_in_a_picture_that_is_not_contiguous(finder: FaceFinder, astronaut: np.ndarray) -> None:
    mirrored = astronaut[:, ::-1]
    (face,) = finder.find(mirrored)
    assert overlap(face, 512 - FACE[0] - FACE[2], *FACE[1:]) > 0.7


def test_looks_closer_at_a_large_picture_with_no_large_face(finder: FaceFinder, astronaut: np.ndarray) -> None:
    image = canvas(2000, 3000)
    image[900:1412, 1700:2212] = astronaut
    (face,) = finder.find(image)  # 112 px of 3000: 24 px in the first search
    assert overlap(face, 1700 + FACE[0], 900 + FACE[1], *FACE[2:]) > 0.7


@pytest.mark.parametrize("shape", [(64, 64), (64, 3000), (2000, 70), (1, 1), (31, 33)])
def test_searches_a_picture_of_any_shape(finder: FaceFinder, shape: tuple[int, int]) -> None:
    assert finder.find(canvas(*shape)) == []


@pytest.mark.parametrize("picture", ["black", "white", "noise", "gradient", "blocks", "stripes", "coffee", "gravel"])
def test_finds_no_face_where_there_is_none(finder: FaceFinder, picture: str) -> None:
    ramp = np.arange(256, dtype=np.uint8)
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    images = {
        "black": np.zeros((256, 256, 3), np.uint8),
        "white": np.full((256, 256, 3), 255, np.uint8),
        "noise": noise,
        "gradient": np.dstack([np.tile(ramp, (256, 1))] * 3),
        "blocks": np.kron(noise[::32, ::32], np.ones((32, 32, 1), np.uint8)),
        "stripes": np.dstack([np.tile((ramp // 8 % 2) * np.uint8(255), (256, 1))] * 3),
        "coffee": data.coffee(),
        "gravel": np.dstack([data.gravel()] * 3),
    }
    assert finder.find(images[picture]) == []


def test_gives_the_same_answer_from_eight_threads(finder: FaceFinder, astronaut: np.ndarray) -> None:
    images = [astronaut, astronaut[:, ::-1], shrunk(astronaut, 0.5), canvas(200, 300)] * 6
    expected = [finder.find(image) for image in images]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(finder.find, images)) == expected


def test_does_not_change_the_picture(finder: FaceFinder, astronaut: np.ndarray) -> None:
    before = astronaut.copy()
    finder.find(astronaut)
    np.testing.assert_array_equal(astronaut, before)


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((64, 64), np.uint8),
        np.zeros((64, 64, 4), np.uint8),
        np.zeros((64, 64, 3)),
        np.zeros((0, 9, 3), np.uint8),
    ],
    ids=["grey", "alpha", "float", "empty"],
)
def test_refuses_what_is_not_rgb_pixels(finder: FaceFinder, pixels: np.ndarray) -> None:
    with pytest.raises(UnmaskError) as caught:
        finder.find(pixels)
    assert caught.value.code == "not-pixels"


@pytest.mark.parametrize(
    ("longer", "side"), [(100, 100), (160, 160), (256, 160), (512, 320), (640, 384), (1067, 640), (4000, 640)]
)
def test_searches_a_copy_that_keeps_judgeable_faces_large_enough(longer: int, side: int) -> None:
    assert search_side(longer, 640) == side


# The model file


def test_says_which_finder_it_is(finder: FaceFinder) -> None:
    assert finder.name == "centerface"
    assert finder.sha256 == finder_module.SHIPPED_SHA256


def test_refuses_the_shipped_model_if_a_byte_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = bytearray(SHIPPED_MODEL.read_bytes())
    content[len(content) // 2] ^= 1
    changed = tmp_path / "centerface.onnx"
    changed.write_bytes(content)
    monkeypatch.setattr(finder_module, "SHIPPED_MODEL", changed)
    with pytest.raises(UnmaskError) as caught:
        FaceFinder.load()
    assert caught.value.code == "changed-face-finder"
    assert "Install" in caught.value.hint


def test_refuses_to_go_on_without_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finder_module, "SHIPPED_MODEL", tmp_path / "missing.onnx")
    with pytest.raises(UnmaskError) as caught:
        FaceFinder.load()
    assert caught.value.code == "no-face-finder"


# The import


def test_importing_it_loads_no_runtime_and_no_training_framework() -> None:
    code = "import sys, unmask.face.finder; print(*[m for m in ('onnxruntime', 'keras', 'scipy', 'skimage') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
