"""The results in short: how many got which answer, how the scores lie, what looks most suspicious, what failed and why."""

from __future__ import annotations

import contextlib
import heapq
import json
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unmask import __version__
from unmask.errors import UnmaskError
from unmask.finding import Verdict
from unmask.image.read import read_image
from unmask.image.resize import shrink
from unmask.output import wording
from unmask.output.clip_html import jpeg_url
from unmask.output.documents import detector_facts
from unmask.output.files import write_file
from unmask.output.html_page import templates
from unmask.scan.place import Place, is_store, place_of
from unmask.scan.results import PARTS, SUMMARY, batches_of
from unmask.scan.storage import read
from unmask.verdict import SUSPICION

if TYPE_CHECKING:
    from collections.abc import Iterable

    from unmask.detector import Detector
    from unmask.scan.rows import Row

# Pictures on the page, the most suspicious of all, and the longer side of each, in pixels.
SHOWN = 24
THUMBNAIL = 240
# Bars of the histogram of scores.
BARS = 20
_COLUMNS = ["path", "kind", "status", "verdict", "score", "failure", "message", "hint", "marks", "seconds"]


def write_summary(out: Path, detector: Detector, sources: Iterable[str] = (), *, left_out: int = 0) -> dict[str, Any]:
    """Write `summary.json` and `summary.html` of all results in a folder.

    Args:
        out: Folder of the results.
        detector: That judged them.
        sources: As they were named; small copies of pictures in a store are made where its address is among them.
        left_out: Files that were left out.

    Returns:
        What stands in `summary.json`.

    Raises:
        UnmaskError: They cannot be written.
    """
    found = summarised(out / PARTS)
    facts = {"unmask": __version__, "written": datetime.now().astimezone().isoformat(timespec="seconds")}
    summary = {**facts, "detector": detector_facts(detector), **found, "left_out": left_out}
    numbers, page = (out / name for name in SUMMARY)
    write_file(numbers, (json.dumps(summary, indent=2, allow_nan=False) + "\n").encode())
    write_file(page, _page(summary, detector, sources).encode("utf-8", "replace"))
    return summary


def summarised(parts: Path) -> dict[str, Any]:
    """The numbers, read a part at a time.

    Args:
        parts: The folder of parts.

    Returns:
        `pictures` (all rows, clips among them), `clips`, `marked` (those that say themselves that AI made them), a count for
        each outcome, `failures` (the most frequent first), `histogram` (of scores, counts of `BARS` equal steps from 0 to
        1), `most_suspicious`, and `seconds` of work.
    """
    total: Counter[str] = Counter()
    outcomes = dict.fromkeys(wording.OUTCOMES, 0)
    reasons: Counter[str] = Counter()
    told: dict[str, dict[str, str]] = {}
    bars = [0] * BARS
    top: list[tuple[int, float, str, Row]] = []
    seconds = 0.0
    for rows in batches_of(parts, _COLUMNS):
        for row in rows:
            outcomes[row["verdict"] or row["status"].replace("-", "_")] += 1
            total.update(pictures=1, clips=row["kind"] == "clip", marked=bool(row["marks"]))
            seconds += row["seconds"]
            if row["failure"]:
                reasons[row["failure"]] += 1
                told.setdefault(
                    row["failure"], {"such_as": row["path"], "message": row["message"], "hint": row["hint"]}
                )
            if row["score"] is not None:
                bars[min(int(row["score"] * BARS), BARS - 1)] += 1
                top.append((SUSPICION[Verdict(row["verdict"])], row["score"], row["path"], row))
        top = heapq.nlargest(SHOWN, top, key=lambda entry: entry[:3])
    shown = ("path", "kind", "verdict", "score", "marks")
    return {
        "pictures": total["pictures"],
        "clips": total["clips"],
        "marked": total["marked"],
        **outcomes,
        "failures": [{"code": code, "count": many, **told[code]} for code, many in reasons.most_common()],
        "histogram": bars,
        "most_suspicious": [{name: row[name] for name in shown} for *_, row in top if row["verdict"] != Verdict.REAL],
        "seconds": round(seconds, 1),
    }


def _page(summary: dict[str, Any], detector: Detector, sources: Iterable[str]) -> str:
    thumbnails = _thumbnails(
        [entry["path"] for entry in summary["most_suspicious"] if entry["kind"] == "picture"], sources
    )
    return (
        templates("unmask.scan")
        .get_template("summary.html")
        .render(
            summary=summary,
            thumbnails=thumbnails,
            words=wording,
            detector=detector,
            counted=wording.counted(summary["pictures"], summary["clips"]),
            highest=max(summary["histogram"]) or 1,
        )
    )


def _thumbnails(names: list[str], sources: Iterable[str]) -> dict[str, str]:
    """Small copies of pictures as data URLs; those in shards, and those that cannot be read any more, have none.

    A name tells neither the server of a store nor the account, so both come from the sources; without them, nobody is asked.
    """
    roots = {_bucket(place): place.root for place in map(place_of, sources) if is_store(place)} | {"": ""}
    small = {}
    for name in names:
        place = place_of(name)
        if _bucket(place) in roots:
            place = place._replace(root=roots[_bucket(place)])
            with contextlib.suppress(UnmaskError):
                small[name] = jpeg_url(shrink(read_image(read(place)).pixels, THUMBNAIL))
    return small


def _bucket(place: Place) -> str:
    return "/".join(place.name.split("/")[:3]) if is_store(place) else place.root
