"""Every limit on untrusted pictures, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What is accepted from a stranger.

    Attributes:
        max_bytes: Largest file. 25 MB holds a phone's best JPEG three times over, and bounds what is read into memory.
        max_pixels: Most pixels, width x height, taken from the header before decoding. 50 million is a 50-megapixel
            camera; decoded, with every copy that decoding needs, it stays under 1 GB.
        min_side: Shortest side in pixels. A smaller picture holds no face large enough to judge.
        small_file_bytes: Below this a picture is answered with a warning: 2,500 bytes of JPEG at 256 x 256 is so
            little that most of what a detector looks for is gone.
        max_side_ratio: Longest side over shortest. The longest panoramas and page captures are near 50; in a strip beyond
            this no face has room, and squeezed into a square nothing of it is left.
        max_parts: Most pieces (segments, chunks, blocks) that a file may be chopped into. Real files have tens, big
            PNGs a few thousand; a million empty ones keep a decoder busy for minutes.
    """

    max_bytes: int = 25_000_000
    max_pixels: int = 50_000_000
    min_side: int = 64
    max_side_ratio: float = 100.0
    small_file_bytes: int = 2_500
    max_parts: int = 10_000


LIMITS = Limits()

LOW_JPEG_QUALITY = 50
"""Below this estimated quality a picture gets the note ``heavy-compression``."""

LARGE_PIXELS = 12_000_000
"""Above this, pictures are decoded one at a time: decoding 50 million pixels takes up to 800 MB, whatever else runs."""
