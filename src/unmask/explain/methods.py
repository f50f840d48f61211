"""Where a detector looked: two kinds of heatmap.

`gradcam` (Selvaraju et al., ICCV 2017) comes out of the detector's graph with the answer. `occlusion` knows nothing of the graph.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, Literal, get_args

import numpy as np

from unmask.errors import UnmaskError
from unmask.explain.heatmap import normalise
from unmask.explain.occlusion import occlusion
from unmask.face.crop import cut
from unmask.image.resize import resize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.detector import Detector
    from unmask.finding import Finding

Method = Literal["gradcam", "occlusion"]
METHODS: Final[tuple[str, ...]] = get_args(Method)


def explained(detector: Detector, finding: Finding, pixels: NDArray[np.uint8], method: Method = "gradcam") -> Finding:
    """A finding whose faces carry heatmaps of one method.

    Args:
        detector: The one that the finding is by.
        finding: From a check, with its heatmaps where the method is ``gradcam``.
        pixels: uint8 (H, W, 3), RGB, the whole picture.
        method: ``gradcam`` or ``occlusion`` (see `unmask.explain.occlusion`).

    Returns:
        The same answer; `FaceFinding.heatmap` is float32 (h, w), 0..1.

    Raises:
        UnmaskError: There is no such method.
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
        UnmaskError: No such method.
    """
    _check_method(method)
    if method == "gradcam":
        return detector.logits_and_maps(crops)[1]
    return np.stack([occlusion(detector, crop) for crop in crops])


def _check_method(method: str) -> None:
    if method not in METHODS:
        raise UnmaskError(
            f"there is no heatmap method {method!r}", hint=f"Choose {', '.join(METHODS)}.", code="no-method"
        )
