"""A small labelled set of drawn pictures, and tables of invented scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from unmask.evaluate.scores import Score, ScoreTable
from unmask.finding import Failure, Status
from unmask.image.encode import encode_jpeg
from unmask.verdict import Thresholds, decide, probability

THRESHOLDS = Thresholds(real_below=0.3, fake_above=0.7)


def draw(seed: int, side: int = 96) -> NDArray[np.uint8]:
    """Smooth blotches of colour."""
    import cv2

    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)


def write_dataset(root: Path, per_class: int = 8) -> Path:
    """`root/Test/{Real,Fake}` with a manifest, and two files that are no pictures; gives the split's folder."""
    lines = ["path,split,label,source,method,group"]
    for label, name in enumerate(("Real", "Fake")):
        (root / "Test" / name).mkdir(parents=True)
        for number in range(per_class):
            file = root / "Test" / name / f"{name.lower()}_{number:02}.jpg"
            file.write_bytes(encode_jpeg(draw(100 * label + number), 92))
            source = ("studio", "street")[number % 2]
            method = ("swap", "paint")[number % 2] if label else "camera"
            lines.append(f"Test/{name}/{file.name},Test,{label},{source},{method},g{number // 2}")
    (root / "Test" / "Real" / "zz_text.jpg").write_text("no picture", encoding="utf-8")
    (root / "Test" / "Fake" / "zz_empty.jpg").write_bytes(b"")
    (root / "manifest.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root / "Test"


@pytest.fixture(scope="session")
def split_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A split of 16 pictures and 2 files that are none."""
    return write_dataset(tmp_path_factory.mktemp("Dataset"))


def make_table(
    n: int = 120,
    *,
    seed: int = 0,
    gap: float = 3.0,
    failed: int = 0,
    name: str = "invented 1",
    labels: NDArray[np.int64] | None = None,
) -> ScoreTable:
    """Scores of `n` pictures from two sources and two methods, and `failed` more without one."""
    random = np.random.default_rng(seed)
    rows = []
    for number in range(n):
        label = number % 2 if labels is None else int(labels[number])
        logit = float(np.float32(random.normal(gap * (label - 0.5), 1.5)))
        score = float(probability(logit, 1.2))
        source = ("studio", "street")[number // 2 % 2]
        method = "camera" if label == 0 else ("swap", "paint")[number // 2 % 2]
        verdict = decide(score, THRESHOLDS)
        path, group = f"Test/{number:04}.jpg", f"g{number // 3}"
        rows.append(Score(path, label, Status.ANSWERED, logit, score, verdict, source, method, group))
    failure = Failure("truncated", "the file ends early", "Copy it again.")
    for number in range(failed):
        path = f"Test/bad_{number}.jpg"
        rows.append(Score(path, number % 2, Status.UNREADABLE, None, None, None, failure=failure))
    return ScoreTable(name, "balanced", THRESHOLDS, tuple(rows))
