"""Every limit on untrusted pictures, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass

from unmask.errors import UnmaskError


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

DECODING_PIXELS = 50_000_000
"""Most pixels that are decoded at a time by all threads together: that many take up to 800 MB. One picture always may."""

ZERO_RUN = 32
"""As many zero bytes in a row in compressed pixels are a hole in the file: an overwritten or never downloaded part."""

CODED_ZERO_RUN = 64
"""The same in arithmetic-coded pixels (WebP, AVIF, HEIC), whose bytes look like chance."""

ERASED_RUN = 512
"""As many bytes 255 in a row there are a hole, too: a sector of erased flash memory."""

WEBP_PIXELS_A_ZERO = 5_000
"""But in a WebP a flat wall becomes zeros: at most a byte for 10,000 pixels, by libwebp's encoder."""

LOSSLESS_PIXELS_A_ZERO = 2
"""The same in a lossless WebP, whose codes are no arithmetic ones: a wall of one colour takes up to a bit a channel."""

MOST_SCAN_BYTES_WALKED = 1_000_000
"""In a damaged JPEG up to this size the rows that are missing are looked for, about 1 s; in a larger one all count as such."""

MAX_PROFILE_BYTES = 8_000_000
"""Most that a compressed colour profile is unpacked to. Profiles of printing presses have 2 MB."""

MAX_TEXT_BYTES = 1_000_000
"""Most that is read, or unpacked, of one text, EXIF or XMP in a file; ComfyUI's largest workflows have half of that."""

MAX_ALL_TEXT_BYTES = 4_000_000
"""The same of all texts of a file together, in which marks of generators are looked for: about 20 ms."""

MAX_MANIFEST_BYTES = 8_000_000
"""Most that is looked through of Content Credentials, which hold small pictures of what a picture was made from."""


def check_size(size: tuple[int, int], name: str, limits: Limits) -> None:
    """Refuses a picture for its width and height, before it is decoded.

    Args:
        size: Width and height in pixels.
        name: What to call the picture.
        limits: What is accepted.

    Raises:
        UnmaskError: ``too-many-pixels``, ``too-small`` or ``too-long``.
    """
    width, height = size
    if width * height > limits.max_pixels:
        raise UnmaskError(
            f"{name} has too many pixels: {width:,} x {height:,}, at most {limits.max_pixels:,} are read",
            hint="Save it smaller, or cut out the face.",
            code="too-many-pixels",
        )
    if min(width, height) < limits.min_side:
        raise UnmaskError(
            f"{name} is too small to judge: {width:,} x {height:,} pixels, both sides must have {limits.min_side}",
            hint="Find a larger version; enlarging this one adds nothing to see.",
            code="too-small",
        )
    if max(width, height) > limits.max_side_ratio * min(width, height):
        raise UnmaskError(
            f"{name} is too long and thin: {width:,} x {height:,} pixels, at most {limits.max_side_ratio:.0f} to 1 is read",
            hint="Cut out the part with the face.",
            code="too-long",
        )
