"""Fold a whitening of what varies within a speaker into the last layer of a finished run.

Embeddings of the training speakers give the mean speaker m and the covariance W within speakers.
Scores may be better after x -> (x - m) (W + strength * tr(W)/256 * I)^-1/2 (within-class covariance
normalisation, smoothed), and since the last layer is linear, that is but another weight and bias. The
strength, or none at all, is chosen on the speakers left out of the training.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from train.crops import Crops
from train.student import Student
from train.trials import TrialSet, embed

N_FRAMES = 300  # about the length of real clips
N_SPEAKERS, PER_SPEAKER = 480, 3
# Of the smoothing, the strongest first: it leaves the scores almost as they were, and wins a tie.
STRENGTHS = (30.0, 10.0, 5.0, 3.5, 2.0, 1.0, 0.5)


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
        out.append(model(x - x.mean(1, keepdim=True)).numpy())
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


def centring(embeddings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same without whitening: mean [D] and a multiple of the identity."""
    flat = embeddings.reshape(-1, embeddings.shape[2])
    centre = embeddings.mean((0, 1))
    return centre, np.eye(len(centre)) / np.linalg.norm(flat - centre, axis=1).mean()


def choose(
    embeddings: np.ndarray, model: Student, left_out: TrialSet
) -> tuple[str, tuple[np.ndarray, np.ndarray]]:
    """The map with the fewest errors on the speakers left out, none at all included, and its name."""
    found = embed(model, left_out.features)
    maps = {"none": centring(embeddings)} | {f"{s:g}": whitening(embeddings, s) for s in STRENGTHS}
    errors = {}
    for name, (centre, transform) in maps.items():
        turned = {clip: (vector - centre) @ transform for clip, vector in found.items()}
        errors[name] = left_out.rates(turned)["all"][0]
        print(f"  whitening {name}: {errors[name]:.2f} % EER on the speakers left out")
    best = min(errors, key=lambda name: errors[name])
    return best, maps[best]


def fold(state: dict[str, Tensor], centre: np.ndarray, transform: np.ndarray) -> None:
    """Make the last layer give (x - centre) @ transform."""
    weight, bias = (state[f"seg_1.{name}"].double().numpy() for name in ("weight", "bias"))
    state["seg_1.weight"] = torch.from_numpy(transform.T @ weight).float()
    state["seg_1.bias"] = torch.from_numpy(transform.T @ (bias - centre)).float()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", type=Path, help="folder of prepared speeds")
    parser.add_argument("checkpoint", type=Path, help="checkpoint.pt of a run")
    parser.add_argument("out", type=Path, help="checkpoint to write, for `export`")
    parser.add_argument("--left-out", type=Path, required=True, help="folder that `left-out` wrote, to choose on")
    parser.add_argument("--seed", type=int, default=1)


def main(args: argparse.Namespace) -> None:
    checkpoint = torch.load(args.checkpoint, map_location="cpu")
    model = Student()
    model.load_state_dict(checkpoint["average"])
    embeddings = embed_speakers(model.eval(), Crops(args.data, mean_share=1.0, seed=args.seed))
    name, chosen = choose(embeddings, model, TrialSet.of_folder(args.left_out))
    fold(checkpoint["average"], *chosen)
    torch.save({"average": checkpoint["average"]}, args.out)
    print(f"{args.out}: whitening {name}, of {embeddings.shape[0] * embeddings.shape[1]} clips")
