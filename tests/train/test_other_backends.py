"""A run on Keras' other backends, each in a process of its own: Keras has one a process, and the other tests have TensorFlow."""

import json
import os
import subprocess
import sys

import pytest
from tests.conftest import ROOT
from tests.waiting import PATIENCE

pytestmark = pytest.mark.train

RUN = """
import json, sys
from pathlib import Path
from tests.train.small_backbone import install
from unmask.train import history
from unmask.train.config import make_config
from unmask.train.loop import train

install()
history._plot = lambda *_: b""
config = make_config(data=sys.argv[1], model="small", epochs=2, batch_size=24, ema=0.9, precision="float32")
outcome = train(config, Path(sys.argv[2]))
import keras
print(json.dumps([keras.backend.backend(), outcome.finished, [row.loss for row in outcome.history]]))
"""


@pytest.mark.parametrize(
    "backend", [pytest.param("jax", marks=pytest.mark.jax), pytest.param("torch", marks=pytest.mark.torch)]
)
def test_a_run_learns(backend, prepared, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(prepared), str(tmp_path / "run")],
        env={**os.environ, "KERAS_BACKEND": backend},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    used, finished, losses = json.loads(done.stdout.splitlines()[-1])
    assert (used, finished) == (backend, True)
    assert losses[1] < losses[0]
