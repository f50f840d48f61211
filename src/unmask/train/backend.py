"""Starting Keras from the command line: without the lines that TensorFlow writes, and with a way out if it is absent."""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

from unmask.errors import UnmaskError
from unmask.system.python import install_extra


def load_keras(backend: str | None = None) -> None:
    """Imports Keras and its backend.

    Args:
        backend: `tensorflow` where nothing else will do; None for what KERAS_BACKEND says.

    Raises:
        UnmaskError: The extra `train`, or for JAX `gpu`, or for PyTorch `torch`, is not installed.
    """
    if os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3") == "3":
        # The same level for Python's half of it, which warns of retracing: models that are fresh, and a last batch that
        # is smaller, are traced anew, and have to be.
        logging.getLogger("tensorflow").setLevel(logging.ERROR)
    # TensorFlow takes oneDNN's kernels by itself only where there are instructions for neural networks (VNNI, bfloat16, AMX).
    # With AVX2 alone they nearly halve the time of a step, too.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    if backend is not None:
        os.environ["KERAS_BACKEND"] = backend
    try:
        with _silent_stderr():
            importlib.import_module(importlib.import_module("keras").backend.backend())
    except ImportError as error:
        # Two backends are in extras of their own, and Keras asks for them only where KERAS_BACKEND does.
        extra = {"jax": "gpu", "jaxlib": "gpu", "torch": "torch"}.get((error.name or "").split(".")[0])
        raise UnmaskError(
            f"Training needs more than is installed: {error}.",
            hint=f"Install it, {install_extra(extra)}, or unset KERAS_BACKEND to train on TensorFlow."
            if extra
            else f"Install what trains, {install_extra('train')}",
            code="no-train-extra",
        ) from error


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """TensorFlow greets from C++ before any setting of its log takes effect, so its file descriptor is turned away."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
