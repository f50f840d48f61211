"""A bundle's graph in one of the programs that can compute it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol

from unmask.errors import UnmaskError
from unmask.system.heap import give_back_memory
from unmask.system.private import import_onnxruntime, import_openvino
from unmask.system.python import install_extra

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from unmask.bundle import Bundle

Runtime = Literal["onnxruntime", "openvino"]


class Session(Protocol):
    """Crops, uint8 (N, S, S, 3), and names of outputs -> these outputs, float32 (N, ...) each."""

    def __call__(self, crops: NDArray[np.uint8], outputs: Sequence[str]) -> list[NDArray[np.float32]]: ...


def start_session(bundle: Bundle, threads: int, runtime: Runtime) -> Session:
    """Load a bundle's graph into a program that uses so many threads for one inference.

    Returns:
        What computes it. Safe to share between threads.

    Raises:
        UnmaskError: It is not known or not installed, or the graph cannot be used.
    """
    match runtime:
        case "onnxruntime":
            return _start_onnxruntime(bundle, threads)
        case "openvino":
            return _start_openvino(bundle, threads)
    raise UnmaskError(f"unknown runtime {runtime!r}", hint="Choose onnxruntime or openvino.", code="no-runtime")


def _start_onnxruntime(bundle: Bundle, threads: int) -> Session:
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Between two pictures nothing should spin: other threads have decoding to do.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Kernels in 8 bits become float32 now, and not at every run.
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    try:
        session = onnxruntime.InferenceSession(bundle.model, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise _unusable(bundle, error) from error
    give_back_memory()  # what made the graph ready
    _expect_outputs(bundle, {output.name for output in session.get_outputs()})
    _expect_input(bundle, [(found.name, found.type, found.shape) for found in session.get_inputs()], "tensor(uint8)")

    def run(crops: NDArray[np.uint8], outputs: Sequence[str]) -> list[NDArray[np.float32]]:
        result: list[NDArray[np.float32]] = session.run(list(outputs), {"image": crops})
        return result

    return run


def _start_openvino(bundle: Bundle, threads: int) -> Session:
    try:
        openvino = import_openvino()
    except ImportError:
        hint = f"Install it, {install_extra('openvino')}"
        raise UnmaskError("the runtime openvino is not installed", hint=hint, code="no-runtime") from None
    core = openvino.Core()
    try:
        # float32 as in training: OpenVINO would take bfloat16 where the processor has it, and behind kernels of 8 bits it would
        # round activations to 8 bits as well; scores would differ.
        exact = {"INFERENCE_PRECISION_HINT": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0"}
        settings = {"INFERENCE_NUM_THREADS": threads, **exact}
        compiled: Any = core.compile_model(core.read_model(bundle.model), "CPU", settings)
    except Exception as error:
        raise _unusable(bundle, error) from error
    _expect_outputs(bundle, {name for output in compiled.outputs for name in output.names})
    inputs = [
        (
            found.any_name,
            found.element_type.to_string(),
            [None if side.is_dynamic else side.get_length() for side in found.partial_shape],
        )
        for found in compiled.inputs
    ]
    _expect_input(bundle, inputs, "u8")

    def run(crops: NDArray[np.uint8], outputs: Sequence[str]) -> list[NDArray[np.float32]]:
        # A request of one's own: calling the compiled model shares one between threads.
        request = compiled.create_infer_request()
        request.infer({"image": crops})
        return [request.get_tensor(name).data.copy() for name in outputs]

    return run


def _expect_outputs(bundle: Bundle, found: set[str]) -> None:
    promised = {"logit", "cam"} if bundle.info.outside_above is None else {"logit", "cam", "distance"}
    missing = promised - found
    if missing:
        raise _unusable(bundle, f"the graph has no output {', '.join(sorted(missing))}")


def _expect_input(bundle: Bundle, found: list[tuple[str, str, list[Any]]], uint8: str) -> None:
    """Refuses a graph that does not take crops; a side that is no number may be any."""
    side = bundle.info.input_size
    match found:
        case [("image", kind, [_, height, width, channels])] if kind == uint8:
            sides = [(height, side), (width, side), (channels, 3)]
            if all(given == wanted or not isinstance(given, int) for given, wanted in sides):
                return
    raise _unusable(bundle, f"its one input is not image, uint8 (N, {side}, {side}, 3)")


def _unusable(bundle: Bundle, reason: object) -> UnmaskError:
    return UnmaskError(
        f"the graph of {bundle.folder} cannot be used: {str(reason).splitlines()[0]}",
        hint="Make the bundle again with `unmask export`.",
        code="bad-bundle",
    )
