"""Findings -> a page that needs nothing but itself: thumbnails, heatmaps and styles are inside."""

from __future__ import annotations

import tempfile
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from unmask import __version__
from unmask.explain.heatmap import WHAT_IT_IS
from unmask.finding import Box, ClipFinding, FaceFinding
from unmask.image.resize import shrink
from unmask.output import evidence, wording
from unmask.output.clip_html import clip_parts, jpeg_url
from unmask.output.documents import Tally
from unmask.output.files import report_place, writing
from unmask.output.pictures import plain_and_heatmap
from unmask.system.atomic import atomic_write

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from unmask.checking import Examined, ExaminedClip
    from unmask.detector import Detector

THUMBNAIL = 360
FACE_SIDE = 160


class HtmlWriter(AbstractContextManager["HtmlWriter"]):
    """Writes the page, one finding at a time.

    The cards are kept in a nameless file beside the page until the end, so that the summary can stand at the top of the
    page while memory does not grow with the number of pictures. The page appears when it is whole; where a run is stopped,
    it holds what there is and says so.

    Attributes:
        place: Where the page is, once it is whole.

    Raises:
        UnmaskError: The page cannot be written.
    """

    def __init__(self, path: Path, detector: Detector) -> None:
        from jinja2 import Environment, PackageLoader, StrictUndefined

        path, is_device = report_place(path)
        self.place = path
        self._detector = detector
        environment = Environment(
            loader=PackageLoader("unmask.output"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )
        environment.globals |= {"words": wording, "evidence": evidence, "detector": detector}
        self._page = environment.get_template("findings.html")
        self._card = environment.get_template("finding.html")
        self._clip_card = environment.get_template("clip.html")
        self._tally, self._clips = Tally(), 0
        self._device: IO[str] | None = None
        with writing(path):  # refused now rather than after an hour
            if is_device:  # opened once: the reader of a pipe takes the first end for the end
                self._device = path.open("w", encoding="utf-8", errors="replace")
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._cards = tempfile.TemporaryFile(  # noqa: SIM115  (closed in __exit__)
                "w+", prefix=".", encoding="utf-8", errors="replace", dir=None if is_device else path.parent
            )

    def add(self, examined: Examined | ExaminedClip) -> None:
        """Write one card."""
        number = self._tally.pictures + 1
        if isinstance(examined.finding, ClipFinding):
            self._clips += 1
            card = self._clip_card.render(number=number, **clip_parts(examined, self._detector))
        else:
            card = self._picture_card(examined, number)
        with writing(self.place):
            self._cards.write(card)
        self._tally.add(examined.finding)

    def _picture_card(self, examined: Examined, number: int) -> str:
        finding, pixels = examined.finding, examined.pixels
        return self._card.render(
            finding=finding,
            number=number,
            thumbnail=jpeg_url(shrink(pixels, THUMBNAIL)) if pixels is not None else None,
            faces=[_face_pictures(face, pixels) for face in finding.faces] if pixels is not None else [],
            thresholds=self._detector.thresholds,
        )

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        with writing(self.place), self._device or nullcontext(), self._cards:
            if error is not None and not self._tally.pictures:
                return
            self._cards.seek(0)
            page = self._page.generate(
                tally=self._tally,
                counted=wording.counted(self._tally.pictures, self._clips),
                clips=self._clips,
                cards=_chunks(self._cards),
                info=self._detector.info,
                policy=self._detector.policy,
                thresholds=self._detector.thresholds,
                version=__version__,
                what_it_is=WHAT_IT_IS,
                interrupted=error is not None,
            )
            if self._device:
                self._device.writelines(page)
            else:
                with atomic_write(self.place, "w", errors="replace") as file:
                    file.writelines(page)


def _face_pictures(face: FaceFinding, pixels: NDArray[np.uint8]) -> dict[str, Any]:
    plain, over = plain_and_heatmap(face, pixels, FACE_SIDE)
    return {
        "face": face,
        "plain": jpeg_url(plain),
        "heatmap": jpeg_url(over),
        "box": _percent(face.box, pixels),
    }


def _percent(box: Box, pixels: NDArray[np.uint8]) -> dict[str, float]:
    height, width = pixels.shape[:2]
    left, top = max(box.left, 0), max(box.top, 0)
    right, bottom = min(box.left + box.width, width), min(box.top + box.height, height)
    return {
        "left": 100 * left / width,
        "top": 100 * top / height,
        "width": 100 * (right - left) / width,
        "height": 100 * (bottom - top) / height,
    }


def _chunks(stream: IO[str]) -> Any:
    return iter(lambda: stream.read(1 << 20), "")
