"""What the TS-VAD network is given of a recording, as core/diarize computes it.

  trunk       [T, 2560]    layer4 of the embedding network, one frame for each 80 ms
  embeddings  [T, 4, 256]  unit embeddings of the frames about each one, for each of net.SCALES
  vad         [T, 4]       the speech detector's logits / 4, one for each 20 ms
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from train.tsvad.net import SCALES, STEPS
from train.vad.net import Vad
from vptools.features import fbank
from vptools.resnet import ResNet

TRUNK_FBANKS = 8  # 10 ms frames in a trunk frame
STRETCH = 64  # trunk frames that are computed together
MARGIN = 4  # more of them at either end, to be heard and thrown away
LARGEST_LOGIT = math.log((1 - 1e-4) / 1e-4)


@torch.no_grad()
def trunk(model: ResNet, fbanks: Tensor) -> Tensor:
    """Log-mel frames [n, 80], mean not removed -> [ceil(n / 8), 2560]. A long recording goes
    through the network in stretches, each with its own mean removed."""
    n_frames = -(-len(fbanks) // TRUNK_FBANKS)
    kept = []
    for first in range(0, n_frames, STRETCH):
        heard = max(0, first - MARGIN)
        part = fbanks[heard * TRUNK_FBANKS : (first + STRETCH + MARGIN) * TRUNK_FBANKS]
        layer4 = model.stages((part - part.mean(0))[None])["layer4"]  # [1, 256, 10, frames]
        kept.append(layer4[0].flatten(0, 1).T[first - heard :][:STRETCH])
    return torch.cat(kept)


def pooled(frames: Tensor, half: int) -> Tensor:
    """Mean and standard deviation of the frames from t - half to t + half, as far as there are
    any: [T, c] -> [T, 2 c]. In float64, since they are differences of sums from the beginning."""
    start = frames.new_zeros((1, frames.shape[1]), dtype=torch.float64)
    sums = torch.cat([start, frames.double().cumsum(0)])
    squares = torch.cat([start, frames.double().square().cumsum(0)])
    t = torch.arange(len(frames))
    first, end = (t - half).clamp_min(0), (t + half + 1).clamp_max(len(frames))
    n = (end - first).double()[:, None]
    mean = (sums[end] - sums[first]) / n
    variance = (squares[end] - squares[first] - n * mean.square()) / (n - 1).clamp_min(1)
    return torch.cat([mean, (variance.clamp_min(0) + 1e-7).sqrt()], 1).float()


@torch.no_grad()
def embeddings(model: ResNet, frames: Tensor) -> Tensor:
    """Trunk frames [T, 2560] -> [T, 4, 256], unit length."""
    return torch.stack([functional.normalize(model.seg_1(pooled(frames, half))) for half in SCALES], 1)


@torch.no_grad()
def vad(model: Vad, fbanks: Tensor, n_frames: int) -> Tensor:
    """Log-mel frames, mean not removed -> [n_frames, 4]; the last value goes on to the end."""
    logits = model(fbanks[None])[0].clamp(-LARGEST_LOGIT, LARGEST_LOGIT) / 4
    missing = n_frames * STEPS - len(logits)
    return torch.cat([logits, logits[-1:].expand(missing)]).unflatten(0, (n_frames, STEPS))


def of(embedder: ResNet, detector: Vad, samples: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
    """Samples [n] in [-1, 1] -> trunk, embeddings, vad."""
    fbanks = fbank(samples, remove_mean=False)
    frames = trunk(embedder, fbanks)
    return frames, embeddings(embedder, frames), vad(detector, fbanks, len(frames))
