"""How to install something into the Python that runs, for hints."""

from __future__ import annotations

import sys
from pathlib import Path


def pip(arguments: str) -> str:
    """A command for a shell. Its Python is named without its folder: hints also reach those who ask a server.

    Args:
        arguments: Of pip, such as "list".
    """
    return f"{Path(sys.executable).name or 'python'} -m pip {arguments}"


def pip_install(what: str) -> str:
    """The command that installs something, named as pip takes it."""
    return pip(f"install {what}")


def install_extra(name: str) -> str:
    """What to do where one of this package's extras is missing, for the middle of a sentence."""
    return "in a clone of Unmask: " + pip_install(f"'.[{name}]'")
