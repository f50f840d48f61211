from __future__ import annotations

from pathlib import Path

import pytest
from tests.train.prepared_faces import write_prepared


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small prepared folder, 32 px."""
    return write_prepared(tmp_path_factory.mktemp("data") / "prepared")


@pytest.fixture(scope="session")
def finished_run(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of two epochs; only for tests marked `train`."""
    from unmask.train.config import make_config
    from unmask.train.loop import train

    settings = {"epochs": 2, "batch_size": 16, "precision": "float32", "checkpoint_every": 1}
    return train(make_config(data=str(prepared), **settings), tmp_path_factory.mktemp("runs") / "finished").folder
