"""Findings -> a folder of pictures, one for every face."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from unmask.explain.heatmap import overlay
from unmask.face.crop import cut
from unmask.image.encode import encode_png
from unmask.image.resize import resize
from unmask.output.files import file_stem, write_file, writing

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from unmask.finding import FaceFinding, Finding

PAIR_SIDE = 384


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
        self._folder, self._draw, self._ending = folder, draw, ending
        self._count = 0
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)

    def add(self, finding: Finding, pixels: NDArray[np.uint8] | None) -> list[Path]:
        """Write the pictures of one finding's faces.

        Args:
            finding: With heatmaps.
            pixels: uint8 (H, W, 3), RGB: the whole picture; None where it could not be read.

        Returns:
            The files, in the order of the faces.

        Raises:
            UnmaskError: One cannot be written.
        """
        self._count += 1  # also for those without a face, so that numbers are those of the table
        if pixels is None:
            return []
        start = f"{self._count:04}-{file_stem(Path(finding.path or 'picture').stem)}"
        return [
            write_file(self._folder / f"{start}-face{number}{self._ending}.png", encode_png(self._draw(pixels, face)))
            for number, face in enumerate(finding.faces, start=1)
        ]


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
    plain = resize(cut(pixels, face.crop), side)
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
