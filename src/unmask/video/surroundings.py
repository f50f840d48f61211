"""What a decoder's process gets to know of the environment of the program that starts it."""

from __future__ import annotations

import os
import sys

# Where programs and libraries lie, which language the system speaks, and how Python starts; on Windows it needs SYSTEMROOT.
_NAMES = {
    "PATH",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "DYLD_FALLBACK_LIBRARY_PATH",
    "SYSTEMROOT",
    "WINDIR",
    "TMPDIR",
    "LANG",
    "PYTHONHOME",
    "PYTHONPLATLIBDIR",
    "PYTHONUTF8",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONPYCACHEPREFIX",
}


def environment() -> dict[str, str]:
    """The environment of a decoder: what it needs to start, and none of the secrets that variables often hold."""
    kept = {name: value for name, value in os.environ.items() if name.upper() in _NAMES or name.startswith("LC_")}
    return {**kept, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OPENBLAS_NUM_THREADS": "1"}
