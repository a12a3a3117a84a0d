#!/usr/bin/env python3
"""Makes tests/golden: what the engine must answer, computed in float64 by PyTorch.

One generated voice; its first 400 + 160 (T - 1) samples give T frames. README.md there lists the
files. With --check nothing is written: the committed files are compared with new ones.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import kaldi_native_fbank
import numpy as np
import torch
from safetensors.torch import load_file

from make_models import GOLDEN, NETS, mean_vec
from signals import RATE_HZ, voice
from vptools.features import fbank
from vptools.resnet import load

VOICE = 20
STAGE_FRAMES = (9, 10, 16, 17, 50, 98)  # every stage is stored
FRAMES = STAGE_FRAMES + (200, 333, 998)  # fbank left out of the rest: the embedding only
MODEL_FRAMES = 50  # the clip that every model of models/ has an embedding of
FBANK_MAX, FBANK_MEAN = 2e-3, 2e-5  # two float32 implementations, log units
OTHERS = ("campplus", "der", "segmentation", "tsvad", "vad")  # folders that have a maker of their own
SAME = 2e-6  # of the largest value: the same computation on another version of PyTorch


def n_samples(n_frames: int) -> int:
    return 400 + 160 * (n_frames - 1)


def fbank_kaldi(samples: np.ndarray) -> np.ndarray:
    """The second opinion: kaldi-native-fbank, [T, 80], mean over time removed."""
    options = kaldi_native_fbank.FbankOptions()
    options.frame_opts.samp_freq = RATE_HZ
    options.frame_opts.dither = 0
    options.frame_opts.window_type = "hamming"
    options.frame_opts.snip_edges = True
    options.mel_opts.num_bins = 80
    options.mel_opts.low_freq = 20
    options.mel_opts.high_freq = 0
    options.energy_floor = 0
    options.use_energy = False
    computer = kaldi_native_fbank.OnlineFbank(options)
    computer.accept_waveform(RATE_HZ, (samples * 32768).astype(np.float32).tolist())
    computer.input_finished()
    feats = np.stack([computer.get_frame(i) for i in range(computer.num_frames_ready)])
    return feats - feats.mean(axis=0, dtype=np.float64)


def make() -> dict[str, np.ndarray]:
    """Every golden file's name and array."""
    signal = voice(VOICE, n_samples(max(FRAMES)))
    files: dict[str, np.ndarray] = {"signal.npy": signal}
    feats = {}
    for n_frames in FRAMES:
        samples = signal[: n_samples(n_frames)] / 32768
        feats[n_frames] = fbank(samples, dtype=torch.float64)
        error = np.abs(feats[n_frames].numpy() - fbank_kaldi(samples))
        if not (error.max() <= FBANK_MAX and error.mean() <= FBANK_MEAN):
            sys.exit(f"T={n_frames}: torchaudio and kaldi-native-fbank differ by {error.max():.1e}")

    model = load(load_file(GOLDEN / "models/small.safetensors")).double()
    for n_frames in FRAMES:
        folder = f"t{n_frames:03d}"
        with torch.no_grad():
            stages = model.stages(feats[n_frames][None])
        if n_frames in STAGE_FRAMES:
            files[f"{folder}/fbank.npy"] = feats[n_frames].numpy()
            files |= {f"{folder}/{name}.npy": x[0].numpy() for name, x in stages.items()}
        else:
            files[f"{folder}/embedding.npy"] = stages["embedding"][0].numpy()

    for name in NETS:
        model = load(load_file(GOLDEN / f"models/{name}.safetensors")).double()
        with torch.no_grad():
            embedding = model(feats[MODEL_FRAMES][None])[0]
        rows = torch.stack((embedding, embedding - mean_vec(model.arch.dim).double()))
        files[f"models/{name}-embeddings.npy"] = rows.numpy()
    return {k: v if v.dtype == np.int16 else v.astype(np.float32) for k, v in files.items()}


def differences(files: dict[str, np.ndarray]) -> list[str]:
    """What is wrong with the committed files, a sentence each."""
    found = []
    for name, expected in files.items():
        path = GOLDEN / name
        if not path.exists():
            found.append(f"{name} is missing")
            continue
        got = np.load(path)
        if got.shape != expected.shape or got.dtype != expected.dtype:
            found.append(f"{name} is {got.dtype} {got.shape}, not {expected.dtype} {expected.shape}")
        elif not np.abs(got.astype(float) - expected).max() <= SAME * np.abs(expected).max():
            found.append(f"{name} differs by {np.abs(got.astype(float) - expected).max():.1e}")
    present = {p.relative_to(GOLDEN) for p in GOLDEN.rglob("*.npy")}
    surplus = {str(p) for p in present if p.parts[0] not in OTHERS} - set(files)
    return found + [f"{name} is not explained" for name in sorted(surplus)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    args = parser.parse_args()
    torch.set_num_threads(1)
    files = make()
    if not args.check:
        for name, array in files.items():
            (GOLDEN / name).parent.mkdir(parents=True, exist_ok=True)
            np.save(GOLDEN / name, np.ascontiguousarray(array))
        print(f"{len(files)} files, {sum(a.nbytes for a in files.values())} bytes")
    found = differences(files)
    print("\n".join(found) or f"goldens: all {len(files)} as made anew")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
