"""How to install something into the Python that runs, for hints."""

from __future__ import annotations

import sys
from pathlib import Path


def pip_install(what: str) -> str:
    """A command for a shell. Its Python is named without its folder: hints also reach those who ask a server.

    Args:
        what: As pip takes it, such as "pandas".
    """
    return f"{Path(sys.executable).name or 'python'} -m pip install {what}"


def install_extra(name: str) -> str:
    """What to do where one of this package's extras is missing, as the beginning of a sentence."""
    return f"In a clone of Unmask: {pip_install(f'.[{name}]')}"
