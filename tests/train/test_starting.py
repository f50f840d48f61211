import logging

import pytest

from unmask.train.starting import load_keras


@pytest.mark.train
def test_tensorflow_does_not_warn_people_of_retracing(monkeypatch):
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    logger = logging.getLogger("tensorflow")
    logger.setLevel(logging.WARNING)
    load_keras()
    assert not logger.isEnabledFor(logging.WARNING)
    assert logger.isEnabledFor(logging.ERROR)
