"""What is said of small faces, and of small ones made large? Writes `docs/measurements/small_faces.md`.

    python benchmarks/small_faces.py [--detector FOLDER] [--data ../shared/faces] [--split Test] [--pictures 300]

Face crops of a split, as many real as fake, are made as small as a face of each height leaves them; the smallest are also
enlarged to 512 px and saved again, as a site does that shows small pictures large. Needs the extra `train`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from machine import ROOT, hardware, table, today, wilson, write
from unmask import Detector
from unmask.evaluate.pictures import Pixels, open_pictures
from unmask.evaluate.scores import Score
from unmask.evaluate.scoring import score_some
from unmask.finding import Verdict
from unmask.image.encode import encode_jpeg
from unmask.image.read import read_image
from unmask.image.resize import resize

# Of the face, pixels; the crop of a face is 1.3 times as large.
HEIGHTS = (40, 48, 64, 80, 100, 140, 196)
ENLARGED = (48, 64)
MARGIN = 1.3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--detector", type=Path)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "faces")
    parser.add_argument("--split", default="Test")
    parser.add_argument("--pictures", type=int, default=300, help="of each class, from all over the split")
    options = parser.parse_args()
    detector = Detector.load(options.detector, threads=1)
    pictures = open_pictures(options.data, options.split)
    labels = np.array([item.label for item in pictures.items])
    chosen: list[int] = []
    for label in (0, 1):
        places = np.flatnonzero(labels == label)
        chosen += places[np.linspace(0, len(places) - 1, min(len(places), options.pictures)).astype(int)].tolist()
    ways: list[tuple[str, Callable[[Pixels, int], Pixels]]] = [("as it is", lambda pixels, _: pixels)]
    ways += [(f"{height} px", partial(small, side=round(MARGIN * height))) for height in reversed(HEIGHTS)]
    ways += [(f"{side} px, enlarged to 512", partial(enlarged, side=side)) for side in ENLARGED]
    rows = []
    for name, change in ways:
        found = score_some(detector, pictures, chosen, change=change)
        verdicts = [verdict_of(row) for row in found]
        rows.append([name, *measured(labels[chosen], verdicts)])
        print(rows[-1], flush=True)
    write("small_faces.md", page(detector.label, options.split, min(options.pictures, len(chosen) // 2), rows))


def small(pixels: Pixels, _: int, *, side: int) -> Pixels:
    """A crop of so many pixels."""
    return resize(pixels, side)


def enlarged(pixels: Pixels, _: int, *, side: int) -> Pixels:
    """A crop that once had so many pixels, and has 512 now."""
    return read_image(encode_jpeg(resize(resize(pixels, side), 512), 90)).pixels


def verdict_of(row: Score) -> Verdict:
    """As for a face in a picture."""
    assert row.verdict is not None, row
    return row.verdict


def measured(labels: np.ndarray, verdicts: list[Verdict]) -> list[str]:
    """Shares of wrong and of missing answers, with their intervals."""

    def share(label: int, verdict: Verdict) -> str:
        told = [found == verdict for found, truth in zip(verdicts, labels, strict=True) if truth == label]
        low, high = wilson(sum(told), len(told))
        return f"{np.mean(told):.1%} ({low:.1%} to {high:.1%})"

    unsure = np.mean([verdict == Verdict.UNSURE for verdict in verdicts])
    return [share(1, Verdict.REAL), share(1, Verdict.FAKE), share(0, Verdict.FAKE), f"{unsure:.0%}"]


def page(label: str, split: str, count: int, rows: list[list[str]]) -> str:
    """The page."""
    head = ["Height of the face", "fakes called *real*", "fakes called *fake*", "reals called *fake*", "unsure"]
    return f"""# Small faces

The smaller a face, the less of what gives a fake away is left. A detector that finds no trace must then say *unsure*, not
*real*. Here are {count} real and {count} fake face crops of {split}, made as small as a face of each height leaves them, and
what `{label}` says of them with its default thresholds. "Enlarged": made so small, then scaled to 512 px and saved as JPEG.
In brackets 95 % intervals (Wilson), which take every picture for itself.

{table(head, rows)}
{hardware()}; {today()}. Written by `benchmarks/small_faces.py`.
"""


if __name__ == "__main__":
    main()
