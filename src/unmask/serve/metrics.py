"""Counters for Prometheus. Nothing of a picture or clip is in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4 as CONTENT_TYPE

from unmask import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

    from unmask.detector import Detector
    from unmask.finding import ClipFinding, Finding
    from unmask.serve.pool import Pool

BUCKETS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
CLIP_BUCKETS = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 60.0, 120.0, 300.0, 900.0)
OUTCOMES = ("real", "unsure", "fake", "no-face", "unreadable")


class Metrics:
    """The server's numbers, in a registry of their own, so that two servers in one process do not mix."""

    content_type = CONTENT_TYPE

    def __init__(self, detector: Detector, pool: Pool) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        labels = ["method", "route", "status"]
        self._requests = Counter("unmask_requests", "Requests answered.", labels, registry=registry)
        self._request_seconds = Histogram(
            "unmask_request_seconds", "Time for a request.", ["route"], buckets=BUCKETS, registry=registry
        )
        self._pictures = Counter("unmask_pictures", "Pictures checked.", ["outcome"], registry=registry)
        self._picture_seconds = Histogram(
            "unmask_picture_seconds", "Time for a picture.", buckets=BUCKETS, registry=registry
        )
        self._refusals = Counter("unmask_refusals", "Requests refused.", ["code"], registry=registry)
        what = "Clips checked; ended: deleted, or forgotten before."
        self._clips = Counter("unmask_clips", what, ["outcome"], registry=registry)
        what = "Time for a clip, without waiting; of answered ones."
        self._clip_seconds = Histogram("unmask_clip_seconds", what, buckets=CLIP_BUCKETS, registry=registry)
        for outcome in OUTCOMES:
            self._pictures.labels(outcome)
        for outcome in (*OUTCOMES, "ended", "failed"):
            self._clips.labels(outcome)
        self._watch("unmask_jobs_under_way", "Requests that are judged or wait for it.", lambda: pool.under_way)
        info = Gauge("unmask_info", "Always 1.", ["version", "detector", "policy"], registry=registry)
        info.labels(__version__, detector.label, detector.policy).set(1)

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Counts a request."""
        self._requests.labels(method, route, str(status)).inc()
        self._request_seconds.labels(route).observe(seconds)

    def picture(self, finding: Finding, seconds: float) -> None:
        """Counts a picture."""
        self._pictures.labels(finding.verdict or finding.status).inc()
        self._picture_seconds.observe(seconds)

    def clip(self, finding: ClipFinding, seconds: float) -> None:
        """Counts a clip."""
        self._clips.labels(finding.verdict or finding.status).inc()
        self._clip_seconds.observe(seconds)

    def clip_without_answer(self, outcome: str) -> None:
        """Counts a clip that gets none: "ended" or "failed"."""
        self._clips.labels(outcome).inc()

    def watch_clips(self, running: Callable[[], int], waiting: Callable[[], int]) -> None:
        """Shows how many clips are looked at now, and how many wait."""
        self._watch("unmask_clips_running", "Clips that are looked at.", running)
        self._watch("unmask_clips_waiting", "Clips that wait.", waiting)

    def _watch(self, name: str, what: str, count: Callable[[], int]) -> None:
        Gauge(name, what, registry=self.registry).set_function(count)

    def refusal(self, code: str) -> None:
        """Counts a refusal."""
        self._refusals.labels(code).inc()

    def text(self) -> bytes:
        """The text format 0.0.4."""
        return generate_latest(self.registry)
