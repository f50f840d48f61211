"""The sentences of a report: what was found, and what is not known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from unmask.evaluate.evaluation import Evaluation
from unmask.evaluate.robustness import CLEAN, Robust, overall, ranked_by, worst
from unmask.stats.intervals import Estimate

_FEW: Final = 20
_FEW_GROUPS: Final = 30
_DELIVERED: Final = {"roc_auc": "AUC", "accuracy": "accuracy at 0.5"}
_FLATTERING: Final = {
    "Train": "Warning: these are Train pictures, which detectors learn from. On new pictures it will do worse.",
    "Validation": "Warning: these are Validation pictures, on which epochs, temperature and thresholds are chosen. On new "
    "pictures it may do worse.",
}
_ONLY: Final = {
    "real": "These are real pictures only: how many fakes it finds is not measured here.",
    "fake": "These are fake pictures only: how many real pictures it accuses is not measured here.",
}


def summary(evaluation: Evaluation, robustness: Sequence[Robust] = (), split: str | None = None) -> list[str]:
    """The findings, wrong accusations first, each with its interval; a warning before them where they flatter.

    Args:
        evaluation: The numbers.
        robustness: Clean and degraded; empty if not measured.
        split: `Train`, `Validation` or `Test`; None where it is not known.
    """
    measures = evaluation.measures
    sentences = [_FLATTERING[split]] if split in _FLATTERING else []
    if (only := _one_class(evaluation)) is not None:
        sentences.append(_ONLY[only])
    accused, missed = measures["false_accusation_rate"], measures["missed_fake_rate"]
    unsure, right = measures["share_unsure"], measures["accuracy_answered"]
    sentences.append(_share("Of {n} real pictures, {share} were called fake.", accused))
    sentences.append(_share("Of {n} fake pictures, {share} were called real.", missed))
    sentences.append(_share("{share} of all pictures were answered unsure.", unsure))
    sentences.append(_share("Where there was an answer, it was right in {share} of cases.", right))
    scores = {row.score for row in evaluation.table.answered}
    if len(scores) == 1 and evaluation.counts.answered > 1:
        sentences.append(
            f"Every picture got the same score, {scores.pop():.3f}: the detector told no picture from another."
        )
    area = measures["roc_auc"]
    if area.value is not None:
        sentences.append(f"The area under the ROC curve is {area.value:.3f}{_ends(area, 1, 3)}.")
    if evaluation.worst is not None:
        of_worst = evaluation.worst.measures["roc_auc"]
        sentences.append(
            f"The hardest {evaluation.worst.kind} is {evaluation.worst.name}: AUC {of_worst.value:.3f}"
            f"{_ends(of_worst, 1, 3)}"
            f"{', beside all real pictures, since it has none of its own' if evaluation.worst.beside_all else ''}."
        )
    sentences += _deliveries(robustness)
    strange = evaluation.counts.outside_training
    if strange:
        sentences.append(
            f"{strange:,} of {evaluation.counts.answered:,} answered pictures are unlike those that the detector learned "
            "from; none of them is called fake, whatever its score."
        )
    failed = evaluation.counts.pictures - evaluation.counts.answered
    if failed:
        sentences.append(f"{failed:,} of {evaluation.counts.pictures:,} pictures got no answer; they are listed below.")
    return [sentence for sentence in sentences if sentence]


def not_known(
    evaluation: Evaluation, robustness: Sequence[Robust] = (), detector: dict[str, Any] | None = None
) -> list[str]:
    """What these pictures cannot tell about the detector."""
    sources = [one.name for one in evaluation.slices if one.kind == "source"]
    methods = [one.name for one in evaluation.slices if one.kind == "method"]
    sentences = []
    if methods:
        sentences.append(
            f"It was judged on fakes made by {_list(methods)} only. How it does on fakes made in any other way, such as "
            "by newer face swaps or by image generators, is not known from this report."
        )
    elif evaluation.counts.fakes:
        sentences.append(
            "No manifest says how the fakes were made, so nothing is known of how it does on one kind or another."
        )
    if sources:
        sentences.append(f"All pictures come from {_list(sources)}; other cameras, people and places are not covered.")
    counts = evaluation.counts
    if counts.groups is not None and counts.effective_groups is not None:
        sentences.append(
            f"The {counts.answered:,} pictures fall into {counts.groups:,} groups (clips, people). If the pictures "
            f"of a group are all alike, they count no more than {counts.effective_groups:,.0f} independent ones; the "
            "intervals take that into account."
        )
        if counts.effective_groups < _FEW_GROUPS:
            sentences.append("That is few: intervals from so few groups tend to be too short.")
    few = [one.name for one in evaluation.slices if min(one.reals, one.fakes) < _FEW]
    if few:
        sentences.append(f"Too few pictures to judge: {_list(few)}.")
    if not robustness:
        sentences.append("How it does on re-compressed, shrunk or filtered pictures was not measured here.")
    else:
        sentences.append("Deliberate attempts to fool it were not made; a determined forger will do better than these.")
    sentences.append(
        "It looks at one face in one picture. It does not know who is shown, where a picture comes from, or what else "
        "in it was changed."
    )
    if detector and detector.get("terms"):
        sentences.append(f"Terms of its training pictures: {detector['terms']}")
    return sentences


def _deliveries(robustness: Sequence[Robust]) -> list[str]:
    together = overall(robustness)
    if together is None:
        return []
    clean, hardest = next(one for one in robustness if one.family == CLEAN), worst(robustness)
    measure = ranked_by(clean)
    title, before = _DELIVERED[measure], clean.measures[measure].value
    sentences = []
    if hardest is not None:
        after, flips = hardest.measures[measure].value, hardest.measures["flip_rate"]
        sentences.append(
            f"The most harmful delivery is {hardest.name}: {title} falls from {before:.3f} to {after:.3f}, and "
            f"{_percent(flips)} of verdicts change between real and fake."
        )
    elif before is not None and any(one.n for one in robustness if one is not clean):
        sentences.append(f"No delivery lowered the {title} of {before:.3f}.")
    if together.flip_rate.value is not None:
        sentences.append(
            f"Over all deliveries together, {_percent(together.flip_rate)} of verdicts change between real and fake."
        )
    if together.share_of_clean is not None:
        sentences.append(
            f"The lowest accuracy at 0.5 of any delivery, that of {together.lowest}, is "
            f"{100 * together.share_of_clean:.1f} % of the accuracy on untouched pictures."
        )
    return sentences


def _one_class(evaluation: Evaluation) -> str | None:
    """``real`` or ``fake`` where all pictures are that."""
    if evaluation.counts.pictures == 0 or (evaluation.counts.reals and evaluation.counts.fakes):
        return None
    return "real" if evaluation.counts.reals else "fake"


def how_chosen(split: str | None, chosen_by: str | None) -> list[str]:
    """How the detector came by its thresholds, and whether these pictures had a part in it.

    Args:
        split: As for `summary`.
        chosen_by: What the bundle says of its policy; None for a table of another tool.
    """
    sentences = []
    if chosen_by:
        sentences.append(f"How its thresholds were chosen: {chosen_by.rstrip('.')}.")
    if not on_validation(chosen_by):
        sentences.append("Nothing says that its temperature and thresholds were chosen on Validation.")
    if split in _FLATTERING:
        sentences.append(_FLATTERING[split])
    elif split == "Test":
        sentences.append("These pictures are a Test split, on which Unmask chooses nothing.")
    else:
        sentences.append(
            "These pictures are of no known split: whether the detector learned from them, or anything was chosen on "
            "them, is not known here."
        )
    return sentences


def on_validation(chosen_by: str | None) -> bool:
    """Whether a bundle says that it was calibrated on Validation."""
    return (chosen_by or "").startswith("Validation")


def _share(sentence: str, one: Estimate) -> str:
    if one.value is None:
        return ""
    text = sentence.format(n=f"{one.n:,}", share=_percent(one))
    return text[0].upper() + text[1:]


def _percent(one: Estimate) -> str:
    return "–" if one.value is None else f"{100 * one.value:.1f} %{_ends(one, 100, 1)}"


def _ends(one: Estimate, scale: float, digits: int) -> str:
    if one.low is None or one.high is None:
        return ""
    return f" (95 % interval {scale * one.low:.{digits}f} to {scale * one.high:.{digits}f})"


def _list(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
