"""Crops -> logits and activation maps, in batches, with no training framework.

One graph does all of it: uint8 crops in, the logit of *fake* and the Grad-CAM map out; in most bundles also how far a
crop is from the training pictures. Scaling is inside the graph.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from unmask.bundle import Bundle, BundleInfo, read_bundle
from unmask.errors import UnmaskError
from unmask.runtime import Session, start_session
from unmask.system.cores import available_cores
from unmask.system.heap import give_back_memory

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

    from numpy.typing import NDArray

    from unmask.face.finder import FaceFinder
    from unmask.verdict import Thresholds

BATCH_SIZE = 32


@dataclass(frozen=True, slots=True)
class Outputs:
    """What one run of the graph says of some crops.

    Attributes:
        logits: float32 (N,); positive is fake.
        outside_training: bool (N,), whether a crop is unlike those that the detector learned from; all False where the
            bundle does not know.
        maps: float32 (N, h, w) Grad-CAM, after ReLU, not normalised; None if not asked for.
    """

    logits: NDArray[np.float32]
    outside_training: NDArray[np.bool_]
    maps: NDArray[np.float32] | None = None


class Detector:
    """A loaded bundle that takes crops. Safe to share between threads, and with other processes (it pickles as the place
    of its bundle and the settings below). `unmask.Detector` is this with `check`, which takes pictures.

    Attributes:
        bundle: What was loaded.
        policy: Name of the thresholds in use.
        threads: Threads for one inference.

    Example:
        >>> detector = Detector.load()
        >>> side = detector.info.input_size
        >>> detector.outputs(np.zeros((2, side, side, 3), np.uint8)).logits.shape
        (2,)
    """

    def __init__(self, bundle: Bundle, *, policy: str, threads: int) -> None:
        self.bundle = bundle
        self.policy = policy
        self.threads = threads
        self._place = bundle.folder.resolve()  # now: a relative path, or a link, may lead elsewhere later
        self._session: Session | None = start_session(bundle, threads)

    @classmethod
    def load(
        cls,
        bundle: str | Path | None = None,
        *,
        threads: int | None = None,
        policy: str | None = None,
    ) -> Self:
        """Load a bundle.

        Args:
            bundle: Folder of the bundle; None for the shipped one.
            threads: Threads for one inference; None for one a core, at most 4 (small graphs gain nothing beyond).
            policy: Name of the bundle's thresholds to decide by; None for the bundle's default.

        Raises:
            UnmaskError: If the bundle is missing, malformed or changed, its graph cannot be used, or it has no such policy;
                if `threads` is below 1.
        """
        read = read_bundle(bundle)
        chosen = policy or read.info.default_policy
        if chosen not in read.info.policies:
            hint = f"Choose one of: {', '.join(read.info.policies)}."
            raise UnmaskError(f"the detector {read.label} has no policy {chosen!r}", hint=hint, code="no-policy")
        if threads is not None and threads < 1:
            raise UnmaskError(f"{threads} threads make no sense", hint="Give 1 or more.", code="bad-threads")
        return cls(read, policy=chosen, threads=threads or min(4, available_cores()))

    def __reduce__(self) -> tuple[Any, ...]:
        # A copy in another process loads the same bundle; one that was replaced in the meantime is another detector.
        settings = {"threads": self.threads, "policy": self.policy}
        return _load_again, (type(self), self._place, self.bundle.sha256, settings)

    @property
    def info(self) -> BundleInfo:
        """What the bundle says of itself."""
        return self.bundle.info

    @property
    def label(self) -> str:
        """Name and version."""
        return self.bundle.label

    @property
    def thresholds(self) -> Thresholds:
        """Those of the policy in use."""
        return self.info.policies[self.policy].thresholds

    @property
    def is_calibrated(self) -> bool:
        """Whether those were chosen on pictures; `unmask.export.calibrate` writes where there were none."""
        return not self.info.policies[self.policy].chosen_by.startswith("not calibrated")

    @cached_property
    def face_finder(self) -> FaceFinder:
        """The face finder that `check` uses; loaded when first asked for."""
        from unmask.face.finder import FaceFinder

        return FaceFinder.load(threads=self.threads)

    def release(self) -> None:
        """Free the graph's memory, most of what a detector holds; the next crops load it again.

        For a program that only hands the detector on to others, which load their own.
        """
        self._session = None
        give_back_memory()

    def logits(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Raw outputs.

        Args:
            crops: uint8 (N, S, S, 3), RGB, S = `info.input_size`.

        Returns:
            float32 (N,); positive is fake.

        Raises:
            UnmaskError: If shape or dtype are not these.
        """
        return self._run(crops, ["logit"])[0]

    def logits_and_maps(self, crops: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Raw outputs and where they come from.

        Args:
            crops: uint8 (N, S, S, 3), RGB, S = `info.input_size`.

        Returns:
            float32 (N,) logits, positive for fake, and float32 (N, h, w) Grad-CAM maps of the logit of *fake* (Selvaraju
            et al., ICCV 2017), after ReLU, not normalised. h and w are those of the network's last map, not of the crop.

        Raises:
            UnmaskError: If shape or dtype are not these.
        """
        logits, maps = self._run(crops, ["logit", "cam"])
        return logits, maps

    def outputs(self, crops: NDArray[np.uint8], *, maps: bool = False) -> Outputs:
        """All that a verdict needs, in one run.

        Args:
            crops: uint8 (N, S, S, 3), RGB, S = `info.input_size`.
            maps: Whether the Grad-CAM maps come along.

        Returns:
            Logits, whether each crop is unlike the training pictures, and the maps if asked for.

        Raises:
            UnmaskError: If shape or dtype are not these.
        """
        limit = self.info.outside_above
        names = ["logit", *(["cam"] if maps else []), *(["distance"] if limit is not None else [])]
        found = dict(zip(names, self._run(crops, names), strict=True))
        # Written so that a distance that is no number is outside.
        outside = np.zeros(len(crops), bool) if limit is None else ~(found["distance"] <= limit)
        return Outputs(found["logit"], outside, found.get("cam"))

    def _run(self, crops: NDArray[np.uint8], outputs: list[str]) -> list[NDArray[np.float32]]:
        side = self.info.input_size
        if crops.dtype != np.uint8 or crops.ndim != 4 or crops.shape[1:] != (side, side, 3):
            message = f"crops must be uint8 (N, {side}, {side}, 3), got {crops.dtype} {crops.shape}"
            raise UnmaskError(message, hint="Cut and resize with unmask.face.crop.", code="bad-crops")
        session = self._session
        if session is None:
            session = self._session = start_session(self.bundle, self.threads)
        batches = [session(crops[i : i + BATCH_SIZE], outputs) for i in range(0, max(len(crops), 1), BATCH_SIZE)]
        return [np.concatenate([batch[k] for batch in batches]) for k in range(len(outputs))]


def _load_again(kind: type[Detector], folder: Path, sha256: str, settings: dict[str, Any]) -> Detector:
    detector = kind.load(folder, **settings)
    if detector.bundle.sha256 != sha256:
        hint = "Start again, so that all of the work is done by one detector."
        raise UnmaskError(f"the bundle {folder} was replaced while it was in use", hint=hint, code="bundle-hash")
    return detector
