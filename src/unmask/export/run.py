"""From a trained model to a bundle: graph, calibration on Validation, hashes and model card, in one step.

The logit is shifted to be 0 where real and fake are equally likely. Temperature and thresholds are fitted to the logits of
the exported graph itself. All of that is done on Validation. Test is judged afterwards, with everything fixed, and only
written down.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmask.bundle import BundleInfo, Metric, Policy, TrainingData, write_bundle
from unmask.data.source import Source, open_source
from unmask.errors import UnmaskError
from unmask.export.adopt import adopt
from unmask.export.ensemble import ensemble, last_layers
from unmask.export.gradcam import find_heads, member_outputs
from unmask.export.graph import to_onnx
from unmask.export.kernels import KernelBits, round_kernels
from unmask.export.middle import middles_of
from unmask.export.model_card import model_card
from unmask.export.outside import FeatureStatistics, measure_features, outside_limit
from unmask.export.unusual import unusual, unusual_row
from unmask.stats.calibration import DEFAULT_POLICY, POLICIES, choose_thresholds, fit_centre, fit_temperature
from unmask.stats.intervals import estimate
from unmask.stats.metrics import Judged, roc_auc
from unmask.system.private import import_onnxruntime
from unmask.train.config import CONFIG_FILE, TrainConfig, changed_settings, read_config
from unmask.train.loop import JUDGE_BATCH, MODEL, judge
from unmask.verdict import Thresholds, probability

# Largest difference of a logit between Keras and the graph, and how many pictures it is looked for on.
PARITY, PARITY_PICTURES = 1e-3, 500

# An AUC on Validation below this is no weak model but one with its classes swapped.
WRONG_WAY_ROUND = 0.4

UNSTATED_TERMS = (
    "Not stated by the person who trained it. The weights fall under the terms of the pictures they were made "
    "from; take them for research and non-commercial use only."
)
# Where nobody gave pictures to choose by: only very sure answers, and the card says why.
UNCALIBRATED = Thresholds(real_below=0.1, fake_above=0.9)


@dataclass(frozen=True, slots=True)
class Label:
    """What the bundle is called and what it says of its pictures.

    Attributes:
        name: Of the detector; None for its architecture and size.
        version: Of the detector.
        data_name: Of the pictures; None for the name of their folder.
        data_terms: On what terms the pictures, and so the weights, may be used.
    """

    name: str | None = None
    version: str = "1"
    data_name: str | None = None
    data_terms: str = UNSTATED_TERMS


def export_run(
    runs: Path | Sequence[Path],
    out: Path,
    *,
    data: str | None = None,
    label: Label | None = None,
    kernel_bits: KernelBits = 32,
    middle: int | None = None,
    weights: Sequence[float] | None = None,
    blurred_weights: Sequence[float] | None = None,
) -> Path:
    """Makes a bundle of a run's model, or of several runs' together.

    Args:
        runs: A folder written by `unmask train`; or several of them, for a detector that answers with the mean of their
            logits (see `unmask.export.ensemble`).
        out: The bundle's folder.
        data: Where to calibrate and report; None for the data the run learned from.
        label: Names and terms.
        kernel_bits: How many bits to keep of each number in a kernel; fewer make a smaller bundle (see `unmask.export.kernels`).
        middle: Look at the middle of each picture only, this many pixels wide (see `unmask.export.middle`). Runs on pictures of
            half the side look at all of theirs.
        weights: How much each run's logit counts in the mean, above 0; None lets all count alike.
        blurred_weights: The same for pictures that are blurred (see `unmask.export.sharpness`); None for those of `weights`.

    Returns:
        The bundle's folder.

    Raises:
        UnmaskError: No run, no data, runs that do not go together, or a graph that does not agree with Keras.
        ValueError: Another number of weights than of runs, or one that is not above 0.
    """
    runs = [runs] if isinstance(runs, Path) else list(runs)
    configs = [read_config(run / CONFIG_FILE) for run in runs]
    folders = {config.data for config in configs}
    if data is None and len(folders) > 1:
        raise UnmaskError(
            f"These runs learned from different pictures: {', '.join(sorted(folders))}.",
            hint="Say where to calibrate and to report, with pictures of the largest of their sizes: --data FOLDER",
            code="data-differ",
        )
    models = [_kept_model(run) for run in runs]
    sides = [int(one.inputs[0].shape[1]) for one in models]
    if middle is not None:
        models = middles_of(models, middle)
    model = ensemble(models, weights, blurred_weights)
    if len(runs) == 1:
        details: dict[str, Any] = {"architecture": configs[0].model, "settings": _settings(configs[0])}
    else:
        details = {
            "architecture": "ensemble",
            "settings": {
                f"run {number} of {len(runs)}": f"{config.model}, {_told(run)}"
                for number, (config, run) in enumerate(zip(configs, runs, strict=True), 1)
            },
        }
    for what, given in (("weights", weights), ("weights of blurred pictures", blurred_weights)):
        if given is not None:
            details["settings"][what] = ", ".join(f"{weight / sum(given):.3g}" for weight in given)
    if kernel_bits < 32:
        details["settings"]["kernels"] = f"{kernel_bits} bits"
    if middle is not None:
        more = "; runs of half the side look at all of theirs" if min(sides) < max(sides) else ""
        details["settings"]["looks at"] = f"the middle {middle} px of each picture's {max(sides)}{more}"
    return export_model(
        model, out, data=data or configs[0].data, label=label or Label(), details=details, kernel_bits=kernel_bits
    )


def _kept_model(run: Path) -> Any:
    import keras

    if not (run / MODEL).is_file():
        raise UnmaskError(
            f"The run {run} has no model yet.",
            hint=f"Let it end its first epoch: unmask train --resume {run}",
            code="no-model",
        )
    return keras.models.load_model(run / MODEL, compile=False)


def _settings(config: TrainConfig) -> dict[str, Any]:
    settings = config.model_dump(exclude={"data", "model", "workers", "checkpoint_every"}, exclude_none=True)
    for name in ("backbone_weights", "hard"):
        if name in settings:
            settings[name] = Path(settings[name]).name
    if config.start is not None:
        # Its weights came from there, not from a backbone's file.
        settings["start"] = _told(Path(config.start))
        del settings["backbone_weights"]
    return settings


def _told(run: Path) -> str:
    """A run in one line, with the run that it started from."""
    if not (run / CONFIG_FILE).is_file():
        return run.name
    config = read_config(run / CONFIG_FILE)
    changed = {"size": config.size, "epochs": config.epochs, **changed_settings(config), "seed": config.seed}
    changed.pop("start", None)
    words = ", ".join(f"{name} {value}" for name, value in changed.items())
    before = f", start {_told(Path(config.start))}" if config.start is not None else ""
    return f"{run.name} ({words}{before})"


def export_file(
    path: Path,
    out: Path,
    *,
    input_scaling: str,
    label_order: str,
    data: str | None = None,
    label: Label | None = None,
) -> Path:
    """Makes a bundle of somebody's Keras file; see `unmask.export.adopt` for what it may look like."""
    model = adopt(path, input_scaling=input_scaling, label_order=label_order)
    settings = {"file": path.name, "input_scaling": input_scaling, "label_order": label_order}
    return export_model(
        model, out, data=data, label=label or Label(), details={"architecture": "custom", "settings": settings}
    )


