"""Findings -> a page that needs nothing but itself: thumbnails, heatmaps and styles are inside."""

from __future__ import annotations

import tempfile
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from unmask import __version__
from unmask.explain.heatmap import WHAT_IT_IS
from unmask.finding import ClipFinding
from unmask.image.resize import shrink
from unmask.output import evidence, knowledge, ranking, wording
from unmask.output.clip_html import FACE_SIDE, clip_parts, jpeg_url
from unmask.output.documents import Tally
from unmask.output.face_tags import face_tags, stroke
from unmask.output.files import report_place, writing
from unmask.output.pictures import plain_and_heatmap
from unmask.system.atomic import atomic_write
from unmask.verdict import suspicion

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from jinja2 import Environment
    from numpy.typing import NDArray

    from unmask.checking import Examined, ExaminedClip
    from unmask.detector import Detector
    from unmask.finding import Finding

THUMBNAIL = 360
OVERVIEW_SIDE = 128


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
        path, is_device = report_place(path)
        self.place = path
        self._detector = detector
        environment = templates("unmask.output")
        rooms = {"words": wording, "evidence": evidence, "knowledge": knowledge, "ranking": ranking}
        environment.globals |= rooms | {"detector": detector}
        self._page = environment.get_template("findings.html")
        self._card = environment.get_template("finding.html")
        self._clip_card = environment.get_template("clip.html")
        self._entry: Any = vars(environment.get_template("overview.html").module)["entry"]
        self._tally, self._clips = Tally(), 0
        # Of the overview's entries: by what they are put in order, and where they lie in their file.
        self._order: list[tuple[float, int, int]] = []
        self._device: IO[str] | None = None
        with writing(path):  # refused now rather than after an hour
            if is_device:  # opened once: the reader of a pipe takes the first end for the end
                self._device = path.open("w", encoding="utf-8", errors="replace")
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
            folder = None if is_device else path.parent
            self._cards = tempfile.TemporaryFile(  # noqa: SIM115  (closed in __exit__)
                "w+", prefix=".", encoding="utf-8", errors="replace", dir=folder
            )
            self._entries = tempfile.TemporaryFile(prefix=".", dir=folder)  # noqa: SIM115  (closed in __exit__)

    def add(self, examined: Examined | ExaminedClip) -> None:
        """Write one card."""
        number = self._tally.pictures + 1
        if isinstance(examined.finding, ClipFinding):
            self._clips += 1
            card = self._clip_card.render(number=number, **clip_parts(examined, self._detector))
            shown = examined.key_frames[0].small if examined.key_frames else None
        else:
            card, shown = self._picture_card(examined, number), examined.pixels
        with writing(self.place):
            self._cards.write(card)
            self._add_entry(examined.finding, number, shown)
        self._tally.add(examined.finding)

    def _add_entry(self, finding: Finding | ClipFinding, number: int, shown: NDArray[np.uint8] | None) -> None:
        thumbnail = None if shown is None else jpeg_url(shrink(shown, OVERVIEW_SIDE))
        title = Path(finding.path).name if finding.path else "picture"
        entry = self._entry(finding, f"picture-{number}", title, thumbnail).encode("utf-8", "replace")
        self._order.append((-suspicion(finding), self._entries.tell(), len(entry)))
        self._entries.write(entry)

    def _sorted_entries(self) -> Iterator[str]:
        """The entries of the overview, the most suspicious first."""
        for _, place, length in sorted(self._order):
            self._entries.seek(place)
            yield self._entries.read(length).decode()

    def _picture_card(self, examined: Examined, number: int) -> str:
        finding, pixels = examined.finding, examined.pixels
        width, height = (finding.image.width, finding.image.height) if finding.image else (0, 0)
        faces = []
        if pixels is not None:
            tags = face_tags([face.box for face in finding.faces], width, height)
            for face, tag in zip(finding.faces, tags, strict=True):
                plain, over = plain_and_heatmap(face, pixels, FACE_SIDE)
                faces.append({"face": face, "plain": jpeg_url(plain), "heatmap": jpeg_url(over), "tag": tag})
        return self._card.render(
            finding=finding,
            number=number,
            thumbnail=jpeg_url(shrink(pixels, THUMBNAIL)) if pixels is not None else None,
            faces=faces,
            line=stroke(width, height),
            thresholds=self._detector.thresholds,
        )

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        with writing(self.place), self._device or nullcontext(), self._cards, self._entries:
            if error is not None and not self._tally.pictures:
                return
            self._cards.seek(0)
            page = self._page.generate(
                tally=self._tally,
                counted=wording.counted(self._tally.pictures, self._clips),
                clips=self._clips,
                cards=iter(lambda: self._cards.read(1 << 20), ""),
                entries=self._sorted_entries(),
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


def templates(package: str) -> Environment:
    """The pages of a package, in which a name that is missing is an error."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(loader=PackageLoader(package), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
