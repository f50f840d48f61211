"""In which numbers to compute: bfloat16 where the processor multiplies it natively, float32 elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

# As Linux names them. Without one of these, bfloat16 on a CPU is emulated and slower than float32.
_NATIVE = {"avx512_bf16", "amx_bf16", "bf16"}
# On a processor these are slower in bfloat16: depthwise convolutions have few products to save, and every map is converted
# on its way.
_SLOWER_ON_CPU = {"mobilenetv2"}


def choose_precision(wanted: Literal["auto", "float32", "mixed_bfloat16"], architecture: str) -> str:
    """`wanted`, or for ``auto`` the faster of the two for this architecture on this machine.

    In `mixed_bfloat16` products are bfloat16, while weights, sums over a batch and the logit stay float32
    (Kalamkar et al., "A Study of BFLOAT16 for Deep Learning Training", 2019).
    """
    if wanted != "auto":
        return wanted
    gains = _has_gpu() or (_cpu_flags() & _NATIVE and architecture not in _SLOWER_ON_CPU)
    return "mixed_bfloat16" if gains else "float32"


def _cpu_flags() -> set[str]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return set()
    line = next((line for line in text.splitlines() if line.lower().startswith(("flags", "features"))), "")
    return set(line.partition(":")[2].split())


def _has_gpu() -> bool:
    import keras

    if keras.backend.backend() == "torch":
        # Keras cannot list its devices there.
        import torch

        return bool(torch.cuda.is_available())
    return any(name.startswith("gpu") for name in keras.distribution.list_devices())