def export_model(
    model: Any, out: Path, *, data: str | None, label: Label, details: dict[str, Any], kernel_bits: KernelBits = 32
) -> Path:
    """Makes a bundle of a float32 Keras model from uint8 (N, S, S, 3) to logits (N, 1).

    Args:
        model: The model; its last bias is changed, see `centre`.
        out: The bundle's folder.
        data: Prepared folder or dataset folder; None leaves the bundle uncalibrated, which its card says.
        label: Names and terms.
        details: `architecture` and `settings`, for bundle and card.
        kernel_bits: How many bits to keep of each number in a kernel; under 32 those of the model are rounded (see
            `unmask.export.kernels`).
    """
    size = int(model.inputs[0].shape[1])
    splits = _splits(data, size)
    round_kernels(model, kernel_bits)
    if "Validation" in splits:
        centre(model, splits["Validation"])
    graph = to_onnx(model, _statistics(model, splits.get("Train")), kernel_bits=kernel_bits)
    run_graph = _session(graph)
    _check_parity(model, run_graph, splits.get("Validation"), size)

    outputs = {split: run_graph(source) for split, source in splits.items() if split != "Train"}
    logits = {split: found["logit"] for split, found in outputs.items()}
    known = "distance" in outputs.get("Validation", {})
    outside_above = outside_limit(outputs["Validation"]["distance"]) if known else None
    temperature, policies = 1.0, {DEFAULT_POLICY: _policy(UNCALIBRATED, "nothing: no Validation pictures were given")}
    if "Validation" in splits:
        truth = splits["Validation"].labels
        _check_label_order(logits["Validation"], truth)
        temperature = fit_temperature(logits["Validation"], truth)
        policies = _policies(probability(logits["Validation"], temperature), truth)

    def judge_outputs(source: Source, found: dict[str, NDArray[np.float64]]) -> Judged:
        return Judged.of(
            source.labels,
            probability(found["logit"], temperature),
            policies[DEFAULT_POLICY].thresholds,
            outside=None if outside_above is None else found["distance"] > outside_above,
        )

    judged = {split: judge_outputs(splits[split], found) for split, found in outputs.items()}
    strange = unusual(splits["Test"]) if "Test" in splits else {}
    rows = [unusual_row(name, judge_outputs(source, run_graph(source))) for name, source in strange.items()]
    info = BundleInfo(
        name=label.name or f"{details['architecture']}-{size}",
        version=label.version,
        created=_today(),
        architecture=details["architecture"],
        input_size=size,
        temperature=temperature,
        policies=policies,
        default_policy=DEFAULT_POLICY,
        outside_above=outside_above,
        metrics=[metric for split in judged for metric in _metrics(split, judged[split], splits[split])],
        training_data=TrainingData(
            name=label.data_name or (Path(data).resolve().name if data else "unknown"),
            terms=label.data_terms,
            counts=_counts(splits),
        ),
        made_with=_versions(),
    )
    return write_bundle(out, info, graph, model_card(info, judged, splits, rows, details["settings"]))


