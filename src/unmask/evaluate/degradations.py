"""Ways in which a picture may arrive: re-compressed, shrunk, filtered, cut differently. Same picture, same result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.errors import UnmaskError
from unmask.evaluate.pictures import Pixels
from unmask.face.crop import cut
from unmask.finding import Box
from unmask.image.encode import encode_jpeg
from unmask.image.read import read_image

# Strengths in pixels are for a crop of this side and grow with it, so that they mean the same on any crop.
REFERENCE_SIDE: Final = 256
MESSENGER_SIDE: Final = 1280
MESSENGER_QUALITY: Final = 70


@dataclass(frozen=True, slots=True)
class Degradation:
    """One way a picture may arrive.

    Attributes:
        family: What is done, such as ``JPEG``; one panel of the plot.
        level: How much, as it is shown.
        change: Pixels and the picture's index -> pixels.
    """

    family: str
    level: str
    change: Callable[[Pixels, int], Pixels]

    @property
    def name(self) -> str:
        """Both together."""
        return f"{self.family} {self.level}".strip()


def _jpeg(pixels: Pixels, _: int, *, quality: int) -> Pixels:
    return read_image(encode_jpeg(pixels, quality)).pixels


def _webp(pixels: Pixels, _: int, *, quality: int) -> Pixels:
    done, data = cv2.imencode(".webp", pixels[:, :, ::-1], [cv2.IMWRITE_WEBP_QUALITY, quality])
    if not done:
        raise UnmaskError("WebP cannot hold this picture", hint="It ends at 16,383 pixels.", code="not-deliverable")
    return read_image(data.tobytes()).pixels


def _rescaled(pixels: Pixels, scale: float) -> Pixels:
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=method), dtype=np.uint8)


def _smaller_and_back(pixels: Pixels, _: int, *, scale: float) -> Pixels:
    height, width = pixels.shape[:2]
    small = _rescaled(pixels, scale)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)


def _messenger(pixels: Pixels, index: int) -> Pixels:
    longer = max(pixels.shape[:2])
    sent = _rescaled(pixels, MESSENGER_SIDE / longer) if longer > MESSENGER_SIDE else pixels
    return _jpeg(sent, index, quality=MESSENGER_QUALITY)


def _screenshot(pixels: Pixels, index: int) -> Pixels:
    # Shown at 1.35 times its size on a screen, then captured and sent on.
    return _jpeg(_rescaled(pixels, 1.35), index, quality=90)


def _blur(pixels: Pixels, _: int, *, sigma: float) -> Pixels:
    width = sigma * max(pixels.shape[:2]) / REFERENCE_SIDE
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), width), dtype=np.uint8)


def _noise(pixels: Pixels, index: int, *, deviation: float) -> Pixels:
    return _rounded(pixels + np.random.default_rng(index).normal(0.0, deviation, pixels.shape))


def _saturation(pixels: Pixels, _: int, *, factor: float) -> Pixels:
    # Luma weights of ITU-R BT.601, as JPEG uses them.
    grey = (pixels @ np.array([0.299, 0.587, 0.114]))[..., None]
    return _rounded(grey + factor * (pixels - grey))


def _gamma(pixels: Pixels, _: int, *, gamma: float) -> Pixels:
    return np.asarray(_rounded(255.0 * (np.arange(256) / 255.0) ** gamma)[pixels])


def _video(pixels: Pixels, _: int, *, crf: int) -> Pixels:
    from unmask.data.film import filmed

    return filmed(pixels, crf)


def _shift(pixels: Pixels, index: int, *, share: float) -> Pixels:
    height, width = pixels.shape[:2]
    angle = 2 * np.pi * np.random.default_rng(index).random()
    return cut(pixels, Box(round(share * width * np.cos(angle)), round(share * height * np.sin(angle)), width, height))


def _scale(pixels: Pixels, _: int, *, factor: float) -> Pixels:
    height, width = pixels.shape[:2]
    across, down = round(factor * width), round(factor * height)
    return cut(pixels, Box((width - across) // 2, (height - down) // 2, across, down))


def _rounded(values: NDArray[Any]) -> Pixels:
    return np.asarray(np.clip(np.rint(values), 0, 255), dtype=np.uint8)


# Families that go both ways from the clean picture, whose level would be this.
TWO_SIDED: Final = {"saturation": 1.0, "gamma": 1.0, "crop scaled": 1.0}

DEGRADATIONS: Final = (
    *(Degradation("JPEG", f"q{quality}", partial(_jpeg, quality=quality)) for quality in (95, 85, 75, 60, 45, 30)),
    *(Degradation("WebP", f"q{quality}", partial(_webp, quality=quality)) for quality in (80, 50)),
    *(Degradation("smaller and back", f"{scale:g}x", partial(_smaller_and_back, scale=scale)) for scale in (0.75, 0.5)),
    Degradation("messenger", "", _messenger),
    *(Degradation("blur", f"{sigma:g} px", partial(_blur, sigma=sigma)) for sigma in (1.0, 2.0)),
    *(Degradation("noise", f"sd {deviation:g}", partial(_noise, deviation=deviation)) for deviation in (4, 10)),
    *(Degradation("saturation", f"{factor:g}x", partial(_saturation, factor=factor)) for factor in (0.5, 1.5)),
    *(Degradation("gamma", f"{gamma:g}", partial(_gamma, gamma=gamma)) for gamma in (0.7, 1.4)),
    Degradation("screenshot", "", _screenshot),
    *(Degradation("video frame", f"CRF {crf}", partial(_video, crf=crf)) for crf in (23, 32, 40)),
    *(Degradation("crop shifted", f"{share:.0%}", partial(_shift, share=share)) for share in (0.05, 0.1)),
    *(Degradation("crop scaled", f"{factor:g}x", partial(_scale, factor=factor)) for factor in (0.9, 1.15)),
)
