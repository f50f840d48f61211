"""A clip -> its finding, counted and logged; and the finding as the JSON document of the command line."""

from __future__ import annotations

import hashlib
import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from unmask.checking.clips import examine_clip, unreadable_clip
from unmask.errors import UnmaskError
from unmask.output.documents import document
from unmask.serve.clip_jobs import EndedError
from unmask.serve.data_urls import heatmap_url

if TYPE_CHECKING:
    from unmask.detector import Detector
    from unmask.finding import ClipFinding
    from unmask.serve.clip_jobs import ClipJob
    from unmask.serve.metrics import Metrics
    from unmask.serve.uploads import Upload

log = logging.getLogger("unmask.serve")


class ClipAnswering:
    """Answers clips with the detector that answers pictures.

    Args:
        detector: Loaded once.
        metrics: Where clips are counted.
    """

    def __init__(self, detector: Detector, metrics: Metrics) -> None:
        self._detector, self._metrics = detector, metrics

    def answer(self, job: ClipJob, upload: Upload) -> ClipFinding:
        """The finding; a clip that cannot be read has one, too.

        Raises:
            EndedError: If nobody wants to know any more.
        """
        started = time.perf_counter()
        try:
            finding = examine_clip(
                self._detector, upload.data, heatmap=job.heatmaps, on_start=job.started, on_frame=job.looked
            ).finding
        except UnmaskError as error:
            finding = unreadable_clip(self._detector, None, error)
        if job.is_ended:  # a decoder that was ended looks like one that crashed
            raise EndedError
        seconds = time.perf_counter() - started
        self._metrics.clip(finding, seconds)
        log.info(
            "clip request=%s sha256=%s format=%s size=%s bytes=%d frames=%d answer=%s ms=%.1f",
            job.request_id,
            finding.clip.sha256 if finding.clip else hashlib.sha256(upload.data).hexdigest(),
            f"{finding.clip.format}/{finding.clip.codec}" if finding.clip else "-",
            f"{finding.clip.width}x{finding.clip.height}" if finding.clip else "-",
            len(upload.data),
            len(finding.looked_at),
            finding.verdict or finding.status,
            1000 * seconds,
        )
        return replace(finding, path=upload.name)


def clip_document(finding: ClipFinding, detector: Detector) -> dict[str, Any]:
    """The JSON document of `unmask check --json`; faces that have a heatmap come with it."""
    whole = document([finding], detector)
    for person, entry in zip(finding.people, whole["findings"][0]["people"], strict=True):
        for moment, shown in zip(person.moments, entry["moments"], strict=True):
            if moment.face.heatmap is not None:
                shown["face"]["heatmap"] = heatmap_url(moment.face.heatmap)
    return whole
