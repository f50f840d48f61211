"""The verbs `evaluate` and `compare`. Parse, call the library, print."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from unmask.cli.options import PATH, POLICY, SPLIT, option_with_default, out_folder
from unmask.cli.say import say, say_note
from unmask.errors import UnmaskError
from unmask.system.python import install_extra


@click.command()
@click.argument("bundle", type=PATH, required=False)
@click.option(
    "--data",
    type=PATH,
    help="Dataset/Test, a dataset's folder, or a folder made by `unmask prepare`; for a scan also a CSV of labels.",
)
@click.option("--scores", type=PATH, help="Judge what a scan found, or a table of scores, instead of a bundle.")
@out_folder("report", "report")
@SPLIT
@click.option("--against", type=PATH, help="Test against this bundle, scan or table of scores.")
@POLICY
@option_with_default("--robustness/--no-robustness", default=True, help="Degrade the pictures as well.")
@option_with_default(
    "--robustness-pictures", type=click.IntRange(1), default=1000, help="At most so many pictures for it."
)
@click.option("--explanations", is_flag=True, help="Test the heatmaps as well.")
@option_with_default("--gallery/--no-gallery", default=True, help="Show right and wrong pictures.")
@click.option("--face-search", is_flag=True, help="Find faces first: for photos rather than face crops.")
def evaluate(
    bundle: Path | None,
    data: Path | None,
    scores: Path | None,
    out: Path,
    split: str,
    against: Path | None,
    policy: str | None,
    **wanted: Any,
) -> None:
    """Judge a detector on labelled pictures and write a report.

    BUNDLE is the folder of a detector; the shipped one if left out. With --scores nothing is scored: the results of
    `unmask scan`, or a CSV with the columns path, label and score, are judged as they are.
    """
    _require_train_extra("evaluate")
    if scores and (bundle or policy):
        raise click.UsageError("--scores are judged as they are: name neither a bundle nor --policy beside them.")
    from unmask.evaluate import run
    from unmask.evaluate.report import write_report
    from unmask.evaluate.statements import summary
    from unmask.output.progress import Progress

    plan = run.Plan(split=split, policy=policy, **wanted)
    with Progress() as show:
        if scores:
            report = run.evaluate_table(scores, data, plan=plan, against=against, on_step=show)
        elif data:
            report = run.evaluate(bundle, data, plan=plan, against=against, on_step=show)
        else:
            raise click.UsageError("Name the pictures with --data.")
        page = write_report(report, out)
    for sentence in summary(report.evaluation, report.robustness, report.split):
        say(f"• {sentence}")
    say(f"The report: {page}")


@click.command()
@click.argument("detectors", nargs=-1, required=True, type=PATH)
@click.option(
    "--data", type=PATH, help="The pictures, for scans also a CSV of labels; not needed for tables of scores only."
)
@out_folder("comparison", "comparison")
@SPLIT
@POLICY
def compare(detectors: tuple[Path, ...], data: Path | None, out: Path, split: str, policy: str | None) -> None:
    """Put several detectors side by side on the same pictures.

    DETECTORS are folders of bundles or of the results of `unmask scan`, or CSV files of any tool with the columns path,
    label (0 real, 1 fake) and score (P(fake), 0 to 1).
    """
    _require_train_extra("compare")
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from unmask.evaluate import run
    from unmask.evaluate.report import SHOWN, write_comparison
    from unmask.evaluate.statements import estimate_text
    from unmask.output.progress import Progress
    from unmask.output.wording import printable
    from unmask.stats.measures import MEASURES

    with Progress() as show:
        plan = run.Plan(split=split, policy=policy)
        found = run.compare(detectors, data, plan=plan, on_step=show, on_note=say_note)
        page = write_comparison(found, out)
    judged = found.evaluations
    table = Table("measure", *(escape(printable(evaluation.table.detector)) for evaluation in judged), box=None)
    for name in SHOWN:
        table.add_row(MEASURES[name].title, *(estimate_text(evaluation.measures[name]) for evaluation in judged))
    Console().print(table)
    say(f"{found.shared:,} pictures. The page: {page}")


def _require_train_extra(verb: str) -> None:
    import importlib.util

    missing = [name for name in ("scipy", "matplotlib") if importlib.util.find_spec(name) is None]
    if missing:
        raise UnmaskError(
            f"`unmask {verb}` needs {' and '.join(missing)}, not installed here",
            hint=f"Install what trains, {install_extra('train')}",
            code="no-train-extra",
        )
