"""Libraries that would report to their makers or write into the home folder, kept from doing either."""

from __future__ import annotations

import atexit
import os
import secrets
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


def import_onnxruntime() -> Any:
    """The package `onnxruntime`, which then reports nothing to its maker.

    Its wheels keep an identity of the machine in the home folder and send what they are used for to a collector, unless
    `ORT_DISABLE_TELEMETRY` is set before they are loaded; `disable_telemetry_events` afterwards does not help. So nothing
    in this project imports it in any other way.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    return onnxruntime


def import_ray() -> Any:
    """The packages `ray` and `ray.data`, which then reports nothing to its maker, nor do the processes that it starts.

    By default every cluster that it starts sends what it is used for to a collector, once an hour. A cluster that somebody
    else started does what its own `ray start` was told.

    Raises:
        ImportError: It is not installed.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray
    import ray.data

    return ray


@contextmanager
def ray_to_itself() -> Iterator[None]:
    """While Ray is started on this machine: keeps it from asking for the cloud that it may run in, and out of the home folder.

    Even where it reports nothing it asks `169.254.169.254` and `metadata.google.internal`, through the proxy for http if one is
    named; here that is a port of this machine where nobody listens. Without a token for its services it would write one into
    the home folder; this one goes with the process.
    """
    if not {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_AUTH_MODE"} & os.environ.keys():
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    before = {name: os.environ[name] for name in _PROXIES if name in os.environ}
    os.environ |= dict.fromkeys(_PROXIES, _NOWHERE)
    try:
        yield
    finally:
        no_proxy_of_ray()
        os.environ |= before


def no_proxy_of_ray() -> None:
    """In a worker of Ray: takes away what `ray_to_itself` left in its environment."""
    for name in _PROXIES:
        if os.environ.get(name) == _NOWHERE:
            del os.environ[name]


_PROXIES = ("http_proxy", "HTTP_PROXY")
_NOWHERE = "http://127.0.0.1:9"


def keep_keras_out_of_home() -> None:
    """Stops Keras, and what it imports, from writing into the home folder. To be called before it is imported.

    A folder `~/.keras`, or one named by `KERAS_HOME`, stays in use with all that is in it. Where there is neither, Keras makes
    none, and keeps pretrained weights that somebody asks it to download in the folder for temporary files.
    """
    os.environ["ENABLE_RUNTIME_UPTIME_TELEMETRY"] = "0"  # TensorFlow's, on Google's machines
    if "KERAS_HOME" not in os.environ and not os.path.isdir(os.path.expanduser("~/.keras")):
        # No folder can be made below the null device; Keras then goes on without one.
        os.environ["KERAS_HOME"] = f"{os.devnull}/keras"
    keep_matplotlib_out_of_home()


def keep_matplotlib_out_of_home() -> None:
    """Gives matplotlib a temporary folder for its list of fonts. To be called before it is imported.

    A list that is already in the home folder is taken along, since making one takes seconds. A folder named by `MPLCONFIGDIR`
    stays in use.
    """
    if "MPLCONFIGDIR" in os.environ:
        return
    folder = tempfile.mkdtemp(prefix="unmask-matplotlib-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["MPLCONFIGDIR"] = folder
    cache = Path(os.path.expanduser(os.environ.get("XDG_CACHE_HOME") or "~/.cache")) / "matplotlib"
    for fonts in cache.glob("fontlist-*.json"):
        shutil.copy(fonts, folder)
