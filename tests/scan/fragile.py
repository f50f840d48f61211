"""A detector that takes its process with it when it is shown a black picture, as a decoder with a bug would."""

import os
import signal

from unmask.checking import Detector


class Fragile(Detector):
    def outputs(self, crops, *, maps=False):
        if not crops.any():
            os.kill(os.getpid(), signal.SIGKILL)
        return super().outputs(crops, maps=maps)
