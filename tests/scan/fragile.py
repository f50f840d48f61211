"""A detector that takes processes with it, as a decoder with a bug and a machine that goes would."""

import os
import signal
from pathlib import Path

from unmask.checking import Detector


class Fragile(Detector):
    """Shown a black picture, it ends its own process; shown a white one, once, the worker of Ray that it works for."""

    def outputs(self, crops, *, maps=False):
        if not crops.any():
            os.kill(os.getpid(), signal.SIGKILL)
        once, worker = self.bundle.folder.with_name("a-worker-was-killed"), os.getppid()
        if crops.min() == 255 and not once.exists() and b"ray::" in Path(f"/proc/{worker}/cmdline").read_bytes():
            once.touch()
            os.kill(worker, signal.SIGKILL)
        return super().outputs(crops, maps=maps)
