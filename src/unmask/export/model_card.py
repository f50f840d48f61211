"""The model card: what a detector learned from, how well it does, and what it was never shown.

Written from the numbers of the bundle itself, so that card and `bundle.json` cannot disagree.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmask.bundle import BundleInfo, Metric
from unmask.data.source import Source
from unmask.export.unusual import UnusualRow
from unmask.output.knowledge import assumed_share
from unmask.stats.intervals import Estimate, estimate
from unmask.stats.measures import MEASURES
from unmask.stats.metrics import Judged

# What the table shows, in this order: false accusations first.
SHOWN = (
    "false_accusation_rate",
    "missed_fake_rate",
    "share_unsure",
    "accuracy_answered",
    "accuracy",
    "roc_auc",
    "equal_error_rate",
    "calibration_error",
)
# And of each source.
SHOWN_BY_SOURCE = ("false_accusation_rate", "missed_fake_rate", "share_unsure", "roc_auc")


def model_card(
    info: BundleInfo,
    *,
    judged: Judged | None,
    validation: Source | None,
    train: Source | None,
    strange: Sequence[UnusualRow],
    settings: Mapping[str, Any],
) -> str:
    """The card as Markdown.

    Args:
        info: The bundle's own description, with its metrics.
        judged: The pictures of Validation with their scores and the default thresholds; None where nothing was judged.
        validation: Where those pictures come from.
        train: What the detector learned from; None where it is not known.
        strange: How it does on real pictures of kinds that it was not made for; empty where that was not measured.
        settings: How the model was trained, for the last section.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("unmask.export"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
        finalize=lambda value: str(value).replace("|", "\\|"),  # which would end a cell of a table
    )
    environment.filters["percent"] = lambda share: f"{share:.1%}"
    numbers = {metric.name: metric for metric in info.metrics}
    learned = {} if train is None else {name: train.labels[train.origins == name] for name in _names(train)}
    return environment.get_template("MODEL_CARD.md").render(
        info=info,
        assumed_share=assumed_share(info),
        measured=judged is not None,
        at_chance=at_chance(info),
        rows=[(MEASURES[name].title, _with_interval(numbers.get(name))) for name in SHOWN],
        source_columns=[MEASURES[name].title for name in SHOWN_BY_SOURCE],
        sources=[] if judged is None or validation is None else [_row(*part) for part in by_source(judged, validation)],
        outside=None if judged is None or judged.outside is None else float(judged.outside.mean()),
        strange=strange,
        learned_from=[(name, *np.bincount(labels, minlength=2).tolist()) for name, labels in learned.items()],
        settings=settings,
    )


def at_chance(info: BundleInfo) -> bool:
    """Whether a calibrated detector is, for all that Validation shows, no better than chance at ranking fakes above reals."""
    auc = next((metric for metric in info.metrics if metric.name == "roc_auc"), None)
    return auc is not None and (auc.value if auc.low is None else auc.low) <= 0.5


def by_source(judged: Judged, source: Source) -> Iterator[tuple[str, Judged, NDArray[np.str_]]]:
    """The pictures of each source by themselves.

    Args:
        judged: All of them.
        source: The same pictures, in the same order.

    Yields:
        The source's name, how its n pictures were judged, and their groups (n,).
    """
    for name in _names(source):
        inside = source.origins == name
        outside = None if judged.outside is None else judged.outside[inside]
        part = Judged(judged.labels[inside], judged.scores[inside], judged.thresholds, outside)
        yield name, part, source.groups[inside]


def _names(source: Source) -> list[str]:
    return sorted(set(source.origins.tolist()) - {""})


def _row(name: str, judged: Judged, groups: NDArray[np.str_]) -> list[str]:
    """A source's name, its real pictures, its fake ones, and the measures of `SHOWN_BY_SOURCE`."""
    found = estimate(judged, groups=groups, names=SHOWN_BY_SOURCE)
    cells = [_with_interval(found[measure]) for measure in SHOWN_BY_SOURCE]
    return [name, _counted(groups[judged.real]), _counted(groups[judged.fake]), *cells]


def _counted(groups: Any) -> str:
    """How many pictures, and in how many groups; a picture without one stands alone."""
    alone = int((groups == "").sum())
    found = alone + len(set(groups.tolist()) - {""})
    return f"{len(groups)} in {found} groups" if found < len(groups) else f"{len(groups)}, each by itself"


def _with_interval(number: Metric | Estimate | None) -> str:
    if number is None or number.value is None:
        return "-"
    if number.low is None or number.high is None:
        return f"{number.value:.3f} (n = {number.n})"
    return f"{number.value:.3f} ({number.low:.3f} to {number.high:.3f}, n = {number.n})"
