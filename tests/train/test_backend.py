import logging
import os

import pytest

from unmask.errors import UnmaskError
from unmask.train.backend import load_keras


@pytest.mark.train
def test_tensorflow_does_not_warn_people_of_retracing(monkeypatch):
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    logger = logging.getLogger("tensorflow")
    logger.setLevel(logging.WARNING)
    load_keras()
    assert not logger.isEnabledFor(logging.WARNING)
    assert logger.isEnabledFor(logging.ERROR)


@pytest.mark.train
@pytest.mark.parametrize(("before", "after"), [(None, "1"), ("0", "0")])
def test_fast_kernels_are_taken_unless_somebody_says_no(monkeypatch, before, after):
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    if before is not None:
        monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", before)
    load_keras()
    assert os.environ["TF_ENABLE_ONEDNN_OPTS"] == after


@pytest.mark.parametrize(
    ("missing", "extra"), [("keras", "[train]"), ("tensorflow", "[train]"), ("jax", "[gpu]"), ("torch", "[torch]")]
)
def test_what_is_missing_is_hinted_at_by_its_extra(monkeypatch, missing, extra):
    def refuse(name):
        raise ModuleNotFoundError(f"No module named '{missing}'", name=missing)

    monkeypatch.setattr("unmask.train.backend.importlib.import_module", refuse)
    with pytest.raises(UnmaskError) as caught:
        load_keras()
    assert extra in caught.value.hint
