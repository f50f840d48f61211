import itertools
import re

import numpy as np
import pytest
from tests.toy_bundle import TERMS, toy_info

from unmask.bundle import TrainingData
from unmask.data.source import Source
from unmask.stats.metrics import Judged

pytestmark = pytest.mark.train


def test_a_name_with_a_bar_breaks_no_row():
    from unmask.export.model_card import model_card

    labels = np.arange(8) % 2
    origins = np.array(["a|b", "a|b", "c", "c"] * 2)
    groups = np.full(8, "")
    source = Source("Train", 64, ("a.png",) * 8, labels, groups, origins, lambda _: np.zeros((0, 64, 64, 3), np.uint8))
    info = toy_info()
    judged = Judged.of(labels, labels * 0.9, info.policies["balanced"].thresholds)
    training = TrainingData(name="n|m", terms=TERMS, counts={}, methods={"x|y": 1}, families={"f|g": {"Train": 1}})
    card = model_card(
        info.model_copy(update={"training_data": training}),
        judged=judged,
        validation=source,
        train=source,
        strange=[],
        settings={"only": ["a|b", "c"]},
    )
    lines = card.splitlines()
    assert sum("a\\|b" in line for line in lines) == 3
    for before, line in itertools.pairwise(lines):
        if line.startswith("|") and before.startswith("|"):
            assert cells(line) == cells(before), line


def cells(row):
    return len(re.split(r"(?<!\\)\|", row))
