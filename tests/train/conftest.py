"""What the tests of training share."""

import pytest
from tests.train.small_backbone import install


@pytest.fixture(autouse=True)
def plain_plots(monkeypatch):
    """The plots take longer to draw than such small runs to learn; `finished_run` has real ones."""
    monkeypatch.setattr("unmask.train.history._plot", lambda *_: b"")


@pytest.fixture
def small_backbone(monkeypatch):
    """The name of a quick architecture."""
    install(monkeypatch.setitem)
    return "small"
