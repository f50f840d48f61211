"""The sentences and numbers of a report in words: what was found, how sure it is, and what is not known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from unmask.evaluate.evaluation import Evaluation
from unmask.evaluate.robustness import CLEAN, Robust, overall, ranked_by, worst
from unmask.stats.intervals import Estimate

# Everything else is a share and shown in per cent.
_PLAIN: Final = frozenset({"roc_auc", "average_precision", "brier", "calibration_error"})
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


_SWAPPED = (
    "It puts real pictures above fake ones, more than chance would: the labels of the pictures are probably the other way "
    "round, or those that the detector learned from were. Here Real is 0 and Fake is 1."
)


def summary(evaluation: Evaluation, robustness: Sequence[Robust] = (), split: str | None = None) -> list[str]:
    """The findings in whole sentences, wrong accusations first, each with its interval; a warning before them where they flatter.

    The arguments are as `Report` has them.
    """
    measures, counts = evaluation.measures, evaluation.counts
    sentences = [_FLATTERING[split]] if split in _FLATTERING else []
    if bool(counts.reals) != bool(counts.fakes):
        sentences.append(_ONLY["real" if counts.reals else "fake"])
    sentences += _share("Of {n} real pictures, {share} were called fake.", measures["false_accusation_rate"])
    sentences += _by_source(evaluation)
    sentences += _share("Of {n} fake pictures, {share} were called real.", measures["missed_fake_rate"])
    sentences += _share("{share} of all pictures were answered unsure.", measures["share_unsure"])
    sentences += _share("Where there was an answer, it was right in {share} of cases.", measures["accuracy_answered"])
    scores = {row.score for row in evaluation.table.answered}
    if len(scores) == 1 and counts.answered > 1:
        sentences.append(
            f"Every picture got the same score, {scores.pop():.3f}: the detector told no picture from another."
        )
    area = measures["roc_auc"]
    if area.high is not None and area.high < 0.5:
        sentences.insert(0, _SWAPPED)
    if area.value is not None:
        sentences.append(f"The area under the ROC curve is {_sure(area)}.")
    if evaluation.worst is not None:
        beside = ", beside all real pictures, since it has none of its own" if evaluation.worst.beside_all else ""
        sentences.append(
            f"The hardest {evaluation.worst.kind} is {evaluation.worst.name}: AUC "
            f"{_sure(evaluation.worst.measures['roc_auc'])}{beside}."
        )
    sentences += _deliveries(robustness)
    if counts.outside_training:
        sentences.append(
            f"{counts.outside_training:,} of {counts.answered:,} answered pictures are unlike those that the detector learned "
            "from; none of them is called fake, whatever its score."
        )
    if failed := counts.pictures - counts.answered:
        sentences.append(f"{failed:,} of {counts.pictures:,} pictures got no answer; see scores.csv.")
    return sentences


def not_known(
    evaluation: Evaluation, robustness: Sequence[Robust] = (), detector: dict[str, Any] | None = None
) -> list[str]:
    """What these pictures cannot tell about the detector, in whole sentences. The arguments are as `Report` has them."""
    sources = [part.name for part in evaluation.slices if part.kind == "source"]
    methods = [part.name for part in evaluation.slices if part.kind == "method"]
    answered = evaluation.table.answered
    no_source = sum(not row.source for row in answered)
    no_method = sum(row.label == 1 and not row.method for row in answered)
    sentences = []
    if methods:
        rest = f", and on {no_method:,} of no named method. How" if no_method else " only. How"
        sentences.append(
            f"It was judged on fakes made by {_list(methods)}{rest} it does on fakes made in any other way, such as "
            "by newer face swaps or by image generators, is not known from this report."
        )
    elif evaluation.counts.fakes:
        sentences.append(
            "No manifest says how the fakes were made, so nothing is known of how it does on one kind or another."
        )
    if sources:
        known = (
            f"{no_source:,} of {len(answered):,} pictures name no source, the others" if no_source else "All pictures"
        )
        sentences.append(f"{known} come from {_list(sources)}; other cameras, people and places are not covered.")
    counts = evaluation.counts
    if counts.effective_groups is not None:
        sentences.append(
            f"{counted(evaluation)} If the pictures of a group are all alike, they count no more than "
            f"{counts.effective_groups:,.0f} independent ones; the intervals take that into account."
        )
        if counts.effective_groups < _FEW_GROUPS:
            sentences.append("That is few: intervals from so few groups tend to be too short.")
    few = [part.name for part in evaluation.slices if any(0 < n < _FEW for n in (part.reals, part.fakes))]
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


def counted(evaluation: Evaluation) -> str:
    """What the intervals count, source by source: pictures, or groups of them. Empty where nothing was answered."""
    independent = evaluation.counts.independent
    grouped = [unit for unit in independent if unit.groups < unit.pictures]
    if not grouped:
        return "Every interval counts pictures, each as independent of the others." if independent else ""
    named = [
        f"{unit.source or 'pictures of no named source'} ({unit.pictures:,} pictures in {unit.groups:,} groups)"
        for unit in grouped
    ]
    alone = [unit.source for unit in independent if unit.groups == unit.pictures and unit.source]
    rest = f" In {_list(alone)} it counts pictures, each as independent of the others." if alone else ""
    return (
        "An interval counts groups, which are what the manifest puts together, such as the clips of a person or look-alike "
        f"photos, or else the frames of a clip, in {_list(named)}.{rest}"
    )


def _by_source(evaluation: Evaluation) -> list[str]:
    """Wrong accusations source by source: an average hides the worst."""
    rates = {
        part.name: part.measures["false_accusation_rate"]
        for part in evaluation.slices
        if part.kind == "source" and part.reals and not part.beside_all
    }
    if len(rates) < 2:
        return []
    named = [
        f"{name} {_sure(rate)} of {rate.n:,}"
        for name, rate in sorted(rates.items(), key=lambda pair: -(pair[1].value or 0))
    ]
    return [f"By source of the real pictures, the worst first: {'; '.join(named)}."]


def _deliveries(robustness: Sequence[Robust]) -> list[str]:
    together = overall(robustness)
    if together is None:
        return []
    clean, hardest = next(found for found in robustness if found.family == CLEAN), worst(robustness)
    measure = ranked_by(clean)
    title, before = _DELIVERED[measure], clean.measures[measure].value
    sentences = []
    if hardest is not None:
        after, flips = hardest.measures[measure].value, hardest.measures["flip_rate"]
        sentences.append(
            f"The most harmful delivery is {hardest.name}: {title} falls from {before:.3f} to {after:.3f}, and "
            f"{_sure(flips)} of verdicts change between real and fake."
        )
    elif before is not None and any(found.n for found in robustness if found is not clean):
        sentences.append(f"No delivery lowered the {title} of {before:.3f}.")
    if together.flip_rate.value is not None:
        sentences.append(
            f"Over all deliveries together, {_sure(together.flip_rate)} of verdicts change between real and fake."
        )
    if together.share_of_clean is not None:
        sentences.append(
            f"The lowest accuracy at 0.5 of any delivery, that of {together.lowest}, is "
            f"{100 * together.share_of_clean:.1f} % of the accuracy on untouched pictures."
        )
    return sentences


def how_chosen(split: str | None, chosen_by: str | None) -> list[str]:
    """How the detector came by its thresholds, and whether these pictures had a part in it.

    The arguments are as `Report` has them.
    """
    sentences = []
    if chosen_by:
        sentences.append(f"How its thresholds were chosen: {chosen_by.rstrip('.')}.")
    if not on_validation(chosen_by):
        sentences.append("Nothing says that its temperature and thresholds were chosen on Validation.")
    if split in _FLATTERING:
        sentences.append(_FLATTERING[split])
    elif split == "Test":
        sentences.append(
            "These pictures are a Test split, on which Unmask chooses nothing: `train` and `export` do not open it."
        )
    else:
        sentences.append(
            "These pictures are of no known split: whether the detector learned from them, or anything was chosen on "
            "them, is not known here."
        )
    return sentences


def on_validation(chosen_by: str | None) -> bool:
    """Whether a bundle says that it was calibrated on Validation."""
    return (chosen_by or "").startswith("Validation")


def percent(value: float | None) -> str:
    """A share, 0..1, as people read it: ``2.1 %``; a dash where there is none."""
    return "–" if value is None else f"{100 * value:.1f} %"


def number(value: float | None, digits: int = 3) -> str:
    """A plain number, a dash where there is none."""
    return "–" if value is None or not math.isfinite(value) else f"{value:.{digits}f}"


def estimate_text(estimate: Estimate) -> str:
    """Value and interval, or the reason why one is missing.

    >>> estimate_text(Estimate("accuracy", 0.91, 0.88, 0.935, 10))
    '91.0 % (88.0 to 93.5)'
    """
    value, ends = _value_and_ends(estimate)
    beside = ends or estimate.reason
    return f"{value} ({beside})" if beside else value


def _value_and_ends(estimate: Estimate) -> tuple[str, str]:
    """Both as people read them; no ends where there is no interval."""
    plain = estimate.name in _PLAIN
    value = number(estimate.value) if plain else percent(estimate.value)
    if estimate.low is None or estimate.high is None:
        return value, ""
    if plain:
        return value, f"{estimate.low:.3f} to {estimate.high:.3f}"
    return value, f"{100 * estimate.low:.1f} to {100 * estimate.high:.1f}"


def _share(sentence: str, estimate: Estimate) -> list[str]:
    known = estimate.value is not None
    return [sentence.format(n=f"{estimate.n:,}", share=_sure(estimate))] if known else []


def _sure(estimate: Estimate) -> str:
    """Value and interval for a reader who meets it in a sentence: ``2.1 % (95 % interval 1.4 to 3.0)``."""
    value, ends = _value_and_ends(estimate)
    return f"{value} (95 % interval {ends})" if ends else value


def _list(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
