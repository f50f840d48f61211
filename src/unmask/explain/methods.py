"""Where a detector looked: three kinds of heatmap.

`gradcam` comes out of the detector's graph with the answer. `hirescam` weighs every place by its own gradient instead
of the mean gradient. `occlusion` knows nothing of the graph: it hides a square and asks again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, Literal, get_args

import numpy as np

from unmask.errors import UnmaskError
from unmask.explain.heatmap import normalise
from unmask.face.crop import cut
from unmask.image.resize import resize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.detector import Detector
    from unmask.finding import Finding

Method = Literal["gradcam", "hirescam", "occlusion"]
METHODS: Final[tuple[str, ...]] = get_args(Method)

# Half overlapping squares of a quarter of the side: large enough to hide an eye, 49 runs a face.
OCCLUSION_PATCH: Final = 1 / 4
OCCLUSION_STRIDE: Final = 1 / 8


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
