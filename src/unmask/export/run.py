"""What can be exported: a run, several runs as one, or somebody's Keras file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from unmask.errors import UnmaskError
from unmask.export.adopt import adopt
from unmask.export.assemble import Label, export_model
from unmask.export.ensemble import ensemble
from unmask.export.kernels import KernelBits
from unmask.models import load
from unmask.train.config import TrainConfig, changed_settings, read_run, told_settings
from unmask.train.loop import MODEL


def export_run(
    runs: Path | Sequence[Path],
    out: Path,
    *,
    data: str | None = None,
    label: Label | None = None,
    kernel_bits: KernelBits = 32,
    on_note: Callable[[str], None] = lambda note: None,
) -> Path:
    """Makes a bundle of a run's model, or of several runs' together.

    Args:
        runs: A folder written by `unmask train`; or several of them, for a detector that answers with the mean of their
            logits (see `unmask.export.ensemble`).
        out: The bundle's folder.
        data: Where to calibrate; None for the data the run learned from.
        label: Names and terms.
        kernel_bits: How many bits to keep of each number in a kernel (see `unmask.export.kernels`).
        on_note: Told what a person should know of the data.

    Returns:
        The bundle's folder.

    Raises:
        UnmaskError: No run, no data, runs that do not go together, or as `export_model`.
    """
    runs = [runs] if isinstance(runs, Path) else list(runs)
    configs = [read_run(run) for run in runs]
    folders = {config.data for config in configs}
    if data is None and len(folders) > 1:
        raise UnmaskError(
            f"These runs learned from different pictures: {', '.join(sorted(folders))}.",
            hint="Say where to calibrate: --data FOLDER",
            code="data-differ",
        )
    model = ensemble([_kept_model(run) for run in runs])
    if len(runs) == 1:
        architecture, settings = configs[0].model, _settings(configs[0])
    else:
        architecture = "ensemble"
        settings = {
            f"run {number} of {len(runs)}": f"{config.model}, {run.name} ({_in_a_line(config)})"
            for number, (config, run) in enumerate(zip(configs, runs, strict=True), 1)
        }
    known = len(folders) == 1 and Path(configs[0].data).exists()
    return export_model(
        model,
        out,
        architecture=architecture,
        data=data or configs[0].data,
        learned_from=configs[0].data if known else data or configs[0].data,
        label=label,
        settings=settings,
        kernel_bits=kernel_bits,
        on_note=on_note,
    )


def export_file(
    path: Path,
    out: Path,
    *,
    input_scaling: str,
    label_order: str,
    data: str | None = None,
    label: Label | None = None,
    kernel_bits: KernelBits = 32,
    on_note: Callable[[str], None] = lambda note: None,
) -> Path:
    """Makes a bundle of somebody's Keras file.

    Args:
        path: A `.h5` or `.keras` file; see `unmask.export.adopt` for what it may look like.
        out: The bundle's folder.
        input_scaling: What its pictures were scaled to, a key of `unmask.export.adopt.SCALINGS`.
        label_order: Its classes 0 and 1, "real-fake" or "fake-real".
        data: Where to calibrate; None leaves the bundle uncalibrated, and nothing then shows that `label_order` is right.
            The model did not learn from it, for all that is known, and the card counts nothing of its Train.
        label: Names and terms.
        kernel_bits: As in `export_run`.
        on_note: Likewise.

    Returns:
        The bundle's folder.

    Raises:
        UnmaskError: As `adopt` and `export_model`.
    """
    return export_model(
        adopt(path, input_scaling=input_scaling, label_order=label_order),
        out,
        architecture="custom",
        data=data,
        label=label,
        settings={"file": path.name, "input_scaling": input_scaling, "label_order": label_order},
        kernel_bits=kernel_bits,
        on_note=on_note,
    )


def _kept_model(run: Path) -> Any:
    if not (run / MODEL).is_file():
        raise UnmaskError(
            f"The run {run} has no model yet.",
            hint=f"Let it end its first epoch: unmask train --resume {run}",
            code="no-model",
        )
    return load(run / MODEL)


def _settings(config: TrainConfig) -> dict[str, Any]:
    """All settings of a run, for the card; of the run that it started from, those that are not the defaults."""
    settings = told_settings(config)
    if config.start is not None:
        del settings["backbone_weights"]  # its weights came from the run, not from a backbone's file
        before = Path(config.start)
        settings["start"] = f"{before.name} ({_in_a_line(read_run(before))})" if before.is_dir() else before.name
    return settings


def _in_a_line(config: TrainConfig) -> str:
    told = {"size": config.size, "epochs": config.epochs, **changed_settings(config), "seed": config.seed}
    return ", ".join(f"{name} {value}" for name, value in told.items())
