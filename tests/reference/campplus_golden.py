#!/usr/bin/env python3
"""Makes tests/golden/campplus: a CAM++ with random weights, and what it must answer.

  net.safetensors     the net, in the form of models/campplus.safetensors, whose features are Povey's
  tTTT/fbank.npy      [TTT, 80] features of the first frames of ../signal.npy, mean over time removed
  tTTT/head.npy       [8, 10, TTT] behind the 2-D convolutions
  tTTT/tdnn.npy       [20, H], H = ceil(TTT / 2)
  tTTT/blockB.npy     [C, H] behind the transit of block B; of block 3, behind BatchNorm and ReLU
  tTTT/pooled.npy     [2 C] means, then standard deviations
  tTTT/embedding.npy  [24] before normalisation

All float32, what PyTorch computes in float64. No width is a multiple of another's vector, and the
clips have one, two and three segments. With --check nothing is written: the committed files are
compared with new ones.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from vptools import campplus  # noqa: E402
from vptools.features import fbank  # noqa: E402

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
OUT = GOLDEN / "campplus"
ARCHITECTURE = campplus.Architecture(layers=(2, 3, 2), channels=20, growth=12, bottleneck=18, dim=24)
campplus.HEAD_CHANNELS = 8  # of a small file; published nets have 32
STAGE_FRAMES = (9, 17, 203)  # every stage is stored; two segments, the second of 2 frames
FRAMES = STAGE_FRAMES + (10, 50, 98, 200, 201, 401, 998)  # the embedding alone
SAME = 2e-6  # of the largest value: the same computation on another version of PyTorch


@torch.no_grad()
def answers() -> dict[str, np.ndarray]:
    """What the committed net says of the committed signal, by file."""
    model = campplus.load(load_file(OUT / "net.safetensors")).double()
    signal = np.load(GOLDEN / "signal.npy")
    found = {}
    for n_frames in FRAMES:
        samples = signal[: 400 + 160 * (n_frames - 1)] / 32768
        feats = fbank(samples / 32768, dtype=torch.float64, window_type="povey")
        stages = model.stages(feats[None])
        n_head = campplus.HEAD_CHANNELS
        stages["head"] = stages["head"].reshape(1, n_head, -1, n_frames)
        stages["block3"] = model.xvector["out_nonlinear"](stages["block3"])
        if n_frames not in STAGE_FRAMES:
            stages = {"embedding": stages["embedding"]}
        else:
            found[f"t{n_frames:03d}/fbank.npy"] = feats.numpy()
        found |= {f"t{n_frames:03d}/{name}.npy": x[0].numpy() for name, x in stages.items()}
    return {name: values.astype(np.float32) for name, values in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    check = parser.parse_args().check
    torch.set_num_threads(1)
    if not check:
        OUT.mkdir(parents=True, exist_ok=True)
        state = campplus.untrained(ARCHITECTURE, 31).state_dict()
        weights = {name: x for name, x in state.items() if x.is_floating_point()}
        metadata = {"name": "small campplus", "untrained": "true", "front_end": "povey"}
        save_file(weights, OUT / "net.safetensors", metadata=metadata)
    found = answers()
    for name, values in found.items():
        path = OUT / name
        if not check:
            path.parent.mkdir(exist_ok=True)
            np.save(path, np.ascontiguousarray(values))
            continue
        committed = np.load(path)
        if committed.shape != values.shape:
            sys.exit(f"{path}: of shape {committed.shape}, not {values.shape}")
        if not np.abs(committed - values).max() <= SAME * np.abs(values).max():
            sys.exit(f"{path}: differs by {np.abs(committed - values).max():.1e}")
    print(f"{len(found)} arrays, {sum(values.nbytes for values in found.values())} bytes")


if __name__ == "__main__":
    main()
