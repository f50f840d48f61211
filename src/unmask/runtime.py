"""A bundle's graph in the program that computes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from unmask.errors import UnmaskError
from unmask.system.heap import give_back_memory
from unmask.system.private import import_onnxruntime

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from unmask.bundle import Bundle


class Session(Protocol):
    """Crops, uint8 (N, S, S, 3), and names of outputs -> these outputs, float32 (N, ...) each."""

    def __call__(self, crops: NDArray[np.uint8], outputs: Sequence[str]) -> list[NDArray[np.float32]]: ...


def start_session(bundle: Bundle, threads: int) -> Session:
    """Loads a bundle's graph into ONNX Runtime, which uses so many threads for one inference.

    Returns:
        What computes it. Safe to share between threads.

    Raises:
        UnmaskError: The graph cannot be used.
    """
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
    _expect_input(bundle, [(found.name, found.type, found.shape) for found in session.get_inputs()])

    def run(crops: NDArray[np.uint8], outputs: Sequence[str]) -> list[NDArray[np.float32]]:
        result: list[NDArray[np.float32]] = session.run(list(outputs), {"image": crops})
        return result

    return run


def _expect_outputs(bundle: Bundle, found: set[str]) -> None:
    promised = {"logit", "cam"} if bundle.info.outside_above is None else {"logit", "cam", "distance"}
    missing = promised - found
    if missing:
        raise _unusable(bundle, f"the graph has no output {', '.join(sorted(missing))}")


def _expect_input(bundle: Bundle, found: list[tuple[str, str, list[Any]]]) -> None:
    """Refuses a graph that does not take crops, any number at a time; a side that is no number may be any."""
    side = bundle.info.input_size
    match found:
        case [("image", "tensor(uint8)", [count, height, width, channels])]:
            sides = [(height, side), (width, side), (channels, 3)]
            if all(given == wanted or not isinstance(given, int) for given, wanted in sides):
                if not isinstance(count, int):
                    return
                hint = f"Make the bundle again from a graph whose input image is (N, {side}, {side}, 3), N a name and no number."
                raise _unusable(bundle, f"it takes crops by {count} and in no other number", hint)
    raise _unusable(bundle, f"its one input is not image, uint8 (N, {side}, {side}, 3)")


def _unusable(bundle: Bundle, reason: object, hint: str = "Make the bundle again with `unmask export`.") -> UnmaskError:
    what = f"the graph of {bundle.folder} cannot be used: {str(reason).splitlines()[0]}"
    return UnmaskError(what, hint=hint, code="bad-bundle")
