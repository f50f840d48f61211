"""Where a detector looked: three kinds of heatmap, and the picture that shows one.

`gradcam` comes out of the detector's graph with the answer. `hirescam` weighs every place by its own gradient instead
of the mean gradient. `occlusion` knows nothing of the graph: it hides a square and asks again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, Literal, get_args

import numpy as np

from unmask.errors import UnmaskError
from unmask.explain.heatmap import WHAT_IT_IS, colour, normalise, overlay
from unmask.face.crop import cut
from unmask.image.resize import resize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.detector import Detector
    from unmask.finding import FaceFinding, Finding

Method = Literal["gradcam", "hirescam", "occlusion"]
METHODS: Final[tuple[str, ...]] = get_args(Method)

# Half overlapping squares of a quarter of the side: large enough to hide an eye, 49 runs a face.
OCCLUSION_PATCH: Final = 1 / 4
OCCLUSION_STRIDE: Final = 1 / 8

PANEL: Final = 320
_MARGIN: Final = 16


def explained(detector: Detector, finding: Finding, pixels: NDArray[np.uint8], method: Method = "gradcam") -> Finding:
    """A finding whose faces carry heatmaps of one method.

    Args:
        detector: The one that the finding is by.
        finding: From a check, with its heatmaps where the method is ``gradcam``.
        pixels: uint8 (H, W, 3), RGB, the whole picture.
        method: ``gradcam`` (Selvaraju et al., ICCV 2017), ``hirescam`` (Draelos and Carin, arXiv:2011.08891, 2020)
            or ``occlusion`` (Zeiler and Fergus, ECCV 2014).

    Returns:
        The same answer; `FaceFinding.heatmap` is float32 (h, w), 0..1.

    Raises:
        UnmaskError: There is no such method, or it is not possible for this detector.
    """
    _check_method(method)
    if method == "gradcam" or not finding.faces:
        return finding
    side = detector.info.input_size
    crops = np.stack([resize(cut(pixels, face.crop), side) for face in finding.faces])
    maps = heatmaps(detector, crops, method)
    faces = tuple(replace(face, heatmap=normalise(own)) for face, own in zip(finding.faces, maps, strict=True))
    return replace(finding, faces=faces)


def heatmaps(detector: Detector, crops: NDArray[np.uint8], method: Method = "gradcam") -> NDArray[np.float32]:
    """What raised the logit of *fake*, and where.

    Args:
        detector: A loaded detector.
        crops: uint8 (N, S, S, 3), the detector's input.
        method: See `explained`.

    Returns:
        float32 (N, h, w), not negative, not normalised.

    Raises:
        UnmaskError: No such method, or not possible for this detector.
    """
    _check_method(method)
    if method == "gradcam":
        return detector.logits_and_maps(crops)[1]
    if method == "hirescam":
        from unmask.explain.hirescam import hirescam

        return hirescam(detector, crops)
    return np.stack([_occlusion(detector, crop) for crop in crops])


def explanation_picture(pixels: NDArray[np.uint8], face: FaceFinding, method: str) -> NDArray[np.uint8]:
    """One face as the detector saw it, the heatmap, and both together, with the colour scale and what it means.

    Args:
        pixels: uint8 (H, W, 3), RGB, the whole picture.
        face: With a heatmap.
        method: For the caption.

    Returns:
        uint8 (height, width, 3), RGB.
    """
    from PIL import Image, ImageDraw, ImageFont

    if face.heatmap is None:
        raise UnmaskError("this face has no heatmap", hint="Check it with heatmap=True.", code="no-heatmap")
    plain = resize(cut(pixels, face.crop), PANEL)
    panels = (plain, overlay(plain, face.heatmap), colour(face.heatmap, PANEL, PANEL))
    width = 3 * PANEL + 4 * _MARGIN
    top = 56
    page = Image.new("RGB", (width, top + PANEL + 112), "white")
    draw = ImageDraw.Draw(page)
    large, small = ImageFont.load_default(19), ImageFont.load_default(14)
    draw.text((_MARGIN, 8), f"{face.verdict.value}, P(fake) {face.score:.2f}", fill="#1b1f24", font=large)
    for number, (panel, title) in enumerate(zip(panels, ("the face", "heatmap over it", "heatmap"), strict=True)):
        left = _MARGIN + number * (PANEL + _MARGIN)
        draw.text((left, 34), title if number < 2 else f"{title} ({method})", fill="#59616c", font=small)
        page.paste(Image.fromarray(panel), (left, top))
    scale = colour(np.linspace(0, 1, PANEL, dtype=np.float32)[None], PANEL, 12)
    bottom = top + PANEL + 10
    page.paste(Image.fromarray(scale), (_MARGIN, bottom))
    draw.text((_MARGIN, bottom + 16), "raised the score least", fill="#59616c", font=small)
    draw.text((_MARGIN + PANEL, bottom + 16), "most", fill="#59616c", font=small, anchor="ra")
    for number, sentence in enumerate(_sentences(face)):
        draw.text((_MARGIN, bottom + 42 + 20 * number), sentence, fill="#1b1f24", font=small)
    return np.asarray(page, dtype=np.uint8)


def plain_sentence(face: FaceFinding) -> str:
    """What the heatmap of this face is, and what it is not."""
    if face.heatmap is None or not face.heatmap.any():
        return "Nothing in this face raised the score, so its heatmap is empty. That is not a proof that it is real."
    return WHAT_IT_IS


def _sentences(face: FaceFinding) -> list[str]:
    return [f"{sentence.rstrip('.')}." for sentence in plain_sentence(face).split(". ")]


def _check_method(method: str) -> None:
    if method not in METHODS:
        raise UnmaskError(
            f"there is no heatmap method {method!r}", hint=f"Choose {', '.join(METHODS)}.", code="no-method"
        )


def _occlusion(detector: Detector, crop: NDArray[np.uint8]) -> NDArray[np.float32]:
    """How far the logit falls when a square is replaced by the crop's mean colour, averaged where squares overlap."""
    side = crop.shape[0]
    patch, stride = max(1, round(side * OCCLUSION_PATCH)), max(1, round(side * OCCLUSION_STRIDE))
    starts = list(range(0, side - patch + 1, stride))
    grey = np.rint(crop.mean(axis=(0, 1))).astype(np.uint8)
    places = [(top, left) for top in starts for left in starts]
    hidden = np.repeat(crop[None], len(places) + 1, axis=0)
    for number, (top, left) in enumerate(places):
        hidden[number, top : top + patch, left : left + patch] = grey
    logits = detector.logits(hidden)
    cells = -(-side // stride)
    total, count = np.zeros((cells, cells)), np.zeros((cells, cells))
    covered = -(-patch // stride)
    for logit, (top, left) in zip(logits, places, strict=False):
        at = slice(top // stride, top // stride + covered), slice(left // stride, left // stride + covered)
        total[at] += float(logits[-1] - logit)
        count[at] += 1
    return np.maximum(total / np.maximum(count, 1), 0.0).astype(np.float32)
