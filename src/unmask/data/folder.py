"""One split of a dataset folder, read picture by picture as training goes on, for those who do not prepare first."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unmask.data.layout import SPLITS, files_in, find_layout
from unmask.data.manifest import read_origins
from unmask.data.prepare import MIN_FILE_BYTES
from unmask.errors import UnmaskError
from unmask.image.read import read_whole_image
from unmask.image.resize import resize


@dataclass(frozen=True, slots=True)
class FolderImages:
    """The pictures of one split.

    Attributes:
        root: The dataset's folder.
        split: `Train`, `Validation` or `Test`.
        size: Side S the pictures are resized to.
        paths: Relative to `root`, real before fake; files under 2,500 bytes are left out, as `unmask prepare` does.
        labels: 0 real, 1 fake, int64 (N,).
        sources: From a `manifest.csv` beside the folders; empty strings without one.
        groups: Likewise; pictures of one group are not independent.
    """

    root: Path
    split: str
    size: int
    paths: tuple[str, ...]
    labels: NDArray[np.int64]
    sources: tuple[str, ...]
    groups: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, indexes: Sequence[int] | NDArray[np.integer], workers: int = 1) -> NDArray[np.uint8]:
        """Decodes and resizes pictures: uint8 (n, S, S, 3), RGB.

        Raises:
            UnmaskError: A picture cannot be read. Training does not go on without it: the message names the file.
        """
        chosen = [self.paths[int(index)] for index in indexes]
        images = np.empty((len(chosen), self.size, self.size, 3), np.uint8)
        if workers == 1:
            for place, path in enumerate(chosen):
                images[place] = self._read_one(path)
        else:
            with ThreadPoolExecutor(workers, thread_name_prefix="read") as pool:
                for place, pixels in enumerate(pool.map(self._read_one, chosen)):
                    images[place] = pixels
        return images

    def _read_one(self, path: str) -> NDArray[np.uint8]:
        try:
            return resize(read_whole_image(self.root / path).pixels, self.size)
        except UnmaskError as error:
            raise UnmaskError(
                f"{error.message} (while reading {self.split} straight from its folder)",
                hint="Take the file out, or run unmask prepare first, which lists and leaves out what cannot be read.",
                code=error.code,
            ) from error


def open_folder(dataset: Path, split: str, size: int = 128) -> FolderImages:
    """Lists one split of a dataset folder; no picture is read yet.

    Args:
        dataset: Folder of the layout `find_layout` understands.
        split: `Train`, `Validation` or `Test`.
        size: Side to resize to.

    Raises:
        UnmaskError: Wrong layout, or the split is not there.
    """
    layout = find_layout(dataset)
    if split not in layout.splits:
        raise UnmaskError(
            f"{dataset} has no {split} split, only {', '.join(layout.splits)}.",
            hint=f"Add {split}/Real and {split}/Fake, or choose one of {', '.join(SPLITS)}.",
            code="split-missing",
        )
    origins = read_origins(layout.root)
    paths: list[str] = []
    labels: list[int] = []
    for folder in layout.folders:
        if folder.split != split:
            continue
        prefix = folder.folder.relative_to(layout.root).as_posix()
        for name in files_in(folder.folder):
            path = folder.folder / name
            if path.is_file() and path.stat().st_size >= MIN_FILE_BYTES:
                paths.append(f"{prefix}/{name}")
                labels.append(folder.label)
    found = [origins.get(path, ("", "", "")) for path in paths]
    return FolderImages(
        layout.root,
        split,
        size,
        tuple(paths),
        np.array(labels, np.int64),
        tuple(source for source, _, _ in found),
        tuple(group for _, _, group in found),
    )
