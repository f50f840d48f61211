"""Frames of clips, judged clip by clip beside frame by frame: the same arithmetic as for a person in `unmask check clip.mp4`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from unmask.data.manifest import clip_of
from unmask.evaluate.scores import Score, ScoreTable
from unmask.finding import OUTSIDE_TRAINING, Box, FaceFinding, Moment, PersonFinding, Verdict
from unmask.stats.intervals import Estimate, estimate
from unmask.stats.metrics import Judged
from unmask.stats.resampling import REPLICATES
from unmask.verdict import Thresholds
from unmask.video.timeline import judge

CLIP_MEASURES: Final = ("false_accusation_rate", "missed_fake_rate", "share_unsure", "accuracy", "roc_auc")
# Scores nearer to 0 or 1 than this count as that near; their logits would be infinite.
_NEAREST: Final = 1e-12
_NOWHERE: Final = Box(0, 0, 1, 1)


@dataclass(frozen=True, slots=True)
class Clips:
    """What the detector says of whole clips.

    Attributes:
        reals: Real clips with an answered frame.
        fakes: Fake ones.
        frames: Answered frames of all of them.
        thresholds: Where *unsure* begins and ends for a clip.
        measures: `CLIP_MEASURES`, each clip counted once.
        by_frame: The same of their frames, each by itself.
    """

    reals: int
    fakes: int
    frames: int
    thresholds: Thresholds
    measures: dict[str, Estimate]
    by_frame: dict[str, Estimate]


def judge_clips(
    table: ScoreTable, thresholds: Thresholds | None = None, *, replicates: int = REPLICATES
) -> Clips | None:
    """Makes one score and verdict of the frames of each clip.

    A clip is the rows of one label whose paths name moments of one file, as `unmask prepare` writes them; all of its frames
    count as one person's.

    Args:
        table: The scores; rows that are no frames are passed over.
        thresholds: For clips; None for those of the table.
        replicates: Resamplings for the intervals, of whole groups as for pictures. A clip without a group is one.

    Returns:
        The numbers; None where no clip has two answered frames.
    """
    thresholds = thresholds or table.thresholds
    clips: dict[tuple[str, int], list[Score]] = defaultdict(list)
    for row in table.answered:
        if (clip := clip_of(row.path)) is not None:
            clips[clip, row.label].append(row)
    if max(map(len, clips.values()), default=0) < 2:
        return None
    found = [_person(rows, thresholds) for rows in clips.values()]
    # A score above the threshold that accuses nobody: of few frames, of scores that jump, or of faces outside training.
    held = [one.score > thresholds.fake_above and one.verdict is not Verdict.FAKE for one in found]
    labels = [label for _, label in clips]
    judged = Judged.of(labels, [one.score for one in found], thresholds, outside=held)
    groups = [rows[0].together for rows in clips.values()]
    frames = [row for rows in clips.values() for row in rows]
    frame_groups = [group for group, rows in zip(groups, clips.values(), strict=True) for _ in rows]
    by_frame = replace(table, rows=tuple(frames)).judged()
    return Clips(
        labels.count(0),
        labels.count(1),
        len(frames),
        thresholds,
        estimate(judged, groups=groups, names=CLIP_MEASURES, replicates=replicates),
        estimate(by_frame, groups=frame_groups, names=CLIP_MEASURES, replicates=replicates),
    )


def _person(rows: Sequence[Score], thresholds: Thresholds) -> PersonFinding:
    moments = [_moment(row) for row in rows]
    return judge(sorted(moments, key=lambda moment: moment.time), 1.0, thresholds)


def _moment(row: Score) -> Moment:
    assert row.score is not None
    assert row.verdict is not None
    score = float(np.clip(row.score, _NEAREST, 1 - _NEAREST))
    notes = (OUTSIDE_TRAINING,) if row.outside_training else ()
    face = FaceFinding(_NOWHERE, _NOWHERE, None, float(np.log(score / (1 - score))), row.score, row.verdict, notes)
    return Moment(float(row.path.rpartition("=")[2]), 0, face)
