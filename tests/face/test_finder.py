"""The face finder and its crops, on scikit-image's public-domain astronaut and on generated pictures."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
import pytest
from skimage import data

from unmask import face as face_module
from unmask.errors import UnmaskError
from unmask.face.finder import SHIPPED_MODEL, Face, FaceFinder, crop_square, cut, is_already_cropped, search_side
from unmask.finding import Box

# The astronaut's face, measured by eye on the 512 x 512 picture: hairline to chin, cheek to cheek.
FACE = (183, 62, 84, 112)  # left, top, width, height
EYES_NOSE_MOUTH = [(205, 101), (247, 105), (225, 125), (206, 143), (241, 146)]
# An ONNX graph (`b = Identity(a)`, one float): a model, but no face finder.
IDENTITY_ONNX = bytes.fromhex(
    "080812003a370a100a016112016222084964656e746974791201675a0f0a016112"
    "0a0a08080112040a020801620f0a0162120a0a08080112040a02080142040a00100d"
)


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
    assert finder.sha256 == face_module.SHIPPED_SHA256


def test_loads_a_copy_of_the_model_from_elsewhere(tmp_path: Path, astronaut: np.ndarray, finder: FaceFinder) -> None:
    copy = tmp_path / "mine.onnx"
    copy.write_bytes(SHIPPED_MODEL.read_bytes())
    loaded = FaceFinder.load(copy, threads=2)
    assert loaded.sha256 == finder.sha256
    np.testing.assert_allclose(loaded.find(astronaut)[0].left, finder.find(astronaut)[0].left, atol=0.1)


def test_refuses_the_shipped_model_if_a_byte_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = bytearray(SHIPPED_MODEL.read_bytes())
    content[len(content) // 2] ^= 1
    changed = tmp_path / "centerface.onnx"
    changed.write_bytes(content)
    monkeypatch.setattr(face_module, "SHIPPED_MODEL", changed)
    with pytest.raises(UnmaskError) as caught:
        FaceFinder.load()
    assert caught.value.code == "changed-face-finder"
    assert "Install" in caught.value.hint


@pytest.mark.parametrize("content", [b"", b"not a model", SHIPPED_MODEL.read_bytes()[:9000], IDENTITY_ONNX])
def test_refuses_a_file_that_is_no_face_finder(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "other.onnx"
    file.write_bytes(content)
    with pytest.raises(UnmaskError) as caught:
        FaceFinder.load(file)
    assert caught.value.code == "not-a-face-finder"
    assert str(file) in caught.value.message


def test_refuses_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UnmaskError) as caught:
        FaceFinder.load(tmp_path / "missing.onnx")
    assert caught.value.code == "no-face-finder"


def test_refuses_a_yunet_file_that_opencv_cannot_load(tmp_path: Path) -> None:
    file = tmp_path / "face_detection_yunet_2023mar.onnx"
    file.write_bytes(b"not a model")
    with pytest.raises(UnmaskError) as caught:
        FaceFinder.load(file)
    assert caught.value.code == "not-a-face-finder"


class StubYuNet:
    """Stands for cv2.FaceDetectorYN: one face in the middle half of whatever it is given, or none."""

    made: ClassVar[list[StubYuNet]] = []

    def __init__(self) -> None:
        self.size = (0, 0)
        self.made.append(self)

    @classmethod
    def create(cls, *arguments: object) -> StubYuNet:
        return cls()

    def setInputSize(self, size: tuple[int, int]) -> None:  # noqa: N802 (OpenCV's name)
        self.size = size

    def detect(self, image: np.ndarray) -> tuple[int, np.ndarray | None]:
        width, height = self.size
        assert image.shape == (height, width, 3)
        if image[0, 0, 0] == 0:  # blue is 0: a red picture
            return 1, None
        points = [width / 2, height / 2] * 5
        return 1, np.array([[width / 4, height / 4, width / 2, height / 2, *points, 0.9]], np.float32)


@pytest.fixture
def yunet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FaceFinder:
    StubYuNet.made.clear()
    monkeypatch.setattr(cv2, "FaceDetectorYN", StubYuNet)
    file = tmp_path / "face_detection_yunet_2023mar.onnx"
    file.write_bytes(b"weights")
    return FaceFinder.load(file)


def test_takes_a_yunet_file_of_the_user(yunet: FaceFinder) -> None:
    (face,) = yunet.find(np.full((400, 1000, 3), 200, np.uint8))
    assert (face.left, face.top, face.width, face.height) == pytest.approx((250, 100, 500, 200))
    assert face.landmarks == (pytest.approx((500, 200)),) * 5
    assert face.score == pytest.approx(0.9)
    assert yunet.name == "yunet"


def test_gives_yunet_the_channels_in_opencvs_order(yunet: FaceFinder) -> None:
    red = np.zeros((100, 100, 3), np.uint8)
    red[..., 0] = 255
    assert yunet.find(red) == []


def test_gives_every_thread_a_yunet_of_its_own(yunet: FaceFinder) -> None:
    image = np.full((100, 100, 3), 200, np.uint8)
    for _ in range(3):
        with ThreadPoolExecutor(1) as pool:
            assert len(pool.submit(yunet.find, image).result()) == 1
    assert len(StubYuNet.made) == 4  # one of the main thread, three more


# Crops


def test_crop_is_a_square_around_the_centre_of_the_face() -> None:
    face = Face(left=100, top=50, width=80, height=100, score=1)
    assert crop_square(face, 1.3) == Box(left=75, top=35, width=130, height=130)


def test_crop_may_leave_the_picture() -> None:
    face = Face(left=-10, top=5, width=100, height=60, score=1)
    assert crop_square(face, 1.5) == Box(left=-35, top=-40, width=150, height=150)


def test_crop_is_at_least_one_pixel() -> None:
    assert crop_square(Face(left=3, top=4, width=0.1, height=0.1, score=1), 1.3).width == 1


@pytest.mark.parametrize(
    ("face_side", "width", "height", "expected"),
    [
        (197, 256, 256, True),  # the rule of the training pictures: 256 / 1.3
        (168, 256, 256, True),  # 1.3 x 168 = 218 px: just over 85 %
        (167, 256, 256, False),  # 217 px: just under
        (256, 256, 256, True),  # tighter than the rule
        (197, 231, 256, True),  # 90 % as wide as high
        (197, 230, 256, False),  # less: a portrait, to be cropped
        (300, 640, 480, False),
    ],
)
def test_a_picture_filled_by_a_face_is_its_own_crop(face_side: int, width: int, height: int, expected: bool) -> None:
    face = Face(left=10, top=10, width=face_side * 0.8, height=face_side, score=1)
    assert is_already_cropped(face, width, height) is expected


@pytest.mark.parametrize(("margin", "expected"), [(1.3, False), (2.0, True)])
def test_whether_a_picture_is_its_own_crop_depends_on_the_margin_of_the_crop(margin: float, expected: bool) -> None:
    assert is_already_cropped(Face(70, 60, 100, 128, 1), 256, 256, margin) is expected


def test_the_crop_of_a_portrait_is_its_own_crop(finder: FaceFinder, astronaut: np.ndarray) -> None:
    (face,) = finder.find(astronaut)
    assert not is_already_cropped(face, 512, 512)
    crop = cut(astronaut, crop_square(face, 1.3))
    (again,) = finder.find(crop)
    assert is_already_cropped(again, crop.shape[1], crop.shape[0])


# Cutting


def numbered(height: int, width: int) -> np.ndarray:
    """A picture in which every pixel says its row, its column and 0."""
    rows, columns = np.mgrid[:height, :width]
    return np.dstack([rows, columns, np.zeros_like(rows)]).astype(np.uint8)


def test_cuts_what_lies_inside() -> None:
    image = numbered(10, 12)
    np.testing.assert_array_equal(cut(image, Box(left=3, top=2, width=5, height=5)), image[2:7, 3:8])


def test_mirrors_at_the_border_without_repeating_it() -> None:
    crop = cut(numbered(10, 12), Box(left=-3, top=8, width=6, height=6))
    assert crop[0, :, 1].tolist() == [3, 2, 1, 0, 1, 2]
    assert crop[:, 0, 0].tolist() == [8, 9, 8, 7, 6, 5]


@pytest.mark.parametrize("border", [2, 9, 10, 37])
def test_mirrors_like_opencv_even_beyond_the_size_of_the_picture(border: int) -> None:
    image = np.random.default_rng(1).integers(0, 256, (10, 7, 3), np.uint8)
    box = Box(left=-border, top=-border, width=7 + 2 * border, height=10 + 2 * border)
    expected = cv2.copyMakeBorder(image, border, border, border, border, cv2.BORDER_REFLECT_101)
    np.testing.assert_array_equal(cut(image, box), expected)


def test_cuts_a_picture_of_one_pixel() -> None:
    assert cut(np.full((1, 1, 3), 7, np.uint8), Box(left=-2, top=-2, width=5, height=5)).tolist() == [[[7] * 3] * 5] * 5


@pytest.mark.parametrize("left", [2, -2])
def test_a_cut_is_a_contiguous_copy(left: int) -> None:
    image = numbered(10, 12)
    crop = cut(image, Box(left=left, top=1, width=6, height=6))
    crop[:] = 99
    assert crop.flags.c_contiguous
    assert not (image == 99).any()


# The import


def test_importing_it_loads_no_runtime_and_no_training_framework() -> None:
    code = "import sys, unmask.face.finder; print(*[m for m in ('onnxruntime', 'keras', 'scipy', 'skimage') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
