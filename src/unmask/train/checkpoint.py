"""All that a run needs to go on as if it had never stopped, in one `.npz`, written in one step.

Weights, the seeds of Dropout, the optimizer's moments and step count, and where in the data it is. No pickle: plain
arrays and one JSON text.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from unmask.errors import UnmaskError

LAST = "last.npz"


def save_checkpoint(path: Path, model: Any, position: dict[str, Any]) -> None:
    """Writes a compiled model's whole state.

    Args:
        path: Where; an older checkpoint is replaced only once the new one is on the disk.
        model: Compiled, with a built optimizer.
        position: What else to remember; JSON values.
    """
    import keras

    arrays: dict[str, Any] = {
        f"v{index}": keras.ops.convert_to_numpy(variable) for index, variable in enumerate(_state(model))
    }
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        np.savez(file, position=np.array(json.dumps(position)), **arrays)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def read_position(path: Path) -> dict[str, Any]:
    """What `save_checkpoint` was told to remember.

    Raises:
        UnmaskError: There is no checkpoint, or it is damaged.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            position: dict[str, Any] = json.loads(str(arrays["position"]))
            return position
    except FileNotFoundError:
        raise UnmaskError(
            f"There is no checkpoint {path}.",
            hint="Name the folder of a run that was started with: unmask train --out RUN",
            code="no-checkpoint",
        ) from None
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise _damaged(path, error) from error


def load_checkpoint(path: Path, model: Any) -> None:
    """Puts a saved state into a model that was built and compiled in the same way.

    Raises:
        UnmaskError: The checkpoint is damaged or belongs to another model.
    """
    state = _state(model)
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            values = [arrays[f"v{index}"] for index in range(len(state))]
            if f"v{len(state)}" in arrays or any(
                value.shape != tuple(variable.shape) for value, variable in zip(values, state, strict=True)
            ):
                raise ValueError("it belongs to another model")
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise _damaged(path, error) from error
    for variable, value in zip(state, values, strict=True):
        variable.assign(value)


def _state(model: Any) -> list[Any]:
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
