"""What is known of a detector, and what its score means for somebody's own pictures: in words, from the bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unmask.finding import NOT_CALIBRATED, ClipFinding
from unmask.verdict import at_base_rate, deciding_face

if TYPE_CHECKING:
    from unmask.bundle import BundleInfo, Metric
    from unmask.finding import Finding

# Which of the bundle's numbers are said in words, in this order.
MEASURED = {
    "false_accusation_rate": "Of {1} real pictures {2}, it called {0} fake.",
    "missed_fake_rate": "Of {1} such fakes, it called {0} real.",
    "share_unsure": "It was unsure about {0} of all.",
}
# Test where the bundle knows it; one that was just exported knows Validation only.
MEASURED_ON = {"Test": "that it had never seen", "Validation": "by which its thresholds were chosen"}
# Kinds of fakes that are named beside a verdict.
MOST_NAMED = 5
# How rare fakes are among somebody's pictures: 1 in so many.
ONE_IN = (2, 5, 10, 20, 50, 100, 1000)
# A score says no more than this, see `score_text`: too few pictures are known to tell 0.999 from it.
SURE = 0.99
BASE_RATE_MEANS = (
    "This is counted from the score as if your pictures, real and fake, were like those by which the detector was calibrated. "
    "They may not be."
)

# A clip's score is put together from its frames' scores, and nobody has counted how often it is right.
NO_NUMBER_FOR_CLIPS = "Only the scores of pictures were calibrated: no number can be given for a clip."
NO_NUMBER_OUTSIDE = "The face is unlike those that the detector learned from: no number can be given for it."


def measured(info: BundleInfo, policy: str) -> list[str]:
    """What to know first of how good the detector is, from its bundle, which was measured with its default policy."""
    found, split = _numbers(info)
    if not found:
        return [NOT_CALIBRATED.message]
    sentences = []
    for name, words in MEASURED.items():
        if metric := found.get(name):
            between = (
                f" (95 % interval {100 * metric.low:.1f} to {100 * metric.high:.1f} %)"
                if metric.low is not None and metric.high is not None
                else ""
            )
            sentences.append(words.format(f"{100 * metric.value:.1f} %{between}", f"{metric.n:,}", MEASURED_ON[split]))
    if info.accusations and (worst := info.accusations[0]).value > 0:
        sentences.append(
            f"It did worst on real pictures from {_plain(worst.name)}: of {worst.n:,} it called {100 * worst.value:.1f} % fake."
        )
    if sentences and policy != info.default_policy:
        sentences.append(f"These numbers are of the policy {info.default_policy}; with {policy}, others hold.")
    return sentences


def learned(info: BundleInfo) -> str:
    """Which kinds of fakes a detector learned, and which it was measured on alone; empty where its bundle does not say."""
    names, unseen = _kinds(info)
    measured_on = f" It was also measured on kinds that it had not learned: {', '.join(unseen)}." if unseen else ""
    return f"It learned {_count(names)} of fakes: {', '.join(names)}.{measured_on} Others it may miss." if names else ""


def knows(info: BundleInfo, policy: str) -> str:
    """What to know beside a *real*, in a line: the kinds of fakes it learned, those it missed, and how often it accuses."""
    names, unseen = _kinds(info)
    found, _ = _numbers(info)
    parts = []
    if names:
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        parts.append(
            f"The detector learned {_count(names)} of fakes ({', '.join(names[:MOST_NAMED])}{more}); others it may miss."
        )
    if unseen:
        parts.append(f"It was also measured on some that it had not learned: {', '.join(unseen)}.")
    if missed := found.get("missed_fake_rate"):
        other = "" if policy == info.default_policy else f" with the policy {info.default_policy}, not {policy}"
        parts.append(f"Measured on pictures{other}, it called {_percent(missed)} of the fakes real")
        if accused := found.get("false_accusation_rate"):
            worst = next(iter(info.accusations), None)
            of_worst = (
                f" ({_percent(worst)} of those from {_plain(worst.name)}, its worst source)"
                if worst and worst.value
                else ""
            )
            # 0.0 % would sound like never.
            share = f"{_percent(accused)} of the" if accused.value else f"none of the {accused.n:,}"
            parts[-1] += f", and {share} real pictures fake{of_worst}"
        parts[-1] += "."
    return " ".join(parts)


def assumed_share(info: BundleInfo) -> float:
    """The share of fakes, above 0 and below 1, among pictures for which a detector's P(fake) is right; 0.5 where nobody knows."""
    counts = info.training_data.counts
    real, fake = counts.get("Validation real", 0), counts.get("Validation fake", 0)
    return info.fake_share or (fake / (real + fake) if real and fake else 0.5)


def at_base_rates(finding: Finding | ClipFinding, info: BundleInfo) -> list[tuple[int, str]]:
    """What a score means where 1 in so many of somebody's pictures is fake: (so many, a sentence); empty where nobody knows.

    Args:
        finding: Of a picture or a clip.
        info: Of the detector, for the share of fakes by which it was calibrated.
    """
    if finding.verdict is None or finding.score is None or not info.metrics:
        return []
    if isinstance(finding, ClipFinding):
        return [(one_in, NO_NUMBER_FOR_CLIPS) for one_in in ONE_IN]
    deciding = deciding_face(finding.faces)
    if deciding and deciding.outside_training:
        return [(one_in, NO_NUMBER_OUTSIDE) for one_in in ONE_IN]
    what = "faces" if len(finding.faces) > 1 else "pictures"
    score = min(max(finding.score, 1 - SURE), SURE)
    bound = "" if score == finding.score else "at most " if finding.score < score else "at least "
    return [
        (
            one_in,
            f"If 1 in {one_in:,} of your pictures is fake: {_of(share, bound)} {what} with such a score would be fake.",
        )
        for one_in in ONE_IN
        for share in [at_base_rate(score, 1 / one_in, assumed_share(info))]
    ]


def _of(share: float, bound: str) -> str:
    """A share in whole numbers: about 16 of 100, about 4 of 1,000."""
    whole = 100 if share >= 0.01 else 1000
    number = min(round(share * whole), whole - 1)
    return f"fewer than 1 of {whole:,}" if number < 1 else f"{bound or 'about '}{number} of {whole:,}"


def _numbers(info: BundleInfo) -> tuple[dict[str, Metric], str]:
    """Its numbers by name, and the split that they are of: of Test where there are any."""
    split = next((name for name in MEASURED_ON if any(metric.split == name for metric in info.metrics)), "")
    return {metric.name: metric for metric in info.metrics if metric.split == split}, split


def _kinds(info: BundleInfo) -> tuple[list[str], list[str]]:
    """Kinds of fakes that it learned, and those that it was measured on alone: families, or else methods."""
    families = info.training_data.families
    if not families:
        return [_plain(name) for name in info.training_data.methods], []
    return [_plain(name) for name in families if "Train" in families[name]], [
        _plain(name) for name in families if "Train" not in families[name]
    ]


def _plain(name: str) -> str:
    """A name in a manifest, for people."""
    return name.replace("_", " ")


def _count(names: list[str]) -> str:
    return "1 kind" if len(names) == 1 else f"{len(names)} kinds"


def _percent(metric: Metric) -> str:
    return f"{100 * metric.value:.1f} %"
