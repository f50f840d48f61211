"""The usual JPEG, decoded by OpenCV: the same pixels as Pillow's, in half of the time and without two copies.

Part of the decoder in `image.py`, which has checked the file and read its header with Pillow by then. Both libraries
decode with libjpeg-turbo; `tests/image/test_jpeg.py` holds their pixels equal. Everything unusual is left to Pillow:
CMYK, colour profiles, several scans, and files that do not look whole: OpenCV fills up with grey what Pillow refuses.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

_START_OF_SCAN, _END_OF_IMAGE = b"\xff\xda", b"\xff\xd9"
# Any marker but the ones that occur inside a scan: a stuffed zero, a restart, a fill byte.
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


def plain_jpeg(picture: Any, data: bytes) -> NDArray[np.uint8] | None:
    """Pixels of an ordinary JPEG, not yet turned upright.

    Args:
        picture: The file opened by Pillow's plugin, not loaded.
        data: The file's bytes.

    Returns:
        uint8 (height, width, 3), RGB; None where Pillow must decode it.
    """
    if picture.mode not in ("RGB", "L") or picture.info.get("icc_profile") or not _looks_whole(data):
        return None
    import cv2

    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        return None
    width, height = picture.size
    if pixels is None or pixels.shape != (height, width, 3) or pixels.dtype != np.uint8:
        return None
    return np.asarray(pixels, np.uint8)


def _looks_whole(data: bytes) -> bool:
    """Whether one scan follows the headers and the file ends where it does.

    Cautious: of progressive files, of those with a thumbnail and of those with anything behind the picture it says no.
    """
    scan = _start_of_scan(data)
    if scan is None:
        return False
    marker = _MARKER.search(data, scan + 2)
    return marker is not None and marker.start() == len(data) - 2 and data.endswith(_END_OF_IMAGE)


def _start_of_scan(data: bytes) -> int | None:
    """Where the scan begins, if the headers before it follow each other without anything between."""
    place = 2
    while data[place : place + 1] == b"\xff":
        if data[place : place + 2] == _START_OF_SCAN:
            return place
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return None