def _splits(data: str | None, size: int) -> dict[str, Source]:
    """The splits there are; Validation must be among them, Train and Test may be missing."""
    if data is None:
        return {}
    splits = {"Validation": open_source(data, "Validation", size)}
    for split in ("Train", "Test"):
        try:
            splits[split] = open_source(data, split, size)
        except UnmaskError as error:
            if error.code != "split-missing":
                raise
    return splits


def centre(model: Any, validation: Source) -> None:
    """Shifts the last layer's bias so that the logit is 0 where real and fake are equally likely (`fit_centre`).

    A model whose last layer is not a dense one with a bias stays as it is. In an ensemble all models are shifted by as much;
    where they have weights, each is centred by itself before, as other weights for the next picture would shift its logit.
    """
    import keras

    last = last_layers(model)
    if any(not isinstance(layer, keras.layers.Dense) or layer.bias is None for layer in last):
        return
    heads = find_heads(model)
    if heads is not None and heads.shares is not None:
        each = keras.Model(model.inputs[0], keras.layers.Concatenate()(member_outputs(model)))
        logits = judge(each, validation).reshape(-1, len(last))
        for layer, own in zip(last, logits.T, strict=True):
            layer.bias.assign(np.asarray(layer.bias) - np.float32(fit_centre(own, validation.labels)))
    shift = np.float32(fit_centre(judge(model, validation), validation.labels))
    for layer in last:
        layer.bias.assign(np.asarray(layer.bias) - shift)


def _statistics(model: Any, train: Source | None) -> FeatureStatistics | None:
    """Of the training pictures, where there are any and the head is of a form that has features."""
    heads = find_heads(model)
    return measure_features(model, heads.spatial_map, train) if heads is not None and train is not None else None


