"""Second faces in pictures that are a crop of one face: who they are by size and place, and what they do to the answer.

    python benchmarks/bystanders.py [--faces ../shared/faces]

Writes docs/measurements/bystanders.md. All of Validation and every second picture of Train; Test is left alone, since a
rule was chosen by these numbers (`unmask.face.crop.BYSTANDER_AREA`).
"""

from __future__ import annotations

import argparse
from pathlib import Path

from machine import ROOT, hardware, table, today, write
from unmask import Detector
from unmask.face.finder import Face
from unmask.image.read import read_image


def centre_inside(inner: Face, outer: Face) -> bool:
    """Whether the centre of one box lies in the other box."""
    across = 0 <= inner.left + inner.width / 2 - outer.left <= outer.width
    return across and 0 <= inner.top + inner.height / 2 - outer.top <= outer.height


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=Path, default=ROOT.parent / "shared" / "faces")
    folder = parser.parse_args().faces
    detector = Detector.load(threads=1)
    rows = []
    for split, step in (("Validation", 1), ("Train", 2)):
        for label in ("Real", "Fake"):
            several = inside = raised = changed = 0
            shares = []
            paths = sorted((folder / split / label).iterdir())[::step]
            for path in paths:
                found = detector.face_finder.find(read_image(path).pixels)
                if len(found) < 2:
                    continue
                several += 1
                inside += any(centre_inside(face, found[0]) for face in found[1:])
                shares += [face.width * face.height / (found[0].width * found[0].height) for face in found[1:]]
                faces = detector.check(path, heatmap=False).faces
                suspicious = max(faces, key=lambda face: face.score)
                raised += suspicious is not faces[0]
                changed += suspicious.verdict is not faces[0].verdict
            largest = f"{max(shares):.2f}" if shares else ""
            counts = (len(paths), several, inside, raised, changed)
            rows.append([f"{split}, {label.lower()}", *map(str, counts), largest])
    head = ["Pictures", "Number", "With a second face", "Its centre in the first", "It raised the score",
            "It changed the verdict", "Largest, of the first one's area"]  # fmt: skip
    write(
        "bystanders.md",
        "# Bystanders in a crop\n\n"
        "Pictures that are a crop of one face often show somebody behind it, cut off by the border. If such a face could "
        'decide for\nthe picture ("raised", "changed" below), mostly real pictures would be called more suspicious for '
        "it. A face with under half of\nthe first one's area therefore does not decide there. It is not dropped: even "
        "where its centre lies inside the larger face's box,\nit mostly is somebody, half hidden.\n\n"
        f"{table(head, rows)}\n"
        f"{detector.label}, {hardware()}, {today()}; written by `benchmarks/bystanders.py`.\n",
    )


if __name__ == "__main__":
    main()
