"""Libraries that would report to their makers or write into the home folder, loaded so that they do neither."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any


def import_onnxruntime() -> Any:
    """The package `onnxruntime`, which reports nothing to its maker.

    Its wheels for Linux and Windows keep an identity of the machine in the home folder and send what they are used for
    to a collector, but where `ORT_DISABLE_TELEMETRY` is set before they are loaded. Calling its
    `disable_telemetry_events` afterwards does not help. So nothing in this project imports it in any other way.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    return onnxruntime


def keep_training_libraries_out() -> None:
    """Makes Keras, TensorFlow and matplotlib leave the home folder alone. Call it before they are imported.

    A `keras.json` or a folder for matplotlib that the user has named or made stays in use. Pretrained weights that somebody
    asks Keras to download lie in `/tmp/.keras` where there is no such folder.
    """
    os.environ["ENABLE_RUNTIME_UPTIME_TELEMETRY"] = "0"  # TensorFlow, on Google's machines
    if "KERAS_HOME" not in os.environ and not Path("~/.keras").expanduser().is_dir():
        # No folder can be made below a file, and Keras goes on without one.
        os.environ["KERAS_HOME"] = os.fspath(Path(__file__) / "keras")
    if "MPLCONFIGDIR" not in os.environ:
        folder = tempfile.mkdtemp(prefix="unmask-matplotlib-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        os.environ["MPLCONFIGDIR"] = folder
