"""ONNX Runtime or OpenVINO, and how coarse may its numbers be? Writes `docs/measurements/runtimes.md`.

    python benchmarks/runtimes.py [--bundle FOLDER] [--data ../shared/faces] [--pictures 100] [--turns 100]

The detector's own graph (kernels in 8 bits, computed in float32) in both runtimes, in bfloat16 where the processor has it, and
with activations in 8 bits, too: static quantisation, its ranges from `--pictures` pictures of Train. Time: one crop, one thread,
all outputs, the ways in turns. Answers: on as many pictures of Validation. Needs the extra `dev` and the package `openvino`.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from machine import ROOT, hardware, table, today, write
from unmask.checking import Detector
from unmask.evaluate.pictures import open_pictures
from unmask.image.resize import resize
from unmask.system.private import import_onnxruntime
from unmask.verdict import decide, probability

Crops = NDArray[np.uint8]
Way = tuple[str, str]  # runtime, and what it computes in
Run = Callable[[Crops], NDArray[np.float32]]  # crops -> logits


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", default="")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "faces")
    parser.add_argument("--pictures", type=int, default=100)
    parser.add_argument("--turns", type=int, default=100)
    given = parser.parse_args()
    detector = Detector.load(given.bundle or None, threads=1)
    side, graph = detector.info.input_size, detector.bundle.model
    coarse = in_eight_bits(graph, crops_of(given.data / "Train", given.pictures, side))
    ways = {
        ("onnxruntime", "float32, as shipped"): (in_onnxruntime(graph), graph),
        ("openvino", "float32"): (in_openvino(graph, "f32"), graph),
        ("onnxruntime", "8-bit activations"): (in_onnxruntime(coarse, whole=True), coarse),
        ("openvino", "8-bit activations"): (in_openvino(coarse, "f32"), coarse),
    }
    if has_bfloat16():
        ways["openvino", "bfloat16"] = in_openvino(graph, "bf16"), graph

    crops = crops_of(given.data / "Validation", given.pictures, side)
    logits = {
        way: np.concatenate([run(crops[at : at + 1]) for at in range(len(crops))]) for way, (run, _) in ways.items()
    }
    answers = {way: answers_of(detector, found) for way, found in logits.items()}
    shipped = next(iter(ways))
    one = timed({way: lambda run=run: run(crops[:1]) for way, (run, _) in ways.items()}, given.turns)
    rows = [
        [
            f"{runtime} {importlib.metadata.version(runtime)}",
            numbers,
            f"{one[way] * 1000:.1f} ms",
            f"{one[way] / one[shipped]:.2f}",
            f"{len(size) / 1e6:.1f} MB",
            f"{np.abs(logits[way] - logits[shipped]).max():.2g}",
            str(sum(mine != other for mine, other in zip(answers[way], answers[shipped], strict=True))),
        ]
        for way, (_, size) in ways.items()
        for runtime, numbers in [way]
    ]
    write("runtimes.md", page(detector, given.pictures, rows))


def page(detector: Detector, pictures: int, rows: list[list[str]]) -> str:
    head = [
        "runtime",
        "computed in",
        "one crop",
        "times the shipped",
        "graph",
        "largest difference of a logit",
        "other verdicts",
    ]
    without = "" if has_bfloat16() else "\nThis processor computes nothing in bfloat16, so that is not in the table.\n"
    return f"""# ONNX Runtime or OpenVINO

Written by `benchmarks/runtimes.py` on {today()}, {hardware()}; detector {detector.label}, one crop of
{detector.info.input_size} px, one thread, medians, all in turns. Differences are those to the first row, over {pictures}
pictures of Validation.

{table(head, rows)}{without}
The shipped file holds its kernels in 8 bits, and ONNX Runtime computes everything in float32. With activations in 8 bits, too,
what goes into each product is rounded first, by the ranges that it had on {pictures} pictures of Train.

