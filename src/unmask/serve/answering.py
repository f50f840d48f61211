"""Pictures of a request -> answers: through the pool, counted and logged."""

from __future__ import annotations

import hashlib
import logging
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from unmask.checking import Examined, examine_image, unreadable
from unmask.errors import UnmaskError
from unmask.finding import Finding
from unmask.output.documents import document
from unmask.serve.data_urls import closeup_url, heatmap_url, preview_url, thumbnail_url
from unmask.serve.problem import Problem

if TYPE_CHECKING:
    from unmask.detector import Detector
    from unmask.serve.metrics import Metrics
    from unmask.serve.pool import Deadline, Pool
    from unmask.serve.uploads import Upload

log = logging.getLogger("unmask.serve")

FEWER = "Send fewer pictures at once, or ask for no heatmaps."


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a reply holds besides the findings.

    Attributes:
        heatmaps: Of every face.
        provenance: Content Credentials.
        preview: The picture itself, small.
    """

    heatmaps: bool = False
    provenance: bool = False
    preview: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """A finding and what was asked for besides.

    Attributes:
        finding: The answer.
        heatmaps: A data URL a face; empty if not asked for.
        preview: A data URL; None if not asked for, or if the picture could not be read.
        closeups: Where there is a preview: a data URL a face, None where the preview shows the face as well.
        thumbnail: A data URL; None where there is no preview.
    """

    finding: Finding
    heatmaps: tuple[str, ...] = ()
    preview: str | None = None
    closeups: tuple[str | None, ...] = ()
    thumbnail: str | None = None

    @property
    def picture_bytes(self) -> int:
        """Of what it adds to a reply: a page holds the heatmaps twice, also in the JSON to download, in base64 again."""
        heatmaps = sum(map(len, self.heatmaps))
        shown = sum(len(url) for url in (self.preview, self.thumbnail, *self.closeups) if url)
        return shown + heatmaps * 7 // 3 if shown else heatmaps


class Answering:
    """Answers requests with one detector, shared by all threads.

    Args:
        reply_bytes: Most bytes of pictures and heatmaps in one reply.
    """

    def __init__(self, detector: Detector, pool: Pool, metrics: Metrics, reply_bytes: int) -> None:
        self.detector = detector
        self.pool = pool
        self.metrics = metrics
        self.reply_bytes = reply_bytes

    def answer(self, uploads: list[Upload], wanted: Wanted, request_id: str) -> list[Answer]:
        """An answer for every picture, in their order; one that cannot be read never stops the others.

        Raises:
            Problem: If the server is busy, or the time is over, or the reply would be too large.
        """

        def job(deadline: Deadline) -> list[Answer]:
            answers = []
            left = self.reply_bytes
            for upload in uploads:
                deadline.check()
                answers.append(self._answered(upload, wanted, request_id))
                left -= answers[-1].picture_bytes
                if left < 0:
                    raise Problem("too-large", "The answers to these pictures are too large for one reply.", hint=FEWER)
            return answers

        return self.pool.run(job)

    def document(self, answers: list[Answer]) -> dict[str, Any]:
        """The JSON document of `unmask check --json`, with what was asked for besides added to it."""
        whole = document([answer.finding for answer in answers], self.detector)
        for entry, answer in zip(whole["findings"], answers, strict=True):
            for face, url in zip(entry["faces"], answer.heatmaps, strict=False):
                face["heatmap"] = url
        return whole

    def _answered(self, upload: Upload, wanted: Wanted, request_id: str) -> Answer:
        started = time.perf_counter()
        try:
            examined = examine_image(self.detector, upload.data, heatmap=wanted.heatmaps, credentials=wanted.provenance)
            answer = _answer(examined, upload, wanted)
        except UnmaskError as error:
            answer = Answer(unreadable(self.detector, upload.name, error))
        finding, image = answer.finding, answer.finding.image
        seconds = time.perf_counter() - started
        self.metrics.picture(finding, seconds)
        log.info(
            "picture request=%s sha256=%s format=%s size=%s bytes=%d answer=%s ms=%.1f",
            request_id,
            image.sha256 if image else hashlib.sha256(upload.data).hexdigest(),
            image.format if image else "-",
            f"{image.width}x{image.height}" if image else "-",
            len(upload.data),
            finding.verdict or finding.status,
            1000 * seconds,
        )
        return answer


def _answer(examined: Examined, upload: Upload, wanted: Wanted) -> Answer:
    finding = replace(examined.finding, path=upload.name)
    maps = (face.heatmap for face in finding.faces if face.heatmap is not None)
    heatmaps = tuple(heatmap_url(heatmap) for heatmap in maps) if wanted.heatmaps else ()
    pixels = examined.pixels
    if not wanted.preview or pixels is None:
        return Answer(finding, heatmaps)
    preview, side = preview_url(pixels)
    closeups = tuple(closeup_url(pixels, face.crop, side) for face in finding.faces)
    return Answer(finding, heatmaps, preview, closeups, thumbnail_url(pixels))
