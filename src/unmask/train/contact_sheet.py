"""Many pictures on one: rows of thumbnails with a line of text under each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from unmask.image.resize import resize
from unmask.system.atomic import atomic_write

COLUMNS = 10
THUMBNAIL = 112
MARGIN = 6
LINE = 14


def write_contact_sheet(
    path: Path, images: Sequence[NDArray[np.uint8]], captions: Sequence[Sequence[str]], title: str
) -> None:
    """Writes a PNG.

    Args:
        path: Where to.
        images: Pictures, uint8 (S, S, 3).
        captions: Lines for each picture; they are cut to its width.
        title: A line above all.
    """
    lines = max((len(caption) for caption in captions), default=0)
    cell = (THUMBNAIL + MARGIN, THUMBNAIL + lines * LINE + MARGIN)
    rows = -(-len(images) // COLUMNS)
    top = MARGIN + 2 * LINE
    sheet = Image.new("RGB", (COLUMNS * cell[0] + MARGIN, top + max(rows, 1) * cell[1]), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=11)
    draw.text((MARGIN, MARGIN), title, fill="black", font=ImageFont.load_default(size=14))
    if not images:
        draw.text((MARGIN, top), "None.", fill="black", font=font)
    for place, (image, caption) in enumerate(zip(images, captions, strict=True)):
        left, above = MARGIN + place % COLUMNS * cell[0], top + place // COLUMNS * cell[1]
        sheet.paste(Image.fromarray(resize(np.asarray(image), THUMBNAIL)), (left, above))
        for number, line in enumerate(caption):
            draw.text((left, above + THUMBNAIL + number * LINE), _cut(line, font), fill="black", font=font)
    with atomic_write(path) as file:
        sheet.save(file, "PNG")


def _cut(line: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """The end of a line that fits under a thumbnail: of a path, that is the part that tells."""
    while line and font.getlength(line) > THUMBNAIL:
        line = line[1:]
    return line
