"""Simulate conversations and keep what the TS-VAD network is given of them, and its labels.

  trunk.npy         [n, 375, 2560] float16    \\
  embeddings.npy    [n, 375, 4, 256] float16   } see features.py
  vad.npy           [n, 375, 4] float16       /
  labels.npy        [n, 4, 375, 4] bool, whether a talker speaks in each 20 ms; talkers that a
                    conversation does not have never do
  model_digest.txt  of the embedding model; written last

One conversation of 30 s takes 2.7 MB. Every third one is noisier than most recordings.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from train.tsvad import features, simulate
from train.tsvad.export import EMBEDDING_MODEL, digest_of
from train.tsvad.net import N_TRUNK, SCALES, STEPS
from train.vad import net as vad_net
from train.vad.simulate import N_FRAMES, N_HOPS, Sounds
from train.vad.sounds import read_noise, read_speech
from vptools import resnet

T = -(-N_FRAMES // features.TRUNK_FBANKS)
HOPS_PER_STEP = 2
DETECTOR = Path("models/vad.safetensors")


def steps(labels: np.ndarray) -> np.ndarray:
    """Labels of 10 ms [n_talkers, N_HOPS] -> of 20 ms, any half of them, [MOST_TALKERS, T, STEPS]."""
    out = np.zeros((simulate.MOST_TALKERS, T * STEPS), dtype=bool)
    out[: len(labels), : N_HOPS // HOPS_PER_STEP] = labels.reshape(len(labels), -1, HOPS_PER_STEP).any(2)
    return out.reshape(simulate.MOST_TALKERS, T, STEPS)


def write(
    folder: Path, sounds: Sounds, number: int, seed: int, embedder: resnet.ResNet, detector: vad_net.Vad
) -> None:
    """`number` conversations into the folder."""

    def array(name: str, dtype: type, *shape: int) -> np.ndarray:
        return np.lib.format.open_memmap(folder / f"{name}.npy", "w+", dtype, (number, *shape))

    trunk = array("trunk", np.float16, T, N_TRUNK)
    embeddings = array("embeddings", np.float16, T, len(SCALES), embedder.arch.dim)
    vad = array("vad", np.float16, T, STEPS)
    labels = array("labels", np.bool_, simulate.MOST_TALKERS, T, STEPS)
    began = time.time()
    for i in range(number):
        rng = np.random.default_rng([seed, i])
        samples, spoken = simulate.conversation(sounds, rng, noisy=i % 3 == 2)
        trunk[i], embeddings[i], vad[i] = (x.numpy() for x in features.of(embedder, detector, samples))
        labels[i] = steps(spoken)
        if i % 50 == 49:
            left = (time.time() - began) / (i + 1) * (number - i - 1)
            print(f"{i + 1}/{number} conversations, {left / 60:.0f} min left", flush=True)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("speech", type=Path, help="folder with segments.csv and the audio")
    parser.add_argument("noise", type=Path, help="folder with music/, human/, event/ and ambience/")
    parser.add_argument("out", type=Path, help="folder to write")
    parser.add_argument("--model", type=Path, default=EMBEDDING_MODEL, metavar="FILE",
                        help="embedding model, .safetensors (default %(default)s)")  # fmt: skip
    parser.add_argument("--conversations", type=int, default=4800, help="of 30 s (default %(default)s)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)


def main(args: argparse.Namespace) -> None:
    torch.set_num_threads(args.threads)
    embedder = resnet.load({name: x.float() for name, x in load_file(args.model).items()})
    n_trunk = embedder.seg_1.in_features // 2
    if n_trunk != N_TRUNK:
        raise SystemExit(f"{args.model}: {n_trunk} values a frame of the trunk, not {N_TRUNK}")
    detector = vad_net.load(load_file(DETECTOR))
    speakers, pauses = read_speech(args.speech)
    able = len(simulate.talkative(speakers))
    print(f"{len(speakers)} speakers, {able} of them with 5 s or more", flush=True)
    if able < simulate.MOST_TALKERS:
        raise SystemExit(f"{args.speech}: {simulate.MOST_TALKERS} speakers with 5 s or more are needed")
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "model_digest.txt").unlink(missing_ok=True)
    sounds = Sounds(speakers, pauses, read_noise(args.noise))
    write(args.out, sounds, args.conversations, args.seed, embedder, detector)
    (args.out / "model_digest.txt").write_text(digest_of(args.model) + "\n")
