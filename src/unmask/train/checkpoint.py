"""All that a run needs to go on as if it had never stopped, in one `.npz`, written in one step.

Weights, the seeds of Dropout, the optimizer's moments and step count, and where in the data it is. No pickle: plain
arrays and one JSON text.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from unmask.errors import UnmaskError
from unmask.system.atomic import atomic_write
from unmask.train.run_state import RunState

LAST = "last.npz"


def save_checkpoint(path: Path, model: Any, state: RunState) -> None:
    """Writes a compiled model's whole state.

    Args:
        path: Where; an older checkpoint is replaced only once the new one is on the disk.
        model: Compiled, with a built optimizer.
        state: Where the run is.
    """
    import keras

    arrays: dict[str, Any] = {
        f"v{index}": keras.ops.convert_to_numpy(variable) for index, variable in enumerate(_variables(model))
    }
    with atomic_write(path, durable=True) as file:
        np.savez(file, position=np.array(json.dumps(state.to_json())), **arrays)


def read_state(path: Path) -> RunState:
    """Where the run of a checkpoint is.

    Raises:
        UnmaskError: There is no checkpoint, or it is damaged.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return RunState.from_json(json.loads(str(arrays["position"])))
    except FileNotFoundError:
        raise UnmaskError(
            f"There is no checkpoint {path}.",
            hint="Name the folder of a run that was started with: unmask train --out RUN",
            code="no-checkpoint",
        ) from None
    except (OSError, EOFError, ValueError, KeyError, TypeError, BadZipFile) as error:
        raise _damaged(path, error) from error


def load_checkpoint(path: Path, model: Any) -> None:
    """Puts a saved state into a model that was built and compiled in the same way.

    Raises:
        UnmaskError: The checkpoint is damaged or belongs to another model.
    """
    variables = _variables(model)
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            values = [arrays[f"v{index}"] for index in range(len(variables))]
            if f"v{len(variables)}" in arrays or any(
                value.shape != tuple(variable.shape) for value, variable in zip(values, variables, strict=True)
            ):
                raise ValueError("it belongs to another model")
    except (OSError, EOFError, ValueError, KeyError, BadZipFile) as error:
        raise _damaged(path, error) from error
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _variables(model: Any) -> list[Any]:
    # Weights and the seeds of Dropout; the metrics are sums over one step and not worth keeping.
    metrics = {id(variable) for variable in model.metrics_variables}
    own = [variable for variable in model.variables if id(variable) not in metrics]
    return [*own, *model.optimizer.variables]


def _damaged(path: Path, error: Exception) -> UnmaskError:
    return UnmaskError(
        f"The checkpoint {path} cannot be used: {error}.",
        hint="Start the run again in a new folder.",
        code="bad-checkpoint",
    )