ONNX Runtime is what Unmask computes with. OpenVINO in float32 was an option once and is no faster. Installed, it takes
{megabytes("openvino"):.0f} MB, and ONNX Runtime {megabytes("onnxruntime"):.0f} MB.
"""


def crops_of(folder: Path, count: int, side: int) -> Crops:
    """Pictures of a split, evenly spaced through its two classes."""
    pictures = open_pictures(folder)
    places = np.linspace(0, len(pictures) - 1, count).astype(int)
    return np.stack([resize(pictures.read(int(place)), side) for place in places])


def answers_of(detector: Detector, logits: NDArray[np.float32]) -> list[str]:
    return [decide(float(score), detector.thresholds) for score in probability(logits, detector.info.temperature)]


def in_onnxruntime(graph: bytes, *, whole: bool = False) -> Run:
    """As the detector has it; or with whole numbers in products, where the graph has such activations, too."""
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    if not whole:
        options.add_session_config_entry("session.disable_quant_qdq", "1")
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    names = ["logit", *(output.name for output in session.get_outputs() if output.name != "logit")]
    return lambda crops: session.run(names, {"image": crops})[0]


def openvino() -> Any:
    """The package, which then reports nothing to its maker: it cannot find what would send that."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    return importlib.import_module("openvino")


def in_openvino(graph: bytes, precision: str) -> Run:
    core = openvino().Core()
    # The last, else activations behind kernels of 8 bits are rounded to 8 bits as well.
    settings = {
        "INFERENCE_NUM_THREADS": 1,
        "INFERENCE_PRECISION_HINT": precision,
        "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0",
    }
    request = core.compile_model(core.read_model(graph), "CPU", settings).create_infer_request()

    def run(crops: Crops) -> NDArray[np.float32]:
        request.infer({"image": crops})
        return request.get_tensor("logit").data.copy()

    return run


def has_bfloat16() -> bool:
    return "BF16" in openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def in_eight_bits(graph: bytes, crops: Crops) -> bytes:
    """The graph with what goes into its convolutions and dense layers in 8 bits, too, by the ranges that it has on the crops."""
    import_onnxruntime()
    quantization: Any = importlib.import_module("onnxruntime.quantization")

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.left: Iterator[Crops] = iter(crops[:, None])

        def get_next(self) -> dict[str, Crops] | None:
            crop = next(self.left, None)
            return None if crop is None else {"image": crop}

    with tempfile.TemporaryDirectory() as folder:
        fine, coarse = Path(folder, "fine.onnx"), Path(folder, "coarse.onnx")
        fine.write_bytes(in_float32(graph))
        quantization.quantize_static(
            fine,
            coarse,
            Reader(),
            op_types_to_quantize=["Conv", "MatMul"],
            per_channel=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            extra_options={"MatMulConstBOnly": True},  # attention multiplies what is no kernel
        )
        return coarse.read_bytes()


def in_float32(graph: bytes) -> bytes:
    """The graph with the kernels written out that it holds in 8 bits: a `Cast`, and a `Mul` with the factors."""
    model = onnx.load_from_string(graph)
    held: dict[str, Any] = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    nodes = []
    for node in model.graph.node:
        if node.op_type == "Cast" and node.input[0] in held:
            held[node.output[0]] = held[node.input[0]].astype(np.float32)
        elif node.op_type == "Mul" and all(name in held for name in node.input):
            held[node.output[0]] = held[node.input[0]] * held[node.input[1]]
        else:
            nodes.append(node)
    used = {name for node in nodes for name in node.input} & held.keys()
    del model.graph.node[:], model.graph.initializer[:]
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(numpy_helper.from_array(held[name], name) for name in sorted(used))
    return bytes(model.SerializeToString())


def timed(calls: dict[Way, Callable[[], object]], turns: int) -> dict[Way, float]:
    """The median of the seconds of each call, the calls taking turns so that a slow minute hits all of them."""
    taken: dict[Way, list[float]] = {way: [] for way in calls}
    for _ in range(turns):
        for way, call in calls.items():
            started = time.perf_counter()
            call()
            taken[way].append(time.perf_counter() - started)
    return {way: statistics.median(seconds) for way, seconds in taken.items()}


def megabytes(package: str) -> float:
    files = importlib.metadata.files(package) or []
    return sum(Path(str(file.locate())).stat().st_size for file in files if Path(str(file.locate())).exists()) / 1e6


if __name__ == "__main__":
    main()
