"""`unmask evaluate` and `unmask compare` as library calls: pictures and detectors in, numbers out.

Of all that Unmask does with a detector, only this opens Test.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from unmask.detector import Detector
from unmask.errors import UnmaskError
from unmask.evaluate.compare import SideBySide, compare_scores
from unmask.evaluate.evaluation import evaluate_scores
from unmask.evaluate.explanation import try_explanations
from unmask.evaluate.gallery import gallery
from unmask.evaluate.pictures import Pictures, open_pictures
from unmask.evaluate.report import Against, Report
from unmask.evaluate.robustness import Robust, measure_robustness
from unmask.evaluate.scanned import detector_of, known_labels, read_scan, scan_folder
from unmask.evaluate.scores import ScoreTable, read_scores
from unmask.evaluate.scoring import score_pictures
from unmask.output.documents import detector_facts
from unmask.stats.resampling import REPLICATES
from unmask.video.timeline import clip_thresholds

ROBUSTNESS_PICTURES: Final = 1000

Step = Callable[..., None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure beside the scores.

    Attributes:
        robustness: The same pictures degraded.
        robustness_pictures: At most so many; None for all.
        explanations: The tests of the heatmaps.
        gallery: Pictures in the page.
        face_search: Find faces first, for photos rather than face crops.
        split: Of a dataset or prepared folder.
        policy: Name of the thresholds; None for the detector's own default.
        replicates: Resamplings for each interval.
    """

    robustness: bool = True
    robustness_pictures: int | None = ROBUSTNESS_PICTURES
    explanations: bool = False
    gallery: bool = True
    face_search: bool = False
    split: str = "Test"
    policy: str | None = None
    replicates: int = REPLICATES


DEFAULT_PLAN: Final = Plan()


def evaluate(
    bundle: str | Path | None,
    data: str | Path,
    *,
    plan: Plan = DEFAULT_PLAN,
    against: str | Path | None = None,
    on_step: Step = lambda *_: None,
) -> Report:
    """Judges a detector on a set of pictures.

    Args:
        bundle: Folder of the detector; None for the shipped one.
        data: A split's folder, a dataset's, or a prepared folder.
        plan: What to measure.
        against: Another bundle, a scan's results, or a table of scores, to test against on the same pictures.
        on_step: Told what is being done, and of long parts how much is done, and of how much: a `Progress`.

    Returns:
        Everything that `report.write_report` writes.

    Raises:
        UnmaskError: The detector or the pictures cannot be used. A picture that cannot be read is a row of the report.
    """
    detector = Detector.load(bundle, threads=1, policy=plan.policy)
    pictures = open_pictures(data, plan.split)
    # First of all, so that a table that cannot be read is not found out after the long part.
    other = score_any(against, data, plan, on_step) if against is not None else None
    started = time.perf_counter()
    table = _score(detector, pictures, plan, on_step)
    seconds = time.perf_counter() - started
    on_step("numbers and intervals")
    for_clips = clip_thresholds(detector.info, detector.policy)
    evaluation = evaluate_scores(table, clip_thresholds=for_clips, replicates=plan.replicates)
    notes = list(pictures.notes)
    if plan.face_search:
        notes.append(
            "Faces were searched for; robustness, heatmap tests and pictures need face crops and were left out."
        )
    # Crops of searched faces are not kept, so what needs pixels again works on whole pictures only.
    again = bool(table.answered) and not plan.face_search
    robustness: tuple[Robust, ...] = ()
    if plan.robustness and again:
        robustness = measure_robustness(detector, pictures, table, limit=plan.robustness_pictures, on_step=on_step)
    explanations = None
    if plan.explanations and again:
        explanations = try_explanations(detector, pictures, table, on_step=on_step)
    return Report(
        evaluation=evaluation,
        data=pictures.name,
        detector=detector_facts(detector),
        notes=tuple(notes),
        seconds=round(seconds, 1),
        robustness=robustness,
        explanations=explanations,
        against=_against(table, other, plan) if other is not None else None,
        gallery=gallery(detector, pictures, table) if plan.gallery and again else (),
        split=pictures.split,
        chosen_by=detector.info.policies[detector.policy].chosen_by,
        replicates=plan.replicates,
    )


