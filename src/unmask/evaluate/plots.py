"""The report's pictures of numbers: one function a plot, None where there is nothing to draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from unmask.evaluate.degradations import TWO_SIDED
from unmask.evaluate.evaluation import Evaluation, Slice
from unmask.evaluate.explanation import RemovalTest
from unmask.evaluate.plot_style import (
    ACCENT,
    DASHES,
    FAKE,
    MARKERS,
    REAL,
    SERIES,
    UNSURE,
    Plot,
    finished,
    legend,
    percent,
)
from unmask.evaluate.plot_style import figure as new_figure
from unmask.evaluate.robustness import CLEAN, Robust
from unmask.evaluate.scores import ScoreTable
from unmask.output.wording import limit_text
from unmask.stats.intervals import Estimate


def scores_plot(table: ScoreTable) -> Plot:
    """How the scores of real and of fake pictures are spread over the three answers."""
    edges = np.linspace(0, 1, 41)
    with new_figure(7.2, 2.9) as (figure, axes):
        low, high = table.thresholds.real_below, table.thresholds.fake_above
        handles: list[Any] = [axes.axvspan(low, high, color=UNSURE, alpha=0.15, linewidth=0)]
        names = ["unsure"]
        for label, name, colour, hatch in ((0, "real pictures", REAL, None), (1, "fake pictures", FAKE, "////")):
            scores = np.array([row.score for row in table.answered if row.label == label], dtype=np.float64)
            if scores.size:
                shares = np.histogram(scores, edges)[0] / scores.size
                # Two artists: in an SVG the opacity of a fill is that of its hatch too, which then cannot be seen.
                fill = axes.stairs(shares, edges, fill=True, facecolor=colour, alpha=0.33, linewidth=0)
                outline = axes.stairs(shares, edges, facecolor="none", edgecolor=colour, hatch=hatch, linewidth=1.4)
                handles.append((fill, outline))
                names.append(f"{name} ({scores.size:,})")
        axes.set(xlim=(0, 1), xlabel="score, P(fake)", ylabel="share of the class")
        axes.yaxis.set_major_formatter(percent())
        axes.legend(handles, names, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
        return finished(
            figure, "scores", "Scores of real and of fake pictures",
            f"Two histograms of scores. Below {limit_text(low)} the answer is real, above {limit_text(high)} fake.",
        )  # fmt: skip


def confusion_plot(evaluation: Evaluation) -> Plot | None:
    """Counts of the forced choice and of the three answers."""
    if evaluation.confusion is None or evaluation.answers is None:
        return None
    with new_figure(7.2, 2.7, 1, 2) as (figure, axes):
        for place, matrix, columns, title in (
            (axes[0], evaluation.confusion, ("real", "fake"), "Forced choice at 0.5"),
            (axes[1], evaluation.answers, ("real", "unsure", "fake"), "The three answers"),
        ):
            counts = np.array(matrix)
            shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
            place.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
            for row in range(2):
                for column in range(len(columns)):
                    dark = shares[row, column] > 0.55
                    place.text(
                        column, row, f"{counts[row, column]:,}\n{shares[row, column]:.1%}", ha="center",
                        va="center", color="white" if dark else "#1B1F24", fontsize=10,
                    )  # fmt: skip
            place.set_xticks(range(len(columns)), [f"called {name}" for name in columns])
            place.set_yticks(range(2), ["is real", "is fake"])
            place.set_title(title)
            place.grid(False)
            place.spines[:].set_visible(False)
            place.tick_params(length=0)
        return finished(
            figure, "confusion", "Confusion matrices",
            f"Counts, truth by answer: {evaluation.confusion} at 0.5; {evaluation.answers} with unsure.",
        )  # fmt: skip


def curves_plot(evaluations: Sequence[Evaluation], *, name: str = "curves") -> Plot | None:
    """ROC and precision-recall curves, of one detector or several."""
    drawn = [(each, each.roc, each.precision_recall) for each in evaluations if each.roc and each.precision_recall]
    if not drawn:
        return None
    with new_figure(7.2, 3.5 + (0.2 * len(drawn) if len(drawn) > 1 else 0), 1, 2) as (figure, (left, right)):
        left.plot([0, 1], [0, 1], color="#C5CAD1", linestyle=":", linewidth=1)
        lines = []
        for number, (judged, roc, precision_recall) in enumerate(drawn):
            area, precision = judged.measures["roc_auc"].value, judged.measures["average_precision"].value
            look = {"color": SERIES[number % len(SERIES)], "linestyle": DASHES[number % len(DASHES)], "linewidth": 1.8}
            label = f"{judged.table.detector}: AUC {area:.3f}, AP {precision:.3f}"
            lines += left.plot(roc.x, roc.y, **look, label=label)
            right.plot(precision_recall.x, precision_recall.y, **look)
        left.set(xlabel="real pictures called fake", ylabel="fakes found", xlim=(-0.01, 1), ylim=(0, 1.01), title="ROC")
        right.set(xlabel="fakes found (recall)", ylabel="precision", title="Precision and recall", xlim=(0, 1.01))
        right.set_ylim(max(0.0, right.get_ylim()[0] - 0.02), 1.01)
        legend(figure, lines)
        return finished(figure, name, "ROC and precision-recall curves", "ROC on the left, PR on the right.")


def reliability_plot(evaluation: Evaluation) -> Plot | None:
    """Do pictures scored 0.8 turn out fake in 80 % of cases? Before and after the temperature."""
    reliability = evaluation.reliability
    if reliability is None:
        return None
    how = "as given" if reliability.before is None else "after temperature scaling"
    parts = [(how, reliability.after, reliability.error_after)]
    if reliability.before is not None and reliability.error_before is not None:
        parts.insert(0, ("before (temperature 1)", reliability.before, reliability.error_before))
    with new_figure(3.6 * len(parts), 3.4, 1, len(parts)) as (figure, axes):
        for place, (title, bins, error) in zip(np.atleast_1d(axes), parts, strict=True):
            place.plot([0, 1], [0, 1], color="#9AA1AB", linestyle=":", linewidth=1)
            x, y = [part.mean_score for part in bins], [part.share_fake for part in bins]
            place.vlines(x, x, y, color=FAKE, linewidth=1.2, alpha=0.6)
            place.plot(x, y, color=REAL, marker="o", markersize=4.5, linewidth=1.2)
            place.set(
                xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel="mean score of the bin", ylabel="share of fakes",
                title=f"{title}\nECE {error:.3f}",
            )  # fmt: skip
            place.set_aspect("equal")
        return finished(
            figure, "reliability", "Reliability: score against truth",
            f"ECE {reliability.error_after:.3f} {how}.",
        )  # fmt: skip


def risk_coverage_plot(evaluations: Sequence[Evaluation], *, name: str = "risk_coverage") -> Plot | None:
    """How many mistakes remain when only the surest pictures are answered."""
    drawn = [(judged, judged.risk_coverage) for judged in evaluations if judged.risk_coverage is not None]
    if not drawn:
        return None
    with new_figure(7.2, 2.9) as (figure, axes):
        lines = []
        for number, (judged, curve) in enumerate(drawn):
            colour, detector = SERIES[number % len(SERIES)], judged.table.detector
            lines += axes.plot(curve.x, curve.y, color=colour, linewidth=1.8, label=detector)
            unsure, right = judged.measures["share_unsure"].value, judged.measures["accuracy_answered"].value
            if unsure is not None and right is not None:
                lines += axes.plot(
                    1 - unsure, 1 - right, marker=MARKERS[number % len(MARKERS)], color=colour, markersize=8,
                    markeredgecolor="white", linestyle="none", label=f"{detector}, policy {judged.table.policy}",
                )  # fmt: skip
        axes.set(xlim=(0, 1.01), xlabel="share of pictures answered, surest first", ylabel="wrong among answered")
        axes.set_ylim(bottom=0)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(percent())
        legend(figure, lines, ncols=2)
        return finished(
            figure, name, "Mistakes against answers", "Share of wrong answers as more pictures are answered."
        )


def slices_plot(slices: Sequence[Slice]) -> Plot | None:
    """AUC and false accusations by source and by method, with intervals."""
    drawn = [part for part in slices if part.measures["roc_auc"].value is not None]
    if not drawn:
        return None
    names = [f"{part.kind}: {part.name}{' *' if part.beside_all else ''}" for part in drawn]
    panels = (("roc_auc", "AUC", REAL), ("missed_fake_rate", "fakes called real", FAKE))
    with new_figure(7.2, 1.1 + 0.34 * len(drawn), 1, len(panels)) as (figure, axes):
        _dots(axes, panels, names, [part.measures for part in drawn])
        axes[0].set_xlim(min(0.5, axes[0].get_xlim()[0]), 1.005)
        axes[1].set_xlim(left=0)
        axes[1].xaxis.set_major_formatter(percent())
        return finished(figure, "slices", "By source and by method", "Dots with 95 % intervals, one line a slice.")


def comparison_plot(evaluations: Sequence[Evaluation]) -> Plot:
    """Several detectors on the same pictures: the numbers that matter most, with intervals."""
    panels = (
        ("roc_auc", "AUC", REAL),
        ("accuracy", "accuracy at 0.5", ACCENT),
        ("false_accusation_rate", "real called fake", FAKE),
        ("missed_fake_rate", "fake called real", FAKE),
    )
    names = [judged.table.detector for judged in evaluations]
    with new_figure(7.2, 1.2 + 0.4 * len(evaluations), 1, len(panels)) as (figure, axes):
        _dots(axes, panels, names, [judged.measures for judged in evaluations])
        for place in axes:
            place.tick_params(axis="x", labelsize=8)
            place.locator_params(axis="x", nbins=4)
        return finished(figure, "comparison", "Side by side", "Dots with 95 % intervals, one line a detector.")


def _dots(
    axes: Any,
    panels: Sequence[tuple[str, str, str]],
    names: Sequence[str],
    rows: Sequence[Mapping[str, Estimate]],
) -> None:
    """One panel a measure (its name, title and colour), one line a row, the first row on top."""
    for place, (measure, title, colour) in zip(axes, panels, strict=True):
        for height, measures in enumerate(rows):
            found = measures[measure]
            if found.value is None:
                continue
            if found.low is not None and found.high is not None:
                ends = [found.low, found.high]
                place.plot(ends, [height, height], color=colour, linewidth=2, alpha=0.5, solid_capstyle="butt")
            place.plot(found.value, height, marker="o", color=colour, markersize=6, markeredgecolor="white")
        place.grid(axis="y", visible=False)
        place.set_title(title, fontsize=9)
        place.set_yticks(range(len(names)), names if place is axes[0] else [""] * len(names))
        place.set_ylim(len(names) - 0.4, -0.6)


def robustness_plot(results: Sequence[Robust]) -> Plot | None:
    """One panel a kind of degradation, from the clean picture to its strongest level."""
    clean = next((delivery for delivery in results if delivery.family == CLEAN), None)
    families = list(dict.fromkeys(delivery.family for delivery in results if delivery is not clean))
    if clean is None or not families:
        return None
    columns = min(4, len(families) + 1)
    rows = -(-(len(families) + 1) // columns)
    series = (("roc_auc", "AUC"), ("accuracy", "accuracy at 0.5"), ("flip_rate", "verdicts flipped"))
    with new_figure(8.2, 0.5 + 1.75 * rows, rows, columns) as (figure, axes):
        places = list(np.ravel(axes))
        for place, family in zip(places, families, strict=False):
            steps = _steps(clean, [delivery for delivery in results if delivery.family == family])
            for number, (measure, title) in enumerate(series):
                look = {"color": SERIES[number], "linewidth": 1.3, "marker": MARKERS[number], "markersize": 4}
                found = [(at, delivery.measures[measure]) for at, delivery in enumerate(steps)]
                known = [(at, rate) for at, rate in found if rate.value is not None]
                place.plot([at for at, _ in known], [rate.value for _, rate in known], label=title, **look)
                if sure := [(at, rate.low, rate.high) for at, rate in known if rate.low is not None]:
                    place.vlines(*zip(*sure, strict=True), color=SERIES[number], linewidth=1, alpha=0.5)
            place.set_title(family, fontsize=9)
            place.set(xlim=(-0.3, len(steps) - 0.7), ylim=(-0.03, 1.03))
            names = ["clean" if delivery is clean else delivery.level or "sent" for delivery in steps]
            place.set_xticks(range(len(steps)), names, fontsize=7.5)
            if len(steps) > 5:
                place.tick_params(axis="x", labelrotation=45)
            place.yaxis.set_major_formatter(percent())
            place.tick_params(axis="y", labelsize=7.5)
        for place in places[len(families) :]:
            place.axis("off")
        handles, titles = places[0].get_legend_handles_labels()
        places[len(families)].legend(handles, titles, loc="center left")
        return finished(
            figure, "robustness", "The same pictures after they travelled",
            "Small multiples: AUC, accuracy and flip rate from clean to the strongest level.",
        )  # fmt: skip


def _steps(clean: Robust, levels: list[Robust]) -> list[Robust]:
    """The clean picture first, or in the middle of a family that goes both ways."""
    middle = TWO_SIDED.get(levels[0].family)
    if middle is None:
        return [clean, *levels]
    return sorted([clean, *levels], key=lambda step: middle if step is clean else float(step.level.rstrip("x")))


def explanation_plot(removal: RemovalTest) -> Plot:
    """Deletion and insertion: mean score as pixels are taken away or put back in the order of a map."""
    with new_figure(7.2, 3.0, 1, 2) as (figure, axes):
        for place, kind in zip(axes, ("deletion", "insertion"), strict=True):
            for colour, dashes, (name, values) in zip(SERIES, DASHES, getattr(removal, kind).items(), strict=False):
                place.plot(removal.steps, values, color=colour, linestyle=dashes, linewidth=1.7, label=name)
            place.set(title=kind, xlabel=f"share of pixels {'removed' if kind == 'deletion' else 'shown'}", xlim=(0, 1))
            place.set_ylabel("mean score, P(fake)")
            place.xaxis.set_major_formatter(percent())
        axes[0].legend(loc="best", fontsize=8.5)
        return finished(
            figure, "explanation", "Deletion and insertion",
            "Mean score while pixels are removed or shown in the order of the heatmap, of noise and of a blob.",
        )  # fmt: skip
