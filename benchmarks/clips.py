"""How should the frames of a clip become one verdict? Ways compared on Validation, also with strongly compressed copies.

    python benchmarks/clips.py [--detector FOLDER] [--faces ../shared/faces] [--videos ../shared/videos] [--frames 16] [--write]

A clip is the rows of the set's manifest whose `original` names one video; its frames are packed anew as H.264 at each constant
rate factor. Prints the page; `--write` writes it to `docs/measurements/clips.md`. With `--split Test` only the rule in force is
shown, so that nothing is chosen there, and the page is `clips_test.md`. Needs the extras `video` and `train`.
"""

from __future__ import annotations

import argparse
import csv
import io
from collections import defaultdict
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from machine import ROOT, hardware, table, today, wilson, write
from unmask import Detector, read_clip, read_image
from unmask.finding import OUTSIDE_TRAINING, Box, FaceFinding, Moment, Verdict
from unmask.image.resize import resize
from unmask.output.wording import score_text
from unmask.stats.metrics import roc_auc
from unmask.verdict import decide, probability
from unmask.video.timeline import RULE, Rule, clip_thresholds, judge

Pixels = NDArray[np.uint8]
FACTORS = (23, 32, 40)
WAYS = {
    "mean of logits": replace(RULE, method="mean"),
    "trimmed mean, 10 %": replace(RULE, method="trimmed-mean", share=0.1),
    "trimmed mean, 25 %": replace(RULE, method="trimmed-mean", share=0.25),
    "median": replace(RULE, method="median"),
    "highest 30 %": replace(RULE, method="top-share", share=0.3),
    "highest frame": replace(RULE, method="top-share", share=1e-9),
}
WHOLE = Box(0, 0, 256, 256)
WHY = """\
With so few clips these ways cannot be told apart from chance. In force is the trimmed mean with 10 %: the highest and the
lowest tenth are left out, so that one lone frame decides nothing. Nor can thresholds of their own be chosen for clips: if none
of so few real ones is accused, the true share can still be more than a third. So those of single pictures hold, which were chosen
on many more people; a mean over frames varies less than one frame.

"""


@dataclass(frozen=True)
class Scored:
    """One clip: its label, and its faces' raw logits with whether each is outside training, in the order of time."""

    label: int
    logits: NDArray[np.float64]
    outside: NDArray[np.bool_]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--detector", type=Path)
    parser.add_argument("--faces", type=Path, default=ROOT.parent / "shared" / "faces")
    parser.add_argument("--videos", type=Path, default=ROOT.parent / "shared" / "videos")
    parser.add_argument("--split", default="Validation")
    parser.add_argument("--sources", nargs="+", default=["ffpp"])
    parser.add_argument("--frames", type=int, default=16, help="of each clip, evenly spread")
    parser.add_argument("--factors", type=int, nargs="*", default=FACTORS)
    parser.add_argument("--policy")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    detector = Detector.load(options.detector, policy=options.policy)
    clips = clips_of(options.faces, options.split, options.sources, options.frames)
    is_test = options.split == "Test"
    ways = {"the rule in force": RULE} if is_test else WAYS
    rows = []
    for factor in (None, *options.factors):
        scored = [score(detector, label, frames, factor) for label, frames in clips]
        name = "as they are" if factor is None else f"CRF {factor}"
        rows += [[name, way, *measured(detector, scored, rule)] for way, rule in ways.items()]
        rows.append([name, "each frame by itself", *measured_frames(detector, scored)])
    reals = sum(label == 0 for label, _ in clips)
    thresholds = clip_thresholds(detector.info, detector.policy)
    head = ["Copies", "Way", "AUC", "real called fake", "fake called real", "unsure"]
    page = (
        f"# One verdict for a clip{', on Test' if is_test else ''}\n\n"
        f"{options.split} of {', '.join(options.sources)}: {len(clips)} clips ({reals} real), up to {options.frames} frames "
        f"each, all face crops. Thresholds: real below {thresholds.real_below:.3f}, fake above {thresholds.fake_above:.3f}. "
        "In brackets 95 % intervals (Wilson) over clips; clips of one group show the same people, so that true intervals "
        f"are wider.\n\n{table(head, rows)}\n{'' if is_test else WHY + videos(detector, options.videos, options.factors)}\n"
        f"{detector.label}, policy {detector.policy}, {hardware()}, {today()}; written by `benchmarks/clips.py`.\n"
    )
    if options.write:
        write("clips_test.md" if is_test else "clips.md", page)
    else:
        print(page)


