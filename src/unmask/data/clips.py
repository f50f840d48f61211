"""One clip of a dataset -> the pictures of some of its frames, or the reason why it is rejected."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unmask.data.manifest import Row, frame_paths
from unmask.data.reading import MIN_FILE_BYTES, Crop, FileFacts, RejectedError, cropped, rejected
from unmask.errors import UnmaskError
from unmask.image.limits import LIMITS, check_size
from unmask.image.resize import resize
from unmask.video.reader import Frame, read_clip

Found = tuple[Row, FileFacts, NDArray[np.uint8] | None]


def read_frames(path: Path, row: Row, size: int, crop: Crop, frames: int) -> list[Found]:
    """Decodes, crops and resizes frames that are spread evenly over a clip.

    Args:
        path: Of the clip.
        row: What is known of it already.
        size: Side S of the pictures in pixels.
        crop: As for `unmask.data.reading.read_file`, frame by frame.
        frames: How many; all of a clip that has fewer.

    Returns:
        A row a frame, in the order of time, with facts of the clip's file, and uint8 (S, S, 3), RGB; None instead of the pixels
        where the row has a reason. Where frames were to be looked at and are damaged, one more such row for the clip. Of a clip
        that is rejected, or whose decoder fails on the way, that row alone.
    """
    facts = FileFacts()
    try:
        facts = FileFacts(file_bytes=path.stat().st_size)
        if facts.file_bytes < MIN_FILE_BYTES:
            raise RejectedError("file-too-small")
        # Several threads may make something else of a damaged frame than one: it shall not depend on the machine.
        with read_clip(path, frames=frames, threads=1) as clip:
            check_size((clip.facts.width, clip.facts.height), row.path, LIMITS)
            facts = facts._replace(format=f"{clip.facts.format} {clip.facts.codec}")
            looked_at = [(frame.time, *_picture(frame, row, size, crop)) for frame in clip]
            missing = len(looked_at) < clip.wanted
    except (RejectedError, UnmaskError, OSError) as error:
        return [(rejected(path, row, error), facts, None)]
    paths = frame_paths(row.path, [time for time, _, _ in looked_at])
    found: list[Found] = [
        (replace(known, path=name), facts, picture) for name, (_, known, picture) in zip(paths, looked_at, strict=True)
    ]
    if missing:
        found.append((rejected(path, row, RejectedError("damaged-frames")), facts, None))
    return found


def _picture(frame: Frame, row: Row, size: int, crop: Crop) -> tuple[Row, NDArray[np.uint8] | None]:
    height, width = frame.pixels.shape[:2]
    sha256 = hashlib.sha256(np.ascontiguousarray(frame.pixels).data).hexdigest()
    row = replace(row, sha256=sha256, width=width, height=height, group=row.group or row.path)
    try:
        return row, resize(cropped(frame.pixels, crop), size)
    except RejectedError as error:
        return replace(row, reason=error.code), None
