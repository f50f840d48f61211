"""Where a detector looked: two kinds of heatmap.

`gradcam` (Selvaraju et al., ICCV 2017) comes out of the detector's graph with the answer. `occlusion` knows nothing of the graph.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, Literal, get_args

from unmask.errors import UnmaskError
from unmask.explain.heatmap import normalise
from unmask.explain.occlusion import occlusion
from unmask.face.crop import cut
from unmask.image.resize import resize

if TYPE_CHECKING:
    import numpy as np
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
    if method not in METHODS:
        raise UnmaskError(
            f"there is no heatmap method {method!r}", hint=f"Choose {', '.join(METHODS)}.", code="no-method"
        )
    if method == "gradcam":
        return finding
    side = detector.info.input_size
    crops = (resize(cut(pixels, face.crop), side) for face in finding.faces)
    faces = tuple(
        replace(face, heatmap=normalise(occlusion(detector, crop)))
        for face, crop in zip(finding.faces, crops, strict=True)
    )
    return replace(finding, faces=faces)
