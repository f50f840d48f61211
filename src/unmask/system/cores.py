"""How many cores this process may use: those it is pinned to, and no more than its control group pays for."""

from __future__ import annotations

import math
import os
from functools import cache
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def available_cores() -> int:
    """Cores this process may use, at least 1.

    The smaller of the processor affinity (`taskset`, `docker --cpuset-cpus`) and, rounded up, the CPU quota of the control
    group (`docker --cpus`, Kubernetes limits; cgroup v2 or v1). A host of 64 cores that gives a container 2 of them counts as 2.
    """
    pinned = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(pinned, _quota(_CGROUP)))


@cache
def _quota(root: Path) -> int:
    """Cores that the control group may use; a very large number where it sets no limit."""
    try:
        quota, period = (root / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            quota = (root / "cpu" / "cpu.cfs_quota_us").read_text().strip()
            period = (root / "cpu" / "cpu.cfs_period_us").read_text().strip()
        except OSError:
            return 1 << 20
    try:
        cores = int(quota) / int(period)
    except (ValueError, ZeroDivisionError):  # "max": no limit
        return 1 << 20
    return math.ceil(cores) if cores > 0 else 1 << 20
