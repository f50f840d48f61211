"""Colours told by numbers instead of a profile -> sRGB: ITU-T H.273 code points (AVIF, HEIC, PNG cICP), PNG gAMA and cHRM.

8-bit code values become linear light, relative to the white of an ordinary picture, by a table of 256; then the primaries
are changed by a matrix, and sRGB's own curve gives code values again (IEC 61966-2-1). Light above white, which only PQ and
HLG have, is cut off there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

UNSPECIFIED = 2
LINEAR, SRGB, PQ, HLG = 8, 13, 16, 18
_LIKE_SRGB = frozenset((1, UNSPECIFIED, 6, 7, 11, 12, SRGB, 14, 15))  # video curves are shown as sRGB's, as browsers do
_EXPONENTS = {4: 2.2, 5: 2.8, LINEAR: 1.0, 17: 2.6}
_WHITE_NITS = 203.0  # what a white sheet has in HDR pictures (ITU-R BT.2408, section 2)
_PEAK_NITS = 1000.0  # of the screen that HLG is meant for (ITU-R BT.2100, table 5)

Chromaticities = tuple[float, float, float, float, float, float, float, float]
"""x and y of white, red, green and blue (CIE 1931), in the order of PNG's cHRM."""

_D65 = (0.3127, 0.3290)
_BT709: Chromaticities = (*_D65, 0.640, 0.330, 0.300, 0.600, 0.150, 0.060)
_PRIMARIES: dict[int, Chromaticities] = {  # H.273, table 2
    1: _BT709,
    UNSPECIFIED: _BT709,
    5: (*_D65, 0.640, 0.330, 0.290, 0.600, 0.150, 0.060),
    6: (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    7: (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    9: (*_D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    12: (*_D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
}


@dataclass(frozen=True, slots=True)
class Colour:
    """What a file says of its colours.

    Attributes:
        profile: An ICC profile, which goes before all else; empty where there is none, None where it cannot be unpacked.
        transfer: How light became numbers, by H.273, table 3.
        primaries: What the channels' colours are, by H.273, table 2.
        exponent: Of linear light over code values, instead of `transfer`: 1 / gAMA.
        chromaticities: Instead of `primaries`.
        odd: Whether the file says something of its colours that nobody can follow.
    """

    profile: bytes | None = b""
    transfer: int = UNSPECIFIED
    primaries: int = UNSPECIFIED
    exponent: float | None = None
    chromaticities: Chromaticities | None = None
    odd: bool = False

    @property
    def uncertain(self) -> bool:
        """Whether a picture in these colours can look another way than it was meant to."""
        known = self.transfer in _LIKE_SRGB or self.transfer in _EXPONENTS
        return self.odd or not known or self.primaries not in _PRIMARIES

    @property
    def is_srgb(self) -> bool:
        """Whether the numbers are sRGB's already, as far as they say."""
        same_curve = self.exponent is None and self.transfer in _LIKE_SRGB
        return same_curve and self.chromaticities is None and _PRIMARIES.get(self.primaries, _BT709) == _BT709


def of_png(chunks: dict[bytes, bytes], profile: bytes | None) -> Colour:
    """What a PNG's chunks say: the first of cICP, iCCP, sRGB, gAMA with cHRM counts (PNG, third edition, section 4.3).

    Args:
        chunks: The data of cICP, sRGB, gAMA and cHRM, where they are there.
        profile: As in `Colour.profile`.
    """
    cicp = chunks.get(b"cICP", b"")
    if len(cicp) == 4:
        return Colour(primaries=cicp[0], transfer=cicp[1], odd=cicp[2] != 0 or cicp[3] != 1)
    if profile != b"" or b"sRGB" in chunks:
        return Colour(profile)
    gama = chunks.get(b"gAMA")
    gamma = int.from_bytes(gama or b"", "big") / 100_000
    whole = chunks.get(b"cHRM", b"")
    numbers = tuple(int.from_bytes(whole[at : at + 4], "big") / 100_000 for at in range(0, 32, 4))
    usual = np.allclose(numbers, _BT709, atol=0.002)
    sensible = len(whole) == 32 and _has_white_inside(numbers)
    chromaticities: Chromaticities | None = numbers if sensible and not usual else None  # type: ignore[assignment]
    # Pictures are meant for screens, 0.38 to 0.56, or hold linear light, 1; far from there it is a mistake, though browsers
    # follow nearly all. 5 % is what libpng calls no difference.
    followed = 0.2 <= gamma <= 3
    odd = (gama is not None and not followed) or (bool(whole) and not sensible)
    exponent = 1 / gamma if followed and abs(gamma * 2.2 - 1) > 0.05 else None
    return Colour(exponent=exponent, chromaticities=chromaticities, odd=odd)


def _has_white_inside(numbers: tuple[float, ...]) -> bool:
    """Whether chromaticities are those of some screen: each share of red, green and blue in white is at least a hundredth."""
    if not all(0 < y < 1 and 0 <= x < 1 for x, y in zip(numbers[::2], numbers[1::2], strict=True)):
        return False
    xy = np.array(numbers).reshape(4, 2)
    corners = np.vstack([xy[1:].T, np.ones(3)])
    if abs(np.linalg.det(corners)) < 0.01:  # sRGB's triangle has 0.22
        return False
    return bool((np.linalg.solve(corners, np.array([*xy[0], 1])) > 0.01).all())


@lru_cache(maxsize=16)
def converter(colour: Colour) -> Callable[[NDArray[np.uint8]], NDArray[np.uint8]] | None:
    """What turns code values into sRGB's; None where they are, or where nothing better can be done.

    Args:
        colour: Without a profile.

    Returns:
        A function of uint8 (height, width, 3) that gives the same shape.
    """
    if colour.is_srgb:
        return None
    light = _linear_light(colour)
    own = _to_xyz(colour.chromaticities or _PRIMARIES.get(colour.primaries, _BT709))
    matrix = (np.linalg.inv(_to_xyz(_BT709)) @ own).astype(np.float32)
    hlg = colour.exponent is None and colour.transfer == HLG

    def convert(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        linear = light[pixels]
        if hlg:  # the screen's part of HLG depends on all three channels (BT.2100, table 5)
            luminance = linear @ np.array([0.2627, 0.6780, 0.0593], np.float32)
            linear *= (luminance**0.2)[..., None] * (_PEAK_NITS / _WHITE_NITS)
        linear = np.clip(linear @ matrix.T, 0, 1)
        encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
        return np.asarray(np.rint(255 * encoded), dtype=np.uint8)

    return convert


def _linear_light(colour: Colour) -> NDArray[np.float32]:
    value = np.arange(256) / 255
    if colour.exponent is not None:
        linear = value**colour.exponent
    elif colour.transfer in _EXPONENTS:
        linear = value ** _EXPONENTS[colour.transfer]
    elif colour.transfer == PQ:  # SMPTE ST 2084
        root = value ** (1 / 78.84375)
        linear = (np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (1 / 0.1593017578125)
        linear *= 10_000 / _WHITE_NITS
    elif colour.transfer == HLG:  # BT.2100, table 5
        linear = np.where(value <= 0.5, value**2 / 3, (np.exp((value - 0.55991073) / 0.17883277) + 0.28466892) / 12)
    else:
        linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return linear.astype(np.float32)


def _to_xyz(chromaticities: Chromaticities) -> NDArray[np.float64]:
    """Linear RGB -> XYZ under D65 (Lindbloom; white is adapted by Bradford's matrix where it is another)."""
    xy = np.array(chromaticities).reshape(4, 2)
    xyz = np.column_stack([xy[:, 0] / xy[:, 1], np.ones(4), (1 - xy.sum(axis=1)) / xy[:, 1]])
    white, primaries = xyz[0], xyz[1:].T
    matrix = primaries * np.linalg.solve(primaries, white)
    cone = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
    target = np.array([_D65[0] / _D65[1], 1, (1 - sum(_D65)) / _D65[1]])
    adapt = np.linalg.inv(cone) @ np.diag((cone @ target) / (cone @ white)) @ cone
    return np.asarray(adapt @ matrix)
