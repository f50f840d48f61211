"""Do the 95 % intervals hold the truth 95 times in 100? Writes `docs/measurements/interval_coverage.md`.

    python benchmarks/interval_coverage.py [--sets 500]

Sets are drawn from two normal classes whose true AUC is known, and, for rates and means, from known ones; some come in clips, all
frames of one clip sharing most of their score. The intervals are those of `unmask evaluate`, with 1,000 resamplings.
Needs the extra `train` (SciPy).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from machine import hardware, table, today, wilson, write
from unmask.stats.intervals import Estimate, estimate, mean_estimate
from unmask.stats.metrics import Judged
from unmask.verdict import Thresholds

Arrays = tuple[NDArray[np.int64], NDArray[np.float64], list[str] | None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=int, default=500)
    sets = parser.parse_args().sets
    rows = []
    for per_class, area in ((50, 0.8), (100, 0.9), (200, 0.95), (500, 0.98), (1000, 0.9)):
        rows.append(
            line(
                f"AUC {area}",
                f"{2 * per_class} pictures",
                sets,
                area,
                lambda seed, n=per_class, a=area: auc_of(n, a, seed),
            )
        )
    for reals, fakes, area in ((3, 500, 0.9), (5, 500, 0.9), (10, 1000, 0.9), (20, 2000, 0.9), (20, 2000, 0.97)):
        rows.append(
            line(
                f"AUC {area}",
                f"{reals} real and {fakes} fake pictures",
                sets,
                area,
                lambda seed, r=reals, f=fakes, a=area: uneven_auc_of(r, f, a, seed),
            )
        )
    for clips, frames, area in ((30, 10, 0.85), (100, 5, 0.9)):
        rows.append(
            line(
                f"AUC {area}",
                f"{2 * clips} clips of {frames} frames, resampled by clip",
                sets,
                area,
                lambda seed, c=clips, f=frames, a=area: auc_of(c, a, seed, f),
            )
        )
        rows.append(
            line(
                f"AUC {area}",
                "the same, clips ignored",
                sets,
                area,
                lambda seed, c=clips, f=frames, a=area: auc_of(c, a, seed, f, ignore=True),
            )
        )
    for n, rate in ((200, 0.02), (1000, 0.02), (500, 0.1)):
        rows.append(
            line(
                f"false accusations {rate:.0%}",
                f"{n} real pictures",
                sets,
                rate,
                lambda seed, n=n, r=rate: rate_of(n, r, seed),
            )
        )
    for clips in (4, 12):
        rows.append(
            line(
                "mean 0.3",
                f"{clips} clips of 5 frames, resampled by clip",
                sets,
                0.3,
                lambda seed, c=clips: mean_of(c, seed),
            )
        )
    write(
        "interval_coverage.md",
        f"""# How often the intervals hold the truth

Written by `benchmarks/interval_coverage.py` on {today()}, {hardware()}. {sets} simulated sets a line. The last column is the 95 %
interval of the coverage itself.

{table(["truth", "set", "held the truth", "which is itself uncertain by"], rows)}
Frames of one clip share 80 % of the variance of their score. Ignoring that makes intervals far too short, which is why
`unmask evaluate` resamples whole groups wherever a manifest names them.
""",
    )


def line(truth: str, what: str, sets: int, value: float, make: Callable[[int], Estimate]) -> list[str]:
    held = 0
    for seed in range(sets):
        found = make(seed)
        held += found.low is not None and found.high is not None and found.low <= value <= found.high
    low, high = wilson(held, sets)
    row = [truth, what, f"{held / sets:.1%}", f"{low:.1%} to {high:.1%}"]
    print(*row, flush=True)
    return row


def auc_of(per_class: int, area: float, seed: int, frames: int = 1, *, ignore: bool = False) -> Estimate:
    random = np.random.default_rng(seed)
    labels = np.repeat([0, 1], per_class)
    # Shared and own part have variances that add up to 1, so that the AUC of two frames of two clips is `area`.
    shared = 0.8 if frames > 1 else 0.0
    clips = random.normal(0, np.sqrt(shared), 2 * per_class)
    logits = np.repeat(np.sqrt(2) * norm.ppf(area) * labels + clips, frames)
    logits = logits + random.normal(0, np.sqrt(1 - shared), logits.size)
    groups = None if frames == 1 or ignore else [str(clip) for clip in np.repeat(np.arange(2 * per_class), frames)]
    return auc_estimate(np.repeat(labels, frames), logits, groups)


def uneven_auc_of(reals: int, fakes: int, area: float, seed: int) -> Estimate:
    labels = np.repeat([0, 1], [reals, fakes])
    logits = np.random.default_rng(seed).normal(np.sqrt(2) * norm.ppf(area) * labels, 1)
    return auc_estimate(labels, logits, None)


def auc_estimate(labels: NDArray[np.int64], logits: NDArray[np.float64], groups: list[str] | None) -> Estimate:
    judged = Judged.of(labels, 1 / (1 + np.exp(-logits)))
    return estimate(judged, groups=groups, names=("roc_auc",))["roc_auc"]


def rate_of(n: int, rate: float, seed: int) -> Estimate:
    scores = np.where(np.random.default_rng(seed).random(n) < rate, 0.9, 0.1)
    judged = Judged.of(np.zeros(n, dtype=int), scores, Thresholds(0.3, 0.7))
    return estimate(judged, names=("false_accusation_rate",))["false_accusation_rate"]


def mean_of(clips: int, seed: int, frames: int = 5) -> Estimate:
    random = np.random.default_rng(seed)
    values = 0.3 + np.repeat(random.normal(0, 0.2, clips), frames) + random.normal(0, 0.1, clips * frames)
    return mean_estimate("gain", values, groups=[str(clip) for clip in np.repeat(np.arange(clips), frames)])


if __name__ == "__main__":
    main()
