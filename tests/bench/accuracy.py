#!/usr/bin/env python3
"""How far from float64 is the embedding? Relative l2 error of each kernel, by length, in units of 1e-6.

For three sets of weights: those in the box; He-initialised ones as PyTorch draws them (BatchNorm as
it starts); and the suite's (tests/reference/untrained.py), whose calibrated BatchNorm and centred
last layer take out what all voices share, and so magnify every rounding error tenfold. Float64 is
PyTorch's; PyTorch in float32 stands beside us. Features of generated voices.
"""

from __future__ import annotations

import argparse
import copy
import sys
import tempfile
from pathlib import Path
from typing import Callable

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from net import Ours, kernels_of_cpu

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "reference"), str(ROOT / "tools")]

from signals import voice  # noqa: E402
from untrained import untrained  # noqa: E402
from vptools.engines import load_network  # noqa: E402
from vptools.features import fbank  # noqa: E402
from vptools.resnet import RESNETS, ResNet, tensors  # noqa: E402

SEED = 2034
HOP, WINDOW = 160, 400  # samples


def he_initialised() -> ResNet:
    """As PyTorch draws them: He's normal weights, BatchNorm the identity."""
    torch.manual_seed(SEED)
    model = ResNet(RESNETS["resnet34"])
    for m in model.modules():
        if isinstance(m, nn.Conv2d):
            nn.init.kaiming_normal_(m.weight)
    return model.eval()


def features_of(number: int, n_frames: int) -> Tensor:
    return fbank(voice(number, WINDOW + HOP * (n_frames - 1)) / 32768).float()


@torch.no_grad()
def embed(model: ResNet, features: Tensor) -> np.ndarray:
    dtype = next(model.parameters()).dtype
    return model(features[None].to(dtype))[0].double().numpy()


def print_table(title: str, model: ResNet, path: Path, options: argparse.Namespace) -> None:
    lengths = [int(n) for n in options.frames.split(",")]
    precise = copy.deepcopy(model).double()
    sides: dict[str, Callable[[Path, Tensor], np.ndarray]] = {"PyTorch float32": lambda _, x: embed(model, x)}
    for kernel in sorted(kernels_of_cpu()):
        program = Ours(options.program, path, kernel, cpu_time=True)
        sides[kernel] = lambda file, x, program=program: program.run(file, len(x))[1]
    worst = {name: dict.fromkeys(lengths, 0.0) for name in sides}
    with tempfile.TemporaryDirectory() as folder:
        for n_frames in lengths:
            for number in range(options.voices):
                x = features_of(20 + number, n_frames)
                file = Path(folder) / "x.f32"
                x.numpy().tofile(file)
                expected = embed(precise, x)
                for name, run in sides.items():
                    error = np.linalg.norm(run(file, x) - expected) / np.linalg.norm(expected)
                    worst[name][n_frames] = max(worst[name][n_frames], float(error))
    print(f"\n{title:32}" + "".join(f"{f'T={n}':>8}" for n in lengths))
    for name, errors in worst.items():
        print(f"{name:32}" + "".join(f"{1e6 * errors[n]:8.2f}" for n in lengths), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=Path, default=ROOT / "build/release/tests/bench/forward")
    parser.add_argument("--model", type=Path, default=ROOT / "models/voiceprint.safetensors")
    parser.add_argument("--frames", default="9,13,17,25,50,98,198,298,598,998")
    parser.add_argument("--voices", type=int, default=4)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        print_table("in the box", load_network(options.model), options.model, options)
        for title, model in (("He-initialised", he_initialised()),
                             ("the suite's", untrained(RESNETS["resnet34"], SEED))):
            path = Path(folder) / f"{title.split()[0]}.safetensors"
            save_file(tensors(model), path, metadata={"name": title, "untrained": "true"})
            print_table(title, model, path, options)


if __name__ == "__main__":
    main()
