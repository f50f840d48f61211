"""Two versions of one picture in one: side by side, where they differ, and both with their heatmaps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from unmask.explain.heatmap import WHAT_IT_IS, colour, lay_over
from unmask.image.align import alignment, laid_over
from unmask.image.resize import shrink

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.checking import Examined

# Longer side of each panel.
SIDE = 480
# What is compared is no larger than this.
COMPARED = 1280
# A difference in the brightest colour, of 255.
MOST = 64.0
# Differences finer than this come from saving a picture anew, in pixels.
BLUR = 2.0
_MARGIN, _TITLE = 16, 22
DIFFERENCE_MEANS = (
    "Saving a picture anew changes it a little everywhere. "
    "What stands out was changed, or one of the two does not reach there."
)


def difference_picture(original: Examined, suspect: Examined) -> NDArray[np.uint8]:
    """The picture that `unmask diff` writes.

    Args:
        original: With pixels and heatmaps.
        suspect: The same picture, perhaps changed.

    Returns:
        uint8 (height, width, 3), RGB.

    Raises:
        UnmaskError: They do not show the same.
    """
    after, after_heated = (shrink(pixels, COMPARED) for pixels in _plain_and_heated(suspect))
    before, before_heated = (shrink(pixels, COMPARED) for pixels in _plain_and_heated(original))
    way = alignment(before, after)
    before, before_heated = laid_over(before, way, after), laid_over(before_heated, way, after)
    height, width = after.shape[:2]
    return _sheet(
        {
            "the original, laid over the other": before,
            "the other": after,
            "where they differ": colour(differences(before, after), width, height),
            "heatmaps of the original": before_heated,
            "heatmaps of the other": after_heated,
        }
    )


def differences(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.float32]:
    """How much two pictures of one size differ at each place, float32 (h, w), 0..1."""
    smooth = [cv2.GaussianBlur(pixels.astype(np.float32), (0, 0), BLUR) for pixels in (one, other)]
    return np.asarray(np.clip(np.abs(smooth[0] - smooth[1]).max(axis=2) / MOST, 0.0, 1.0), np.float32)


def _plain_and_heated(examined: Examined) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A picture, and the same with the heatmap of each face over it."""
    assert examined.pixels is not None  # it was read
    heated = examined.pixels.copy()
    for face in examined.finding.faces:
        if face.heatmap is not None:
            lay_over(heated, face.crop, face.heatmap)
    return examined.pixels, heated


def _sheet(panels: dict[str, NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Three panels above two, with their titles and what they mean."""
    shown = {title: Image.fromarray(shrink(pixels, SIDE)) for title, pixels in panels.items()}
    width, height = next(iter(shown.values())).size
    step, row = max(width, 240) + _MARGIN, height + _TITLE + _MARGIN
    font = ImageFont.load_default(14)
    words, lines = f"{DIFFERENCE_MEANS} {WHAT_IT_IS}".split(), [""]
    for word in words:
        if font.getlength(f"{lines[-1]} {word}") > step - _MARGIN:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    where, text = (_MARGIN + 2 * step, _MARGIN + row + _TITLE), "\n".join(lines)
    bottom = ImageDraw.Draw(Image.new("RGB", (1, 1))).multiline_textbbox(where, text, font=font)[3]
    page = Image.new("RGB", (3 * step + _MARGIN, max(2 * row, int(bottom) + 1) + _MARGIN), "white")
    draw = ImageDraw.Draw(page)
    for number, (title, panel) in enumerate(shown.items()):
        left, top = _MARGIN + number % 3 * step, _MARGIN + number // 3 * row
        draw.text((left, top), title, fill="#59616c", font=font)
        page.paste(panel, (left, top + _TITLE))
    draw.text(where, text, fill="#1b1f24", font=font)
    return np.asarray(page, dtype=np.uint8)
