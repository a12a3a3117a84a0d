#!/usr/bin/env python3
"""Makes tests/golden/tsvad: a TS-VAD net with random weights, a recording, and what it must say.

  net.safetensors   the net, in the form of models/tsvad.safetensors
  trunk.npy         [5, 2560] frames; the recording's frame t is the one of t % 5, of which value i
                    is taken from (i + 7 t) % 2560
  projected.npy     [300, 16] of the recording's frames
  detector.npy      [300, 4] probabilities of the speech detector, of 20 ms each
  speech.npy        [300, 4] what the net hears of them
  cosines.npy       [300, 3, 4] of frames, voices and scales
  tTTT-kK.npy       [K, TTT, 4] probabilities in the first TTT frames of the first K voices

All float32, what PyTorch computes in float64. With --check nothing is written: the committed files
are compared with new ones.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from train.tsvad import net  # noqa: E402
from train.tsvad.export import export  # noqa: E402

OUT = Path(__file__).resolve().parents[1] / "golden" / "tsvad"
# Shorter than the reach of a convolution, than the net's 19 frames; more than one call takes.
FRAMES = (1, 2, 3, 8, 19, 20, 45, 300)
VOICES = (1, 3)
N_TRUNK_FRAMES = 5
ROLL = 7
LEAST_PROB = 1e-4  # of the detector, see features.LARGEST_LOGIT
NO_MODEL = "sha256:" + 64 * "0"
SAME = 2e-6  # of two versions of PyTorch


def random_net() -> net.TsVad:
    """Weights large enough for every layer to matter, small enough not to make it sure."""
    torch.manual_seed(21)
    model = net.TsVad()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.5)
    return model.eval()


def recording() -> dict[str, np.ndarray]:
    """Trunk frames, half of them zero as after a ReLU; cosines on both sides of the least that
    counts of another voice; a detector that is unsure, sure and quite sure."""
    rng = np.random.default_rng(22)
    n_frames = max(FRAMES)
    logits = np.clip(rng.normal(0, 6, (n_frames, net.STEPS)), -17, 17)
    arrays = {
        "trunk": np.maximum(rng.normal(0, 1, (N_TRUNK_FRAMES, net.N_TRUNK)), 0),
        "detector": 1 / (1 + np.exp(-logits)),
        "cosines": rng.uniform(-0.7, 1, (n_frames, max(VOICES), len(net.SCALES))),
    }
    return {name: values.astype(np.float32) for name, values in arrays.items()}


@torch.no_grad()
def answers(model: net.TsVad) -> dict[str, Tensor]:
    """What the committed net says of the committed recording, by file."""
    heard = {
        name: torch.from_numpy(np.load(OUT / f"{name}.npy")).double()
        for name in ("trunk", "detector", "cosines")
    }
    stored = heard["trunk"]
    rolled = [stored[t % N_TRUNK_FRAMES].roll(-ROLL * t) for t in range(max(FRAMES))]
    trunk = torch.stack(rolled)
    speech = torch.logit(heard["detector"], LEAST_PROB) / 4
    found = {"projected": functional.relu(model.proj(trunk)), "speech": speech}
    for n_frames in FRAMES:
        for n_voices in VOICES:
            cosines = heard["cosines"][:n_frames, :n_voices].transpose(0, 1)[None]
            shared = (speech[None, :n_frames], trunk[None, :n_frames])
            logits = model(cosines, net.rivals(cosines), *shared)
            found[f"t{n_frames:03d}-k{n_voices}"] = torch.sigmoid(logits[0])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    check = parser.parse_args().check
    if not check:
        OUT.mkdir(parents=True, exist_ok=True)
        export(random_net().state_dict(), NO_MODEL, OUT / "net.safetensors")
        for name, values in recording().items():
            np.save(OUT / f"{name}.npy", values)
    found = answers(net.load(load_file(OUT / "net.safetensors")).double())
    for name, values in found.items():
        path = OUT / f"{name}.npy"
        if not check:
            np.save(path, np.ascontiguousarray(values.numpy(), np.float32))
            continue
        committed = np.load(path)
        if committed.shape != values.shape:
            sys.exit(f"{path}: of shape {committed.shape}, not {tuple(values.shape)}")
        if not np.abs(committed - values.numpy()).max() <= SAME:
            sys.exit(f"{path}: differs by {np.abs(committed - values.numpy()).max():.1e}")
    last = found[f"t{max(FRAMES):03d}-k{max(VOICES)}"]
    print(f"{len(found)} arrays, probabilities {last.min():.3f} to {last.max():.3f}")


if __name__ == "__main__":
    main()
