"""Pictures to try Unmask with: a portrait that is in the public domain, and fakes that were made of it.

`benchmarks/build_samples.py` makes them; `pictures/SOURCES.md` says where the portraits come from.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Sample:
    """A picture to try.

    Attributes:
        name: In its address and as its file's name, without the ending.
        title: Below it.
        known: What is known of it, in a sentence; also for those who do not see it.
    """

    name: str
    title: str
    known: str


SAMPLES = (
    Sample("portrait", "A real portrait", "A real photograph: NASA's portrait of the astronaut Eileen Collins."),
    Sample(
        "swapped-face",
        "A swapped face",
        "A fake: the face of Grace Hopper was laid over that of Eileen Collins, and its colours were matched.",
    ),
    Sample(
        "retouched-face",
        "A retouched face",
        "A fake: in the portrait of Eileen Collins the skin was smoothed and the eyes were made larger, the rest is as it was.",
    ),
    Sample("two-faces", "Real and fake", "Left the real portrait, right the one with the swapped face."),
)


@cache
def sample_jpeg(name: str) -> bytes | None:
    """A sample as a JPEG file; None if there is no such sample."""
    if name not in {sample.name for sample in SAMPLES}:
        return None
    return (Path(__file__).parent / "pictures" / f"{name}.jpg").read_bytes()
