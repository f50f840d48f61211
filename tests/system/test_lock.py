import os
import runpy
import subprocess
import sys
from types import SimpleNamespace

import pytest

from unmask.errors import UnmaskError
from unmask.system import lock
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


@pytest.mark.skipif(os.name == "nt", reason="there a lock ends with its process")
def test_a_killed_process_is_waited_for_whose_children_still_hold_the_lock(tmp_path):
    code = f"""
import os, signal, time
from pathlib import Path
from unmask.system.lock import locked
with locked(Path({str(tmp_path)!r}), "unmask train"):
    if os.fork():
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.5)
    os._exit(0)
"""
    subprocess.run([sys.executable, "-c", code], check=False)
    with locked(tmp_path, "unmask train"):
        pass


def test_on_windows_too_the_file_is_written_from_its_beginning(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "msvcrt", SimpleNamespace(LK_NBLCK=2, locking=lambda *_: None))
    with monkeypatch.context() as windows:
        windows.setattr(os, "name", "nt")
        take_lock = runpy.run_path(lock.__file__)["take_lock"]
    with (tmp_path / "table.part").open("x") as file:
        assert take_lock(file.fileno())
        file.write("path\n")
    assert (tmp_path / "table.part").read_text() == "path\n"
