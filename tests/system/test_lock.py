import subprocess
import sys

import pytest

from unmask.errors import UnmaskError
from unmask.system.lock import locked


def test_the_second_is_told_who_is_there(tmp_path):
    refusal = pytest.raises(UnmaskError, match="unmask train, process")
    with locked(tmp_path, "unmask train"), refusal as refused, locked(tmp_path, "unmask mine"):
        pass
    assert refused.value.code == "in-use"


def test_a_folder_is_free_again_afterwards(tmp_path):
    with locked(tmp_path / "new", "unmask train"):
        pass
    with locked(tmp_path / "new", "unmask train"):
        pass


def test_a_killed_process_holds_nothing(tmp_path):
    code = f"""
import os, signal
from pathlib import Path
from unmask.system.lock import locked
with locked(Path({str(tmp_path)!r}), "unmask train"):
    os.kill(os.getpid(), signal.SIGKILL if os.name == "posix" else signal.SIGTERM)
"""
    subprocess.run([sys.executable, "-c", code], check=False)
    with locked(tmp_path, "unmask train"):
        pass
