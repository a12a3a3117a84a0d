#!/usr/bin/env python3
"""Makes tests/golden/vad: a speech detector with random weights, features, and what it must say.

  net.safetensors      the detector, in the form of models/vad.safetensors
  features.npy         int16 [200, 80], hundredths of a log-mel unit
  tTTT.npy             [TTT] probabilities of the first TTT frames, computed in float64 by PyTorch

With --check nothing is written: the committed files are compared with new ones.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from train.vad import net  # noqa: E402
from train.vad.run import export  # noqa: E402

OUT = Path(__file__).resolve().parents[1] / "golden" / "vad"
# Odd and even, shorter and longer than the delay of 24 frames, about its edges.
FRAMES = (1, 2, 3, 9, 23, 24, 25, 26, 49, 97, 200)
SAME = 2e-6  # of two versions of PyTorch


def random_net() -> net.Vad:
    """Weights large enough for the gates to open and close."""
    torch.manual_seed(11)
    model = net.Vad()
    model.mean.fill_(8.0)
    model.scale.fill_(0.25)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3.0)
    return model.eval()


def features() -> np.ndarray:
    """Something that comes and goes, in 80 bins, hundredths."""
    rng = np.random.default_rng(12)
    swell = 3 * np.sin(np.arange(max(FRAMES))[:, None] / 9 + np.linspace(0, 3, net.N_MELS))
    return np.round(100 * (8 + swell + rng.normal(0, 2, swell.shape))).astype(np.int16)


def probabilities(model: net.Vad, frames: np.ndarray) -> np.ndarray:
    """[T, 80] -> [T], float64."""
    with torch.no_grad():
        logits = model.double()(torch.from_numpy(frames)[None])[0]
    return torch.sigmoid(logits).repeat_interleave(net.STEP_FRAMES)[: len(frames)].numpy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    check = parser.parse_args().check
    if not check:
        OUT.mkdir(parents=True, exist_ok=True)
        export(random_net(), OUT / "net.safetensors")
        np.save(OUT / "features.npy", features())
    model = net.load(load_file(OUT / "net.safetensors"))
    frames = np.load(OUT / "features.npy") / 100
    for n_frames in FRAMES:
        path = OUT / f"t{n_frames:03d}.npy"
        found = probabilities(model, frames[:n_frames])
        if not check:
            np.save(path, found.astype(np.float32))
        elif np.abs(np.load(path) - found).max() > SAME:
            sys.exit(f"{path}: differs by {np.abs(np.load(path) - found).max():.1e}")
    print(f"{len(FRAMES)} lengths, probabilities {found.min():.3f} to {found.max():.3f}")


if __name__ == "__main__":
    main()
