"""What every benchmark writes beside its numbers: when, on what, and how sure."""

from __future__ import annotations

import datetime
import math
import os
import platform
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "docs" / "measurements"


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
    """Write a page of `docs/measurements/`, print it, and list it in the index."""
    path = PAGES / name
    path.write_text(text)
    print(text)
    print(f"written: {path.relative_to(ROOT)}")
    (PAGES / "index.md").write_text(index())
    return path


def index() -> str:
    """The page that lists all others: what was measured, when, with which detector, and by which script."""
    rows = []
    for page in sorted(PAGES.glob("*.md")):
        text = page.read_text(encoding="utf-8")
        if page.name == "index.md":
            continue
        title = text.splitlines()[0].removeprefix("# ")
        detector = re.search(r"unmask-\w+ \d+", text)
        script = re.search(r"benchmarks/\w+\.py", text)
        rows.append(
            [
                f"[{title}]({page.name})",
                max(re.findall(r"20\d\d-\d\d-\d\d", text), default=""),
                detector[0] if detector else "",
                f"`{script[0]}`" if script else "",
            ]
        )
    return INDEX + table(["What was measured", "When", "Detector", "Script"], sorted(rows))


INDEX = """\
# Measurements

Each page was written by a script of the repository, with the machine and the date on it. Where a detector is named that is not
the shipped one, the page tells of that earlier detector.

```{toctree}
:hidden:
:glob:

*
```

"""

if __name__ == "__main__":
    (PAGES / "index.md").write_text(index())
