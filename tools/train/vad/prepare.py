"""Simulate conversations and keep their features and labels, to train on and to choose settings by.

  train/, held/  features.npy  [n, 2998, 80] float16, log-mel, mean not removed
                 labels.npy    [n, 2998] bool
Those in held/ are made of speakers and noises kept out of the training, and keep their samples too:
samples.npy [n, 480000] int16.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch

from train.vad import simulate
from train.vad.sounds import read_noise, read_speech, split, to_int16
from vptools.features import fbank


def write(folder: Path, sounds: simulate.Sounds, number: int, seed: int, keep_samples: bool) -> None:
    """`number` conversations into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    shape = (number, simulate.N_FRAMES)
    features = np.lib.format.open_memmap(folder / "features.npy", "w+", np.float16, (*shape, 80))
    labels = np.lib.format.open_memmap(folder / "labels.npy", "w+", np.bool_, shape)
    kept = np.zeros((number if keep_samples else 0, simulate.N), np.int16)
    rng, began = np.random.default_rng(seed), time.time()
    for i in range(number):
        samples, labels[i] = simulate.conversation(sounds, rng)
        features[i] = fbank(samples, remove_mean=False).half().numpy()
        if keep_samples:
            kept[i] = to_int16(samples)
        if i % 50 == 49:
            left = (time.time() - began) / (i + 1) * (number - i - 1)
            print(f"{folder.name}: {i + 1}/{number} conversations, {left:.0f} s left", flush=True)
    if keep_samples:
        np.save(folder / "samples.npy", kept)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("speech", type=Path, help="folder with segments.csv and the audio")
    parser.add_argument("noise", type=Path, help="folder with music/, human/, event/ and ambience/")
    parser.add_argument("out", type=Path, help="folder to write")
    parser.add_argument("--train", type=int, default=1200, help="conversations of 30 s (default 1200)")
    parser.add_argument("--held", type=int, default=100, help="the same for held/ (default 100)")
    parser.add_argument("--seed", type=int, default=1)


def main(args: argparse.Namespace) -> None:
    torch.set_num_threads(1)
    speakers, pauses = read_speech(args.speech)
    noise = read_noise(args.noise)
    counts = ", ".join(f"{len(found)} {kind}" for kind, found in noise.items())
    print(f"{len(speakers)} speakers, {len(pauses)} pauses, {counts}", flush=True)
    for name, number in (("held", args.held), ("train", args.train)):
        held_out = name == "held"
        parts = {kind: split(found, held_out) for kind, found in noise.items()}
        sounds = simulate.Sounds(split(speakers, held_out), split(pauses, held_out), parts)
        write(args.out / name, sounds, number, args.seed + held_out, held_out)