def _session(graph: bytes) -> Any:
    """Runs the exported graph: Source -> float64 (N,) by output's name, as the bundle's readers will get them."""
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs() if output.name != "cam"]

    def run(source: Source) -> dict[str, NDArray[np.float64]]:
        starts = range(0, len(source), JUDGE_BATCH)
        batches = (np.arange(first, min(first + JUDGE_BATCH, len(source))) for first in starts)
        parts = [session.run(names, {"image": source.read(batch)}) for batch in batches]
        return {
            name: np.concatenate(values).astype(np.float64)
            for name, values in zip(names, zip(*parts, strict=True), strict=True)
        }

    return run


def _check_parity(model: Any, run_graph: Any, source: Source | None, size: int) -> None:
    """Refuses a graph whose logits are not those of the model.

    Raises:
        UnmaskError: They differ by more than `PARITY` somewhere.
    """
    if source is None:
        few = _noise(size)
    else:
        # From all over the split, so that both classes are among them.
        few = source.taken(np.linspace(0, len(source) - 1, min(len(source), PARITY_PICTURES)).astype(np.int64))
    difference = float(np.abs(judge(model, few) - run_graph(few)["logit"]).max())
    if not difference <= PARITY:
        raise UnmaskError(
            f"The exported graph does not agree with the model: logits differ by {difference:.2g}.",
            hint="Please report this, with the architecture and the versions that `unmask doctor` prints.",
            code="parity",
        )


def _check_label_order(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> None:
    auc = roc_auc(labels, probability(logits, 1.0))
    if auc < WRONG_WAY_ROUND:
        raise UnmaskError(
            f"The model ranks real pictures above fake ones (AUC {auc:.3f} on Validation).",
            hint="Its classes are the other way round: change --label-order. For a run, check the folders' names.",
            code="labels-swapped",
        )


def _noise(size: int) -> Source:
    images = np.random.default_rng(0).integers(0, 256, (JUDGE_BATCH, size, size, 3), dtype=np.uint8)
    names = np.full(JUDGE_BATCH, "")
    labels = np.arange(JUDGE_BATCH) % 2
    return Source("Noise", size, ("",) * JUDGE_BATCH, labels, names, names, lambda indexes: images[indexes])


def _policies(probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> dict[str, Policy]:
    real, fake = np.bincount(labels, minlength=2)
    chosen = {}
    for name, limits in POLICIES.items():
        thresholds = choose_thresholds(
            probabilities,
            labels,
            max_false_accusation=limits.max_false_accusation,
            max_missed_fake=limits.max_missed_fake,
        )
        chosen[name] = _policy(
            thresholds,
            f"Validation ({real} real, {fake} fake pictures): at most {limits.max_false_accusation:.1%} of the real "
            f"ones called fake, at most {limits.max_missed_fake:.1%} of the fake ones called real",
        )
    return chosen


def _policy(thresholds: Thresholds, chosen_by: str) -> Policy:
    return Policy(real_below=thresholds.real_below, fake_above=thresholds.fake_above, chosen_by=chosen_by)


def _metrics(split: str, judged: Judged, source: Source) -> list[Metric]:
    found = estimate(judged, groups=source.groups).values()
    return [
        Metric(
            name=number.name,
            split=split,
            value=_rounded(number.value),
            low=_rounded(number.low),
            high=_rounded(number.high),
            n=number.n,
        )
        for number in found
        if number.value is not None
    ]


def _rounded(value: float | None) -> Any:
    return None if value is None else round(value, 6)


def _counts(splits: dict[str, Source]) -> dict[str, int]:
    return {
        f"{split} {name}": int((splits[split].labels == label).sum())
        for split in ("Train", "Validation")
        if split in splits
        for label, name in enumerate(("real", "fake"))
    }


def _today() -> str:
    """The day, or that of SOURCE_DATE_EPOCH, for those who rebuild a bundle and compare."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    now = datetime.datetime.now(datetime.UTC)
    return (datetime.datetime.fromtimestamp(int(epoch), datetime.UTC) if epoch else now).date().isoformat()


def _versions() -> dict[str, str]:
    names = ("unmask", "keras", "tensorflow", "tensorflow_cpu", "tf2onnx", "onnx", "onnxruntime", "numpy")
    found = {}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
