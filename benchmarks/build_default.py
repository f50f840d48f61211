"""Builds the shipped detector from the picture set: prepare, train, export, one command after the other.

    python benchmarks/build_default.py --tower clip_vit_b16.npz --work build/ [--faces ../shared/faces] [--seed 1]

`--tower` is CLIP ViT-B/16's image tower as a NumPy archive (see `unmask.models.clip_vit_b16`). Five heads learn on the tower as
it is, from each picture as it is and as pictures arrive: one that asks every patch (one changed copy), and four that see a
picture as a whole (two). The first one and two of the four also learn from fakes made of real pictures. Their mean is the
detector. The tower is asked for the first and the second; the others learn from what it said for the second. Nothing is chosen
by hand on the way: the epoch, the temperature and the thresholds come from Validation, and Test is not opened.
Each command is printed before it is run, so that the same can be typed; what is done already in `--work` is not done again.
Needs the extra `train`.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
import time
from pathlib import Path

import tomli_w

from machine import ROOT
from unmask.train.config import PRESETS

PATCHES = PRESETS["best"]
WHOLE = {name: value for name, value in PATCHES.items() if name != "localise"} | {
    "model": "clip_vit_b16_whole",
    "feature_copies": 3,
    "epochs": 8,
    "learning_rate": 5e-4,
}
LABEL = {
    "--name": "unmask-clip",
    "--detector-version": "16",
    "--data-name": "FaceForensics++, DFDC, LFW face swaps, FFHQ and StyleGAN, portraits of the web and of generators; 256 px",
    "--terms": "Research and other non-commercial use only. The pictures it learned from: FaceForensics++ (its terms of "
    "use, research and education), DFDC (research on detection, no identification of persons), FFHQ (CC BY-NC-SA 4.0), "
    "StyleGAN pictures (CC BY-NC 4.0), StyleGAN2 pictures (Nvidia source code licence, non-commercial), LFW and "
    "SCUT-FBP5500 (research), CelebA and UTKFace (non-commercial research), pictures of Stable Diffusion, SDXL and FLUX "
    "(their licences), and others whose rights stay with their owners. Its image tower is that of CLIP ViT-B/16 (OpenAI, "
    "MIT License).",
}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--tower", type=Path, required=True)
    options.add_argument("--work", type=Path, required=True)
    options.add_argument("--faces", type=Path, default=ROOT.parent / "shared" / "faces")
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    work = given.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    prepared, bundle = work / "prepared", work / "bundle"
    runs = {"patches": PATCHES | {"seed": given.seed}}
    for number in range(4):
        asked = {"features_of": str(work / "whole-1")} if number else {}
        made = {"blend": 0.0} if number % 2 else {}
        runs[f"whole-{number + 1}"] = WHOLE | {"seed": given.seed + number // 2} | asked | made

    _run("prepare", given.faces, "--out", prepared, "--size", PATCHES["size"])
    for name, settings in runs.items():
        if (work / name / "run.toml").is_file():
            _run("train", "--resume", work / name)
            continue
        config = work / f"{name}.toml"
        paths = {"data": str(prepared), "backbone_weights": str(given.tower.resolve())}
        config.write_text(tomli_w.dumps(settings | paths), encoding="utf-8")
        _run("train", "--config", config, "--out", work / name)
    if not bundle.exists():
        words = [word for pair in LABEL.items() for word in pair]
        _run("export", *(work / name for name in runs), "--out", bundle, "--kernel-bits", 8, *words)
    print(f"{bundle}: done.")


def _run(*words: object) -> None:
    command = [str(Path(sys.executable).with_name("unmask")), *map(str, words)]
    print(f"$ {shlex.join(command)}", flush=True)
    started = time.perf_counter()
    subprocess.run(command, check=True)
    print(f"({time.perf_counter() - started:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