def clips_of(folder: Path, split: str, sources: list[str], most: int) -> list[tuple[int, list[Pixels]]]:
    """The label and the frames of each clip, in the order of time."""
    found: dict[tuple[int, str], list[tuple[int, Path]]] = defaultdict(list)
    with (folder / "manifest.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if row["split"] == split and row["source"] in sources:
                clip, _, frame = row["original"].partition("#frame=")
                number = int(frame) if frame else len(found[int(row["label"]), clip])
                found[int(row["label"]), clip].append((number, folder / row["path"]))
    clips = []
    for (label, _), frames in sorted(found.items()):
        frames.sort()
        chosen = np.unique(np.linspace(0, len(frames) - 1, min(most, len(frames))).round().astype(int))
        clips.append((label, [read_image(frames[at][1]).pixels for at in chosen]))
    return clips


def score(detector: Detector, label: int, frames: list[Pixels], factor: int | None) -> Scored:
    """What the detector says of each frame, compressed as asked for."""
    frames = frames if factor is None else [frame.pixels for frame in read_clip(packed(frames, factor))]
    found = detector.outputs(np.stack([resize(frame, detector.info.input_size) for frame in frames]))
    return Scored(label, found.logits.astype(np.float64), found.outside_training)


def packed(frames: list[Pixels], factor: int, rate: Fraction = Fraction(25)) -> bytes:
    """Frames, uint8 (H, W, 3), as H.264 in an MP4 at a constant rate factor."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as output:
        stream = output.add_stream("libx264", rate=rate, options={"crf": str(factor)})
        stream.width, stream.height = frames[0].shape[1] & ~1, frames[0].shape[0] & ~1
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            even = np.ascontiguousarray(frame[: stream.height, : stream.width])
            output.mux(stream.encode(av.VideoFrame.from_ndarray(even, format="rgb24")))
        output.mux(stream.encode())
    return file.getvalue()


def moments(detector: Detector, clip: Scored) -> list[Moment]:
    """Faces of one person, a second apart."""
    scores = probability(clip.logits, detector.info.temperature)
    verdicts = [decide(float(value), detector.thresholds) for value in scores]
    remarks = [(OUTSIDE_TRAINING,) if outside else () for outside in clip.outside]
    return [
        Moment(float(at), at, FaceFinding(WHOLE, WHOLE, 1.0, float(logit), float(value), verdict, notes))
        for at, (logit, value, verdict, notes) in enumerate(zip(clip.logits, scores, verdicts, remarks, strict=True))
    ]


def measured(detector: Detector, clips: list[Scored], rule: Rule) -> list[str]:
    """AUC over clips and how they are answered."""
    thresholds = clip_thresholds(detector.info, detector.policy)
    people = [judge(moments(detector, clip), detector.info.temperature, thresholds, rule) for clip in clips]
    labels = [clip.label for clip in clips]
    return cells(labels, [person.score for person in people], [person.verdict for person in people])


def measured_frames(detector: Detector, clips: list[Scored]) -> list[str]:
    """The same for every frame by itself, by the thresholds for pictures."""
    labels = [clip.label for clip in clips for _ in clip.logits]
    scores = probability(np.concatenate([clip.logits for clip in clips]), detector.info.temperature)
    outside = np.concatenate([clip.outside for clip in clips])
    verdicts = [
        decide(float(value), detector.thresholds, outside_training=bool(odd))
        for value, odd in zip(scores, outside, strict=True)
    ]
    return cells(labels, list(scores), verdicts)


def cells(labels: list[int], scores: list[float], verdicts: list[Verdict]) -> list[str]:
    """AUC, and shares with their counts and intervals."""

    def share(of: list[Verdict], answer: Verdict) -> str:
        count = sum(verdict is answer for verdict in of)
        low, high = wilson(count, len(of))
        return f"{count} of {len(of)} ({100 * low:.0f} to {100 * high:.0f} %)"

    reals = [verdict for verdict, label in zip(verdicts, labels, strict=True) if label == 0]
    fakes = [verdict for verdict, label in zip(verdicts, labels, strict=True) if label == 1]
    answers = [share(reals, Verdict.FAKE), share(fakes, Verdict.REAL), share(verdicts, Verdict.UNSURE)]
    return [f"{roc_auc(labels, scores):.3f}", *answers]


def videos(detector: Detector, folder: Path, factors: list[int]) -> str:
    """A table of whole clips through `Detector.check_clip`, as they are and compressed; empty where there are none."""
    rows = []
    for path in sorted(folder.glob("*.mp4")):
        answers = [answered(detector, path)]
        for factor in [factor for factor in factors if factor > 23]:  # they are at 23 already
            with read_clip(path) as clip:
                frames = [frame.pixels for frame in clip]
                rate = Fraction(clip.facts.frame_rate).limit_denominator(1001)
            answers.append(answered(detector, packed(frames, factor, rate)))
        rows.append([path.stem, *answers])
    if not rows:
        return ""
    head = ["Clip", "as it is", *(f"CRF {factor}" for factor in factors if factor > 23)]
    return f"Whole clips, by `unmask check` (32 frames):\n\n{table(head, rows)}"


def answered(detector: Detector, source: Path | bytes) -> str:
    """The answer for one clip, in a few words."""
    found = detector.check_clip(source, heatmap=False)
    return (
        f"{found.verdict or found.status}, {score_text(found.score)}" if found.score is not None else str(found.status)
    )


if __name__ == "__main__":
    main()