def evaluate_table(
    scores: str | Path,
    data: str | Path | None = None,
    *,
    plan: Plan = DEFAULT_PLAN,
    against: str | Path | None = None,
    on_step: Step = lambda *_: None,
) -> Report:
    """Judges scores that are there already. What needs the detector or pixels is left out, and the report says so.

    Args:
        scores: The folder of a scan's results, or a CSV (see `scores.read_scores`).
        data: Which pictures of a scan are real and which fake: what `evaluate` takes, or a CSV with the columns `path` and
            `label`. A table of scores says so itself.
        plan: Split and resamplings; the rest is not used.
        against: As in `evaluate`.
        on_step: Likewise.

    Returns:
        Everything that `report.write_report` writes.

    Raises:
        UnmaskError: They cannot be read, or nothing says which pictures are real.
    """
    path = Path(scores)
    scan = scan_folder(path)
    if scan is None and path.is_dir():
        raise UnmaskError(
            f"{path} is neither what a scan found nor a table of scores",
            hint="Name the folder of a scan's results or a CSV; a bundle stands by itself, without --scores.",
            code="no-scores",
        )
    labels = known_labels(data, plan.split) if scan and data is not None else None
    table = read_scan(scan, labels) if scan and labels else score_any(path, data, plan, on_step)
    other = score_any(against, data, plan, on_step) if against is not None else None
    on_step("numbers and intervals")
    left_out = "The scores were read: deliveries, heatmap tests and pictures need the detector, and were left out."
    return Report(
        evaluation=evaluate_scores(table, replicates=plan.replicates),
        data=labels.name if labels else path.name,
        detector=detector_of(scan) if scan else None,
        notes=(*(labels.notes if labels else ()), left_out),
        against=_against(table, other, plan) if other is not None else None,
        split=labels.split if labels else None,
        replicates=plan.replicates,
    )


def score_any(
    what: str | Path,
    data: str | Path | None,
    plan: Plan,
    on_step: Step = lambda *_: None,
    on_notes: Callable[[tuple[str, ...]], None] = lambda notes: None,
) -> ScoreTable:
    """The scores of a bundle on the pictures, those of a scan, or a table of scores as it was written by any tool.

    Args:
        what: A bundle's folder, that of a scan's results, or a CSV.
        data: The pictures; for a scan, perhaps a CSV of their labels; a CSV of scores needs none.
        plan: Split, policy and face search.
        on_step: Told what is being done, and of long parts how much is done, and of how much: a `Progress`.
        on_notes: Told what a person should know of the pictures.

    Returns:
        One row a picture.

    Raises:
        UnmaskError: It is none of them, or a bundle or a scan is named and no pictures are.
    """
    path = Path(what)
    if not path.exists():
        raise UnmaskError(
            f"there is no {path}", hint="Name a bundle, a scan's results or a CSV of scores.", code="no-scores"
        )
    if path.is_file():
        return read_scores(path)
    scan = scan_folder(path)
    if data is None:
        lack = (
            "a scan, and nothing says which pictures are real"
            if scan
            else "a bundle, and there are no pictures to judge it on"
        )
        raise UnmaskError(f"{path} is {lack}", hint="Name the pictures with --data.", code="no-dataset")
    if scan:
        labels = known_labels(data, plan.split)
        on_notes(labels.notes)
        return read_scan(scan, labels)
    detector = Detector.load(path, threads=1, policy=plan.policy)
    pictures = open_pictures(data, plan.split)
    on_notes(pictures.notes)
    return _score(detector, pictures, plan, on_step)


def _score(detector: Detector, pictures: Pictures, plan: Plan, on_step: Step) -> ScoreTable:
    def show(done: int) -> None:
        on_step(f"{detector.label}: scoring", done, len(pictures))

    show(0)
    return score_pictures(detector, pictures, face_search=plan.face_search, on_done=show)


def compare(
    what: Sequence[str | Path],
    data: str | Path | None = None,
    *,
    plan: Plan = DEFAULT_PLAN,
    on_step: Step = lambda *_: None,
    on_note: Callable[[str], None] = lambda note: None,
) -> SideBySide:
    """Judges several detectors on the same pictures.

    Args:
        what: Folders of bundles and of scans' results, and CSV files of scores (see `scores.read_scores`).
        data: The pictures for the bundles and scans; None if there are score tables only. For scans alone, perhaps a CSV
            with the columns `path` and `label`.
        plan: Split, policy and resamplings; the rest is not used.
        on_step: Told what is being done, and of long parts how much is done, and of how much: a `Progress`.
        on_note: Told once what a person should know of the pictures.

    Returns:
        All of them on the pictures that all answered.

    Raises:
        UnmaskError: Fewer than two, no shared pictures, or labels that contradict each other.
    """
    if len(what) < 2:
        raise UnmaskError("there is nothing to compare with", hint="Name two or more.", code="too-few")
    notes: list[str] = []
    tables = [score_any(each, data, plan, on_step, notes.extend) for each in what]
    for note in dict.fromkeys(notes):
        on_note(note)
    return compare_scores(tables, replicates=plan.replicates)


def _against(ours: ScoreTable, other: ScoreTable, plan: Plan) -> Against:
    try:
        both = compare_scores([ours, other], replicates=plan.replicates)
    except UnmaskError as error:
        # The rest of the report is made and stands; this part says why it is missing.
        return Against(other.detector, None, f"{error.message}. {error.hint}")
    return Against(both.evaluations[1].table.detector, both, both.reasons.get(1))
