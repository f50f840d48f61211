"""Frames of clips, judged clip by clip beside frame by frame: the same arithmetic as for a person in `unmask check clip.mp4`."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Final

import numpy as np

from unmask.data.manifest import clip_of
from unmask.evaluate.scores import Score, ScoreTable
from unmask.finding import OUTSIDE_TRAINING, Box, FaceFinding, Moment, Verdict
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
    found = [judge(sorted(map(_moment, rows), key=attrgetter("time")), 1.0, thresholds) for rows in clips.values()]
    # A score above the threshold that accuses nobody: of few frames, of scores that jump, or of faces outside training.
    held = [person.score > thresholds.fake_above and person.verdict is not Verdict.FAKE for person in found]
    labels = [label for _, label in clips]
    judged = Judged.of(labels, [person.score for person in found], thresholds, outside=held)
    groups = [rows[0].together for rows in clips.values()]
    frames = replace(table, rows=tuple(row for rows in clips.values() for row in rows))
    frame_groups = [rows[0].together for rows in clips.values() for _ in rows]
    return Clips(
        labels.count(0),
        labels.count(1),
        len(frames.rows),
        thresholds,
        estimate(judged, groups=groups, names=CLIP_MEASURES, replicates=replicates),
        estimate(frames.judged(), groups=frame_groups, names=CLIP_MEASURES, replicates=replicates),
    )


def _moment(row: Score) -> Moment:
    assert row.score is not None
    assert row.verdict is not None
    score = float(np.clip(row.score, _NEAREST, 1 - _NEAREST))
    notes = (OUTSIDE_TRAINING,) if row.outside_training else ()
    face = FaceFinding(_NOWHERE, _NOWHERE, None, float(np.log(score / (1 - score))), row.score, row.verdict, notes)
    return Moment(float(row.path.rpartition("=")[2]), 0, face)
