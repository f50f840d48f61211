"""The model card: what a detector learned from, how well it does, and what it was never shown.

Written from the numbers of the bundle itself, so that card and `bundle.json` cannot disagree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unmask.bundle import BundleInfo, Metric
from unmask.data.source import Source
from unmask.export.unusual import UnusualRow
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


@dataclass(frozen=True, slots=True)
class OriginRow:
    """How a detector does on the pictures of one source; shares of each class, None without pictures of it."""

    name: str
    real: int
    fake: int
    accused: float | None
    missed: float | None
    unsure: float


def model_card(
    info: BundleInfo,
    judged: Mapping[str, Judged],
    sources: Mapping[str, Source],
    strange: Sequence[UnusualRow],
    settings: Mapping[str, Any],
) -> str:
    """The card as Markdown.

    Args:
        info: The bundle's own description, with its metrics.
        judged: By split, the pictures with their scores and the default thresholds; empty where nothing was judged.
        sources: By split, where those pictures come from.
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
    )
    environment.filters["percent"] = _percent
    numbers = {(metric.split, metric.name): metric for metric in info.metrics}
    return environment.get_template("MODEL_CARD.md").render(
        info=info,
        splits=list(judged),
        rows=[
            (MEASURES[name].title, [_with_interval(numbers.get((split, name))) for split in judged]) for name in SHOWN
        ],
        origins=_origins(judged["Test"], sources["Test"]) if "Test" in judged else [],
        outside=[(split, float(one.outside.mean())) for split, one in judged.items() if one.outside is not None],
        strange=strange,
        learned_from=_origin_counts(sources.get("Train")),
        settings=settings,
    )


def _origins(judged: Judged, source: Source) -> list[OriginRow]:
    rows = []
    for name in sorted(set(source.origins.tolist()) - {""}):
        inside = source.origins == name
        real, fake = inside & judged.real, inside & judged.fake
        rows.append(
            OriginRow(
                name,
                int(real.sum()),
                int(fake.sum()),
                float(judged.called_fake[real].mean()) if real.any() else None,
                float(judged.called_real[fake].mean()) if fake.any() else None,
                float((~judged.answered)[inside].mean()),
            )
        )
    return rows


def _origin_counts(source: Source | None) -> list[tuple[str, int, int]]:
    if source is None:
        return []
    return [
        (name, *np.bincount(source.labels[source.origins == name], minlength=2).tolist())
        for name in sorted(set(source.origins.tolist()) - {""})
    ]


def _with_interval(metric: Metric | None) -> str:
    if metric is None:
        return "-"
    if metric.low is None or metric.high is None:
        return f"{metric.value:.3f} (n = {metric.n})"
    return f"{metric.value:.3f} ({metric.low:.3f} to {metric.high:.3f}, n = {metric.n})"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"
