"""What every benchmark writes beside its numbers: when, on what, and how sure."""

from __future__ import annotations

import datetime
import math
import os
import platform
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def hardware() -> str:
    """Processor, cores and the width of its vectors, on which a model's speed depends, in a few words."""
    name = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        told = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
        name, flags = told.get("model name", name), told.get("flags", "").split()
        widest = next((word for flag, word in (("avx512f", "AVX-512"), ("avx2", "AVX2")) if flag in flags), None)
        name += f" ({widest})" if widest else ""
    return f"{os.cpu_count()} cores of an {name}, no GPU"


def today() -> str:
    """ISO date."""
    return datetime.date.today().isoformat()


def wilson(successes: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    """95 % interval of a share (Wilson, 1927)."""
    if n == 0:
        return 0.0, 1.0
    share = successes / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return middle - half, middle + half


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]
    return "\n".join(lines) + "\n"


def write(name: str, text: str) -> Path:
    """Write a page of `docs/measurements/` and print it."""
    path = ROOT / "docs" / "measurements" / name
    path.write_text(text)
    print(text)
    print(f"written: {path.relative_to(ROOT)}")
    return path
