"""Fold a whitening of what varies within a speaker into the last layer of a finished run.

Embeddings of the training speakers give the mean speaker m and the covariance W within speakers.
Scores are better after x -> (x - m) (W + strength * tr(W)/256 * I)^-1/2 (within-class covariance
normalisation, smoothed), and since the last layer is linear, that is but another weight and bias.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from train.crops import Crops
from train.schedule import SCHEDULES
from train.student import Student

N_FRAMES = 300  # about the length of real clips
N_SPEAKERS, PER_SPEAKER = 480, 3


@torch.no_grad()
def embed_speakers(model: Student, crops: Crops) -> np.ndarray:
    """[N_SPEAKERS, PER_SPEAKER, 256] of clean speech, drawn as the training draws them."""
    variant = next((v for v in crops.variants if v.speed == 1.0), crops.variants[0])
    out = []
    for speaker in crops.rng.choice(crops.train, N_SPEAKERS, p=crops.weight):
        count = int(variant.rows[speaker, 1])
        n_frames = min(N_FRAMES, max(100, 2 * count // 3))  # two crops of little speech differ
        starts = crops.rng.integers(max(count - n_frames, 0) + 1, size=PER_SPEAKER)
        clips = np.stack([variant.crop(speaker, int(at), n_frames) for at in starts])
        x = torch.from_numpy(clips).float()
        with torch.autocast("cpu", torch.bfloat16):
            out.append(model(x - x.mean(1, keepdim=True)).float().numpy())
    return np.stack(out).astype(np.float64)


def whitening(embeddings: np.ndarray, strength: float) -> tuple[np.ndarray, np.ndarray]:
    """[S, P, D] -> mean [D] and symmetric transform [D, D] that leaves vectors about unit length."""
    means = embeddings.mean(1)
    centre, dim = means.mean(0), embeddings.shape[2]
    apart = (embeddings - means[:, None]).reshape(-1, dim)
    within = apart.T @ apart / (len(embeddings) * (embeddings.shape[1] - 1))
    values, vectors = np.linalg.eigh(within + strength * np.trace(within) / dim * np.eye(dim))
    transform = vectors @ np.diag(values**-0.5) @ vectors.T
    length = np.linalg.norm((embeddings.reshape(-1, dim) - centre) @ transform, axis=1).mean()
    return centre, transform / length


def fold(state: dict[str, Tensor], centre: np.ndarray, transform: np.ndarray) -> None:
    """Make the last layer give (x - centre) @ transform."""
    weight, bias = (state[f"seg_1.{name}"].double().numpy() for name in ("weight", "bias"))
    state["seg_1.weight"] = torch.from_numpy(transform.T @ weight).float()
    state["seg_1.bias"] = torch.from_numpy(transform.T @ (bias - centre)).float()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", type=Path, help="folder of prepared variants")
    parser.add_argument("checkpoint", type=Path, help="checkpoint.pt of a finished run")
    parser.add_argument("out", type=Path, help="checkpoint to write, for `export`")
    parser.add_argument("--strength", type=float, default=3.5, help="of the smoothing: much leaves the scores as they were")
    parser.add_argument("--schedule", choices=sorted(SCHEDULES), default="short", help="as of the run")
    parser.add_argument("--seed", type=int, default=1)


def main(args: argparse.Namespace) -> None:
    checkpoint = torch.load(args.checkpoint, map_location="cpu")
    model = Student()
    model.load_state_dict(checkpoint["average"])
    model.active = SCHEDULES[args.schedule][-1].blocks
    embeddings = embed_speakers(model.eval(), Crops(args.data, mean_share=1.0, seed=args.seed))
    fold(checkpoint["average"], *whitening(embeddings, args.strength))
    torch.save({"average": checkpoint["average"]}, args.out)
    print(f"{args.out}: last layer whitened on {embeddings.shape[0] * embeddings.shape[1]} clips")
