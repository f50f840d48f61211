"""Findings -> pictures of their faces and heatmaps, and a folder of these."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from unmask.errors import UnmaskError
from unmask.explain.heatmap import WHAT_IT_IS, colour, overlay
from unmask.face.crop import cut
from unmask.finding import ClipFinding
from unmask.image.encode import encode_png
from unmask.image.resize import resize
from unmask.output.files import file_stem, write_file, writing
from unmask.output.wording import EMPTY_HEATMAP, score_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from unmask.checking import Examined, ExaminedClip
    from unmask.finding import FaceFinding

PAIR_SIDE = 384
PANEL_SIDE = 320
_MARGIN = 16
_INK, _DIM = "#1b1f24", "#59616c"


class FacePictures:
    """Writes `<number>-<name>-face<k>.png` into a folder.

    Args:
        folder: Made if it is not there.
        draw: From the whole picture, uint8 (H, W, 3), RGB, and one of its faces to the picture that is written.
        ending: Of the names, before `.png`.

    Raises:
        UnmaskError: The folder cannot be made.
    """

    def __init__(
        self, folder: Path, draw: Callable[[NDArray[np.uint8], FaceFinding], NDArray[np.uint8]], ending: str = ""
    ) -> None:
        self.place, self._draw, self._ending = folder, draw, ending
        self._count = 0
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)

    def add(self, examined: Examined | ExaminedClip) -> list[Path]:
        """Write the pictures of one finding's faces; of a clip, of its decisive moments, each a face beside its heatmap.

        Those are called `<number>-<name>-person<k>-<time>s-frame<n>.png`: the frame's number, from 0, tells moments apart
        that lie closer than the time has digits.

        Args:
            examined: With heatmaps; of a clip with key frames.

        Returns:
            The files, in the order of the faces, or of time. None where the picture could not be read.

        Raises:
            UnmaskError: One cannot be written.
        """
        self._count += 1  # also for those without a face, so that numbers are those of the table
        what = "clip" if isinstance(examined.finding, ClipFinding) else "picture"
        start = f"{self._count:04}-{file_stem(Path(examined.finding.path or what).stem)}"
        return [
            write_file(self.place / f"{start}-{name}{self._ending}.png", encode_png(picture))
            for name, picture in self._pictures(examined)
        ]

    def _pictures(self, examined: Examined | ExaminedClip) -> Iterator[tuple[str, NDArray[np.uint8]]]:
        if isinstance(examined.finding, ClipFinding):
            for frame in examined.key_frames:
                pair = np.concatenate(face_and_heatmap(frame.face, frame.moment.face, PAIR_SIDE), axis=1)
                yield f"person{frame.person + 1}-{frame.moment.time:.2f}s-frame{frame.moment.frame}", pair
        elif examined.pixels is not None:
            for number, face in enumerate(examined.finding.faces, start=1):
                yield f"face{number}", self._draw(examined.pixels, face)


def plain_and_heatmap(
    face: FaceFinding, pixels: NDArray[np.uint8], side: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A face as the detector saw it, plain and with its heatmap over it.

    Args:
        face: With a heatmap, or the second picture is the first.
        pixels: uint8 (H, W, 3), RGB: the whole picture.
        side: Of the results, pixels.

    Returns:
        Two uint8 (side, side, 3), RGB.
    """
    return face_and_heatmap(cut(pixels, face.crop), face, side)


def face_and_heatmap(
    shown: NDArray[np.uint8], face: FaceFinding, side: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """As `plain_and_heatmap`, from the face's crop, uint8 (S, S, 3), instead of the whole picture."""
    plain = resize(shown, side)
    return plain, overlay(plain, face.heatmap) if face.heatmap is not None else plain


def side_by_side(pixels: NDArray[np.uint8], face: FaceFinding) -> NDArray[np.uint8]:
    """A face beside its heatmap.

    Args:
        pixels: uint8 (H, W, 3), RGB: the whole picture.
        face: With a heatmap.

    Returns:
        uint8 (384, 768, 3), RGB.
    """
    return np.concatenate(plain_and_heatmap(face, pixels, PAIR_SIDE), axis=1)


def explanation_picture(pixels: NDArray[np.uint8], face: FaceFinding, method: str) -> NDArray[np.uint8]:
    """One face as the detector saw it, the heatmap, and both together, with the colour scale and what it means.

    Args:
        pixels: uint8 (H, W, 3), RGB: the whole picture.
        face: With a heatmap.
        method: For the caption.

    Returns:
        uint8 (height, width, 3), RGB.
    """
    from PIL import Image, ImageDraw, ImageFont

    if face.heatmap is None:
        raise UnmaskError("this face has no heatmap", hint="Check it with heatmap=True.", code="no-heatmap")
    top, bottom = 56, 56 + PANEL_SIDE + 10
    page = Image.new("RGB", (3 * PANEL_SIDE + 4 * _MARGIN, bottom + 102), "white")
    draw = ImageDraw.Draw(page)
    large, small = ImageFont.load_default(19), ImageFont.load_default(14)
    draw.text((_MARGIN, 8), f"{face.verdict.value}, P(fake) {score_text(face.score)}", fill=_INK, font=large)
    panels = (*plain_and_heatmap(face, pixels, PANEL_SIDE), colour(face.heatmap, PANEL_SIDE, PANEL_SIDE))
    titles = ("the face", "heatmap over it", f"heatmap ({method})")
    for number, (panel, title) in enumerate(zip(panels, titles, strict=True)):
        left = _MARGIN + number * (PANEL_SIDE + _MARGIN)
        draw.text((left, 34), title, fill=_DIM, font=small)
        page.paste(Image.fromarray(panel), (left, top))
    scale = colour(np.linspace(0, 1, PANEL_SIDE, dtype=np.float32)[None], PANEL_SIDE, 12)
    page.paste(Image.fromarray(scale), (_MARGIN, bottom))
    draw.text((_MARGIN, bottom + 16), "raised the score least", fill=_DIM, font=small)
    draw.text((_MARGIN + PANEL_SIDE, bottom + 16), "most", fill=_DIM, font=small, anchor="ra")
    draw.text((_MARGIN, bottom + 42), plain_sentence(face).replace(". ", ".\n"), fill=_INK, font=small)
    return np.asarray(page, dtype=np.uint8)


def plain_sentence(face: FaceFinding) -> str:
    """What the heatmap of this face is, and what it is not."""
    return f"{EMPTY_HEATMAP} That is not a proof that it is real." if face.nothing_raised else WHAT_IT_IS
