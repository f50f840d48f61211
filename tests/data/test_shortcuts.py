"""Telling the class without looking at a face."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.data.pictures import jpeg, picture

from unmask.data.prepare import prepare
from unmask.data.shortcuts import Shortcut, find_shortcuts, read_facts

pytestmark = pytest.mark.train

Make = Callable[[int, int], bytes]


def same(seed: int, label: int) -> bytes:
    return jpeg(picture(seed, 72 + seed % 5), 88 + seed % 6)


def measured(root: Path, make: Make, count: int = 120) -> dict[str, Shortcut]:
    for label, name in enumerate(("Real", "Fake")):
        folder = root / "data" / "Train" / name
        folder.mkdir(parents=True)
        for number in range(count):
            (folder / f"{number:03}.jpg").write_bytes(make(1000 * label + number, label))
    return {one.name: one for one in find_shortcuts(prepare(root / "data", root / "out", size=64))}


def darker(seed: int, label: int) -> bytes:
    return jpeg((picture(seed, 80) * (0.8 if label else 1.0)).astype(np.uint8), 96)


def softer(seed: int, label: int) -> bytes:
    pixels: NDArray[np.uint8] = picture(seed, 96)
    if label:
        import cv2

        pixels = np.asarray(cv2.GaussianBlur(pixels, (0, 0), 1.0), np.uint8)
    return jpeg(pixels, 95)


CASES: dict[str, Make] = {
    "file size": lambda seed, label: same(seed, label) + bytes(1500 * label),
    "format and JPEG tables": lambda seed, label: jpeg(picture(seed, 72), 88 + 2 * label),
    "dimensions": lambda seed, label: jpeg(picture(seed, 75 if label else 72 + seed % 7), 90),
    "mean colour": darker,
    "sharpness": softer,
}


def test_a_fair_set_has_no_shortcut(tmp_path: Path) -> None:
    assert [one.name for one in measured(tmp_path, same).values() if one.is_warning] == []


@pytest.mark.parametrize("name", CASES)
def test_a_planted_shortcut_is_found(tmp_path: Path, name: str) -> None:
    found = measured(tmp_path, CASES[name])[name]
    assert found.is_warning
    assert found.auc is not None
    assert found.low is not None
    assert found.low > 0.5


def test_few_pictures_give_a_reason_and_no_number(tmp_path: Path) -> None:
    found = measured(tmp_path, same, count=10)["file size"]
    assert found.auc is None
    assert found.missing == "only 10 pictures of a class"


def test_both_classes_are_described(tmp_path: Path) -> None:
    found = measured(tmp_path, CASES["dimensions"], count=60)["dimensions"]
    assert found.fake == "75 x 75 (100%)"


def test_only_the_facts_that_are_asked_for_are_kept_in_memory(tmp_path: Path) -> None:
    measured(tmp_path, same, count=3)
    facts = read_facts(tmp_path / "out", {"Train/Real/001.jpg"})
    assert list(facts) == ["Train/Real/001.jpg"]
    assert facts["Train/Real/001.jpg"]["format"] == "JPEG"
