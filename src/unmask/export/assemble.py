"""A Keras model and the pictures it is judged on -> a bundle, in one step.

Temperature, thresholds and the limit of the distance are fitted on Validation, to the outputs of the exported graph itself.
Train is read for the distance only. Test is not opened: what a detector does there is for `unmask evaluate` to say.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from unmask.bundle import BundleInfo, Metric, TrainingData, read_bundle, write_bundle
from unmask.data.source import Source, open_source
from unmask.errors import UnmaskError
from unmask.export.calibrate import Calibration, Seen, calibrate
from unmask.export.counts import count_classes, count_families, count_methods
from unmask.export.graph import to_onnx
from unmask.export.kernels import KernelBits, pack_kernels
from unmask.export.model_card import by_source, model_card
from unmask.export.outside import measure_features, outside_limit
from unmask.export.parity import Outputs, check_parity, few_pictures, graph_runner, keras_logits
from unmask.export.soft import calibrated_graph
from unmask.export.unusual import UnusualRow, unusual, unusual_row
from unmask.export.worn import small_fakes, worn_reals
from unmask.output.knowledge import assumed_share
from unmask.stats.calibration import DEFAULT_POLICY
from unmask.stats.intervals import Estimate, estimate
from unmask.stats.metrics import Judged
from unmask.verdict import probability

# Of the real pictures, the share called fake.
RATE = "false_accusation_rate"

UNSTATED_TERMS = (
    "Not stated by the person who trained it. The weights fall under the terms of the pictures they were made "
    "from; take them for research and non-commercial use only."
)


@dataclass(frozen=True, slots=True)
class Label:
    """What the bundle is called and what it says of its pictures.

    Attributes:
        name: Of the detector; None for its architecture and size.
        version: Of the detector; None for 1, and of a bundle calibrated anew for its old version and the name of the pictures.
        data_name: Of the pictures; None for the name of their folder.
        data_terms: On what terms the pictures, and so the weights, may be used.
    """

    name: str | None = None
    version: str | None = None
    data_name: str | None = None
    data_terms: str = UNSTATED_TERMS


def export_model(
    model: Any,
    out: Path,
    *,
    architecture: str,
    data: str | None,
    learned_from: str | None = None,
    label: Label | None = None,
    settings: dict[str, Any] | None = None,
    kernel_bits: KernelBits = 32,
    on_note: Callable[[str], None] = lambda note: None,
) -> Path:
    """Makes a bundle of a model.

    Args:
        model: A float32 Keras model from uint8 (N, S, S, 3) to logits (N, 1).
        out: The bundle's folder.
        architecture: A key of `unmask.models`, "ensemble" or "custom".
        data: Prepared folder or dataset folder; None leaves the bundle uncalibrated, which its card says.
        learned_from: The same, of the model's own Train; None where that is not known. The distance is then to Train of `data`.
        label: Names and terms.
        settings: How the model was trained, for the card.
        kernel_bits: How many bits to keep of each number in a kernel; see `unmask.export.kernels`.
        on_note: Told what a person should know of the data.

    Returns:
        The bundle's folder.

    Raises:
        UnmaskError: The model gives no numbers or ranks the classes the wrong way round, the graph does not agree with it,
            or the pictures cannot be read.
    """
    label, settings = label or Label(), dict(settings or {})
    if kernel_bits < 32:
        settings["kernels"] = f"{kernel_bits} bits"
    size = int(model.inputs[0].shape[1])
    validation = None if data is None else open_source(data, "Validation", size, on_note=on_note)
    train = None if data is None else _train(learned_from or data, size)
    learned = train if learned_from else None
    if data is not None and (learned_from is None or Path(learned_from).resolve() != Path(data).resolve()):
        settings["calibrated on"] = Path(data).resolve().name
    few = few_pictures(validation, size)
    expected = keras_logits(model, few)
    exact = to_onnx(model, None if train is None else measure_features(model, train))
    check_parity(expected, graph_runner(exact)(few)["logit"])
    graph = pack_kernels(exact, kernel_bits)

    calibration, outputs = _calibrated(graph, validation)
    training = TrainingData(
        name=label.data_name or (Path(learned_from).resolve().name if learned_from else "unknown"),
        terms=label.data_terms,
        counts=count_classes(learned) | count_classes(validation),
        methods=count_methods(learned),
        # Without Train a family counts as one that was not learned, which nobody knows here.
        families=count_families(learned, validation) if learned_from else {},
    )
    info = _info(label, calibration, architecture, size, training)
    finished = calibrated_graph(graph, calibration.centre, calibration.soft_weight)
    return _write(out, info, finished, outputs, validation, learned, settings)


def export_bundle(
    folder: Path,
    out: Path,
    *,
    data: str,
    label: Label | None = None,
    on_note: Callable[[str], None] = lambda note: None,
) -> Path:
    """Makes a bundle of another one: the same graph, byte for byte, calibrated on other pictures.

    Temperature, thresholds and the limit of the distance are chosen anew on their Validation split: for somebody whose pictures
    come from other cameras, or who knows other kinds of fakes, than those that the detector was first calibrated on. Its
    thresholds for clips were of the old calibration and are left out; those for pictures then hold for clips, too.

    Args:
        folder: The bundle.
        out: The new bundle's folder.
        data: Prepared folder or dataset folder.
        label: Names and terms; None, and names in it that are None, for those of the first bundle. Its version see `Label`.
        on_note: Told what a person should know of the data.

    Returns:
        The new bundle's folder.

    Raises:
        UnmaskError: It is no bundle, the pictures cannot be read, or it ranks their classes the wrong way round.
    """
    bundle = read_bundle(folder)
    old, label = bundle.info, label or Label(data_terms=bundle.info.training_data.terms)
    pictures = label.data_name or Path(data).resolve().name
    label = replace(label, name=label.name or old.name, version=label.version or f"{old.version}+{pictures}")
    validation = open_source(data, "Validation", old.input_size, on_note=on_note)
    calibration, outputs = _calibrated(bundle.model, validation, fake_share=assumed_share(old))
    learned = {name: count for name, count in old.training_data.counts.items() if name.startswith("Train")}
    here = count_families(validation)
    families = {
        name: {"Train": splits["Train"]} for name, splits in old.training_data.families.items() if "Train" in splits
    }
    families |= {name: families.get(name, {}) | splits for name, splits in here.items()}
    training = TrainingData(
        name=label.data_name or old.training_data.name,
        terms=label.data_terms,
        counts=learned | count_classes(validation),
        methods=old.training_data.methods,
        families=families,
    )
    info = _info(label, calibration, old.architecture, old.input_size, training)
    kept: dict[str, Any] = {"fake_share": assumed_share(old), "crop_margin": old.crop_margin}
    if old.default_policy in info.policies:
        kept["default_policy"] = old.default_policy
    info = info.model_copy(update=kept)
    settings = {"graph": f"that of {bundle.label}, made on {old.created}", "calibrated on": Path(data).resolve().name}
    return _write(out, info, bundle.model, outputs, validation, None, settings)


def _calibrated(
    graph: bytes, validation: Source | None, *, fake_share: float | None = None
) -> tuple[Calibration, Outputs]:
    """The calibration, and what the finished graph will say of Validation."""
    if validation is None:
        return Calibration(), {}
    run = graph_runner(graph)

    def seen(source: Source) -> Seen:
        outputs = run(source)
        return Seen(outputs["logit"], outputs["softness"], source.groups)

    outputs = run(validation)
    found = Seen(outputs["logit"], outputs["softness"], validation.groups)
    calibration = calibrate(
        found,
        validation.labels,
        validation.origins,
        worn={name: seen(source) for name, source in worn_reals(validation).items()},
        small={name: seen(source) for name, source in small_fakes(validation).items()},
        fake_share=fake_share,
    )
    return calibration, outputs | {"logit": calibration.logits(found)}


def _info(
    label: Label,
    calibration: Calibration,
    architecture: str,
    size: int,
    training: TrainingData,
) -> BundleInfo:
    return BundleInfo(
        name=label.name or f"{architecture}-{size}",
        version=label.version or "1",
        created=_today(),
        architecture=architecture,
        input_size=size,
        temperature=calibration.temperature,
        policies=calibration.policies,
        default_policy=DEFAULT_POLICY,
        training_data=training,
        made_with=_versions(),
    )


def _write(
    out: Path,
    info: BundleInfo,
    graph: bytes,
    outputs: Outputs,
    validation: Source | None,
    train: Source | None,
    settings: dict[str, Any],
) -> Path:
    """Judges a calibrated graph, and writes bundle and card from the same numbers."""
    outside_above = outside_limit(outputs["distance"]) if "distance" in outputs else None

    def judge(source: Source, found: Outputs) -> Judged:
        return Judged.of(
            source.labels,
            probability(found["logit"], info.temperature),
            info.policies[info.default_policy].thresholds,
            outside=None if outside_above is None else found["distance"] > outside_above,
        )

    run = graph_runner(graph)
    judged, strange = None, list[UnusualRow]()
    if validation is not None:
        judged = judge(validation, outputs)
        # With the fakes beside the real pictures, as on the card, so that the same groups are drawn for the interval.
        rates = {
            name: estimate(part, groups=groups, names=(RATE,))[RATE]
            for name, part, groups in by_source(judged, validation)
        }
        accusations = sorted(_metrics(rates, validation.split), key=lambda accusation: -accusation.value)
        metrics = _metrics(estimate(judged, groups=validation.groups), validation.split)
        info = info.model_copy(update={"outside_above": outside_above, "metrics": metrics, "accusations": accusations})
        strange = [unusual_row(name, judge(source, run(source))) for name, source in unusual(validation).items()]
    card = model_card(info, judged=judged, validation=validation, train=train, strange=strange, settings=settings)
    return write_bundle(out, info, graph, card)


def _train(data: str, size: int) -> Source | None:
    """The pictures learned from; None where the data has no such split."""
    try:
        return open_source(data, "Train", size)
    except UnmaskError as error:
        if error.code != "split-missing":
            raise
        return None


def _metrics(found: Mapping[str, Estimate], split: str) -> list[Metric]:
    """Those that could be measured, by the names that they have here."""
    metrics = []
    for name, share in found.items():
        if share.value is not None:
            low, high = (None if end is None else round(end, 6) for end in (share.low, share.high))
            value = round(share.value, 6)
            metrics.append(Metric(name=name, split=split, value=value, low=low, high=high, n=share.n))
    return metrics


def _today() -> str:
    """The day, or that of SOURCE_DATE_EPOCH, for those who rebuild a bundle and compare."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    now = datetime.datetime.now(datetime.UTC)
    return (datetime.datetime.fromtimestamp(int(epoch), datetime.UTC) if epoch else now).date().isoformat()


def _versions() -> dict[str, str]:
    names = ("unmask", "keras", "tensorflow", "tensorflow_cpu", "tf2onnx", "onnx", "onnxruntime", "numpy")
    found = {}
    for name in names:
        with suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found
